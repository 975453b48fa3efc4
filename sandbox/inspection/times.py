"""Which datetimes of an action have a zone, so that one without never meets one with a zone unseen.

Knows the constructors of `datetime` and the texts that make one. Must not know scopes.
"""

from __future__ import annotations

import ast
from datetime import datetime
from typing import Any, Final

from sandbox.inspection.values import UNKNOWN, Look, Value, Values
from sandbox.reach import environment
from sandbox.reach.attributes import guarded_getattr

_CLASS: Final = "datetime.datetime"
_KEPT: Final = frozenset({"replace", "astimezone"})
_PARTS: Final = 8
"""Positional arguments of `datetime(...)` up to the zone."""


def moment(zoned: bool | None) -> Values:
    made: Any = environment.MODULES["datetime"]
    sample = made.datetime(2000, 1, 1, tzinfo=made.UTC if zoned else None)
    return (Value("datetime", sample, "datetime", zoned=zoned),)


def attribute(value: Value, name: str) -> Values:
    """Return the methods of a datetime; nothing for any other value."""
    if value.kind != "datetime":
        return UNKNOWN
    return (Value("method", guarded_getattr(value.sample, name), name, owner=value),) if name in _KEPT else UNKNOWN


def called(callee: Value, node: ast.Call, of: Look) -> Values:
    """Return what a function of `datetime` gives."""
    if callee.path == _CLASS:
        return moment(_has_zone(node, _PARTS - 1, of))
    if not callee.path.startswith(f"{_CLASS}."):
        return UNKNOWN
    name = callee.path.removeprefix(f"{_CLASS}.")
    if name == "now":
        return moment(_has_zone(node, 0, of, "tz"))
    if name == "fromtimestamp":
        return moment(_has_zone(node, 1, of, "tz"))
    if name in ("utcnow", "today", "utcfromtimestamp"):
        return moment(False)
    if name == "strptime" and len(node.args) == 2:
        form = node.args[1]
        if isinstance(form, ast.Constant) and type(form.value) is str:
            return moment("%z" in form.value or "%:z" in form.value)
    if name == "fromisoformat" and len(node.args) == 1:
        zones = {_zone_of_text(value) for value in of(node.args[0])}
        if len(zones) == 1:
            return moment(zones.pop())
    return UNKNOWN


def _has_zone(node: ast.Call, position: int, of: Look, keyword: str = "tzinfo") -> bool | None:
    if any(isinstance(arg, ast.Starred) for arg in node.args) or any(word.arg is None for word in node.keywords):
        return None
    given = [word.value for word in node.keywords if word.arg == keyword] or node.args[position : position + 1]
    if not given:
        return False
    found = of(given[0])
    if found and all(value.kind == "constant" and value.sample is None for value in found):
        return False
    return True if not any(value.kind == "constant" and value.sample is None for value in found) else None


def _zone_of_text(value: Value) -> bool | None:
    if value.kind == "constant" and type(value.sample) is str:
        try:
            return datetime.fromisoformat(value.sample).tzinfo is not None
        except ValueError:
            return None
    return value.zoned


def text_zone(owner: Value, method: str, node: ast.Call) -> bool | None:
    """Say whether the text of an instant still has its zone after a method of text."""
    if owner.zoned is None:
        return None
    given: list[Any] = [arg.value if isinstance(arg, ast.Constant) else None for arg in node.args]
    if method == "replace" and given[:1] == ["Z"]:
        return owner.zoned if len(given) > 1 and given[1] not in ("", None) else False if given[1:] == [""] else None
    if method in ("rstrip", "strip", "removesuffix") and given == ["Z"]:
        return False
    return owner.zoned if method in ("strip", "upper") and not given else None


def sliced(value: Value, part: ast.Slice) -> Values:
    """Return a part of a text or of a list."""
    if value.kind == "items":
        return (value,)
    if type(value.sample) is str and value.zoned is not None and part.lower is None and part.upper is not None:
        return (Value("other", "", path=value.path, zoned=False),)
    return UNKNOWN


def of_method(callee: Value, owner: Value, node: ast.Call, of: Look) -> Values:
    """Return what a method of a datetime gives."""
    if owner.kind != "datetime":
        return UNKNOWN
    if callee.path == "astimezone":
        return moment(True)
    if callee.path == "replace":
        if any(word.arg in ("tzinfo", None) for word in node.keywords):
            return moment(_has_zone(node, _PARTS - 1, of))
        return moment(owner.zoned)
    return UNKNOWN


def operation(node: ast.BinOp, of: Look) -> Values:
    """Return a datetime that is moved by a timedelta."""
    left = of(node.left)
    moves = isinstance(node.op, ast.Add | ast.Sub) and all(value.kind == "datetime" for value in left)
    return left if moves and not any(value.kind == "datetime" for value in of(node.right)) else UNKNOWN


def mixed(left: Values, right: Values) -> bool:
    """Tell whether a datetime without a zone surely meets one with a zone."""
    zones = [{value.zoned if value.kind == "datetime" else None for value in side} for side in (left, right)]
    return zones in ([{True}, {False}], [{False}, {True}])
