"""Ordinary Python means the same under the policy as without it."""

from __future__ import annotations

import builtins
import collections
import pathlib
import traceback
import types
from typing import Any

import pytest

from sandbox.language import compiler
from sandbox.reach import guards, registry
from sandbox.reach.builtin_types import EXCEPTIONS
from sandbox.reach.facades.base import named

_NAMES = (
    "abs all any bool bytes callable dict divmod enumerate filter float frozenset int isinstance iter len list map max"
    " min next pow print range repr reversed round set slice sorted str sum tuple zip"
)
BUILTINS = {name: getattr(builtins, name) for name in _NAMES.split()} | EXCEPTIONS


@pytest.fixture(autouse=True)
def _modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let snippets import two classes, whatever the environment offers."""
    modules = {
        "types": named("types", {"SimpleNamespace": types.SimpleNamespace}),
        "collections": named("collections", {"defaultdict": collections.defaultdict, "Counter": int}),
    }
    monkeypatch.setattr(registry, "MODULES", modules)
    monkeypatch.setattr(guards, "MODULES", modules)


def _indent(body: str) -> str:
    return "\n".join("    " + line for line in body.strip("\n").splitlines())


def _module(snippet: str) -> str:
    """A snippet is the body of the entry point; above a line of dashes it is module level."""
    top, dashes, body = snippet.rpartition("\n---\n")
    return f"{top if dashes else ''}\ndef on_execute_post_login(event, api):\n{_indent(body)}\n"


def _call(code: types.CodeType, namespace: dict[str, Any]) -> object:
    exec(code, namespace)  # noqa: S102  the comparison is the point
    try:
        return namespace["on_execute_post_login"]("event", "api")
    except Exception as error:  # noqa: BLE001  an exception is a result to compare
        return type(error), str(error)


def _both(snippet: str) -> tuple[object, object]:
    source = _module(snippet)
    namespace = {"__builtins__": {**BUILTINS, "__import__": builtins.__import__}}
    plain = _call(compile(source, "<action>", "exec", dont_inherit=True), namespace)
    policy = _call(compiler.compile_action(source), {"__builtins__": dict(BUILTINS), **guards.GUARDS})
    return plain, policy


def _snippets() -> dict[str, str]:
    text = (pathlib.Path(__file__).parent / "data" / "ordinary_python.txt").read_text(encoding="utf-8")
    sections = text.split("\n=== ")[1:]
    return {name: body.strip("\n") for name, _, body in (section.partition("\n") for section in sections)}


SNIPPETS = _snippets()


@pytest.mark.parametrize("snippet", SNIPPETS.values(), ids=SNIPPETS.keys())
def test_same_result(snippet: str) -> None:
    """A snippet of ordinary Python has the same result, or the same error, under the policy and without it."""
    plain, policy = _both(snippet)
    assert policy == plain


def test_generic_types_are_erased() -> None:
    """Subscribing a type, as aliases of types do, answers the type."""
    code = compiler.compile_action(_module("Names = dict[str, list[int]]\nreturn Names"))
    assert _call(code, {"__builtins__": dict(BUILTINS), **guards.GUARDS}) is dict


def test_text_of_a_function_has_no_address() -> None:
    """However an object is turned into text by the language itself, its address does not show."""
    body = (
        "def f():\n    pass\n"
        "return [f'{f}', f'{f!r}', f'{f!s}', f'{f!a}', f'{[f]}', '%s' % f, '%r' % (f,), '%s' % [f],\n"
        "  '%(a)s' % {'a': f},\n"
        "  '{}'.format(f), '{0!r:>90}'.format(f), f'{f!r:>90}', '%90s' % f, f'{(x for x in \"\")}', b'%a' % f]"
    )
    source = _module(body)
    plain = _call(compile(source, "<action>", "exec", dont_inherit=True), {"__builtins__": dict(BUILTINS)})
    policy = _call(compiler.compile_action(source), {"__builtins__": dict(BUILTINS), **guards.GUARDS})
    assert isinstance(plain, list)
    assert isinstance(policy, list)
    for with_address, without in zip(plain, policy, strict=True):
        assert "0x" in str(with_address)
        assert "0x" not in str(without)


def test_globals_are_fresh() -> None:
    """One code object run twice starts from the same globals: `global` and mutable defaults keep nothing."""
    source = _module(
        "N = 0\ndef up(kept=[]):\n    global N\n    N += 1\n    kept.append(N)\n    return N, kept\n\n---\nreturn up()"
    )
    code = compiler.compile_action(source)
    results = [_call(code, {"__builtins__": dict(BUILTINS), **guards.GUARDS}) for _ in range(2)]
    assert results == [(1, [1]), (1, [1])]


def test_lines_of_errors() -> None:
    """An error in rewritten code stands at the line the author wrote."""
    source = _module("x = {}\n\nfor k in [1]:\n    x['a'][k] += (\n        1)")
    namespace: dict[str, Any] = {"__builtins__": dict(BUILTINS), **guards.GUARDS}
    exec(compiler.compile_action(source), namespace)  # noqa: S102  the comparison is the point
    with pytest.raises(KeyError) as caught:
        namespace["on_execute_post_login"](None, None)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [frame.lineno for frame in frames if frame.filename == "<action>"] == [6]


def test_module_name_is_a_constant() -> None:
    """`__name__` is the same harmless text in every action, so that the usual idioms compile and mean nothing."""
    code = compiler.compile_action(_module("if __name__ == '__main__':\n    1 / 0\n\n---\nreturn __name__"))
    assert _call(code, {"__builtins__": dict(BUILTINS), **guards.GUARDS}) == "action"
