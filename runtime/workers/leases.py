"""Which workers logins have now, and which busy one a further login goes behind.

Knows the slots of tenants and what `sharing` allows. Must not know questions, blank workers or gRPC.
"""

from __future__ import annotations

import time

from runtime.workers.assign import UNKNOWN_US, Slot, Waiter
from runtime.workers.sharing import Sharing, heard
from runtime.workers.worker import Worker


class Leases:
    """The workers that are leased, each to one login or to several of its tenant. One per pool."""

    def __init__(self, sharing: Sharing) -> None:
        self._sharing = sharing
        self._slots: dict[Worker, Slot] = {}

    def __len__(self) -> int:
        """Return how many workers are leased."""
        return len(self._slots)

    def begin(self, worker: Worker, slot: Slot) -> None:
        """Count one login more that has a worker."""
        self._sharing.began()
        worker.leases += 1
        if worker.leases == 1:
            self._slots[worker] = slot
            slot.busy.append(worker)

    def end(self, worker: Worker, cpu_us: int = -1) -> Slot | None:
        """Count one login less, and what it took unless that is negative; None for a worker that died meanwhile."""
        slot = self._slots.get(worker)
        if slot is None:
            return None
        if cpu_us >= 0:
            slot.login_us = heard(slot.login_us, cpu_us)
        self._sharing.ended()
        worker.leases -= 1
        if not worker.leases:
            del self._slots[worker]
            slot.busy.remove(worker)
        return slot

    def lost(self, worker: Worker) -> None:
        """Forget a worker that died."""
        slot = self._slots.pop(worker, None)
        if slot is not None:
            self._sharing.ended(worker.leases)
            worker.leases = 0
            slot.busy.remove(worker)
            # It may have died of what others of the tenant do too: no login waits behind another for a while.
            slot.login_us = UNKNOWN_US

    def crowded(self, slot: Slot, flow: bytes) -> Worker | None:
        """Return a busy worker that takes one more login although others are idle: more could not run anyway."""
        if not slot.busy or slot.waiters:
            return None
        return self._behind(slot, flow, self._sharing.crowded_depth(slot))

    def behind(self, slot: Slot, flow: bytes) -> Worker | None:
        """Return a busy worker that takes one more login where there is no other."""
        return None if slot.waiters else self._behind(slot, flow, self._sharing.depth(slot))

    def _behind(self, slot: Slot, flow: bytes, depth: int) -> Worker | None:
        return self._sharing.behind(slot, flow, depth, time.monotonic_ns()) if depth > 1 else None

    def next_behind(self, worker: Worker, slot: Slot) -> Waiter | None:
        """Take out the login of a tenant's queue that goes behind those that a busy worker has."""
        if worker.leases < self._sharing.depth(slot) and self._sharing.takes_more(worker, time.monotonic_ns()):
            return slot.next_waiter(worker)
        return None
