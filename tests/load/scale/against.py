"""The model of a host against a real daemon of two processes on that host: logins a second, and their times.

Knows both. Must not know fleets, nor how anything was measured. The costs are those of one process, so that what is
compared was not put in.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tests.load.scale import host
from tests.load.scale.costs import Measured
from tests.load.scale.daemons import CALM, IN_FLIGHT
from tests.load.stats import percentile

WITHIN: Final = 0.15
"""By what share the model may be wrong."""
BUSY: Final = 0.1
"""Of the processors: when other programs take more, neither costs nor comparison are worth much."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of both."""

    what: str
    unit: str
    measured: float
    modelled: float
    judged: bool = True
    """Whether it must be right; a median is shaped by how the kernel lets processes take turns."""

    @property
    def off(self) -> float:
        """Return by what share the model is wrong, whichever way."""
        return abs(self.modelled / self.measured - 1)


def compare(measured: Measured) -> list[Compared]:
    """Let the model do what the real daemon did."""
    two = measured.two
    full = host.simulate(host.Host(others=two.others, in_flight=IN_FLIGHT), measured.costs)
    calm = host.simulate(host.Host(others=two.others, in_flight=CALM), measured.costs)
    mean_ms, calm_ms, full_ms = (
        seconds * 1000
        for seconds in (
            statistics.fmean(calm.latencies_s),
            percentile(calm.latencies_s, 50),
            percentile(full.latencies_s, 50),
        )
    )
    return [
        Compared(f"logins a second, {IN_FLIGHT} in flight", "/s", two.rate, full.rate),
        Compared(f"time of a login, {CALM} in flight, mean", "ms", two.calm_mean_us / 1000, mean_ms),
        Compared(f"time of a login, {CALM} in flight, p50", "ms", two.calm_p50_us / 1000, calm_ms, judged=False),
        Compared(f"time of a login, {IN_FLIGHT} in flight, p50", "ms", two.full_p50_us / 1000, full_ms, judged=False),
    ]


def missed(compared: Iterable[Compared]) -> list[Compared]:
    """Return what the model is too wrong about."""
    return [one for one in compared if one.judged and one.off > WITHIN]


def busy(measured: Measured) -> str:
    """Say that the machine did something else meanwhile, or nothing."""
    share = max(measured.others, measured.two.others)
    return f"other programs took {share:.0%} of the processors meanwhile" if share > BUSY else ""
