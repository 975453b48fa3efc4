"""SIGSEGV and SIGSTOP of a worker, the zygote and the daemon itself: the answer, its bound, and the next login."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from vestibule.v1 import decision_pb2

from runtime.core.model import OnError
from tests.calls import Refused, result
from tests.faulty_daemon import launcher
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.processes import Process
from tests.fixtures.states import beyond_workers, right, right_when_cold, settled
from tests.fixtures.tenants import BOB, DENY, GATE, LOOP, MFA, SLOW, define
from tests.fixtures.waiting import PATIENCE_S, until
from tests.host import require

pytestmark = pytest.mark.long  # a drill


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all of these: what one fault leaves behind, the next test would meet."""
    flags = ("--pool-queue-wait-ms", "20000", "--sandbox-action-timeout-ms", "5000")
    with served(tmp_path_factory.mktemp("signals"), *flags, blank=2) as daemon:
        daemon.publish(
            define("acme", GATE),
            define("slow", SLOW, timeout_ms=20_000),
            define("denies", LOOP, on_error=OnError.DENY, timeout_ms=20_000),
            *(define(f"new-{at}", GATE) for at in range(40)),
        )
        yield daemon


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS], ids=lambda number: number.name)
def test_idle_workers_that_crash_are_replaced(daemon: Daemon, number: signal.Signals) -> None:
    """After every idle worker crashed, the next login is right, and each crash is counted as one."""
    right(daemon)
    beyond_workers(daemon)
    before = daemon.metric("vestibule_worker_exits_total", reason="crashed")
    crashed = sum(worker.kill(number) for worker in daemon.workers())
    assert crashed >= 3
    right(daemon)
    until(
        lambda: daemon.metric("vestibule_worker_exits_total", reason="crashed") >= before + crashed, "all are counted"
    )


def test_a_running_worker_that_crashes_is_a_verdict(daemon: Daemon) -> None:
    """A crash in the middle of an action is the action's: `crashed`, its on_error, at once; the next login is right."""
    for name, outcome in (("slow", MFA), ("denies", DENY)):
        login = daemon.begin(name, BOB)
        assert daemon.running_worker().kill(signal.SIGSEGV)
        decision = result(login)
        assert (decision.outcome, decision.degraded) == (outcome, True)
        (execution,) = decision.executions
        assert decision_pb2.Verdict.Name(execution.verdict) == "VERDICT_CRASHED"
        assert "SIGSEGV" in execution.error.message
        right(daemon)
    right(daemon, "slow")


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGUSR1], ids=["SIGSEGV", "MemoryError"])
def test_a_zygote_that_crashes_is_replaced(tmp_path: Path, number: signal.Signals) -> None:
    """A login in flight is run again under the next zygote, warm and cold tenants are right, the log has the cause.

    The zygote is the first process of its namespace, which a SIGSEGV from outside does not reach: it crashes by itself.
    """
    how = "SIGSEGV" if number == signal.SIGUSR2 else "MemoryError"
    flags = ("--pool-queue-wait-ms", "20000")
    with served(tmp_path, *flags, launcher=launcher("tests.faulty_worker")) as daemon:
        daemon.publish(
            define("acme", GATE), define("slow", SLOW, timeout_ms=20_000), define("new-0", GATE), define("new-1", GATE)
        )
        right(daemon)
        for at in range(2):
            seen = len(daemon.lines)
            login = daemon.begin("slow")
            daemon.running_worker()
            zygote, workers = daemon.tree()
            assert zygote.kill(number)
            decision = result(login)
            assert (decision.outcome, decision.degraded) == (MFA, False)
            right(daemon)
            right(daemon, f"new-{at}")
            assert how in daemon.wait_for("zygote.died", after=seen)["reason"]
            until(lambda: not any(p.alive for p in (zygote, *workers)), "the old processes are gone")  # noqa: B023  called within this turn of the loop
        until(lambda: daemon.get("/readyz")[0] == 200, "ready again")
        assert daemon.metric("vestibule_zygote_starts_total") == 3


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=lambda number: number.name)
def test_the_outer_process_of_a_zygote_that_dies(daemon: Daemon, number: signal.Signals) -> None:
    """Where a zygote has a process that only holds its namespace, that one's end is the zygote's: replaced, told."""
    right(daemon)
    seen = len(daemon.lines)
    login = daemon.begin("slow")
    daemon.running_worker()
    zygote, workers = daemon.tree()
    require(zygote.parent != daemon.process.pid, "namespaces.pid: the zygote has none of its own here")
    outer = Process.read(zygote.parent)
    assert outer is not None
    assert outer.kill(number)
    decision = result(login)
    assert (decision.outcome, decision.degraded) == (MFA, False)
    right(daemon)
    assert number.name in daemon.wait_for("zygote.died", after=seen)["reason"]
    until(lambda: not any(process.alive for process in (zygote, *workers)), "the old processes are gone")


def test_a_zygote_that_stays_stopped_is_replaced(daemon: Daemon) -> None:
    """Warm tenants are served; a cold one waits no longer than for a zygote to be given up and made anew; the log
    says why.
    """
    right(daemon)
    seen = len(daemon.lines)
    zygote, workers = daemon.tree()
    assert zygote.kill(signal.SIGSTOP)
    right(daemon)
    # More than the blank workers that are there.
    logins = [daemon.begin(f"new-{at}", timeout_s=PATIENCE_S) for at in range(10, 16)]
    assert [result(login).outcome for login in logins] == [MFA] * 6
    assert "did not answer" in daemon.wait_for("zygote.died", after=seen)["reason"]
    until(lambda: not any(p.alive for p in (zygote, *workers)), "the stopped zygote and its workers are gone")
    right(daemon)
    until(lambda: daemon.get("/readyz")[0] == 200, "ready again")


def test_a_stopped_zygote_does_not_hold_a_short_login(tmp_path: Path) -> None:
    """With the zygote stopped a cold login is refused when its wait is over, with a time to try again; then right."""
    with served(tmp_path, "--pool-queue-wait-ms", "300", blank=1) as daemon:
        daemon.publish(define("acme", GATE), *(define(f"new-{at}", GATE) for at in range(4)))
        right(daemon)
        settled(daemon)
        zygote, _ = daemon.tree()
        assert zygote.kill(signal.SIGSTOP)
        assert daemon.call("new-0").outcome == MFA
        for at in (1, 2):
            with pytest.raises(Refused) as refused:
                daemon.call(f"new-{at}", timeout_s=PATIENCE_S)
            assert refused.value.code == "RESOURCE_EXHAUSTED"
            assert "RetryInfo" in refused.value.details
            right(daemon)
        zygote.kill(signal.SIGCONT)
        for at in range(4):
            right_when_cold(daemon, f"new-{at}")
        assert daemon.metric("vestibule_zygote_starts_total") == 1


def test_a_daemon_that_was_stopped_and_continues(tmp_path: Path) -> None:
    """A login in flight gets its right answer once the daemon runs again, though every budget has passed meanwhile: its
    worker was in time. A caller that cannot wait gets DEADLINE_EXCEEDED. Nothing is killed for the pause.
    """
    with served(tmp_path, "--sandbox-flow-timeout-ms", "6000", "--sandbox-action-timeout-ms", "6000") as daemon:
        daemon.publish(define("acme", GATE), define("slow", SLOW.replace("15_", "5_"), timeout_ms=6000))
        right(daemon)
        right(daemon, "slow")
        login = daemon.begin("slow", timeout_s=PATIENCE_S)
        daemon.running_worker()
        daemon.process.send_signal(signal.SIGSTOP)
        stopped_s = time.monotonic()
        try:
            with pytest.raises(Refused) as refused:
                daemon.call("acme", timeout_s=0.5)
            assert refused.value.code == "DEADLINE_EXCEEDED"
            # Beyond what the flow had, with every grace.
            time.sleep(max(0.0, stopped_s + 7.5 - time.monotonic()))
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        decision = result(login)
        assert (decision.outcome, decision.degraded) == (MFA, False), decision
        right(daemon)
        right(daemon, "slow")
        assert daemon.metric("vestibule_zygote_starts_total") == 1
        assert daemon.metric("vestibule_worker_kills_total", reason="deadline") == 0


def test_a_drain_with_everything_stopped(tmp_path: Path) -> None:
    """Zygote and workers that are stopped, idle and running, do not hold the exit: code 0, and none is left."""
    with served(tmp_path, "--drain-s", "2", blank=2) as daemon:
        daemon.tolerated.add("daemon.drain_cut")
        daemon.publish(define("acme", GATE), define("loop", LOOP, timeout_ms=20_000))
        right(daemon)
        settled(daemon, blank=2)
        login = daemon.begin("loop")
        daemon.running_worker()
        zygote, workers = daemon.tree()
        for process in (zygote, *workers):
            assert process.kill(signal.SIGSTOP)
        began_s = time.monotonic()
        assert daemon.stop() == 0
        # The drain's limit, a zygote's time to leave, and a busy machine.
        assert time.monotonic() - began_s < 2.0 + 2.0 + 10.0
        until(lambda: not any(process.alive for process in (zygote, *workers)), "none is left")
        with pytest.raises(Refused):
            result(login)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT], ids=lambda number: number.name)
def test_a_daemon_that_crashes_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    """Its callers get UNAVAILABLE at once, every process of it ends, and the next daemon on the store is right."""
    (tmp_path / "store").mkdir()
    store = tmp_path / "store" / "flows.db"
    with served(tmp_path, blank=3, store=store) as daemon:
        daemon.publish(define("loop", LOOP, timeout_ms=20_000), define("acme", GATE))
        right(daemon)
        login = daemon.begin("loop")
        daemon.running_worker()
        assert len(daemon.family()) >= 5
        daemon.process.send_signal(number)
        with pytest.raises(Refused) as refused:
            result(login)
        assert refused.value.code == "UNAVAILABLE"
        until(lambda: not daemon.family(), "no process left", 10.0)
        assert daemon.wait() == -number
        daemon.stray.clear()
    with served(tmp_path, store=store) as daemon:
        right(daemon)
