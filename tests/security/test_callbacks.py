"""Code of an action that CPython calls back cannot crash it: the record of callbacks, and a control of each wrapper."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.language import nodes
from sandbox.reach import builtin_types, registry
from sandbox.reach import reachable as reach
from tests.security import callback_programs, callback_record
from tests.security.callback_programs import WRAPPERS
from tests.security.test_reach import roots

TESTS = Path(__file__).parents[1]


DEQUE_ITERATORS = ("iterator", "reverse_iterator")


def type_name(kind: type) -> str:
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def reachable() -> Iterator[str]:
    """Yield the name of everything that an action can reach, as the record names it."""
    roots()  # every type that a facade makes is known from here on
    yield from reach.BUILTINS
    for module, members in reach.MODULES.items():
        yield from (f"{module}.{member}" for member in members)
    kinds = set(registry.ATTRS) | registry.ITERABLE | registry.SUBSCRIPTABLE | registry.WRITABLE
    for kind in kinds | set(builtin_types.CHECKED_METHODS):
        if getattr(kind, "_ephemeral_", False):
            continue
        yield f"type:{type_name(kind)}"
        names = registry.ATTRS.get(kind, frozenset()) | registry.CLASS_ATTRS.get(kind, frozenset())
        yield from (f"{type_name(kind)}.{name}" for name in names | builtin_types.CHECKED_METHODS.get(kind, {}).keys())
    yield from (f"statement:{kind.__name__}" for kind in nodes.ALLOWED)


def test_everything_within_reach_has_a_row() -> None:
    """Each callable, type and statement that an action can reach is in the record."""
    found = set(reachable())
    assert len(found) > 1000
    assert sorted(name for name in found if callback_record.find(name) is None) == []


def test_control_a_thing_without_a_row_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: what is added tomorrow, a builtin, a member, a method or a type, is missed in the record."""
    monkeypatch.setattr(reach, "BUILTINS", reach.BUILTINS | {"compile"})
    monkeypatch.setitem(reach.MODULES, "itertools", reach.MODULES["itertools"] | {"tee"})
    monkeypatch.setitem(registry.ATTRS, list, registry.ATTRS[list] | {"rotate"})
    monkeypatch.setitem(registry.ATTRS, Path, frozenset())
    missed = {name for name in reachable() if callback_record.find(name) is None}
    assert missed == {"compile", "itertools.tee", "list.rotate", f"type:{type_name(Path)}"}


def test_every_row_is_of_something_within_reach() -> None:
    """No row is left over from what is gone."""
    found = set(reachable())
    other_versions = {
        "type:str_ascii_iterator",
        "type:itertools.batched",
        *(f"type:{module}._deque_{kind}" for module in ("_collections", "collections") for kind in DEQUE_ITERATORS),
    }
    left = {name for name in callback_record.ROWS if name not in found and not name.endswith("*")} - other_versions
    assert left == set()


def test_every_row_says_what_is_done_and_which_test_shows_it() -> None:
    """The test exists; what calls back has a way of use, which drives the generator, and what does not has none."""
    tests = {f"{path.name}::{line[4:].partition('(')[0]}" for path in TESTS.rglob("test_*.py")
             for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("def test_")}  # fmt: skip
    for row in callback_record.ROWS.values():
        assert row.done, row
        assert row.test in tests, row
        assert bool(row.uses) == row.calls_back, row
        assert row.calls_back or not row.lets_go, row


def test_control_each_wrapper_taken_away_lets_a_program_crash() -> None:
    """What would let go has a wrapper, without which a program of the generator kills its process; none with it."""
    needed = {name: one for name, one in WRAPPERS.items() if sys.version_info < one.mended}
    assert {row.name for row in callback_record.ROWS.values() if row.lets_go} == {one.row for one in WRAPPERS.values()}
    for one in WRAPPERS.values():
        assert one.program() in set(callback_programs.pointed(one.row))
    programs = [(name, one.program()) for name, one in needed.items()]
    programs += [("", one.program()) for one in needed.values()]
    crashed = callback_programs.crashes(programs)
    assert [wrapper for wrapper, _, _ in crashed] == list(needed), [callback_programs.shown(one[1]) for one in crashed]
