"""A real worker that computes with no question to answer is seen by the kernel's clock, counted and killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faulty_daemon import launcher
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.states import right
from tests.fixtures.tenants import ALLOW, BOB, GATE, define
from tests.fixtures.waiting import until


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a tenant whose workers answer rightly and keep computing."""
    with served(tmp_path_factory.mktemp("burner"), blank=1, launcher=launcher("tests.faulty_worker")) as daemon:
        daemon.publish(define("acme", GATE), define("burns", f'KIND = """\n# reply: burns\n"""\n{GATE}'))
        yield daemon


def test_an_idle_worker_that_computes_is_killed_and_counted_to_its_tenant(daemon: Daemon) -> None:
    """Within a second or so, without another login; the line names worker and tenant, and the neighbour's stays."""

    def killed() -> float:
        return daemon.metric("vestibule_worker_kills_total", reason="violation")

    def workers(state: str) -> float:
        return daemon.metric("vestibule_workers", state=state)

    right(daemon)
    right(daemon)
    # One, or two where the second login did not wait for the successor of the first one's worker.
    until(lambda: workers("idle") > 0 == workers("busy") == workers("starting"), "the neighbour's workers are loaded")
    idle = workers("idle")
    assert daemon.call("burns", BOB).outcome == ALLOW
    until(lambda: killed() == 1, "the worker is killed")
    line = daemon.wait_for("worker.violated", tenant="burns")
    assert line["level"] == "warning"
    assert line["idle_cpu_ms"] >= 20
    assert daemon.metric("vestibule_tenant_cpu_seconds_total", tenant="burns") >= 0.02
    until(lambda: workers("idle") == idle, "the neighbour's workers stay")
    assert daemon.call("burns", BOB).outcome == ALLOW
    until(lambda: killed() == 2, "the next one is killed too")
    right(daemon)
    assert [line["tenant"] for line in daemon.events("worker.violated")] == ["burns", "burns"]
