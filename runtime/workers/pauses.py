"""Which tenants wait for their next worker because their last ones broke the protocol, and for how long.

Knows tenants and instants. Must not know workers or logins. A worker costs a fork, some milliseconds of the machine;
a tenant whose workers lie would make others pay for one at each of its logins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_S: Final = 0.05
_LONGEST_S: Final = 1.0
"""No longer than a login waits for a worker by default, so that some of them are still decided."""
_FORGET_S: Final = 30.0


class Pauses:
    """A pause for each tenant whose workers broke the protocol of late; twice as long each time, up to a second."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Begin with none. `now_s` is a clock that never goes back."""
        self._now_s = now_s
        # Tenant -> end of its last pause, and how long that was.
        self._pauses: dict[str, tuple[float, float]] = {}

    def begin(self, tenant: str) -> float:
        """Let a tenant pause from now on, unless it does already; return for how long it still does, in seconds."""
        now_s = self._now_s()
        until_s, last_s = self._pauses.get(tenant, (now_s - _FORGET_S, 0.0))
        if now_s < until_s:
            return until_s - now_s
        known = now_s - until_s < _FORGET_S
        pause_s = min(2 * last_s, _LONGEST_S) if known else _FIRST_S
        self._pauses[tenant] = now_s + pause_s, pause_s
        return pause_s

    def left_s(self, tenant: str) -> float:
        """Return for how long a tenant still gets no new worker, in seconds; 0 if it may have one."""
        pause = self._pauses.get(tenant)
        return 0.0 if pause is None else max(0.0, pause[0] - self._now_s())

    def forget(self) -> None:
        """Drop those that were long ago."""
        before_s = self._now_s() - _FORGET_S
        self._pauses = {tenant: pause for tenant, pause in self._pauses.items() if pause[0] > before_s}
