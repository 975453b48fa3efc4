"""Real workers when a tenant's flow is replaced or removed: none that served the old flow lives to see the new one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from vestibule.v1 import decision_pb2

from runtime.catalog import applies
from runtime.catalog.sqlite import SqliteDatabase
from tests.calls import result
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.tenants import BOB, define
from tests.fixtures.waiting import until

pytestmark = pytest.mark.long

ENTRY = "def on_execute_post_login(event, api):\n"
KEY = ENTRY + "    api.access.deny(event.secrets['KEY'])\n"
SLOW_KEY = ENTRY + "    for _ in range(4_000_000):\n        pass\n    api.access.deny(event.secrets['KEY'])\n"
SUSPENDS = ENTRY + "    api.authentication.challenge_with({'type': 'otp'})\n"
OTP = [decision_pb2.FACTOR_OTP]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with a tenant that tells its secret, and a neighbour."""
    with served(tmp_path, "--pool-queue-wait-ms", "20000", blank=1) as daemon:
        daemon.publish(define("acme", KEY, secrets={"KEY": "first"}), define("quiet", KEY, secrets={"KEY": "own"}))
        yield daemon


def outdated(daemon: Daemon) -> float:
    """Count workers that were let go for their flow."""
    return daemon.metric("vestibule_worker_kills_total", reason="outdated")


def test_an_idle_worker_goes_as_soon_as_its_flow_is_replaced(daemon: Daemon) -> None:
    """Without a login, and before the first one with the new secret. The control: its neighbour's worker stays."""
    assert daemon.call("acme", BOB).denial.description == "first"
    assert daemon.call("quiet", BOB).denial.description == "own"
    until(lambda: daemon.metric("vestibule_workers", state="idle") == 2, "both are idle")
    workers = {worker.pid: worker for worker in daemon.workers()}
    daemon.publish(define("acme", KEY, secrets={"KEY": "rotated"}))
    until(lambda: outdated(daemon) == 1, "the worker of the old flow is killed")
    until(lambda: sum(not worker.alive for worker in workers.values()) == 1, "it is gone")
    assert daemon.metric("vestibule_workers", state="idle") == 1
    spawned = daemon.metric("vestibule_worker_spawn_duration_seconds_count")
    assert daemon.call("quiet", BOB).denial.description == "own"
    assert daemon.metric("vestibule_workers", state="idle") == 1
    assert daemon.call("acme", BOB).denial.description == "rotated"
    assert daemon.metric("vestibule_worker_spawn_duration_seconds_count") >= spawned
    assert outdated(daemon) == 1


def test_a_busy_worker_goes_when_its_login_is_decided(daemon: Daemon) -> None:
    """By the flow that it began with; the next login has another worker and the new secret."""
    daemon.publish(define("acme", SLOW_KEY, secrets={"KEY": "first"}))
    login = daemon.begin("acme", BOB)
    worker = daemon.running_worker()
    daemon.publish(define("acme", KEY, secrets={"KEY": "rotated"}))
    assert result(login).denial.description == "first"
    until(lambda: not worker.alive, "the worker of the old flow is gone")
    assert daemon.call("acme", BOB).denial.description == "rotated"


def test_the_worker_of_a_tenant_that_was_removed_goes(daemon: Daemon) -> None:
    """With what it holds of the tenant's sources and secrets."""
    assert daemon.call("acme", BOB).denial.description == "first"
    until(lambda: daemon.metric("vestibule_workers", state="idle") == 1, "it is idle")
    before = outdated(daemon)
    quiet = define("quiet", KEY, secrets={"KEY": "own"})
    revision = applies.apply(SqliteDatabase(daemon.path), [quiet], prune=True).revision
    daemon.wait_for("catalog.reloaded", revision=revision)
    until(lambda: outdated(daemon) == before + 1, "it is killed")
    assert daemon.metric("vestibule_workers", state="idle") == 0


def test_a_login_of_the_old_flow_continues_in_a_worker_of_its_own(daemon: Daemon) -> None:
    """It has the old secret, and its worker serves no login of the new flow afterwards."""
    daemon.publish(define("acme", SUSPENDS, KEY, secrets={"KEY": "first"}))
    continuation = daemon.call("acme", BOB).suspension.continuation
    daemon.publish(define("acme", KEY, secrets={"KEY": "rotated"}))
    assert daemon.call("acme", BOB).denial.description == "rotated"
    before = outdated(daemon)
    assert daemon.resume("acme", BOB, continuation, OTP).denial.description == "first"
    until(lambda: outdated(daemon) == before + 1, "the worker of the old flow is killed")
    assert daemon.call("acme", BOB).denial.description == "rotated"


def test_a_successor_of_an_old_flow_is_replaced(tmp_path: Path) -> None:
    """With a process for each login, the one that was made ready for the old flow never gets a login."""
    with served(tmp_path, "--sandbox-isolation", "login", "--pool-queue-wait-ms", "20000", blank=1) as daemon:
        daemon.publish(define("acme", KEY, secrets={"KEY": "first"}))
        for _ in range(3):
            assert daemon.call("acme", BOB).denial.description == "first"
        until(lambda: daemon.metric("vestibule_workers", state="idle") >= 1, "a successor is ready")
        daemon.publish(define("acme", KEY, secrets={"KEY": "rotated"}))
        until(lambda: outdated(daemon) >= 1, "it is killed")
        for _ in range(3):
            assert daemon.call("acme", BOB).denial.description == "rotated"
