"""A process for each login, in a real daemon: who serves, how a login fails, and what is left of it.

Beside a daemon with a worker for each tenant: a login fails alike in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from vestibule.v1 import decision_pb2

from tests.calls import result
from tests.faulty_daemon import launcher
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.processes import Process, children
from tests.fixtures.states import settled
from tests.fixtures.tenants import ALLOW, BOB, GATE, HOARD, LOOP, MFA, SLOW, define
from tests.fixtures.waiting import until

FLAGS = ("--sandbox-action-timeout-ms", "200", "--sandbox-flow-timeout-ms", "10000", "--pool-queue-wait-ms", "20000")
COUNTS = """\
import random
seen = []
def on_execute_post_login(event, api):
    seen.append(event.user.email)
    print(len(seen), random.random())
"""
# A call of C code that the alarm does not interrupt: the daemon kills its process.
HANGS = """\
def on_execute_post_login(event, api):
    text = "ab" * 16_000_000
    while True:
        text.title()
"""
RAISES = """\
def on_execute_post_login(event, api):
    raise ValueError("no")
"""
DEEP = """\
def down(n):
    return down(n + 1)
def on_execute_post_login(event, api):
    down(0)
"""
FAILS = {"loops": LOOP, "hangs": HANGS, "hoards": HOARD, "raises": RAISES, "deep": DEEP}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that forks a process for each login."""
    with served(tmp_path_factory.mktemp("login"), "--sandbox-isolation", "login", *FLAGS, blank=2) as daemon:
        daemon.publish(
            define("acme", COUNTS),
            define("other", GATE),
            define("slow", SLOW, timeout_ms=5000),
            *(define(name, source) for name, source in FAILS.items()),
        )
        yield daemon


def templates(daemon: Daemon) -> dict[Process, list[Process]]:
    """Return the workers that have a child of their own, with it."""
    found = {worker: children(worker.pid) for worker in daemon.workers()}
    return {worker: theirs for worker, theirs in found.items() if theirs}


def warm(daemon: Daemon, tenant: str = "acme") -> None:
    """Let logins of a tenant be served by templates from now on: its first ones compile."""
    for _ in range(4):
        daemon.call(tenant, BOB)
    until(lambda: templates(daemon), "a template")
    settled(daemon, blank=2)


def test_each_login_has_a_process_of_its_own(daemon: Daemon) -> None:
    """Of a template that stays: what a login changed is not there for the next, and no process serves two."""
    warm(daemon)
    killed = daemon.metric("vestibule_worker_kills_total", reason="recycled")
    spawned = daemon.metric("vestibule_worker_spawn_duration_seconds_count")
    seen: set[Process] = set()
    for _ in range(8):
        until(lambda: daemon.metric("vestibule_workers", state="busy") == 0, "each template has its next child")
        before = {child for theirs in templates(daemon).values() for child in theirs}
        assert daemon.call("acme", BOB).executions[0].output.startswith("1 "), "state of an earlier login"
        # One of those that waited has served, and is gone.
        until(
            lambda before=before: before - {child for theirs in templates(daemon).values() for child in theirs},  # type: ignore[misc]  # a default that binds
            "the process is gone",
        )
        seen |= before
    assert len(seen) >= 8
    assert daemon.metric("vestibule_worker_kills_total", reason="recycled") == killed
    # A login that comes while the only template is renewed has a second one made: four at most.
    assert daemon.metric("vestibule_worker_spawn_duration_seconds_count") - spawned <= 4


def test_a_template_serves_one_tenant(daemon: Daemon) -> None:
    """Two tenants have templates of their own; none of one's serves the other."""
    warm(daemon)
    mine = set(templates(daemon))
    assert daemon.call("other", BOB).outcome == ALLOW
    warm(daemon, "other")
    theirs = set(templates(daemon)) - mine
    assert theirs
    children_of = {worker: set(found) for worker, found in templates(daemon).items()}
    for _ in range(4):
        daemon.call("other", BOB)
        until(lambda: daemon.metric("vestibule_workers", state="busy") == 0, "renewed")
    after = {worker: set(found) for worker, found in templates(daemon).items()}
    assert {worker: after[worker] for worker in mine} == {worker: children_of[worker] for worker in mine}


def test_templates_go_with_their_flow(daemon: Daemon) -> None:
    """Once another flow is deployed, no process that knows the old one is left."""
    warm(daemon)
    old = templates(daemon)
    daemon.publish(define("acme", COUNTS, GATE))
    until(lambda: daemon.metric("vestibule_worker_kills_total", reason="outdated") >= 1, "the templates are killed")
    killed = until(lambda: [worker for worker in old if not worker.alive], "and gone")
    until(lambda: not any(child.alive for worker in killed for child in old[worker]), "with their children")
    assert len(daemon.call("acme", BOB).executions) == 2
    daemon.publish(define("acme", COUNTS))


def running(daemon: Daemon) -> Process | None:
    """Return the child of a template that runs tenant code now."""
    theirs = [child for found in templates(daemon).values() for child in found]
    return next((child for child in theirs if child.ticks() > 3), None)


def how(decision: decision_pb2.Decision) -> tuple[object, ...]:
    """Return what a decision says of its first action, without times."""
    execution = decision.executions[0]
    return decision.outcome, execution.verdict, execution.error.type, execution.error.line


@pytest.mark.long
@pytest.mark.parametrize("name", FAILS)
def test_a_login_fails_as_in_a_worker_of_its_tenant(daemon: Daemon, name: str, tmp_path: Path) -> None:
    """Verdict, error and line, login after login; a neighbour is served meanwhile."""
    with served(tmp_path, *FLAGS, blank=2) as control:
        control.publish(define(name, FAILS[name]))
        expected = {how(control.call(name, BOB)) for _ in range(3)}
    assert len(expected) == 1
    for _ in range(5):
        assert {how(daemon.call(name, BOB))} == expected
        assert daemon.call("other", BOB).outcome == ALLOW


FAULTS = (
    dict.fromkeys(("never", "half", "end", "flood"))
    | dict.fromkeys(("empty", "huge", "garbage"), True)
    | {"burns": False}
)


@pytest.mark.long
@pytest.mark.parametrize("kind", FAULTS)
def test_a_child_that_answers_wrongly_costs_its_own_login(tmp_path: Path, kind: str) -> None:
    """Whether it lies, is silent, or computes on after its answer; a neighbour is served, and so is the next login."""
    flags = ("--sandbox-isolation", "login", *FLAGS[:2], "--sandbox-flow-timeout-ms", "400", *FLAGS[4:])
    with served(tmp_path, *flags, blank=2, launcher=launcher("tests.faulty_worker")) as daemon:
        daemon.publish(define("other", GATE), define("faulty", f'KIND = """\n# reply: {kind}\n"""\n{GATE}'))
        for _ in range(3):
            decision = daemon.call("faulty", BOB)
            disbelieved = decision.outcome == MFA and decision.degraded
            assert disbelieved or decision.outcome == ALLOW
            assert FAULTS[kind] in (None, disbelieved)
            assert daemon.call("other", BOB).outcome == ALLOW
        if kind == "burns":  # it answered: nothing but its template is killed for it
            until(lambda: daemon.metric("vestibule_worker_kills_total", reason="deadline") >= 1, "it is killed")


@pytest.mark.long
@pytest.mark.parametrize(("number", "verdict"), [(11, "CRASHED"), (31, "VIOLATED"), (9, None)])
def test_a_child_that_is_killed_is_told_by_its_signal(daemon: Daemon, number: int, verdict: str | None) -> None:
    """A crash, a forbidden system call, and a foreign kill, after which the login is decided by another process."""
    warm(daemon, "slow")
    login = daemon.begin("slow", BOB)
    child = until(lambda: running(daemon), "a child that runs", every_s=0.005)
    child.kill(number)
    decision = result(login)
    if verdict is None:
        assert decision.outcome == ALLOW
        assert not decision.degraded
    else:
        assert decision.outcome == MFA
        assert decision_pb2.Verdict.Name(decision.executions[0].verdict) == f"VERDICT_{verdict}"
    assert daemon.call("other", BOB).outcome == ALLOW
