"""The side lane: a part of the processors, for tenants whose actions run on and on while others log in.

Knows tenants' names, processor seconds and the instants that it is told. Must not know processes.

The kernel shares processors between processes, and wakes whoever waited within a slice of some milliseconds: a login
that waits so at each of its hops is answered late, though everybody had a fair share. A tenant that has spent more
than its share in long executions is therefore kept to one half of the processors, and the other half is free of it.
It loses no priority there, so nobody starves, and no right that an ordinary user could not give back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# In seconds of a tenant's share: how far it may run ahead, so that a slow login now and then does not count; how much
# of its past is held against it at most. With the default share and two processors, 0.5 and 2 s of processor time.
_AHEAD_S: Final = 5.0
_DEBT_MAX_S: Final = 20.0
# A tenant has the machine to itself when nobody else has logged in for one to two times so long.
_ALONE_S: Final = 1.0


class _Account:
    __slots__ = ("debt_s", "settled_s")

    def __init__(self, now_s: float) -> None:
        self.debt_s = 0.0
        self.settled_s = now_s

    def settle(self, now_s: float) -> None:
        self.debt_s = max(0.0, self.debt_s - max(0.0, now_s - self.settled_s))
        self.settled_s = now_s


class Lane:
    """Who is kept in it. A leaky bucket for each tenant that had long executions lately, and none for the others."""

    def __init__(self, cpus: Sequence[int], share: float) -> None:
        """Divide the processors.

        Args:
            cpus: those that the daemon may use.
            share: of all of them, what one tenant may spend in long executions; 0 keeps nobody aside.
        """
        self.everywhere = tuple(cpus)
        self.cpus = self.everywhere[(len(cpus) + 1) // 2 :]
        """The lane; empty where there is one processor only, and then nobody is kept in it."""
        self._rate = share * len(cpus)
        self._accounts: dict[str, _Account] = {}
        self._held: set[str] = set()
        self._arrived: set[str] = set()
        self._arrived_before: set[str] = set()
        self._turned_s = 0.0

    @property
    def open(self) -> bool:
        """Say whether anybody can be kept in it at all."""
        return bool(self.cpus) and self._rate > 0

    @property
    def held(self) -> int:
        """Count the tenants in it."""
        return len(self._held)

    def arrived(self, tenant: str) -> None:
        """Note a login."""
        self._arrived.add(tenant)

    def spent(self, tenant: str, seconds: float, now_s: float) -> bool:
        """Count processor time of a long execution; True when the tenant is to be kept in the lane from now on."""
        if not self.open:
            return False
        account = self._accounts.get(tenant)
        if account is None:
            account = self._accounts[tenant] = _Account(now_s)
        account.settle(now_s)
        account.debt_s = min(account.debt_s + seconds / self._rate, _DEBT_MAX_S)
        if account.debt_s <= _AHEAD_S or tenant in self._held or self._alone(tenant, now_s):
            return False
        self._held.add(tenant)
        return True

    def holds(self, tenant: str, now_s: float) -> bool:
        """Say whether a tenant is to be kept in it now; it leaves once its debt is paid, or when it is alone."""
        if tenant not in self._held:
            return False
        account = self._accounts[tenant]
        account.settle(now_s)
        if account.debt_s > 0 and not self._alone(tenant, now_s):
            return True
        self._held.discard(tenant)
        return False

    def settle(self, now_s: float) -> None:
        """Let go, and forget, whoever owes nothing any more. To be called every few seconds."""
        self._turn(now_s)
        for tenant, account in list(self._accounts.items()):
            account.settle(now_s)
            if not self.holds(tenant, now_s) and account.debt_s == 0:
                del self._accounts[tenant]

    def _turn(self, now_s: float) -> None:
        if now_s - self._turned_s >= _ALONE_S:
            self._arrived_before, self._arrived = self._arrived, set()
            self._turned_s = now_s

    def _alone(self, tenant: str, now_s: float) -> bool:
        self._turn(now_s)
        return not (self._arrived | self._arrived_before) - {tenant}
