"""Processor time by tenant, in a number of series that has a bound however many tenants there are.

Knows tenants' names and seconds. Must not know processes or clocks. Told by the pool on the event loop; read by the
HTTP thread at a scrape. Each tenant has a series of its own while there are few; afterwards those who use the most do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

SERIES_MAX: Final = 500
"""Tenants with a series of their own."""
# A tenant must have used so much more than the least of the named ones to take its place: no pair swaps for ever.
_LEAD: Final = 2.0
_KNOWN_PER_SERIES: Final = 8


class TenantCpu(Collector):
    """Adds up seconds. Every series only grows, and their sum is all that was spent."""

    def __init__(self, series_max: int = SERIES_MAX) -> None:
        self._series_max = series_max
        self._named: dict[str, float] = {}
        self._rest = 0.0
        # What each tenant has used, named or not: it decides who is named, and may be forgotten of those who are not.
        self._used: dict[str, float] = {}
        # No named tenant used less. As they only grow, it may be out of date, and is never too high.
        self._least_s = 0.0

    def spent(self, tenant: str, seconds: float) -> None:
        """Count processor time of a tenant's worker."""
        used = self._used
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
        used = self._used
        least = min(self._named, key=used.__getitem__)
        self._least_s = used[least]
        if used[tenant] > _LEAD * self._least_s:
            # The series that ends goes on in the rest, and the new one begins at 0: neither steps back.
            named = self._named | {tenant: 0.0}
            self._rest += named.pop(least)
            self._named = named

    def _forget(self) -> None:
        """Forget half of those who are not named; what they spent stays counted."""
        others = sorted(self._used.keys() - self._named.keys(), key=self._used.__getitem__)
        for tenant in others[: len(others) // 2 + 1]:
            del self._used[tenant]

    def collect(self) -> Iterable[Metric]:
        """Yield the family. The dictionary is replaced, never resized, so another thread can walk it."""
        family = CounterMetricFamily(
            "vestibule_tenant_cpu_seconds",
            f"Processor seconds of each tenant's workers, by the kernel's clock. At most {SERIES_MAX} tenants are "
            "named, those that use the most; an empty name stands for all others.",
            labels=("tenant",),
        )
        for tenant, seconds in self._named.items():
            family.add_metric((tenant,), seconds)
        family.add_metric(("",), self._rest)
        yield family
