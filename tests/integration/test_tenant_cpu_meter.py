"""Processor time by tenant is the kernel's: of real processes, killed workers and idle ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from runtime.workers.meter import Meter
from tests.fixtures.daemons import Serve
from tests.fixtures.tenants import BOB, GATE, LOOP, define
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.long

if TYPE_CHECKING:
    from collections.abc import Iterator

BURN = "import sys, time\nwhile time.process_time() < 0.2: pass\nprint('burnt', flush=True)\nsys.stdin.read()\n"
ENOUGH_S = 0.5
STUCK = "def on_execute_post_login(event, api):\n    max(map(max, *[[0] * 10 ** 6] * 10 ** 4))\n"


@pytest.fixture
def burner() -> Iterator[Any]:
    """A process that spends 0.2 s once it has been let loose."""
    process = subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pidfd = os.pidfd_open(process.pid)
    yield SimpleNamespace(process=process, pidfd=pidfd, host_pid=lambda: process.pid)
    process.kill()
    process.communicate()
    os.close(pidfd)


def test_a_meter_reads_the_kernels_clock_of_the_process(burner: Any) -> None:
    """The reading is what the process spent since the meter was made, each second once."""
    told: list[float] = []
    meter = Meter(burner, told.append)
    assert burner.process.stdout.readline() == b"burnt\n"
    assert meter.read()
    assert 0.1 < sum(told) < 0.5
    before = sum(told)
    # It waits for input now: its clock stands still.
    until(lambda: meter.read() and not meter.moved, "it waits")
    assert sum(told) - before < 0.05


def test_a_process_that_is_gone_is_charged_for_the_time_it_was_asked_for(burner: Any) -> None:
    """When the clock went with the process, the time since the question counts; an idle one's death costs nothing."""
    told: list[float] = []
    meter, idle = Meter(burner, told.append), Meter(burner, told.append)
    asked_ns = time.monotonic_ns()
    burner.process.kill()
    burner.process.wait()
    time.sleep(0.05)
    assert not meter.read()
    idle.close(0)
    assert told == []
    meter.close(asked_ns)
    assert 0.05 <= sum(told) <= (time.monotonic_ns() - asked_ns) / 1e9


def test_a_worker_without_a_process_id_is_not_metered() -> None:
    """Where /proc does not tell the number, nothing is counted and nothing fails."""
    told: list[float] = []
    meter = Meter(SimpleNamespace(host_pid=lambda: -1, pidfd=-1), told.append)  # type: ignore[arg-type]  # a stand-in for a worker
    assert not meter.read()
    meter.close(1)
    assert told == []


def test_a_loop_is_charged_to_its_tenant_and_not_to_its_neighbour(serve: Serve) -> None:
    """A loop that runs until it is stopped has spent about its budget each time; a neighbour its few milliseconds."""
    daemon = serve()
    daemon.publish(define("loops", LOOP, timeout_ms=250), define("stuck", STUCK, timeout_ms=250))
    daemon.publish(define("quiet", GATE))
    took_s = dict.fromkeys(("loops", "stuck", "quiet"), 0.0)

    def spent(name: str) -> float:
        try:
            return daemon.metric("vestibule_tenant_cpu_seconds_total", tenant=name)
        except AssertionError:
            return 0.0

    # As often as it takes: a budget is a time by the clock, of which a busy machine gives a process a part.
    def loops_enough() -> bool:
        for name in took_s:
            took_s[name] += daemon.call(name, BOB).wall_time.ToTimedelta().total_seconds()
        # A killed one was read as it was killed; of the other the sweep reads the meter.
        return spent("stuck") > ENOUGH_S and spent("loops") > ENOUGH_S

    until(loops_enough, "both are charged", 2 * PATIENCE_S)
    until(lambda: spent("quiet") > 0, "the neighbour's own time")
    for name in ("loops", "stuck"):
        # Between the answer and the kill of the process it runs on.
        assert spent(name) < 2 * took_s[name]
    assert spent("quiet") < 0.25 * ENOUGH_S
