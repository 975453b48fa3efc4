"""Pieces of syntax tree the rewriting is made of: node types by what is done with them, calls of guards, targets.

Knows Python's syntax tree and how a guard is called. Must not decide what is refused.
"""

from __future__ import annotations

import ast
from typing import Any

MAX_NODES = 20_000
MAX_DEPTH = 150
MAX_INT_BITS = 16_384
MAX_HINTS = 20
"""Names looked up for what was probably meant: comparing thousands of names takes longer than an author waits."""

MODULE_NAME = "action"
"""What `__name__` is in an action."""

OPEN_NAMES = frozenset({"__all__", "__author__", "__copyright__", "__license__", "__version__"})
"""Names with two underscores that say something about a module to its readers, and nothing to Python."""

LOAD = ast.Load()
STORE = ast.Store()

# Leaves of the tree: nothing to visit, nothing to rewrite.
LEAVES = frozenset({
    ast.Load, ast.Store, ast.Del,
    ast.And, ast.Or, ast.Not, ast.Invert, ast.UAdd, ast.USub,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow,
    ast.LShift, ast.RShift, ast.BitOr, ast.BitXor, ast.BitAnd,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Is, ast.IsNot, ast.In, ast.NotIn,
})  # fmt: skip

# Every other node type that is let through, each by a visitor of the same name, here or in RestrictedPython.
ALLOWED = (
    ast.Module, ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Delete, ast.Pass, ast.Global, ast.Nonlocal,
    ast.If, ast.For, ast.While, ast.Break, ast.Continue, ast.Return, ast.Raise, ast.Assert, ast.Try,
    ast.ExceptHandler, ast.Import, ast.ImportFrom, ast.FunctionDef, ast.Lambda, ast.arguments, ast.arg,
    ast.Constant, ast.Name, ast.NamedExpr, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.IfExp,
    ast.Call, ast.keyword, ast.Starred, ast.Attribute, ast.Subscript, ast.Slice,
    ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
    ast.comprehension, ast.JoinedStr, ast.FormattedValue,
    ast.Yield, ast.YieldFrom, ast.ClassDef, ast.With, ast.Match,
)  # fmt: skip

# Parts of a `with` or a `match` that are let through by the visitors of these statements alone.
PARTS = (
    ast.withitem, ast.match_case, ast.MatchValue, ast.MatchSingleton, ast.MatchSequence, ast.MatchMapping,
    ast.MatchStar, ast.MatchAs, ast.MatchOr,
)  # fmt: skip

# What the visitors have been written for. No visitor looks into a field that a newer Python adds.
FIELDS = frozenset({
    "annotation", "arg", "args", "attr", "bases", "body", "cases", "cause", "comparators", "context_expr", "conversion",
    "ctx", "decorator_list", "defaults", "elt", "elts", "exc", "finalbody", "format_spec", "func", "generators",
    "guard", "handlers", "id", "ifs", "is_async", "items", "iter", "key", "keys", "keywords", "kind", "kw_defaults",
    "kwarg", "kwonlyargs", "left", "level", "lower", "module", "msg", "name", "names", "op", "operand", "ops",
    "optional_vars", "orelse", "pattern", "patterns", "posonlyargs", "rest", "returns", "right", "simple", "slice",
    "step", "subject", "target", "targets", "test", "type", "type_comment", "type_ignores", "type_params", "upper",
    "value", "values", "vararg",
})  # fmt: skip

# Operators by which a view of a dict makes a set, each with its guard; and those of a guarded augmented assignment.
SET_OPERATORS = {ast.BitOr: "_or_", ast.BitAnd: "_and_", ast.BitXor: "_xor_", ast.Sub: "_sub_"}
INPLACE = {ast.BitOr: "|", ast.BitAnd: "&", ast.BitXor: "^", ast.Sub: "-", ast.Mod: "%"}

# Refused, and yet looked into, so that all faults of an action are reported at once.
LOOKED_INTO = frozenset({"AsyncWith", "AsyncFor", "AsyncFunctionDef", "TryStar", "Await"})

Spec = tuple[int, bool, tuple[tuple[int, Any], ...]]


def guard_call(name: str, args: list[Any], at: Any) -> ast.Call:
    """Make a call of guard `name` that stands where `at` stands."""
    place = {
        "lineno": at.lineno,
        "col_offset": at.col_offset,
        "end_lineno": at.end_lineno,
        "end_col_offset": at.end_col_offset,
    }
    return ast.Call(func=ast.Name(id=name, ctx=LOAD, **place), args=args, keywords=[], **place)


def constant(value: Any, at: Any) -> ast.Constant:
    return ast.copy_location(ast.Constant(value=value), at)


def caught_statement(at: Any) -> ast.Expr:
    return ast.copy_location(ast.Expr(value=guard_call("_caught_", [], at)), at)


def passing_handler(at: Any) -> ast.ExceptHandler:
    """Make the first handler of a `try`: it lets through the end of a generator, before a name after `except` is read.

    Reading one can fail, and the failure would be an Exception, which handlers further out do hold. It calls nothing:
    so no alarm rings, and is lost, while a generator is given up.
    """
    again = ast.copy_location(ast.Raise(exc=None, cause=None), at)
    ended = ast.copy_location(ast.Name(id="_given_up_", ctx=LOAD), at)
    return ast.copy_location(ast.ExceptHandler(type=ended, name=None, body=[again]), at)


def is_number(node: ast.AST) -> bool:
    """Tell whether a node is a number written out."""
    return type(node) is ast.Constant and type(node.value) in (int, float)


def is_pattern(node: ast.AST) -> bool:
    return isinstance(node, ast.Tuple | ast.List)


def unpack_spec(target: Any) -> Spec | None:
    """Answer what `_unpack_sequence_` must know of a target; None if nothing in it is unpacked a second time."""
    if not any(is_pattern(item) for item in target.elts):
        return None
    return _spec(target)


def _spec(target: Any) -> Spec:
    least = sum(not isinstance(item, ast.Starred) for item in target.elts)
    inner: list[tuple[int, Any]] = []
    shift = 0
    for index, item in enumerate(target.elts):
        if isinstance(item, ast.Starred):
            # How many items a star takes is unknown: from here on count from the end.
            shift = len(target.elts)
        elif is_pattern(item):
            inner.append((index - shift, _spec(item)))
    return least, shift > 0, tuple(inner)


def unreviewed(kind: type[ast.AST]) -> tuple[str, ...]:
    """Answer the fields of a node type that a newer Python has added."""
    return tuple(field for field in kind._fields if field not in FIELDS)


def bound_names(node: Any) -> set[str]:
    """Answer the names a refused statement binds by itself: a class, `with x as y`, the captures of a pattern."""
    names = {node.name} if isinstance(getattr(node, "name", None), str) else set()
    heads = getattr(node, "items", None) or getattr(node, "cases", None) or [getattr(node, "target", None)]
    for head in heads:
        if isinstance(head, ast.AST):
            for part in ast.walk(head):
                for name in (getattr(part, "id", None), getattr(part, "name", None), getattr(part, "rest", None)):
                    if isinstance(name, str):
                        names.add(name)
    return names


START = ast.Pass(lineno=1, col_offset=0)
"""Where faults stand that belong to no node."""
