"""Where workers run: in the side lane, as long as their tenant has had more long executions than its share.

Knows the lane and the processor clocks of workers. Must not know queues or leases.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from runtime.workers.fairness import Lane

if TYPE_CHECKING:
    import asyncio

    from runtime.ops.log import Log
    from runtime.ops.metrics import Metrics
    from runtime.workers.spawner import Nursery
    from runtime.workers.worker import Worker

# A look costs two system calls, and on a full machine hundreds of executions are long.
_LOOK_NS: Final = 20_000_000


class Placing:
    """Charges long executions to the lane's accounts, and sends workers where the lane says."""

    def __init__(self, share: float, nursery: Nursery, metrics: Metrics, log: Log) -> None:
        self._share = share
        self._nursery = nursery
        self._metrics = metrics
        self._log = log
        self._lane = Lane(sorted(os.sched_getaffinity(0)), share)
        self._forks_aside = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the clock from a loop."""
        self._loop = loop

    def leased(self, worker: Worker, tenant: str) -> None:
        """Note that a login of a tenant has a worker, which runs where its tenant is to run now."""
        self._lane.arrived(tenant)
        if self._lane.held or worker.aside:
            self.place(worker)

    def runs_long(self, worker: Worker, now_ns: int) -> bool:
        """Count what a worker takes of the processor that has not answered for some milliseconds; see `Lane`.

        Returns: whether it was looked at: each time at first, then every _LOOK_NS.
        """
        meter = worker.meter
        if meter is None or (worker.looked_s >= 0 and now_ns - meter.read_ns < _LOOK_NS <= now_ns - worker.sent_ns):
            return False
        if meter.read():
            self.charge(worker)
            worker.looked_s = meter.seen_s
            self.place(worker)
        return True

    def charge(self, worker: Worker) -> None:
        """Count what a worker spent since it was last found to run long; before, it was short executions, perhaps."""
        meter, tenant = worker.meter, worker.tenant
        if meter is None or tenant is None or worker.looked_s < 0:
            return
        if self._lane.spent(tenant, meter.seen_s - worker.looked_s, self._loop.time()):
            self._log.warning("tenant.set_aside", tenant=tenant, share=self._share)

    def place(self, worker: Worker) -> None:
        """Send a worker where its tenant is to run now."""
        aside = self._lane.holds(worker.tenant or "", self._loop.time())
        if aside != worker.aside:
            worker.aside = aside
            self._nursery.place(worker, self._lane.cpus if aside else self._lane.everywhere)
            self._fork_aside()

    def settle(self) -> None:
        """Let go of tenants that owe nothing any more. To be called every few seconds."""
        self._lane.settle(self._loop.time())
        self._fork_aside()

    def _fork_aside(self) -> None:
        """Make workers in the lane as long as it is taken: most of them replace those of its tenants."""
        held = self._lane.held
        self._metrics.tenants_aside(held)
        if bool(held) != self._forks_aside:
            self._forks_aside = not self._forks_aside
            self._nursery.fork_on(self._lane.cpus if held else self._lane.everywhere)
