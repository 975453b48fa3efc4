"""The model against this machine, as a measure of the benchmark: what a release must reach is in `thresholds.toml`.

Knows which costs are measured anew. Must not know fleets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.load.processes import BenchError
from tests.load.report import Row, at_most
from tests.load.scale import against, costs, daemons, measure

if TYPE_CHECKING:
    from tests.load.bench import Bench


def scale(bench: Bench) -> Iterator[Row]:
    """Measure one daemon process and two in turn, and say how wrong the model of two is. Raises: BenchError."""
    warm = daemons.warm(bench.folder, bench.progress)
    kept = costs.read()
    found = replace(
        kept, costs=replace(kept.costs, **measure.of_warm(warm)), two=measure.two(warm), others=warm.one.others
    )
    if busy := against.busy(found):
        raise BenchError(busy)
    for one in against.compare(found):
        note = f"measured {one.measured:,.1f} {one.unit}, model {one.modelled:,.1f} {one.unit}"
        target = at_most(against.WITHIN) if one.judged else None
        yield Row("scale", f"model is off, {one.what}", one.off, "x", target=target, note=note)
