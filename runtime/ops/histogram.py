"""Durations in buckets, and counts, as Prometheus families: cheap to record, made into families when they are read.

Knows buckets and families. Must not know what is counted.
"""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

# They straddle what is promised: half a millisecond for a warm flow, the 5 s budget of a flow.
BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_BOUNDS: Final = (*(f"{bound:g}" if bound % 1 else f"{bound:.1f}" for bound in BUCKETS), "+Inf")


class Histogram:
    """Counts per bucket and their sum. One thread writes; a reader may see a sum one observation ahead."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration. A bucket's bound belongs to it (`le`)."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return cumulative counts by upper bound; the last is the number of observations."""
        cumulative = 0
        pairs = []
        for bound, count in zip(_BOUNDS, tuple(self.counts), strict=True):
            cumulative += count
            pairs.append((bound, float(cumulative)))
        return pairs


Series = dict[tuple[str, ...], Histogram]


def histogram_family(name: str, doc: str, labels: tuple[str, ...], series: Series) -> HistogramMetricFamily:
    """Export histograms by the values of their labels."""
    family = HistogramMetricFamily(name, doc, labels=labels)
    for values, histogram in series.items():
        family.add_metric(values, histogram.buckets(), histogram.total)
    return family


def counts_family(name: str, doc: str, label: str, series: Series) -> CounterMetricFamily:
    """Export the number of observations of each histogram as a counter of its own name."""
    family = CounterMetricFamily(name, doc, labels=(label,))
    for values, histogram in series.items():
        family.add_metric(values, sum(tuple(histogram.counts)))
    return family


def reasons_family(name: str, doc: str, counts: Mapping[str, int], label: str = "reason") -> CounterMetricFamily:
    """Export counts by what a label says."""
    family = CounterMetricFamily(name, doc, labels=(label,))
    for reason, count in counts.items():
        family.add_metric((reason,), count)
    return family
