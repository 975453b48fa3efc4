"""Record numbers and durations cheaply; make them Prometheus families when they are read.

One thread writes and the HTTP thread reads: each number is whole, none is locked. `prometheus_client`'s own recorders
lock, and cost several microseconds for each of a login's ten observations.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import ClassVar, Final, Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

# They straddle what is promised: half a millisecond for a warm flow, the 5 s budget of a flow.
BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_BOUNDS: Final = (*(f"{bound:g}" if bound % 1 else f"{bound:.1f}" for bound in BUCKETS), "+Inf")

Key = tuple[str, ...]
"""A value of each label of a family."""
Across = Literal["sum", "max", "min", "earliest"]
"""What one number is made of those of several processes; `earliest` is the least that is not 0."""


class Recorder:
    """A metric: its name, its help, and for each label the values that it can have."""

    def __init__(self, name: str, doc: str, **labels: Iterable[str]) -> None:
        self._name, self._doc, self._labels = name, doc, tuple(labels)
        self._keys: tuple[Key, ...] = tuple(product(*labels.values()))

    def collect(self) -> Metric:
        """Make the family. Every series is in it, at 0, from the start."""
        raise NotImplementedError


class _Numbers(Recorder):
    _family: ClassVar[type[CounterMetricFamily | GaugeMetricFamily]]

    def __init__(self, name: str, doc: str, **labels: Iterable[str]) -> None:
        super().__init__(name, doc, **labels)
        self._numbers: dict[Key, float] = dict.fromkeys(self._keys, 0)
        self._read: Callable[[], Mapping[Key, float]] = self._numbers.copy

    def watch(self, read: Callable[[], Mapping[Key, float]]) -> None:
        """Call `read` for the numbers at each scrape, from the HTTP thread; what it leaves out is 0."""
        self._read = read

    def collect(self) -> Metric:
        family = self._family(self._name, self._doc, labels=self._labels)
        found = self._read()
        for key in self._keys or found:
            family.add_metric(key, found.get(key, 0))
        return family


class Counter(_Numbers):
    """Counts. A value that its one label does not have counts as `other`."""

    _family = CounterMetricFamily

    def __call__(self, *key: str) -> None:
        """Count one."""
        self._numbers[key if key in self._numbers else ("other",)] += 1


class Gauge(_Numbers):
    """A number that is noted, or one for each value of its one label."""

    _family = GaugeMetricFamily

    def __init__(self, name: str, doc: str, across: Across = "sum", /, **labels: Iterable[str]) -> None:
        super().__init__(name, doc, **labels)
        self.name, self.across = name, across

    def __call__(self, number: float | Mapping[str, float]) -> None:
        """Note it."""
        if isinstance(number, Mapping):
            self._numbers.update({(value,): each for value, each in number.items()})
        else:
            self._numbers[()] = number


class Histogram:
    """Durations counted by bucket, and their sum. A reader may see a sum one observation ahead."""

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


class Durations(Recorder):
    """Histograms, one for each key."""

    def __init__(self, name: str, doc: str, **labels: Iterable[str]) -> None:
        super().__init__(name, doc, **labels)
        self.by_key: Final = {key: Histogram() for key in self._keys}

    def __call__(self, seconds: float) -> None:
        """Count one duration of a metric without labels."""
        self.by_key[()].observe(seconds)

    def numbers(self) -> dict[Key, float]:
        """Return how many durations were counted."""
        return {key: sum(tuple(histogram.counts)) for key, histogram in self.by_key.items()}

    def collect(self) -> Metric:
        family = HistogramMetricFamily(self._name, self._doc, labels=self._labels)
        for key, histogram in self.by_key.items():
            family.add_metric(key, histogram.buckets(), histogram.total)
        return family
