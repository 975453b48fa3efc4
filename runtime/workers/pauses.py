"""How long a tenant whose workers broke the protocol waits for its next worker.

Knows tenants and instants. Must not know workers or logins. A worker costs a fork, some milliseconds of the machine;
without a pause, other tenants would pay for one at each login of a tenant whose workers lie.
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
        """Return for how many seconds a tenant that has no pause now gets no new worker."""
        self.forget()
        _, last_s = self._pauses.get(tenant, (0.0, _FIRST_S / 2))
        pause_s = min(2 * last_s, _LONGEST_S)
        self._pauses[tenant] = self._now_s() + pause_s, pause_s
        return pause_s

    def forget(self) -> None:
        """Drop those that were long ago."""
        before_s = self._now_s() - _FORGET_S
        self._pauses = {tenant: pause for tenant, pause in self._pauses.items() if pause[0] > before_s}
