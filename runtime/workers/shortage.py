"""Logins that get no worker: the reason that each is given, and its count.

Knows why workers are short. Must not know who is next.
"""

from __future__ import annotations

from collections.abc import Iterable

from runtime.errors import PoolExhausted, QueueFull, WorkerLost, WorkerStartError
from runtime.ops.metrics import Metrics
from runtime.workers.assign import Limits, Slot, Waiter
from runtime.workers.patrol import Patrol
from runtime.workers.spares import Spares


class Shortage:
    """One per pool."""

    def __init__(self, limits: Limits, spares: Spares, patrol: Patrol, metrics: Metrics) -> None:
        """`spares` know why no worker can be made, `patrol` why there may be no more."""
        self._limits, self._spares, self._patrol, self._metrics = limits, spares, patrol, metrics

    def queue_full(self, slot: Slot, waiter: Waiter) -> None:
        """Refuse a login that comes while as many wait as may."""
        slot.waiters.remove(waiter)
        self._metrics.shed(QueueFull.reason)
        full = f"{self._limits.queue_per_tenant} logins already wait for its {self._limits.per_tenant} workers"
        waiter.future.set_exception(QueueFull(f"tenant {slot.tenant}: {full}"))

    def waited_in_vain(self, slot: Slot, waiter: Waiter) -> None:
        """Refuse a login that has waited for as long as it may."""
        slot.waiters.remove(waiter)
        if self._spares.last_error is not None:
            waiter.future.set_exception(WorkerStartError(f"no worker can be started: {self._spares.last_error}"))
            return
        self._metrics.shed(PoolExhausted.reason)
        why = self._patrol.shortage()
        if slot.paused:
            why = ": its last ones crashed or broke their protocol, and a new one is made after a pause"
        waiter.future.set_exception(PoolExhausted(f"tenant {slot.tenant}: no worker came free in time{why}"))

    def ending(self, slots: Iterable[Slot]) -> None:
        """Refuse every login that still waits."""
        for slot in slots:
            for waiter in slot.waiters:
                if not waiter.future.done():
                    waiter.future.set_exception(WorkerLost("the daemon is shutting down"))
            slot.waiters.clear()
