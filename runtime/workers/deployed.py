"""Which flows are deployed, and the end of idle workers that serve any other.

Knows workers and the digests of flows. Must not know leases, queues or what a flow is made of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Final

from runtime.catalog.base import Flow
from runtime.ops.labels import KillReason
from runtime.workers.worker import Worker

# A kill costs some 100 us, and an `apply` may change every tenant: logins come between.
KILLS_AT_ONCE: Final = 8


class Deployed:
    """The flows that tenants have now, once they are known. One per pool."""

    def __init__(self, loop: asyncio.AbstractEventLoop, idle: Collection[Worker]) -> None:
        """Begin with none known. `idle` holds the workers that serve no login, whenever it is looked at."""
        self._loop = loop
        self._idle = idle
        self.flows: Mapping[str, Flow] | None = None
        # Digests of what is on trial, by tenant.
        self.beside: Mapping[str, bytes] = {}

    def digest(self, tenant: str, otherwise: bytes) -> bytes | None:
        """Return the digest of a tenant's flow, or another one while none is known; None for a tenant without one."""
        if self.flows is None:
            return otherwise
        flow = self.flows.get(tenant)
        return None if flow is None else flow.digest

    def outdated(self, worker: Worker) -> bool:
        """Tell whether a worker serves a flow that is not deployed any more."""
        tenant = worker.tenant or ""
        return worker.flow not in (self.digest(tenant, worker.flow), self.beside.get(tenant))

    def kill_outdated(self) -> None:
        """Kill some now and the others in the next turns of the loop, except those that were leased meanwhile."""
        self._kill([worker for worker in self._idle if self.outdated(worker)])

    def _kill(self, workers: list[Worker]) -> None:
        for worker in workers[:KILLS_AT_ONCE]:
            if worker in self._idle:
                worker.kill(KillReason.OUTDATED)
        if workers[KILLS_AT_ONCE:]:
            self._loop.call_soon(self._kill, workers[KILLS_AT_ONCE:])
