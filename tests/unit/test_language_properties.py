"""Random programs: rewritten ones hold the invariants of the policy and mean what they mean in plain Python."""

# ruff: noqa: E501  one production of the grammar a line

from __future__ import annotations

import ast
import builtins
import pathlib
import types
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.language import compiler
from sandbox.language.rewrite import Statements
from sandbox.reach import guards
from sandbox.reach.builtin_types import EXCEPTIONS
from sandbox.reach.text import scrub
from tests.effort import effort

_NAMES = (
    "abs all any bool dict enumerate int isinstance len list max min range repr reversed set sorted str sum tuple zip"
)
BUILTINS = {name: getattr(builtins, name) for name in _NAMES.split()} | EXCEPTIONS

_VARIABLES = ("a", "b", "c", "_d")
_LITERALS = (
    "0",
    "1",
    "-2",
    "2.5",
    "'ab'",
    "''",
    "b'x'",
    "None",
    "True",
    "[1, 2, 3]",
    "(1, 'x')",
    "{'a': 1, 'b': [2]}",
    "{1, 2}",
)

_expressions = st.recursive(
    st.sampled_from(_VARIABLES + _LITERALS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "%", "//", "&", "|", "<", "==", "in", "is not", "and", "or"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(st.sampled_from(["not ", "-", "~"]), inner).map(lambda t: f"({t[0]}{t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]})[{t[1]}]"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]})[{t[1]}:]"),
        st.tuples(inner, st.sampled_from(["upper()", "get('a')", "count(1)", "items()", "real", "append", "index('x')"])).map(
            lambda t: f"({t[0]}).{t[1]}"
        ),
        st.tuples(st.sampled_from(["len", "list", "str", "sorted", "repr", "bool", "sum", "any"]), inner).map(
            lambda t: f"{t[0]}({t[1]})"
        ),
        st.tuples(inner, inner).map(lambda t: f"[{t[0]} for a in {t[1]} if a]"),
        st.tuples(inner, inner).map(lambda t: f"list({t[0]} for a, b in {t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"[*{t[0]}, {t[1]}]"),
        st.tuples(inner, inner).map(lambda t: "{**" + t[0] + ", 'k': " + t[1] + "}"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"(lambda a, *b, c={t[0]}: {t[1]})(1)"),
        inner.map(lambda t: f"(b := {t})"),
    ),
    max_leaves=6,
)  # fmt: skip

# Not `a, (b, c)` nor `a = b, c`: where unpacking fails Python has bound `a` by then, the guard has not.
_targets = st.sampled_from(["a", "b", "a, b", "[a, *b]", "a[0]", "b['a']", "a[0], b", "a[:1]", "a[b]", "*_d, a"])


def _indented(body: str) -> str:
    return "\n".join("    " + line for line in body.splitlines())


_statements = st.recursive(
    st.one_of(
        st.tuples(_targets, _expressions).map(lambda t: f"{t[0]} = {t[1]}"),
        st.tuples(
            st.sampled_from(["a +", "a -", "a %", "b[0] +", "b[0] -", "b[0] %", "c['a'] |", "c['a'] *"]), _expressions
        ).map(lambda t: f"{t[0]}= {t[1]}"),
        _expressions.map(lambda e: f"log.append({e})"),
        _expressions.map(lambda e: f"assert {e}"),
        st.sampled_from(["pass", "del a", "del b[0]", "raise ValueError('v')", "raise KeyError from None", "raise"]),
        _expressions.map(lambda e: f"a: Undefined = {e}"),
    ),
    lambda inner: st.one_of(
        st.tuples(_expressions, inner, inner).map(lambda t: f"if {t[0]}:\n{_indented(t[1])}\nelse:\n{_indented(t[2])}"),
        st.tuples(_targets.filter(lambda t: "=" not in t), inner).map(
            lambda t: f"for {t[0]} in [[1, 2], (3, [4]), 'xy']:\n{_indented(t[1])}\n    break"
        ),
        st.tuples(
            inner, st.sampled_from(["Exception", "(KeyError, TypeError)", "ValueError"]), inner, inner
        ).map(
            lambda t: f"try:\n{_indented(t[0])}\nexcept {t[1]} as e:\n{_indented(t[2])}\n    log.append(type_of(e))\n"
            f"finally:\n{_indented(t[3])}"
        ),
        st.tuples(inner, inner).map(lambda t: f"{t[0]}\n{t[1]}"),
        inner.map(lambda t: f"def f(a, b=2, *c):\n    _d = 0\n{_indented(t)}\n    return a\nlog.append(f(1))"),
    ),
    max_leaves=5,
)  # fmt: skip


def _program(body: str) -> str:
    return f"def on_execute_post_login(log, type_of):\n    a, b, c, _d = 1, [1, 2], {{'a': 1}}, ('x', [1])\n{_indented(body)}\n"


def _outcome(code: types.CodeType, namespace: dict[str, Any]) -> tuple[list[str], str]:
    log: list[Any] = []
    exec(code, namespace)  # noqa: S102  the comparison is the point
    ended = "returned"
    try:
        namespace["on_execute_post_login"](log, lambda error: type(error).__name__)
    except Exception as error:  # noqa: BLE001  the kind of failure is compared
        ended = type(error).__name__
    # By text, and before either run changes what the other's log holds.
    return [repr(item) for item in log], ended


@effort(80)
@given(_statements)
def test_same_meaning(body: str) -> None:
    """A random program logs the same values and ends the same way with and without the policy."""
    source = _program(body)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the compiler's opinion of random code
        try:
            code = compile(source, "<action>", "exec", dont_inherit=True)
        except SyntaxError:
            assert compiler.check(source)
            return
        plain = _outcome(code, {"__builtins__": dict(BUILTINS)})
        # Of a write that fails either way the guard tells earlier, which may be another error: left out here.
        lenient = guards.GUARDS | dict.fromkeys(("_write_", "_write_slice_"), lambda value: value)
        lenient["_write_attribute_"] = lambda value, name: value
        policy = _outcome(compiler.compile_action(source), {"__builtins__": dict(BUILTINS), **lenient})
    assert [scrub(text) for text in plain[0]] == [scrub(text) for text in policy[0]]
    assert plain[1] == policy[1]


@effort(50)
@given(_statements)
def test_invariants_of_random_programs(body: str) -> None:
    """A random program is rewritten to a tree in which every access goes through a guard."""
    assert_guarded(_program(body))


def test_invariants_of_the_corpus() -> None:
    """So is every snippet of the corpus of ordinary Python."""
    text = (pathlib.Path(__file__).parent / "data" / "ordinary_python.txt").read_text(encoding="utf-8")
    for section in text.split("\n=== ")[1:]:
        top, dashes, body = section.partition("\n")[2].rpartition("\n---\n")
        assert_guarded(
            f"{top if dashes else ''}\ndef on_execute_post_login(event, api):\n{_indented(body)}\n    pass\n"
        )


def _is_call(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def assert_guarded(source: str) -> None:
    """Check the rewritten tree, node by node, for anything that reaches an object without a guard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = Statements().run(ast.parse(source))
    for node in ast.walk(tree):
        match node:
            case ast.Attribute() | ast.Subscript():
                assert not isinstance(node.ctx, ast.Load)
                assert _is_call(node.value, "_write_", "_write_attribute_", "_write_slice_", "_write_any_")
            case ast.Import() | ast.ImportFrom() | ast.ClassDef() | ast.With() | ast.Yield() | ast.Match():
                pytest.fail(f"{type(node).__name__} got through")
            case ast.For() | ast.comprehension():
                assert _is_call(node.iter, "_getiter_", "_iter_unpack_sequence_")
            case ast.Assign(targets=targets):
                if any(isinstance(target, ast.Tuple | ast.List) for target in targets):
                    assert _is_call(node.value, "_getiter_", "_unpack_sequence_")
            case ast.Starred(ctx=ast.Load()):
                assert _is_call(node.value, "_getiter_")
            case ast.keyword(arg=None):
                assert _is_call(node.value, "_kwargs_")
            case ast.FormattedValue(value=value, format_spec=spec):
                assert isinstance(value, ast.Constant) or _is_call(
                    value, "_text_", "_str_", "_repr_", "_ascii_", "_format_"
                )
                assert spec is None or not _is_call(value, "_text_", "_format_")
            case ast.BinOp(op=ast.Mod(), right=right):
                assert isinstance(right, ast.Constant)
            case ast.BinOp(op=ast.BitOr() | ast.BitAnd() | ast.BitXor() | ast.Sub(), left=left, right=right):
                assert isinstance(left, ast.Constant) or isinstance(right, ast.Constant)
            case ast.AugAssign(op=op, value=value):
                assert not isinstance(op, ast.Mod)
                assert not isinstance(op, ast.BitOr | ast.BitAnd | ast.BitXor | ast.Sub) or isinstance(
                    value, ast.Constant
                )
            case ast.SetComp():
                pytest.fail("a set was made without its guard")
            case ast.Set(elts=members):
                # What `in` asks for, which nothing walks.
                assert all(isinstance(member, ast.Constant) for member in members)
            case ast.Dict(keys=keys):
                assert all(key is None or isinstance(key, ast.Constant) or _is_call(key, "_key_") for key in keys)
            case ast.DictComp(key=key):
                assert isinstance(key, ast.Constant) or _is_call(key, "_key_")
            case ast.ExceptHandler(type=kind, body=[ast.Expr(value=first), *_]):
                assert isinstance(kind, ast.Call)
                assert _is_call(kind, "_exception_type_")
                assert _is_call(kind.args[0], "_caught_")
                assert _is_call(first, "_caught_")
            case ast.ExceptHandler(type=kind, body=body):
                assert isinstance(kind, ast.Name)
                assert kind.id == "_given_up_"
                assert isinstance(body[0], ast.Raise)
            case ast.Try(finalbody=[ast.Expr(value=first), *_]):
                assert _is_call(first, "_caught_")
            case ast.Raise(exc=error, cause=cause):
                assert error is None or _is_call(error, "_raise_")
                assert cause is None or _is_call(cause, "_cause_")
            case ast.FunctionDef(returns=returns, args=args):
                assert returns is None
                assert not any(arg.annotation for arg in ast.walk(args) if isinstance(arg, ast.arg))
            case ast.AnnAssign(annotation=annotation, value=value):
                assert value is None
                assert isinstance(annotation, ast.Constant)
            case _:
                pass
