"""What a release must reach: thresholds out of a file, put beside the rows they are for, and checked.

Knows rows and the file's shape. Must not know how anything is measured.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.load.processes import BenchError
from tests.load.report import Target, at_least, at_most, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.load.report import Row

FILE: Final = Path(__file__).with_suffix(".toml")
TOLERANCE: Final = 0.95
"""Of a threshold, what a release must reach: one run says no more than that."""
_KEYS: Final = frozenset({"measure", "what", "at_least", "at_most", "high_below", "needs", "tolerance"})


@dataclass(frozen=True, slots=True)
class Threshold:
    """One of the file."""

    measure: str
    what: str
    target: Target
    high_below: float | None = None
    needs: str = ""
    tolerance: float = TOLERANCE

    def fault(self, row: Row) -> str:
        """Say how a row misses it, or nothing."""
        assert row.value is not None
        limit, unit = self.target.limit, row.unit
        if self.target.at_most:
            reach = limit / self.tolerance
            missed = row.value > reach
        else:
            reach = limit * self.tolerance
            missed = row.value < reach
        if missed:
            sign = "<=" if self.target.at_most else ">="
            share = f", {self.tolerance:.0%} of it {number(reach, unit)}" if self.tolerance != 1 else ""
            return f"{number(row.value, unit)}, promised {sign} {number(limit, unit)}{share}"
        if self.high_below is not None and row.high is not None and row.high >= self.high_below:
            return f"rounds up to {number(row.high, unit)}, promised below {number(self.high_below, unit)}"
        return ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found, in lines for a reader."""

    missed: list[str]
    unchecked: list[str]
    kept: int


def read(path: Path = FILE) -> list[Threshold]:
    """Read the file. Raises: BenchError, naming the entry and what is wrong with it."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"{path}: {error}") from None
    entries = found.get("threshold")
    if found.keys() != {"threshold"} or not isinstance(entries, list) or not entries:
        raise BenchError(f"{path}: write one [[threshold]] or more, and nothing else")
    made = [_one(f"{path}: threshold {place}", entry) for place, entry in enumerate(entries, 1)]
    names = [(one.measure, one.what) for one in made]
    for name in names:
        if names.count(name) > 1:
            raise BenchError(f"{path}: {name[0]}: {name[1]!r} is there twice; keep one")
    return made


def _one(where: str, entry: dict[str, Any]) -> Threshold:
    for name in entry.keys() - _KEYS:
        raise BenchError(f"{where}: there is no {name!r}; it may have {', '.join(sorted(_KEYS))}")
    for name in ("measure", "what", "needs"):
        if (name != "needs" and not entry.get(name)) or not isinstance(entry.get(name, ""), str):
            raise BenchError(f"{where}: {name} must be a text")
    for name in ("at_least", "at_most", "high_below", "tolerance"):
        value = entry.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BenchError(f"{where}: {name} must be a number")
    if ("at_least" in entry) == ("at_most" in entry):
        raise BenchError(f"{where}: give at_least or at_most")
    tolerance = float(entry.get("tolerance", TOLERANCE))
    if not 0 < tolerance <= 1:
        raise BenchError(f"{where}: tolerance is more than 0 and at most 1")
    target = at_least(entry["at_least"]) if "at_least" in entry else at_most(entry["at_most"])
    return Threshold(
        entry["measure"], entry["what"], target, entry.get("high_below"), entry.get("needs", ""), tolerance
    )


def beside(rows: Iterable[Row], thresholds: Iterable[Threshold]) -> list[Row]:
    """Return the rows with their thresholds as targets. One of the file goes before one that the measure has."""
    targets = {(one.measure, one.what): one.target for one in thresholds}
    return [replace(row, target=targets.get((row.measure, row.what), row.target)) for row in rows]


def check(rows: Sequence[Row], thresholds: Iterable[Threshold], measures: Iterable[str]) -> Verdict:
    """Hold rows to their thresholds. A row that is missing from a measure that was made is a fault."""
    by_name = {(row.measure, row.what): row for row in rows if row.value is not None}
    absent = [row for row in rows if row.value is None]
    made = set(measures)
    missed: list[str] = []
    unchecked: list[str] = []
    kept = 0
    for one in thresholds:
        name = f"{one.measure}: {one.what}"
        row = by_name.get((one.measure, one.what))
        if row is not None:
            fault = one.fault(row)
            if fault:
                missed.append(f"{name}: {fault}")
            else:
                kept += 1
        elif one.measure not in made:
            unchecked.append(f"{name}: the measure was not made")
        elif one.needs and (why := [row.note for row in absent if row.what.startswith(one.needs)]):
            unchecked.append(f"{name}: {why[0]}")
        else:
            missed.append(f"{name}: was not measured")
    return Verdict(missed, unchecked, kept)
