"""Text that is no good source is a fault, never an exception of another kind, in bounded time."""

from __future__ import annotations

import time

import pytest

from sandbox.language import compiler

ENTRY = "def on_execute_post_login(event, api):\n    pass\n"


@pytest.mark.parametrize(
    ("source", "line", "column", "words"),
    [
        ("x = 1\0", 1, 6, ["U+0000"]),
        ("x = 1\n# \x1b[2J", 2, 3, ["U+001B", "\\x1b"]),
        ("x = '\u202e'", 1, 6, ["U+202E", "read differently", "\\u202e"]),
        ("# \u2066", 1, 3, ["U+2066"]),
        ("x = '\ud800'", 1, 6, ["U+D800", "surrogate"]),
        ("x = 1\n\ufeffy = 2", 2, 1, ["U+FEFF"]),
        ("x\r\ny\rz\u2028", 3, 2, ["U+2028"]),
        ("x = 1\x7f", 1, 6, ["U+007F"]),
        ("x = (1", 1, 5, ["'(' was never closed"]),
        ("x = 'a", 1, 5, ["unterminated string"]),
        ("def f():\npass", 2, 1, ["expected an indented block"]),
        ("if 1:\n\tx = 1\n        y = 2", 3, None, ["inconsistent use of tabs"]),
        ("return 1", 1, 1, ["'return' outside function"]),
        ("break", 1, 1, ["'break' outside loop"]),
        ("def f():\n    nonlocal x", 2, 5, ["no binding for nonlocal"]),
        ("def f(a, a):\n    pass", 1, None, ["duplicate argument"]),
        ("def f(x):\n    global x", None, None, ["parameter and global"]),
        ("print 'x'", 1, 1, ["parentheses"]),
    ],
)
def test_not_source(source: str, line: int | None, column: int | None, words: list[str]) -> None:
    """An invisible character or a syntax error is one fault at its place."""
    faults = compiler.check(source + ("" if words[0].startswith("'(") or "unterm" in words[0] else "\n" + ENTRY))
    assert all(word in faults[0].message for word in words), faults
    assert line is None or faults[0].line == line
    assert column is None or faults[0].column == column


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "-" * 50_000 + "1",
        "x = " + "+".join("1" * 40_000),
        "x = " + "+".join("1" * 900),
        "x = a" + ".a" * 30_000,
        "x = a" + ".a" * 500,
        "x = a" + "()" * 500,
        "x = a" + "[0]" * 500,
        "x = " + "not " * 1500 + "1",
        "x = " + "[" * 199 + "]" * 199,
        "x = " + "[" * 90_000,
        "x = " + "{1:" * 180 + "1" + "}" * 180,
        "x = " + "lambda: " * 500 + "1",
        "x = " + "1 if 1 else " * 500 + "1",
        "x = " + "await " * 500 + "y",
        "x = " + "f'{" * 100 + "1" + "}'" * 100,
        "x = " + "a(" * 190 + ")" * 190,
        "if 1:\n    pass\n" + "elif 1:\n    pass\n" * 3000,
        "x = 1; " * 14_000,
        "x = '" + "a" * 100_001 + "'",
        "x = '" + "é" * 50_001 + "'",
        "x = 1_" + "0" * 5000,
        "x = 0x" + "f" * 99_000,
        "x = '\\N{no such name}'",
        "x = b'é'",
        "@" * 50_000,
        "x = `1`",
        "try:\n" * 40,
        "\f\f\fx = (",
        "def f(" + ",".join(f"a{i}" for i in range(15_000)) + "): pass",
    ],
    ids=range(29),
)
def test_pathological(source: str) -> None:
    """Source made to exhaust parser, checker or compiler is refused in bounded time, without any other exception."""
    before_s = time.process_time()
    assert compiler.check(source + "\n" + ENTRY)
    assert time.process_time() - before_s < 5


@pytest.mark.parametrize(
    "source",
    [
        "\ufeff" + ENTRY,
        "# -*- coding: utf-7 -*-\n# +AAo-    import os\n" + ENTRY,
        "# coding: no-such-codec\n" + ENTRY,
        ENTRY.replace("\n", "\r\n"),
        ENTRY.replace("\n", "\r"),
        "x = '👩\u200d💻'\n" + ENTRY,
        "\f\n" + ENTRY,
        "x = '\\ud800\\u202e'\n" + ENTRY,
        "x = 1 is 1\ny = '\\d'\nassert (1, 'x')\n" + ENTRY,
        "x = 'a' * 10 ** 9 if 0 else 1\ny = lambda: 10 ** 10 ** 8\n" + ENTRY,
        "x = " + "+".join("1" * 100) + "\n" + ENTRY,
        "if 1:\n    pass\n" + "elif 1:\n    pass\n" * 60 + ENTRY,
        "x = [" + ", ".join(map(str, range(5000))) + "]\n" + ENTRY,
        "x = " + " or ".join(["1"] * 1000) + "\n" + ENTRY,
        "x = " + "(" * 150 + ")" * 150 + "\n" + ENTRY,
        "".join(" " * depth + "if 1:\n" for depth in range(99)) + " " * 99 + "pass" + "\n" + ENTRY,
        "a" * 99_000 + " = 1" + "\n" + ENTRY,
        "x = 1" + "\\\n" * 40_000 + "\n" + ENTRY,
        "def f(" + ",".join(f"a{i}" for i in range(1_900)) + "): pass" + "\n" + ENTRY,
    ],
    ids=range(19),
)
def test_good_source(source: str) -> None:
    """Byte order mark, cookies, line ends, emoji, dubious style and long but flat code are accepted, and fast."""
    before = time.monotonic()
    assert compiler.check(source) == []
    assert time.monotonic() - before < 5


@pytest.mark.parametrize(
    "unit",
    [
        "{}; ",
        "x = [{}]\n",
        "import m{}\n",
        "from json import x{}\n",
        "import math\nmath.x{}\n",
        "''.__{}; ",
        "with x: pass\n",
    ],
)
def test_many_faults(unit: str) -> None:
    """A source full of faults is answered in bounded time, with the first of them and the number of the others."""
    text = "".join(unit.replace("{}", f"a{'b' * 80}{index}") for index in range(90_000 // (len(unit) + 85)))
    before = time.monotonic()
    faults = compiler.check(text + "\n" + ENTRY)
    assert time.monotonic() - before < 5
    assert len(faults) <= compiler.MAX_FAULTS + 1  # none for imports as long as no module is registered
    places = [(fault.line, fault.column) for fault in faults]
    assert places == sorted(places)


def test_source_is_text() -> None:
    """Bytes are not decoded by guess."""
    assert "must be text, not bytes" in compiler.check(b"x")[0].message  # type: ignore[arg-type]  # what is tested


def test_constant_folding_is_bounded() -> None:
    """The compiler does not compute what would fill the memory: the constants of the code stay small."""
    source = "def f():\n    return 'a' * 10 ** 9, 10 ** 10 ** 8, (1,) * 10 ** 9, 1 << 10 ** 9\n" + ENTRY
    code = compiler.compile_action(source)
    inner = next(const for const in code.co_consts if hasattr(const, "co_consts"))
    assert all(len(repr(const)) < 10_000 for const in inner.co_consts if type(const) is not type(code))


def test_asserts_are_kept() -> None:
    """Asserts are compiled in however the interpreter was started."""
    code = compiler.compile_action("assert 0\n" + ENTRY)
    assert "LOAD_ASSERTION_ERROR" in _opnames(code) or "LOAD_COMMON_CONSTANT" in _opnames(code)


def _opnames(code: object) -> set[str]:
    import dis

    return {instruction.opname for instruction in dis.get_instructions(code)}  # type: ignore[arg-type]  # code, by the test above


def test_fault_order_and_text() -> None:
    """Faults sort by place and print as `file:line:col: message`."""
    assert sorted([compiler.SourceFault(2, 1, "b"), compiler.SourceFault(1, 9, "a")])[0].message == "a"
    assert str(compiler.SourceFault(2, 3, "m", "f.py")) == "f.py:2:3: m"
