"""Count processor time by tenant, in a number of series that has a bound however many tenants there are.

Each tenant has a series of its own while there are few tenants, and those that use the most afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

SERIES_MAX: Final = 500
"""Tenants with a series of their own."""
OTHER: Final = "_other"
"""The label of all tenants without a series: no tenant's id may hold an underscore."""
# A tenant must have used so much more than the least of the named ones to take its place: no pair swaps for ever.
_LEAD: Final = 2.0
_KNOWN_PER_SERIES: Final = 8


class TenantCpu(Collector):
    """Adds up seconds, each in one series for good: no series ever falls, and none takes over what another counted.

    A series that ends, because others use more, keeps its value here. Should it come back, it begins where it ended,
    so that `rate()` sees neither a reset nor a jump. What its tenant used meanwhile stays in OTHER.
    """

    def __init__(self, series_max: int = SERIES_MAX) -> None:
        self._series_max = series_max
        self._named: dict[str, float] = {}
        self._rest = 0.0
        # Where the series stood of tenants that lost their place. Taking a place needs twice the time of who held it,
        # so that they stay few.
        self._ended: dict[str, float] = {}
        # What each tenant has used, named or not: it decides who is named, and may be forgotten of those who are not.
        self.used: dict[str, float] = {}
        # No named tenant used less. As they only grow, it may be out of date, and is never too high.
        self._least_s = 0.0

    def spent(self, tenant: str, seconds: float) -> None:
        """Count processor time of a tenant's worker."""
        used = self.used
        if tenant not in used and len(used) >= _KNOWN_PER_SERIES * self._series_max:
            self._forget()
        used[tenant] = used.get(tenant, 0.0) + seconds
        if tenant in self._named:
            self._named[tenant] += seconds
        elif len(self._named) < self._series_max:
            self._named = self._named | {tenant: seconds}
        else:
            self._rest += seconds
            if used[tenant] > _LEAD * self._least_s:
                self._promote(tenant)

    def _promote(self, tenant: str) -> None:
        """Name a tenant in place of the one that used the least, if it used so much more."""
        used = self.used
        least = min(self._named, key=used.__getitem__)
        self._least_s = used[least]
        if used[tenant] > _LEAD * self._least_s:
            named = self._named | {tenant: self._ended.pop(tenant, 0.0)}
            self._ended[least] = named.pop(least)
            self._named = named

    def _forget(self) -> None:
        """Forget half of those who are not named; what they spent stays counted."""
        others = sorted(self.used.keys() - self._named.keys(), key=self.used.__getitem__)
        for tenant in others[: len(others) // 2 + 1]:
            del self.used[tenant]

    def collect(self) -> Iterable[Metric]:
        """Yield the family. The dictionary is replaced, never resized, so another thread can walk it."""
        family = CounterMetricFamily(
            "vestibule_tenant_cpu_seconds",
            f"Processor seconds of each tenant's workers, by the kernel's clock. At most {SERIES_MAX} tenants are "
            f"named, those that use the most; {OTHER} counts what tenants use while they are not named.",
            labels=("tenant",),
        )
        for tenant, seconds in self._named.items():
            family.add_metric((tenant,), seconds)
        family.add_metric((OTHER,), self._rest)
        yield family
