"""Keeps new workers from a tenant for a while, whose last ones broke their protocol or may have guessed at addresses.

Knows tenants' slots and a clock. Must not know queues or leases.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from runtime.ops.log import Log
from runtime.workers.assign import Slot

_FIRST_PAUSE_S: Final = 0.05
# No longer than a login waits for a worker by default, so that some of them are still decided.
_LONGEST_PAUSE_S: Final = 1.0
_FORGET_PAUSE_S: Final = 30.0


class Pauses:
    """Which tenants are in a pause. One per pool.

    A worker costs a fork, some milliseconds of the machine. Without a pause, other tenants would pay for one at each
    login of a tenant whose workers lie.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, log: Log, over: Callable[[Slot], None]) -> None:
        """Begin with none. `over` is called when the pause of a tenant has ended."""
        self._loop = loop
        self._log = log
        self._over = over
        # Tenant -> end of its last pause, and how long that was.
        self._pauses: dict[str, tuple[float, float]] = {}

    def begin(self, slot: Slot) -> None:
        """Give a tenant no new worker for a while; one pause is enough at a time."""
        if slot.paused:
            return
        pause_s = self.length_s(slot.tenant)
        self._log.warning("tenant.paused", tenant=slot.tenant, pause_s=pause_s)
        slot.paused = True
        self._loop.call_later(pause_s, self._end, slot)

    def _end(self, slot: Slot) -> None:
        slot.paused = False
        self._over(slot)

    def length_s(self, tenant: str) -> float:
        """Return how long the next pause of a tenant is: twice as long as its last one, up to a second."""
        self.forget()
        _, last_s = self._pauses.get(tenant, (0.0, _FIRST_PAUSE_S / 2))
        pause_s = min(2 * last_s, _LONGEST_PAUSE_S)
        self._pauses[tenant] = self._loop.time() + pause_s, pause_s
        return pause_s

    def forget(self) -> None:
        """Drop those that were long ago."""
        before_s = self._loop.time() - _FORGET_PAUSE_S
        self._pauses = {tenant: pause for tenant, pause in self._pauses.items() if pause[0] > before_s}
