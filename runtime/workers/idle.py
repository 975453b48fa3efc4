"""The idle workers of all tenants, the longest idle first, and which of them are let go.

Knows workers and for how long they have been idle. Must not know leases, queues or limits. A worker that is killed is
taken out by the pool, as every other that died.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from runtime.ops.labels import KillReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runtime.workers.worker import Worker

# A kill costs some 100 us, and an `apply` may change every tenant: logins come between.
_KILLS_AT_ONCE: Final = 8


class Idle:
    """Ordered by when they became idle."""

    def __init__(self) -> None:
        self._workers: OrderedDict[Worker, None] = OrderedDict()

    def __len__(self) -> int:
        """Count them."""
        return len(self._workers)

    def __iter__(self) -> Iterator[Worker]:
        """Go through them, the longest idle first."""
        return iter(self._workers)

    def __contains__(self, worker: Worker) -> bool:
        """Is this one idle?"""
        return worker in self._workers

    def add(self, worker: Worker, now_s: float) -> None:
        """Take one that became idle now."""
        worker.idle_since_s = now_s
        self._workers[worker] = None

    def remove(self, worker: Worker) -> None:
        """Take one out that is idle no more."""
        del self._workers[worker]

    def evict(self) -> None:
        """Let go of the one that has been idle longest, for want of room."""
        next(iter(self._workers)).kill(KillReason.EVICTED)

    def recycle(self, before_s: float) -> None:
        """Let go of those that became idle before an instant."""
        for worker in list(self._workers):
            if worker.idle_since_s > before_s:
                break
            worker.kill(KillReason.RECYCLED)

    def let_go(self, outdated: Callable[[Worker], bool]) -> bool:
        """Let go of some of those that are outdated; return whether others are left."""
        found = [worker for worker in self._workers if outdated(worker)]
        for worker in found[:_KILLS_AT_ONCE]:
            worker.kill(KillReason.OUTDATED)
        return len(found) > _KILLS_AT_ONCE
