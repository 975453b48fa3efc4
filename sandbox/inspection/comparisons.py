"""Comparisons of an action that come out the same at each login, or raise.

Knows the closed vocabularies of the event by its values. Must not know statements.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from typing import Any, Final

from sandbox.contract.did_you_mean import did_you_mean
from sandbox.inspection import times
from sandbox.inspection.values import Look, NeverThere, NodeFinding, Value, Values, contained, present

_TYPES: Final = ("list", "tuple", "dict", "set", "str", "int", "float", "bool")
_PLAIN: Final = (str, bool, int, float)


def never_equal(node: ast.Compare, of: Look) -> Iterator[NodeFinding]:
    """Yield the words and values that a member of the event never has."""
    left = node.left
    for op, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(op, ast.Eq | ast.NotEq):
            for member, other in ((left, right), (right, left)):
                if isinstance(other, ast.Constant):
                    yield from _never(of(member), other)
        elif isinstance(op, ast.In | ast.NotIn) and isinstance(right, ast.List | ast.Tuple | ast.Set):
            for item in right.elts:
                if isinstance(item, ast.Constant):
                    yield from _never(of(left), item)
        left = right


def _never(found: Values, other: ast.Constant) -> Iterator[NodeFinding]:
    found, wanted = present(found), other.value
    if not any(value.kind == "text" for value in found) or type(wanted) not in _PLAIN:
        return
    if any(value.kind not in ("text", "constant") or type(value.sample) not in _PLAIN for value in found):
        return
    path = next(value.path for value in found if value.kind == "text")
    if not any(_comparable(value.sample, wanted) for value in found):
        kind = type(next(value.sample for value in found)).__name__
        yield other, "never-equal", f"{path} is of type {kind}, which is never equal to {wanted!r}"
    elif type(wanted) is str and all(_excludes(value, wanted) for value in found):
        words = next(value.words for value in found if value.kind == "text")
        hint = did_you_mean(wanted, words)
        yield other, "never-equal", f"{path} is never {wanted[:64]!r}: it is one of {', '.join(words)}{hint}"


def _comparable(sample: Any, wanted: Any) -> bool:
    return isinstance(sample, str) == isinstance(wanted, str)


def _excludes(value: Value, wanted: str) -> bool:
    if value.kind == "constant":
        return bool(value.sample != wanted)
    # A recorded method has the URL of a page as its name.
    return bool(value.words) and wanted not in value.words and not wanted.startswith(("http://", "https://"))


def no_member(node: ast.Compare, of: Look) -> Iterator[NodeFinding]:
    """Yield names that are never in a part of the event: `'emial' in event.user` raises."""
    if len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn) and isinstance(node.left, ast.Constant):
        name = node.left.value
        for value in present(of(node.comparators[0])):
            try:
                if isinstance(name, str):
                    contained(value, name)
            except NeverThere as missing:
                yield node.left, missing.code, missing.message
                return


def never_true(node: ast.Call, of: Look) -> Iterator[NodeFinding]:
    """Yield `isinstance(x, list)` where x is of another type at each login."""
    called = {value.path for value in of(node.func)}
    if len(node.args) != 2 or not called <= {"builtins.isinstance"} or not called:
        return
    kind = node.args[1]
    if not isinstance(kind, ast.Name) or kind.id not in _TYPES:
        return
    classes = [value.sample for value in of(kind) if value.path == f"builtins.{kind.id}"]
    found = present(of(node.args[0]))
    if not classes or not found or any(value.kind not in ("items", "text", "data") for value in found):
        return
    try:
        holds = any(isinstance(value.sample, classes[0]) for value in found)
    except TypeError:
        return
    if not holds:
        is_a, path = type(found[0].sample).__name__, found[0].path
        yield node, "never-equal", f"{path} is of type {is_a}: isinstance(..., {kind.id}) is False at each login"


def zones(node: ast.AST, sides: list[ast.expr], of: Look) -> Iterator[NodeFinding]:
    """Yield the meeting of a datetime without a zone and one with a zone."""
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Sub):
        return
    for left, right in itertools.pairwise(sides):
        if times.mixed(of(left), of(right)):
            message = (
                "one of these datetimes has a zone and the other has none, which raises TypeError: write "
                "datetime.now(UTC), or give it a zone by .replace(tzinfo=UTC)"
            )
            yield node, "naive-datetime", message
