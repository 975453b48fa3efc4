"""Checks the calls of `api` as far as their arguments are written out: by the table, in the words of a login.

Must not know how an argument is known. What is not known is accepted.
"""

from __future__ import annotations

import ast
import contextlib
from dataclasses import dataclass, replace
from typing import Any, Final

from sandbox.action.api import NOT_CONTINUING
from sandbox.contract.call import OMITTED, Call, Param, bind
from sandbox.contract.kinds import Kind, Options
from sandbox.inspection.values import Look, Value

_DEPTH_MAX: Final = 20
# What a value of these kinds is not, whatever a login brings: text, a number, a truth value or a dict of its own.
_OBJECTS: Final = ("view", "items", "api", "group", "call", "method", "function", "secrets", "module")


class Unwritten:
    """Stands for what is not written out."""

    def __repr__(self) -> str:
        return "..."


UNWRITTEN: Final = Unwritten()


def literal(node: ast.AST, of: Look, depth: int = 0) -> Any:
    """Return the value of an expression, with UNWRITTEN for what is not known of it."""
    if depth > _DEPTH_MAX:
        return UNWRITTEN
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List | ast.Tuple) and not any(isinstance(item, ast.Starred) for item in node.elts):
        items = [literal(item, of, depth + 1) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if isinstance(node, ast.Dict):
        names = [literal(key, of, depth + 1) if key is not None else UNWRITTEN for key in node.keys]
        if not all(type(name) is str for name in names):
            return UNWRITTEN
        return {name: literal(value, of, depth + 1) for name, value in zip(names, node.values, strict=True)}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = literal(node.operand, of, depth + 1)
        return -value if type(value) in (int, float) else UNWRITTEN
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [literal(side, of, depth + 1) for side in (node.left, node.right)]
        return sides[0] | sides[1] if all(isinstance(side, int) for side in sides) else UNWRITTEN
    found = of(node)
    if len(found) == 1:
        (value,) = found
        if value.kind == "constant" and type(value.sample) in (str, int, float, bool, type(None)):
            return value.sample
        if value.kind == "member" and isinstance(value.sample, int):
            return value.sample
        if value.kind in _OBJECTS:
            return value
    return UNWRITTEN


def whole(value: Any) -> bool:
    """Tell whether all of a value is known."""
    if isinstance(value, dict):
        return all(map(whole, value.values()))
    return all(map(whole, value)) if isinstance(value, list | tuple) else not isinstance(value, Unwritten | Value)


@dataclass(frozen=True, slots=True, eq=False)
class _Lenient:
    """A kind that accepts what is not known, and checks the rest."""

    kind: Kind

    @property
    def wants(self) -> str:
        return self.kind.wants

    @property
    def annotation(self) -> str:
        return self.kind.annotation

    def check(self, value: Any, where: str) -> Any:
        """See `Kind.check`."""
        if isinstance(value, Value):
            self._check_object(value, where)
            return UNWRITTEN
        if whole(value):
            return self.kind.check(value, where)
        inner = self.kind
        item = getattr(inner, "item", None)
        if isinstance(value, list | tuple) and item is not None:
            for index, one in enumerate(value):
                _Lenient(item).check(one, f"{where}[{index}]")
        elif isinstance(value, dict):
            known = {name: member for name, member in value.items() if whole(member)}
            if isinstance(inner, Options):
                self.kind.check(known, where)
            elif isinstance(known.get("type"), str) and hasattr(inner, "types"):
                self.kind.check({"type": known["type"]}, where)
        return UNWRITTEN

    def _check_object(self, value: Value, where: str) -> None:
        # The sample is empty; what a login brings may do.
        with contextlib.suppress(ValueError):
            self.kind.check(value.sample, where)


def _lenient(param: Param, every: bool) -> Param:
    return replace(param, kind=_Lenient(param.kind), default=param.default if every else OMITTED)


def fault(call: Call, node: ast.Call, of: Look) -> str:
    """Say what is wrong with the arguments of a call, or nothing."""
    spread = any(isinstance(arg, ast.Starred) for arg in node.args)
    open_ended = spread or any(keyword.arg is None for keyword in node.keywords)
    args = [] if spread else [literal(arg, of) for arg in node.args]
    kwargs = {keyword.arg: literal(keyword.value, of) for keyword in node.keywords if keyword.arg is not None}
    if len(args) == len(call.positional) + 1 and isinstance(args[-1], Unwritten):
        args.pop()  # perhaps a dict of options, which may be the last argument
        open_ended = True
    loose = replace(
        call,
        params=tuple(_lenient(param, not open_ended) for param in call.params),
        rule=lambda bound: call.rule(bound) if call.rule is not None and all(map(whole, bound.values())) else "",
    )
    try:
        bind(loose, tuple(args), kwargs)
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


class OneWayMoment:
    """The moment of a login in an action that cannot continue."""

    continues: Final = False


def needs_continuation(call: Call) -> str:
    """Say what a call lacks in an action without the function for when the user is back, or nothing."""
    if not call.page or call.needs is None:
        return ""
    lacks = call.needs(OneWayMoment())  # type: ignore[arg-type]  # of the moment it asks for nothing else
    return f"api.{call.op}: {lacks}" if lacks else ""


def not_continuing(call: Call) -> str:
    """Say that a call does not belong into the first function of an action, or nothing."""
    return f"api.{call.op}: {NOT_CONTINUING}" if call.continue_only else ""
