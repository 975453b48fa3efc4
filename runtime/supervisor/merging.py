"""One set of metrics of several processes: counters and histograms are added up, gauges by their kind.

Pure. What a process counted that has ended stays counted: a sum that fell would read as a restart, and `rate()` would
count everything before it once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client.core import Metric

from runtime.ops.recorders import Across
from runtime.supervisor.messages import Family

_LIBRARY: Final[dict[str, Across]] = {
    "process_virtual_memory_bytes": "sum",
    "process_resident_memory_bytes": "sum",
    "process_start_time_seconds": "min",
    # Beside each other these two say whether a process is near its own limit.
    "process_open_fds": "max",
    "process_max_fds": "min",
    "python_info": "max",
}
"""Gauges of prometheus_client itself."""

Sample = tuple[str, tuple[tuple[str, str], ...]]
"""Name and labels of a series."""


def _earliest(numbers: Iterable[float]) -> float:
    return min((number for number in numbers if number), default=0.0)


_OF: Final[dict[Across, Callable[[Iterable[float]], float]]] = {
    "sum": sum, "max": max, "min": min, "earliest": _earliest,
}  # fmt: skip


class Ended:
    """What processes counted that have ended."""

    def __init__(self) -> None:
        self._families: dict[str, tuple[str, str, dict[Sample, float]]] = {}

    def add(self, snapshot: Iterable[Family]) -> None:
        """Keep the counters of a process that is gone; its gauges are gone with it."""
        for name, kind, doc, samples in snapshot:
            if kind == "gauge":
                continue
            _, _, kept = self._families.setdefault(name, (kind, doc, {}))
            for sample, labels, value in samples:
                key = sample, tuple(labels.items())
                kept[key] = kept.get(key, 0.0) + value

    def snapshot(self) -> list[Family]:
        """Return it as the snapshot of one more process."""
        return [
            (name, kind, doc, [(sample, dict(labels), value) for (sample, labels), value in kept.items()])
            for name, (kind, doc, kept) in self._families.items()
        ]


def merged(snapshots: Sequence[Iterable[Family]], across: Mapping[str, Across]) -> Iterator[Metric]:
    """Yield each family once. `across` says how gauges are put together; one that it does not name is a maximum."""
    found: dict[str, tuple[str, str, dict[Sample, list[float]]]] = {}
    for snapshot in snapshots:
        for name, kind, doc, samples in snapshot:
            _, _, series = found.setdefault(name, (kind, doc, {}))
            for sample, labels, value in samples:
                series.setdefault((sample, tuple(labels.items())), []).append(value)
    for name, (kind, doc, series) in found.items():
        how: Across = across.get(name, _LIBRARY.get(name, "max")) if kind == "gauge" else "sum"
        metric = Metric(name, doc, kind)
        for (sample, pairs), values in series.items():
            metric.add_sample(sample, dict(pairs), _OF[how](values))
        yield metric
