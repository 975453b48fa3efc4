"""The few statistics of the benchmark: percentiles, spreads of rounds, the slope of a line.

Knows lists of numbers. Must not know what they measure.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Spread:
    """Rounds of one measurement: the middle one, and the outermost."""

    median: float
    low: float
    high: float


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile: a value that was measured, never one between two.

    Raises: ValueError when there is none.
    """
    if not values:
        raise ValueError("no value was measured")
    rank = max(1, math.ceil(percent / 100 * len(values)))
    return sorted(values)[rank - 1]


def spread(values: Sequence[float]) -> Spread:
    """Return median, lowest and highest of the rounds."""
    return Spread(statistics.median(values), min(values), max(values))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Compare round with round: what ran side by side shares its disturbances."""
    return spread([mine / other for mine, other in zip(ours, theirs, strict=True)])


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the least-squares slope through (x, y) points of at least two different x."""
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope
