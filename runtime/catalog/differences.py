"""What tells two states of a tenant apart: settings, actions, names of secrets, doors, and sources line by line.

Pure. It compares no values of secrets, and knows no terminal: text of sources is returned as it is, and is hostile.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.catalog.base import NO_SECRETS, Definition, Flow
from runtime.catalog.comparison import Change, changes
from runtime.core.model import Settings

_CONTEXT: Final = 3
# Pairs of lines. What differs more is shown as a whole: a hostile source could keep the comparison busy for minutes.
_MOST_PAIRS: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class SourceDifference:
    """One action, or shared file by its name, whose source differs: the lines of a unified diff without line feeds."""

    action: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What tells two states of a tenant apart. `before` and `after` name them."""

    before: str
    after: str
    changes: tuple[Change, ...]
    sources: tuple[SourceDifference, ...]

    def __bool__(self) -> bool:
        return bool(self.changes or self.sources)


def differences(before: str, old: Definition | None, after: str, new: Definition | None) -> Difference:
    """Compare two states by name; None is a tenant that is not there. Secrets are compared by their names alone."""
    old_flow, new_flow = (
        without_values(state.flow) if state is not None else Flow("", Settings()) for state in (old, new)
    )
    found: tuple[Change, ...] = ()
    if old is None or new is None:
        if old is not new:
            name = (new_flow if old is None else old_flow).tenant
            found = (Change("tenant", name, "added" if old is None else "removed"),)
    else:
        found = changes(old_flow, new_flow)
    return Difference(before, after, found, tuple(_sources(before, old, after, new)))


def without_values(flow: Flow) -> Flow:
    """Return a flow whose secrets have names and no values; those of doors are counted."""
    secrets = {action: dict.fromkeys(sorted(named), "") for action, named in sorted(flow.secrets.items())}
    doors = {
        name: type(door)(name, door.mfa_required_as, ("",) * len(door.secrets), door.options)
        for name, door in flow.doors.items()
    }
    return Flow(flow.tenant, flow.settings, flow.bindings, secrets or NO_SECRETS, doors=doors)


def _sources(before: str, old: Definition | None, after: str, new: Definition | None) -> Iterator[SourceDifference]:
    was, is_ = (state.files if state is not None else {} for state in (old, new))
    for name in sorted(was.keys() | is_.keys()):
        if was.get(name) != is_.get(name):
            sides = (before, was), (after, is_)
            names = [f"{label}/{name}" if name in sources else "/dev/null" for label, sources in sides]
            action = name.removeprefix("actions/").removesuffix(".py") if name.startswith("actions/") else name
            yield SourceDifference(action, tuple(unified(was.get(name, ""), is_.get(name, ""), *names)))


def unified(old: str, new: str, before: str, after: str) -> Iterator[str]:
    """Return the lines of a unified diff of two texts; nothing when they are equal."""
    was, is_ = _lines(old), _lines(new)
    start = _common(was, is_)
    end = _common(was[start:][::-1], is_[start:][::-1])
    if (len(was) - start - end) * (len(is_) - start - end) <= _MOST_PAIRS:
        for line in difflib.unified_diff(was, is_, before, after, lineterm="", n=_CONTEXT):
            yield from line.split("\n")
        return
    head, tail = max(0, start - _CONTEXT), min(end, _CONTEXT)
    removed, added = was[start : len(was) - end], is_[start : len(is_) - end]
    around = start - head + tail
    yield f"--- {before}"
    yield f"+++ {after}"
    yield f"@@ -{head + 1},{len(removed) + around} +{head + 1},{len(added) + around} @@"
    parts = (" ", was[head:start]), ("-", removed), ("+", added), (" ", was[len(was) - end : len(was) - end + tail])
    for sign, lines in parts:
        for line in lines:
            yield from f"{sign}{line}".split("\n")


def _lines(text: str) -> list[str]:
    """Split at line feeds alone. A text without one at its end differs from one with it, and says so."""
    if not text:
        return []
    if text.endswith("\n"):
        return text[:-1].split("\n")
    *lines, last = text.split("\n")
    return [*lines, f"{last}\n\\ No newline at end of file"]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
