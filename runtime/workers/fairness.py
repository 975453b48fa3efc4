"""Keeps a tenant from slowing its neighbours: where its long actions run.

Knows tenants' names and the processor clocks of workers. Must not know queues or leases.

The kernel shares processors between processes, and wakes whichever waited within a slice of some milliseconds. A login
that waits so at each of its hops is answered late, although every process had a fair share. A tenant that has spent
more than its share in long executions is therefore kept to the second half of the processors, the side lane. It loses
no priority there, so it does not starve, and no right that an ordinary user could not give back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final

from runtime.ops.log import Log
from runtime.ops.metrics import Metrics
from runtime.workers.spawner import Spawner
from runtime.workers.worker import Worker

# A look costs two system calls, and on a full machine hundreds of executions are long.
_LOOK_NS: Final = 20_000_000
# In seconds of a tenant's share: how far it may run ahead, so that a slow login now and then does not count; how much
# of its past is held against it at most. With the default share and two processors, 0.5 and 2 s of processor time.
_AHEAD_S: Final = 5.0
_DEBT_MAX_S: Final = 20.0
# A tenant has the machine to itself when no other has logged in for one to two times so long.
_ALONE_S: Final = 1.0


class Lane:
    """Which tenants are kept in it: a leaky bucket for each that had long executions of late."""

    def __init__(self, cpus: Sequence[int], share: float) -> None:
        """Divide the processors `cpus`; one tenant may spend `share` of all of them in long executions, 0: any."""
        self.everywhere = tuple(cpus)
        self.cpus = self.everywhere[(len(cpus) + 1) // 2 :]
        """Empty where there is one processor only; then no tenant is kept in it."""
        self._rate = share * len(cpus)
        # Tenant -> its debt in seconds of its share, and when it was that.
        self.debts: dict[str, tuple[float, float]] = {}
        self.held: set[str] = set()
        self._arrived: set[str] = set()
        self._arrived_before: set[str] = set()
        self._turned_s = 0.0

    @property
    def open(self) -> bool:
        """Say whether any tenant can be kept in it at all."""
        return bool(self.cpus) and self._rate > 0

    def arrived(self, tenant: str) -> None:
        """Note a login."""
        self._arrived.add(tenant)

    def spent(self, tenant: str, seconds: float, now_s: float) -> bool:
        """Count processor time of a long execution; True when the tenant is kept in the lane from now on."""
        if not self.open:
            return False
        debt_s = min(self._debt_s(tenant, now_s) + seconds / self._rate, _DEBT_MAX_S)
        self.debts[tenant] = debt_s, now_s
        if debt_s <= _AHEAD_S or tenant in self.held or self._alone(tenant, now_s):
            return False
        self.held.add(tenant)
        return True

    def holds(self, tenant: str, now_s: float) -> bool:
        """Say whether a tenant is kept in it now; it leaves once its debt is paid, or when it is alone."""
        if tenant not in self.held:
            return False
        if self._debt_s(tenant, now_s) > 0 and not self._alone(tenant, now_s):
            return True
        self.held.discard(tenant)
        return False

    def settle(self, now_s: float) -> None:
        """Let go of tenants that owe nothing any more, and forget them. To be called every few seconds."""
        for tenant in list(self.debts):
            if not self.holds(tenant, now_s) and not self._debt_s(tenant, now_s):
                del self.debts[tenant]
        self._turn(now_s)

    def _debt_s(self, tenant: str, now_s: float) -> float:
        debt_s, at_s = self.debts.get(tenant, (0.0, now_s))
        return max(0.0, debt_s - max(0.0, now_s - at_s))

    def _turn(self, now_s: float) -> None:
        if now_s - self._turned_s >= _ALONE_S:
            self._arrived_before, self._arrived = self._arrived, set()
            self._turned_s = now_s

    def _alone(self, tenant: str, now_s: float) -> bool:
        self._turn(now_s)
        return not (self._arrived | self._arrived_before) - {tenant}


class Fairness:
    """Charges long executions to their tenants, and sends workers where the lane says."""

    def __init__(self, share: float, spawner: Spawner, metrics: Metrics, log: Log, clock: Callable[[], float]) -> None:
        self._share = share
        self._spawner = spawner
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._lane = Lane(sorted(os.sched_getaffinity(0)), share)
        self._aside: set[Worker] = set()
        # What the clock of a worker stood at when its question was last found to take long, and that question.
        self._looked: dict[Worker, tuple[int, float]] = {}
        self._forks_aside = False

    def leased(self, worker: Worker, tenant: str) -> None:
        """Note that a login of a tenant has a worker, which runs where its tenant is to run now."""
        self._lane.arrived(tenant)
        if self._lane.held or worker in self._aside:
            self.place(worker)

    def look(self, worker: Worker, now_ns: int) -> None:
        """Look at a worker that has not answered for some milliseconds: at each tick at first, then every _LOOK_NS."""
        meter = worker.meter
        looked = self._looked_s(worker) is not None
        if looked and now_ns - meter.read_ns < _LOOK_NS <= now_ns - worker.sent_ns:
            return
        if meter.read():
            self._charge(worker)
            self._looked[worker] = worker.sent_ns, meter.seen_s
            self.place(worker)
        self._spawner.weigh(worker)

    def _looked_s(self, worker: Worker) -> float | None:
        sent_ns, seen_s = self._looked.get(worker, (-1, 0.0))
        return seen_s if sent_ns == worker.sent_ns else None

    def _charge(self, worker: Worker) -> None:
        """Count what a worker spent since its question was found to take long; before that, it may have been short."""
        looked_s = self._looked_s(worker)
        if looked_s is None or worker.tenant is None:
            return
        if self._lane.spent(worker.tenant, worker.meter.seen_s - looked_s, self._clock()):
            self._log.warning("tenant.set_aside", tenant=worker.tenant, share=self._share)

    def forget(self, worker: Worker) -> None:
        """Count the rest of what a dead worker spent."""
        self._charge(worker)
        self._looked.pop(worker, None)
        self._aside.discard(worker)

    def place(self, worker: Worker) -> None:
        """Send a worker where its tenant is to run now."""
        aside = self._lane.holds(worker.tenant or "", self._clock())
        if aside != (worker in self._aside):
            self._spawner.place(worker, self._lane.cpus if aside else self._lane.everywhere)
            (self._aside.add if aside else self._aside.discard)(worker)
            self._fork_aside()

    def settle(self) -> None:
        """Let go of tenants that owe nothing any more. To be called every few seconds."""
        self._lane.settle(self._clock())
        self._fork_aside()

    def _fork_aside(self) -> None:
        """Make workers in the lane as long as it is taken: most of them replace those of its tenants."""
        held = len(self._lane.held)
        self._metrics.tenants_aside(held)
        if bool(held) != self._forks_aside:
            self._forks_aside = not self._forks_aside
            self._spawner.fork_on(self._lane.cpus if held else self._lane.everywhere)
