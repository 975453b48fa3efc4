"""Random hostile programs: whatever compiles never holds an object that is not meant to be within reach.

Each program is checked, rewritten, and then instrumented: every name it reads and the result of every call, guards'
calls among them, goes through an inspector that knows what is allowed (the one of the reach test) before the program
gets it. The control runs the same programs without the guards, and the inspector objects.
"""

from __future__ import annotations

import ast
import builtins
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.language import compiler
from sandbox.language.nodes import guard_call
from sandbox.language.rewrite import Statements
from sandbox.reach import environment
from sandbox.reach.interrupts import reset
from tests.action_body import ENTRY, NOW_NS
from tests.effort import effort
from tests.security.fuzz.findings import seeds
from tests.security.test_reach import TELLING, objections

IMPORTS = (
    "import json, re, math, datetime, collections, functools, itertools, operator, string, types, typing, random",
    "import hashlib, hmac, base64, uuid, time, logging, decimal, ipaddress, statistics, urllib.parse, unicodedata",
)
ROOTS = (
    "a", "b", "c", "json", "re", "datetime", "collections", "functools", "itertools", "operator", "string", "types",
    "typing", "random", "hashlib", "uuid", "logging", "decimal", "ipaddress", "urllib.parse", "print", "type", "str",
    "int", "dict", "list", "getattr", "len", "ValueError", "(lambda x, y=1: x)", "[].append", "''.join", "'{0}'.format",
    "{}.items()", "iter([])", "map(str, [1])", "(x for x in [a])", "json.loads", "re.compile('(a)')",
    "re.match('a', 'a')",
    "datetime.datetime.now(datetime.UTC)", "collections.Counter('ab')", "collections.namedtuple('P', 'x y')(1, 2)",
    "collections.defaultdict(list)", "types.SimpleNamespace(a=1)", "functools.partial(getattr, a)", "typing.Any",
    "operator.attrgetter", "operator.methodcaller", "hashlib.sha256()", "uuid.uuid4()", "logging.getLogger('x')",
    "decimal.Decimal('1')", "ipaddress.ip_address('::1')", "ipaddress.ip_network('1.1.1.0/30').hosts()",
    "string.Formatter",
    "string.Template", "None", "True", "Exception('x')", "b''", "1", "1.5", "f'{a!r}{b!s:5}{c}'",
)  # fmt: skip
NAMES = sorted(
    TELLING
    | {
        "gi_frame",
        "f_globals",
        "f_back",
        "cr_frame",
        "tb_frame",
        "func",
        "args",
        "keywords",
        "codecs",
        "enum",
        "sys",
        "throw",
    }
    | {"os", "_sys", "re", "_parser", "format", "format_map", "mro", "value", "name", "obj", "default_factory", "pop"}
    | {
        "__getattribute__",
        "__get__",
        "__import__",
        "with_traceback",
        "add_note",
        "__context__",
        "get",
        "groups",
        "get_field",
    }
)
HOSTILE_TEXT = (
    "{0.__class__}", "{0[__globals__]}", "%(__class__)s", "{a.__init__.__globals__}", "__import__('os')",
    "__class__.__mro__",
    "os", "sys", "builtins", "x" * 3, "\\x5f\\x5fclass\\x5f\\x5f", "{0!r:{1}}", "${a.__class__}",
)  # fmt: skip

_texts = st.sampled_from([repr(text) for text in HOSTILE_TEXT] + [repr(name) for name in NAMES])
_names = st.sampled_from([name for name in NAMES if name[:1] != "_"])
"""In syntax; a program that spells an underscore out is refused as a whole, which would leave little to run."""


def _more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two = st.tuples(inner, inner)
    named = st.tuples(inner, _names)
    worded = st.tuples(inner, _texts)
    return st.one_of(
        named.map(lambda t: f"({t[0]}).{t[1]}"),
        worded.map(lambda t: f"getattr({t[0]}, {t[1]}, None)"),
        worded.map(lambda t: f"({t[0]})[{t[1]}]"),
        two.map(lambda t: f"({t[0]})[{t[1]}]"),
        inner.map(lambda t: f"({t})()"),
        two.map(lambda t: f"({t[0]})({t[1]})"),
        worded.map(lambda t: f"({t[0]})({t[1]})"),
        worded.map(lambda t: f"{t[1]}.format({t[0]}, a={t[0]})"),
        worded.map(lambda t: f"({t[1]} % {{'a': {t[0]}}})"),
        worded.map(lambda t: f"operator.attrgetter({t[1]})({t[0]})"),
        worded.map(lambda t: f"operator.methodcaller({t[1]})({t[0]})"),
        worded.map(lambda t: f"functools.reduce(getattr, [{t[1]}, '__mro__'], {t[0]})"),
        worded.map(lambda t: f"list(map(getattr, [{t[0]}], [{t[1]}]))"),
        worded.map(lambda t: f"json.loads('[1]', object_hook={t[0]})"),
        two.map(lambda t: f"sorted([{t[0]}, {t[0]}], key={t[1]})"),
        two.map(lambda t: f"max([{t[0]}], key=({t[1]}))"),
        two.map(lambda t: f"[y for y in {t[0]} if {t[1]}][:3]"),
        two.map(lambda t: f"re.sub('a', {t[0]}, 'a')"),
        two.map(lambda t: f"dict(zip([{t[0]}], [{t[1]}]))"),
        two.map(lambda t: f"isinstance({t[0]}, {t[1]})"),
        inner.map(lambda t: f"'%r %s' % ({t}, {t})"),
        inner.map(lambda t: f"type({t})"),
        inner.map(lambda t: f"[*({t})][:3]"),
        inner.map(lambda t: f"dict(**({t}))"),
        inner.map(lambda t: f"(lambda *p, **k: [p, k])(*({t}))"),
        two.map(lambda t: f"types.SimpleNamespace(a={t[0]}, b={t[1]})"),
    )


_expressions = st.recursive(st.one_of(st.sampled_from(ROOTS), _texts), _more, max_leaves=5)
_statements = st.one_of(
    _expressions.map(lambda e: f"a = {e}"),
    _expressions.map(lambda e: f"b, *c = {e}"),
    _expressions.map(lambda e: f"for b in {e}:\n    a = b\n    break"),
    st.tuples(_expressions, _names, _expressions).map(lambda t: f"({t[0]}).{t[1]} = {t[2]}"),
    st.tuples(_expressions, _texts, _expressions).map(lambda t: f"({t[0]})[{t[1]}] = {t[2]}"),
    st.tuples(_expressions, _texts, _expressions).map(lambda t: f"setattr({t[0]}, {t[1]}, {t[2]})"),
    _expressions.map(lambda e: f"raise {e}"),
    st.tuples(_names, _names).map(lambda t: f"from json import {t[0]} as a"),
    _names.map(lambda name: f"import {name} as a"),
    _names.map(lambda name: f"global {name}\n{name} = 1"),
)


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Write a body in which a failing statement hands its exception on, and does not end the program."""
    lines = []
    for statement in draw(st.lists(_statements, min_size=1, max_size=5)):
        lines += ["try:", *("    " + line for line in statement.split("\n"))]
        lines += ["except Exception as error:", "    c = error"]
    return "\n".join([*IMPORTS, "a, b, c = event, [1], {'k': 2}", *lines, "return [a, b, c]"])


class Instrument(ast.NodeTransformer):
    """Lead what every name and every call gives through the inspector."""

    def visit_Name(self, node: ast.Name) -> Any:
        guard = node.id[:1] == "_" and node.id[-1:] == "_" and node.id != "_"
        return node if guard or not isinstance(node.ctx, ast.Load) else guard_call("_inspect_", [node], node)

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        return guard_call("_inspect_", [node], node)


def run(tree: ast.Module, namespace: dict[str, Any]) -> list[str]:
    """Run an instrumented program; return what the inspector objected to."""
    found: list[str] = []

    def inspect(value: Any) -> Any:
        wrong = objections("", value)
        if wrong:
            found.append(wrong)
        return value

    code = compile(ast.fix_missing_locations(Instrument().visit(tree)), "<action>", "exec", dont_inherit=True)
    namespace["_inspect_"] = inspect
    try:
        exec(code, namespace)  # noqa: S102  what is tested
        namespace["on_execute_post_login"]("event", None)
    except Exception:  # noqa: BLE001  how it fails is of no interest here
        pass
    return found


def guarded(body: str) -> list[str] | None:
    """Run a body as an action, instrumented; None if it is refused."""
    source = ENTRY + "\n".join("    " + line for line in body.split("\n")) + "\n"
    if compiler.check(source):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = Statements().run(ast.parse(source))
        namespace = environment.begin(NOW_NS, b"fuzz", environment.ActionOutput())
        try:
            return run(tree, namespace)
        finally:
            environment.end()
            reset()


def plain(body: str) -> list[str]:
    """Run a body without policy and guards, instrumented."""
    source = ENTRY + "\n".join("    " + line for line in body.split("\n")) + "\n"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run(ast.parse(source), {"__builtins__": vars(builtins), "__name__": "action"})


@pytest.mark.parametrize("body", seeds("programs.txt"))
def test_seeds_of_programs(body: str) -> None:
    """Escapes that work in plain Python reach nothing through the guards."""
    assert not guarded(body)


@pytest.mark.parametrize("body", seeds("programs.txt"))
def test_control_seeds_escape_in_plain_python(body: str) -> None:
    """Control: the inspector objects to each of the same programs without the guards."""
    assert plain(body)


def test_control_an_open_guard_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: with one guard replaced by plain getattr, the inspector objects to what comes through."""
    body = "return ValueError.mro()[2]"
    assert guarded(body) == []
    monkeypatch.setattr(environment, "NAMESPACE", environment.NAMESPACE | {"_getattr_": getattr})
    assert guarded(body)


@effort(250)
@given(programs())
def test_no_program_reaches_what_is_not_meant(body: str) -> None:
    """Whatever compiles holds nothing, at any instant, but what the allow-list names."""
    assert not guarded(body)


def test_control_most_programs_run() -> None:
    """Control: the fuzzer is not idle, for most programs pass the check and are run."""
    ran: list[bool] = []

    @effort(40)
    @given(programs())
    def count(body: str) -> None:
        ran.append(guarded(body) is not None)

    count()
    assert sum(ran) * 2 > len(ran)
