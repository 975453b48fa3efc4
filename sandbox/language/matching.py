"""`match` statements: each becomes a chain of `if`, whose patterns are data that a guard compares with the subject.

Knows the patterns of Python's syntax tree. Must not know values: how a pattern matches is the guard's.
"""

from __future__ import annotations

import ast
from typing import Any, Final

from sandbox.language import refusals
from sandbox.language.expressions import Expressions
from sandbox.language.nodes import LOAD, STORE, constant, guard_call

Shape = tuple[Any, ...]

_NOTHING: Final[Shape] = ("any", None)


class _Case:
    """What one pattern takes: the values that it compares with, in order, and the names that it binds."""

    def __init__(self) -> None:
        self.values: list[ast.expr] = []
        self.names: list[str] = []


class Matching(Expressions):
    """Rules for `match`, on top of those for expressions."""

    def visit_Match(self, node: ast.Match) -> Any:
        """Bind the subject once, and try the patterns one after the other."""
        self.matches = True
        subject = self.gen_tmp_name()
        first = self._binding(subject, self.visit(node.subject), node)
        chain: list[ast.stmt] = []
        for tested, body in reversed([self._case(case, subject) for case in node.cases]):
            chain = [ast.copy_location(ast.If(test=tested, body=body, orelse=chain), tested)]
        return [first, *chain]

    def _case(self, node: ast.match_case, subject: str) -> tuple[ast.expr, list[ast.stmt]]:
        case = _Case()
        shape = self._shape(node.pattern, case)
        at: Any = node.pattern
        found = self.gen_tmp_name()
        values = ast.copy_location(ast.Tuple(elts=case.values, ctx=LOAD), at)
        asked = guard_call("_match_", [_read(subject, at), constant(shape, at), values], at)
        taken = ast.copy_location(ast.NamedExpr(target=_name(found, STORE, at), value=asked), at)
        none = ast.copy_location(ast.Compare(left=taken, ops=[ast.IsNot()], comparators=[constant(None, at)]), at)
        tests: list[ast.expr] = [none]
        if case.names:
            # A tuple that is never empty, and so true.
            tests.append(ast.copy_location(ast.Tuple(elts=[self._bound_to(found, name, place, at)
                         for place, name in enumerate(case.names)], ctx=LOAD), at))  # fmt: skip
        if node.guard is not None:
            tests.append(self.visit(node.guard))
        test = none if len(tests) == 1 else ast.copy_location(ast.BoolOp(op=ast.And(), values=tests), at)
        return test, self._visit_all(node.body)

    @staticmethod
    def _bound_to(found: str, name: str, place: int, at: Any) -> ast.expr:
        item = ast.copy_location(ast.Subscript(value=_read(found, at), slice=constant(place, at), ctx=LOAD), at)
        return ast.copy_location(ast.NamedExpr(target=_name(name, STORE, at), value=item), at)

    def _shape(self, node: Any, case: _Case) -> Shape:
        """Answer a pattern as data: `(kind, ...)`, values and names by their places in the case."""
        self._nodes += 1
        kind = type(node)
        if kind is ast.MatchValue:
            return "value", self._value(node.value, case)
        if kind is ast.MatchSingleton:
            return "is", node.value
        if kind is ast.MatchSequence:
            return "sequence", tuple([self._shape(item, case) for item in node.patterns])
        if kind is ast.MatchStar:
            return "star", self._place(node, node.name, case)
        if kind is ast.MatchMapping:
            keys = tuple([self._value(key, case) for key in node.keys])
            below = tuple([self._shape(item, case) for item in node.patterns])
            rest = None if node.rest is None else self._place(node, node.rest, case)
            return "mapping", keys, below, rest
        if kind is ast.MatchOr:
            return "or", self._alternatives(node, case)
        if kind is ast.MatchAs:
            below_as = _NOTHING if node.pattern is None else self._shape(node.pattern, case)
            return ("as", below_as, self._place(node, node.name, case)) if node.name is not None else _NOTHING
        self.not_allowed(node)
        return _NOTHING

    def _alternatives(self, node: ast.MatchOr, case: _Case) -> tuple[Shape, ...]:
        """Answer the alternatives, each of which binds the same names to the same places."""
        before = list(case.names)
        shapes = []
        for item in node.patterns:
            known, case.names = case.names, list(before)
            shapes.append(self._shape(item, case))
            if known[len(before) :]:
                shapes[-1] = _moved(shapes[-1], case.names, known)
                case.names = known
        return tuple(shapes)

    def _value(self, node: ast.expr, case: _Case) -> int:
        case.values.append(self.visit(node))
        return len(case.values) - 1

    def _place(self, node: Any, name: str | None, case: _Case) -> int | None:
        if name is None:
            return None
        self._bind(node, name)
        self._stored.add(name)
        if name in case.names:
            self.error(node, refusals.PATTERN_NAME.format(name=name))
        case.names.append(name)
        return len(case.names) - 1


def _moved(shape: Shape, names: list[str], known: list[str]) -> Shape:
    """Answer the shape of an alternative with its names at the places of the first one's."""
    kind = shape[0]
    if kind in ("as", "star"):
        place = shape[-1]
        moved = place if place is None or names[place] not in known else known.index(names[place])
        return (kind, _moved(shape[1], names, known), moved) if kind == "as" else (kind, moved)
    if kind in ("sequence", "or"):
        return kind, tuple([_moved(item, names, known) for item in shape[1]])
    if kind == "mapping":
        rest = shape[3]
        if rest is not None and names[rest] in known:
            rest = known.index(names[rest])
        return kind, shape[1], tuple([_moved(item, names, known) for item in shape[2]]), rest
    return shape


def _name(name: str, ctx: ast.expr_context, at: Any) -> ast.Name:
    return ast.copy_location(ast.Name(id=name, ctx=ctx), at)


def _read(name: str, at: Any) -> ast.expr:
    return _name(name, LOAD, at)
