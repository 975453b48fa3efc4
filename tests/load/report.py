"""Rows of the benchmark's answer: a table for people, JSON, and the page of figures.

Knows units and targets. Must not know how anything is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.load.stats import Spread


@dataclass(frozen=True, slots=True)
class Target:
    """What was promised. A slow machine misses it; the benchmark does not fail for that."""

    at_most: bool
    limit: float

    def met(self, value: float) -> bool:
        """Compare what was measured, not what is printed."""
        return value <= self.limit if self.at_most else value >= self.limit


def at_most(limit: float) -> Target:
    """Promise a ceiling."""
    return Target(True, limit)


def at_least(limit: float) -> Target:
    """Promise a floor."""
    return Target(False, limit)


@dataclass(frozen=True, slots=True)
class Row:
    """One number. `unit` is `x` (ratio), `/s`, `us`, `ms`, `MiB` or empty (a count)."""

    measure: str
    what: str
    value: float | None
    """None: it could not be measured, and the note says why."""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    target: Target | None = None
    note: str = ""

    @classmethod
    def absent(cls, measure: str, what: str, why: str) -> Row:
        """Make a row that has no number, and says why."""
        return cls(measure, what, None, note=why)

    @classmethod
    def of(
        cls, measure: str, what: str, rounds: Spread, unit: str, target: Target | None = None, note: str = ""
    ) -> Row:
        """Make a row of rounds: their median, with lowest and highest beside it."""
        return cls(measure, what, rounds.median, unit, rounds.low, rounds.high, target, note)

    def state(self) -> str:
        """Return `ok` or `missed`, or nothing where nothing was promised."""
        if self.target is None or self.value is None:
            return ""
        return "ok" if self.target.met(self.value) else "missed"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A measure that gives no number, because the number would not be true."""

    measure: str
    reason: str


def number(value: float | None, unit: str) -> str:
    """Print a value with the digits that its unit deserves."""
    if value is None:
        return "none"
    if unit == "x":
        text = f"{value:.2f}"
    elif unit in ("ms", "MiB"):
        text = f"{value:.2f}" if value < 10 else f"{value:.1f}"
    else:
        text = f"{value:,.0f}"
    return f"{text} {unit}".rstrip() if unit not in ("x", "/s") else text + unit


def cells(row: Row) -> tuple[str, ...]:
    """Return the columns of a row: measure, what, result, range, target, state, note."""
    between = ""
    if row.low is not None and row.high is not None:
        between = f"{number(row.low, row.unit)} .. {number(row.high, row.unit)}"
    target = ""
    if row.target is not None:
        target = ("<= " if row.target.at_most else ">= ") + number(row.target.limit, row.unit)
    return row.measure, row.what, number(row.value, row.unit), between, target, row.state(), row.note


LIMITS = """
## What these figures do not say

- **Peers isolate less.** Cerbos evaluates expressions of all tenants in one process: no process, address space, system
  call filter or limit of memory and time for each tenant, and no program of a tenant's own. workerd runs JavaScript in
  isolates of one process, here on one thread. A tenant of Vestibule has locked-down processes of its own.
- **Batching helps the peer too.** A stream carries eight logins a message; Cerbos is asked about one login a call,
  because a call names one user. The rows `Cerbos, 8 of a user a call` ask about eight resources of one user at once:
  they show what Cerbos would do if eight users' logins came in one call. Compare `stream, 8 a message` with them too.
- **Two processors are shared by everything**, the load included. A processor more first takes the load's part and lets
  more workers run at a time. One daemon process still decides on one processor: the rows `CPU of one in the daemon's
  own process` are its limit, 1,000,000 divided by them in logins a second. Beyond it, start more processes.
- **Only ratios within one run compare.** The same program reads 15 % more or less from run to run on a shared host.
- One event, three short actions. A tenant whose actions take longer pays for them in its workers.
"""

HEAD = ("MEASURE", "WHAT", "RESULT", "ROUNDS", "TARGET", "", "NOTE")


def as_json(machine: dict[str, Any], rows: Sequence[Row], refusals: Sequence[Refusal]) -> dict[str, Any]:
    """Return everything for `--json`."""
    return {
        "machine": machine,
        "rows": [dict(_members(row)) for row in rows],
        "not_measured": [{"measure": refusal.measure, "reason": refusal.reason} for refusal in refusals],
    }


def _members(row: Row) -> Iterator[tuple[str, Any]]:
    yield from (("measure", row.measure), ("what", row.what), ("value", row.value), ("unit", row.unit))
    if row.low is not None:
        yield from (("low", row.low), ("high", row.high))
    if row.target is not None:
        yield "target", {"at_most" if row.target.at_most else "at_least": row.target.limit}
        yield "met", row.state() == "ok"
    if row.note:
        yield "note", row.note


def as_markdown(
    machine: str, rows: Sequence[Row], refusals: Sequence[Refusal], *, command: str, date: str, commit: str
) -> str:
    """Return the page of figures: what was run, where, when, of which commit, and each row with its promise."""
    lines = [
        "# Figures",
        "",
        f"Written by `{command}` on {date}, of commit {commit}: do not edit. `make bench` writes this page anew.",
        "Ratios compare with a bare grpc.aio echo of the same bytes, in the same run; `rounds` is their range.",
        "",
        *machine.split("\n"),
        "",
        _line([column.lower() or "kept" for column in HEAD]),
        "|---" * len(HEAD) + "|",
        *[_line(cells(row)) for row in rows],
    ]
    for refusal in refusals:
        lines += ["", f"`{refusal.measure}` gives no number: {refusal.reason}"]
    return "\n".join([*lines, LIMITS])


def _line(columns: Sequence[str]) -> str:
    return "| " + " | ".join([column.replace("|", "\\|") for column in columns]) + " |"
