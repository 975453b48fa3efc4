"""Workers and zygotes of a real daemon that are killed or stopped at any moment: the logins are right all the same."""

import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime.core.model import OnError
from tests.calls import Refused, result
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.processes import Process
from tests.fixtures.states import right, settled
from tests.fixtures.tenants import ADA, ALLOW, BOB, DENY, GATE, LOOP, MFA, SLOW, define
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.long

HOLDS_THE_INTERPRETER = """\
def on_execute_post_login(event, api):
    max(map(max, *[[0] * 10 ** 6] * 10 ** 4))
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all of these: what one death leaves behind, the next test would meet."""
    # A login waits long for a worker here, because a machine that runs tests takes long to start a zygote.
    flags = ("--pool-queue-wait-ms", "20000", "--sandbox-action-timeout-ms", "5000")
    with served(tmp_path_factory.mktemp("death"), *flags, blank=2) as daemon:
        daemon.publish(
            define("acme", GATE),
            define("slow", SLOW, timeout_ms=20_000),
            define("loop", LOOP, on_error=OnError.DENY, timeout_ms=1000),
            define("gil", HOLDS_THE_INTERPRETER, timeout_ms=200),
            *(define(f"new-{at}", GATE) for at in range(20)),
        )
        yield daemon


def test_idle_workers_that_are_killed_are_replaced(daemon: Daemon) -> None:
    """The next login after each kill of every idle worker is right, and each death is counted."""
    right(daemon)
    settled(daemon, blank=2)
    before, recycled = exits(daemon, "died"), exits(daemon, "killed")
    # By name, so to say: one that is dying can be killed again.
    killed: set[Process] = set()
    for _ in range(5):
        killed |= {worker for worker in daemon.workers() if worker.kill()}
        right(daemon)
    assert len(killed) >= 5

    def counted() -> bool:
        # One that the daemon had let go of itself was still dying when this test found it.
        let_go = exits(daemon, "killed") - recycled
        return exits(daemon, "died") >= before + len(killed) - let_go

    until(counted, "every death is counted")
    assert exits(daemon, "died") >= before + 5
    until(lambda: daemon.metric("vestibule_workers", state="blank") == 2, "blank workers again")


def exits(daemon: Daemon, reason: str) -> float:
    """Return how many workers ended for a reason."""
    return daemon.metric("vestibule_worker_exits_total", reason=reason)


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.1])
def test_a_running_worker_that_is_killed_costs_one_retry(daemon: Daemon, after_s: float) -> None:
    """A login whose worker another process killed is run again on another, and decided rightly."""
    before = daemon.metric("vestibule_flow_retries_total")
    login = daemon.begin("slow")
    worker = daemon.running_worker()
    time.sleep(after_s)
    assert worker.kill()
    decision = result(login)
    assert (decision.outcome, decision.degraded) == (MFA, False)
    assert daemon.metric("vestibule_flow_retries_total") == before + 1


def test_a_worker_killed_twice_leaves_no_decision(daemon: Daemon) -> None:
    """A login that lost two workers before any action finished is UNAVAILABLE, with a time to try again; then right."""
    login = daemon.begin("slow")
    first = daemon.running_worker()
    first.kill()
    daemon.running_worker(other=first).kill()
    with pytest.raises(Refused) as refused:
        result(login)
    assert (refused.value.code, refused.value.reason) == ("UNAVAILABLE", "WORKER_UNAVAILABLE")
    assert "RetryInfo" in refused.value.details
    right(daemon, "slow")


def test_workers_killed_while_they_start(daemon: Daemon) -> None:
    """While every new worker is killed as soon as it is seen, nothing hangs; afterwards logins are right."""
    known = set(daemon.workers())
    killed: list[Process] = []
    stop = threading.Event()

    def hunt() -> None:
        while not stop.is_set() and len(killed) < 12:
            for worker in daemon.workers():
                if worker not in known and worker.kill():
                    known.add(worker)
                    killed.append(worker)

    answers: list[str] = []
    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        logins = [daemon.begin(f"new-{at}") for at in range(10)]
        for login in logins:
            try:
                answers.append(str(result(login).outcome))
            except Refused as refused:
                answers.append(refused.code)
    finally:
        stop.set()
        hunter.join(PATIENCE_S)
    assert killed
    assert set(answers) <= {str(MFA), "UNAVAILABLE"}
    assert len(answers) == 10
    for at in range(20):
        assert daemon.call(f"new-{at}").outcome == MFA


def test_a_stopped_idle_worker_costs_a_retry(daemon: Daemon) -> None:
    """A worker that was stopped while idle is given up in bounded time, and another one decides rightly."""
    right(daemon)
    before = daemon.metric("vestibule_worker_kills_total", reason="deadline")
    stopped = [worker for worker in daemon.workers() if worker.kill(signal.SIGSTOP)]
    assert stopped
    decision = daemon.call("acme", timeout_s=PATIENCE_S)
    assert (decision.outcome, decision.degraded) == (MFA, False)
    assert daemon.metric("vestibule_worker_kills_total", reason="deadline") > before
    for worker in stopped:
        worker.kill(signal.SIGCONT)
    right(daemon)


def test_a_worker_stopped_while_it_runs_is_killed_and_another_one_asked(daemon: Daemon) -> None:
    """A worker stopped in the middle of an action is killed from outside. That is no fault of the action: it runs again
    elsewhere, where it uses up its budget, and the login follows on_error."""
    login = daemon.begin("loop", timeout_s=PATIENCE_S)
    worker = daemon.running_worker()
    worker.kill(signal.SIGSTOP)
    decision = result(login)
    assert (decision.outcome, decision.degraded) == (DENY, True)
    until(lambda: not worker.alive, "the stopped worker is gone")


def test_code_that_holds_the_interpreter_is_killed_from_outside(daemon: Daemon) -> None:
    """A single long operation is ended by SIGKILL, counted as a kill at the deadline; others are served meanwhile."""
    right(daemon)
    before = daemon.metric("vestibule_worker_kills_total", reason="deadline")
    login = daemon.begin("gil")
    right(daemon)
    decision = result(login)
    assert decision.degraded
    assert decision.executions[0].error.type == "BudgetExceeded"
    # What an earlier test left running may be killed in between.
    assert daemon.metric("vestibule_worker_kills_total", reason="deadline") > before


def test_a_killed_idle_zygote_is_replaced(daemon: Daemon) -> None:
    """After each of two kills the next logins are right, no process of the old zygote lives, and /readyz recovers."""
    before = daemon.metric("vestibule_zygote_starts_total")
    for at in range(1, 3):
        zygote, workers = daemon.tree()
        assert zygote.kill()
        right(daemon)
        until(lambda: not any(p.alive for p in (zygote, *workers)), "the old zygote's processes are gone")  # noqa: B023  called within this turn of the loop
        until(lambda: daemon.metric("vestibule_zygote_starts_total") == before + at, "another zygote")  # noqa: B023  called within this turn of the loop
        daemon.wait_for("zygote.died")
    until(lambda: daemon.get("/readyz")[0] == 200, "ready again")


def test_a_zygote_killed_under_running_logins(daemon: Daemon) -> None:
    """Logins whose workers died with their zygote are run again under the next one, and are right."""
    logins = [(daemon.begin("slow", event), outcome) for event, outcome in ((ADA, MFA), (BOB, ALLOW))]
    daemon.running_worker()
    zygote, _ = daemon.tree()
    assert zygote.kill()
    for login, outcome in logins:
        decision = result(login)
        assert (decision.outcome, decision.degraded) == (outcome, False)
    right(daemon)


def test_a_stopped_zygote_stops_no_warm_tenant(daemon: Daemon) -> None:
    """While the zygote is stopped, tenants with a worker are served; when it runs again, so are the others."""
    right(daemon)
    zygote, _ = daemon.tree()
    zygote.kill(signal.SIGSTOP)
    try:
        right(daemon)
    finally:
        zygote.kill(signal.SIGCONT)
    right(daemon, "new-0")


def test_kills_at_random_moments(daemon: Daemon) -> None:
    """While workers and now and then the zygote are killed at random, each login is right or UNAVAILABLE, in time."""
    chance = random.Random(7)
    stop = threading.Event()
    kills, answered = [0], threading.Semaphore(0)

    def hunt() -> None:
        # By the progress that logins make and not by the clock: on a slow machine kills would come faster than workers.
        while not stop.is_set():
            if not answered.acquire(timeout=0.1):
                continue
            stop.wait(chance.uniform(0.0, 0.02))
            zygote, workers = daemon.tree()
            kills[0] += 1
            if kills[0] % 25 == 0:
                zygote.kill()
            elif workers:
                chance.choice(workers).kill()

    def login(at: int) -> str:
        try:
            return decided(at)
        finally:
            if at % 3 == 0:
                answered.release()

    def decided(at: int) -> str:
        name, event, outcome = (("acme", ADA, MFA), ("acme", BOB, ALLOW), (f"new-{at % 20}", ADA, MFA))[at % 3]
        try:
            decision = daemon.call(name, event)
        except Refused as refused:
            return refused.code if "RetryInfo" in refused.details else f"{refused.code} without RetryInfo"
        assert (decision.outcome, decision.degraded) == (outcome, False)
        return "right"

    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        with ThreadPoolExecutor(4) as callers:
            answers = list(callers.map(login, range(300)))
    finally:
        stop.set()
        hunter.join(PATIENCE_S)
    assert kills[0] > 50
    assert set(answers) <= {"right", "UNAVAILABLE"}, set(answers)
    assert answers.count("right") > 200
    right(daemon)
    # A login may have been served by another worker than the one that was being made for it.
    until(lambda: daemon.metric("vestibule_workers", state="blank") >= 2, "blank workers again")
    until(lambda: daemon.get("/readyz")[0] == 200, "ready again")


def test_a_killed_daemon_leaves_no_process(tmp_path: Path) -> None:
    """SIGKILL to the daemon ends its zygote and every worker, idle or running."""
    with served(tmp_path, blank=3) as daemon:
        daemon.publish(define("loop", LOOP, timeout_ms=20_000))
        login = daemon.begin("loop")
        daemon.running_worker()
        until(lambda: len(daemon.workers()) == 4, "a busy worker and three blank ones")
        assert len(daemon.family()) >= 5
        daemon.process.kill()
        until(lambda: not daemon.family(), "no process left", 10.0)
        with pytest.raises(Refused):
            result(login)
