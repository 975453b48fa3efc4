"""Ordinary Python prints in an action what plain Python prints; what stays refused has a reason in the table."""

# ruff: noqa: E501  a table of bodies of actions

from __future__ import annotations

import contextlib
import io
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from sandbox.language import compiler
from sandbox.reach import environment
from tests.action_body import NOW_NS

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "sandbox" / "language" / "DECISIONS.md"
ENTRY = "on_execute_post_login"


def _snippets() -> dict[str, str]:
    text = (HERE / "data" / "printed_python.txt").read_text(encoding="utf-8")
    sections = text.split("\n=== ")[1:]
    return {name: body.strip("\n") for name, _, body in (section.partition("\n") for section in sections)}


SNIPPETS = _snippets()


def source(snippet: str) -> str:
    top, _, body = snippet.rpartition("\n---\n")
    return f"{top}\ndef {ENTRY}(event, api):\n{textwrap.indent(body, '    ', lambda line: True)}\n"


def plainly(text: str) -> str:
    """Return what a source prints in plain Python."""
    printed = io.StringIO()
    namespace: dict[str, Any] = {"__name__": "action"}
    with contextlib.redirect_stdout(printed):
        exec(compile(text, "<action>", "exec", dont_inherit=True), namespace)  # noqa: S102  the comparison is the point
        namespace[ENTRY](None, None)
    return printed.getvalue()


def as_action(text: str) -> str:
    """Return what a source prints as an action."""
    code = compiler.compile_action(text)
    output = environment.ActionOutput()
    namespace = environment.begin(NOW_NS, b"seed", output)
    try:
        exec(code, namespace)  # noqa: S102  what the sandbox is for
        namespace[ENTRY](None, None)
        return output.text()
    finally:
        namespace.clear()
        environment.end()


def test_there_are_enough() -> None:
    """A hundred and more, no two of which are one."""
    assert len(SNIPPETS) >= 100
    assert len(set(SNIPPETS.values())) == len(SNIPPETS)


@pytest.mark.parametrize("snippet", SNIPPETS.values(), ids=SNIPPETS.keys())
def test_prints_the_same(snippet: str) -> None:
    """An action prints what the same text prints in the Python that runs this test, and prints something."""
    text = source(snippet)
    printed = plainly(text)
    assert printed.strip()
    assert as_action(text) == printed


def test_what_cannot_be_ordered_is_not_laid_out_by_address() -> None:
    """Members of a set that cannot be compared stand in the set's own order, however deep it lies and however narrow.

    Control: the library of plain Python sorts them by where they lie in memory.
    """
    made = "(tuple('ab' + str(n)) if n % 2 else (n, 'x') for n in range(8))"
    line = "import collections, pprint, types\ns = {%s}\nfor v in ([s], {1: (s,)}, collections.deque([s]), types.SimpleNamespace(a=s)):\n"
    body = (line % f"*{made}") + "    print(pprint.pformat(v, width=20).replace(chr(10), ' ').find(repr(s)) >= 0)\n"
    assert as_action(source(body)) == "True\n" * 4
    assert "False" in plainly(source(body)), "control"


# Kind, as the table of DECISIONS.md calls it -> a snippet, which plain Python runs.
REFUSED = {
    "a class with methods": "class A:\n    def f(self):\n        return 1\nprint(A().f())",
    "`x.__class__` by itself": "print((1).__class__)",
    "a class pattern of `match`": "match 1:\n    case int():\n        print(1)",
    "a generator that cleans up": "def g():\n    try:\n        yield 1\n    finally:\n        print(2)\nprint(next(g()))",
    "`contextlib.contextmanager`": "import contextlib\nprint(contextlib.contextmanager)",
    "`with` over anything else": "with memoryview(b'a') as m:\n    print(len(m))",
    "a decorated entry point": "print(1)",
    "`bytearray`": "print(bytearray(b'a'))",
    "`hash`, `id`": "print(hash(1), id(None) > 0)",
    "`eval`, `exec`, `compile`": "print(eval('1'))",
    "`globals`, `locals`, `dir`": "print(len(dir(1)) > 1)",
    "`except BaseException`": "try:\n    1 / 0\nexcept BaseException:\n    print(1)",
    "leaving a `finally` by `return`": "def f():\n    try:\n        return 1\n    finally:\n        return 2\nprint(f())",
    "look-around and back references": "import re\nprint(re.search('(?=a)', 'a'))",
    "`os`, `sys`, `io`, `csv`": "import os, sys, io, csv\nprint(1)",
    "the network": "import urllib.request\nprint(1)",
    "`time.sleep`": "import time\ntime.sleep(0)\nprint(1)",
    "`string.Template`, `collections.UserDict`": "import string, collections\nprint(string.Template, collections.UserDict)",
    "`difflib`": "import difflib\nprint(1)",
    "`async`, `await`": "async def f():\n    pass\nf().close()\nprint(1)",
}  # fmt: skip


def test_each_refused_kind_has_a_reason_in_the_table() -> None:
    """The kinds that are tried below are those of the table, and each says why."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    kinds = {kind: why for kind, why, _ in rows if not kind.startswith(("---", "kind"))}
    assert kinds.keys() == REFUSED.keys()
    assert all(len(why) > 30 for why in kinds.values())


@pytest.mark.parametrize("kind", REFUSED)
def test_what_stays_refused(kind: str) -> None:
    """It runs in plain Python, and an action that has it is refused, at the check or when it runs."""
    body = REFUSED[kind]
    text = source(body)
    if kind == "a decorated entry point":
        text = f"def same(f):\n    return f\n@same\ndef {ENTRY}(event, api):\n    print(1)\n"
    assert plainly(text), "control"
    with pytest.raises((compiler.Rejected, environment.MODULES["re"].PatternError)):
        as_action(text)
