"""The whole benchmark: every measure in turn, in a temporary folder, on a few processors.

Knows the measures by name. Must not know what they do.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from runtime.errors import VestibuleError
from tests.load import against as comparison
from tests.load import (
    fairness,
    http,
    limits,
    machine,
    many,
    open_loop,
    overshoot,
    rates,
    replies,
    rivals,
    several,
    soak,
    workers,
)
from tests.load.bench import Bench
from tests.load.loads import generator
from tests.load.picture import Series
from tests.load.report import Refusal, Row
from tests.load.scale import checked

MEASURES: Final[dict[str, Callable[[Bench], Iterator[Row]]]] = {
    "throughput": rates.throughput,
    "latency": rates.latency,
    "cold": workers.cold,
    "spawn": workers.spawn,
    "memory": workers.memory,
    "timeouts": limits.timeouts,
    "overshoot": overshoot.overshoot,
    "fairness": fairness.fairness,
    "replies": replies.replies,
    "isolation": rates.isolation,
    "marginal": rates.marginal,
    "http": http.http,
    "peers": rivals.rivals,
    "tenants": several.several,
    "open": open_loop.open_loop,
    "many": many.many,
    "scale": checked.scale,
    "soak": soak.soak,
    "against": comparison.against,
}
ASKED_FOR: Final = frozenset({"scale", "soak", "against"})
"""Measures that take so long, or need so much, that they are made only when they are named."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a run came to."""

    machine: dict[str, Any]
    rows: list[Row]
    refusals: list[Refusal]
    series: list[Series]


def run(names: Sequence[str], *, own_client: bool, cpus: int, progress: Callable[[str], None], **wanted: Any) -> Found:
    """Run measures. Leaves no process and no file. `wanted` are members of Bench."""
    rows: list[Row] = []
    refusals: list[Refusal] = []
    with fewer_cpus(cpus), terminable(), tempfile.TemporaryDirectory(prefix="vestibule-bench-") as name:
        folder = Path(name)
        load = generator(folder, own=own_client)
        found = machine.describe(load.name)
        bench = Bench(folder, load, progress=progress, **wanted)
        for measure in names:
            try:
                rows.extend(MEASURES[measure](bench))
            except VestibuleError as error:
                refusals.append(Refusal(measure, str(error)))
    return Found(found, rows, refusals, bench.series)


@contextlib.contextmanager
def fewer_cpus(count: int) -> Iterator[None]:
    """Keep us and every child on a few processors, so that machines can be compared; 0 leaves all of them."""
    allowed = os.sched_getaffinity(0)
    if count:
        os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that our children end with us."""

    def leave(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
