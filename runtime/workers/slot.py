"""Everything of one tenant in the pool: its idle workers, how many it has, and the logins that wait for one.

Knows workers and the flows they are bound to. Must not know processes, other tenants or limits.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from runtime.workers.worker import Worker


class Waiter:
    """A login that waits for a worker of a flow, by the flow's digest."""

    __slots__ = ("flow", "future")

    def __init__(self, flow: bytes, future: asyncio.Future[Worker]) -> None:
        self.flow = flow
        self.future = future


class Slot:
    """One tenant's part of the pool."""

    __slots__ = ("expecting", "idle", "paused", "tenant", "waiters", "wanting", "workers")

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.idle: list[Worker] = []
        self.workers = 0
        self.waiters: deque[Waiter] = deque()
        self.wanting = False
        # A successor is wanted or being loaded.
        self.expecting = False
        # Its waiters want a worker, and are seen to when its pause ends.
        self.paused = False

    @property
    def empty(self) -> bool:
        """Is there nothing to keep it for?"""
        return not (self.workers or self.wanting or self.expecting or self.paused or self.waiters)

    def take(self, flow: bytes) -> Worker | None:
        """Take out the idle worker of a flow that ran last."""
        idle = self.idle
        if idle and idle[-1].flow == flow:
            return idle.pop()
        for at in range(len(idle) - 2, -1, -1):
            if idle[at].flow == flow:
                return idle.pop(at)
        return None

    def holds(self, flow: bytes) -> bool:
        """Is there an idle worker of a flow?"""
        return any(worker.flow == flow for worker in self.idle)

    def first_waiter(self) -> Waiter | None:
        """Return the login that has waited longest."""
        waiters = self.waiters
        while waiters and waiters[0].future.done():
            waiters.popleft()
        return waiters[0] if waiters else None

    def next_waiter(self, flow: bytes | None = None) -> Waiter | None:
        """Take out the login that has waited longest, for a worker of `flow` where that is given."""
        waiters = self.waiters
        for waiter in waiters:
            if not waiter.future.done() and (flow is None or waiter.flow == flow):
                waiters.remove(waiter)
                return waiter
        return None
