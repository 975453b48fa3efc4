"""What to tell an author whose name does not exist: the nearest name, or the Python for a JavaScript habit.

Knows names and the looks of JavaScript. Must not see values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sandbox.contract.did_you_mean import nearest

_NAME_CHARS = 100

# Actions are often ported from JavaScript; these are the members its snippets use on strings, arrays and objects.
_JAVASCRIPT = {
    "length": "len(x)",
    "includes": "`value in x`",
    "indexOf": "x.find(value) for text, x.index(value) for a list",
    "push": "x.append(value)",
    "concat": "x + y",
    "slice": "x[start:stop]",
    "substring": "x[start:stop]",
    "forEach": "a `for` loop",
    "map": "[f(item) for item in x]",
    "filter": "[item for item in x if ...]",
    "reduce": "a `for` loop, or sum(...)",
    "find": "next((item for item in x if ...), None)",
    "some": "any(... for item in x)",
    "every": "all(... for item in x)",
    "toLowerCase": "x.lower()",
    "toUpperCase": "x.upper()",
    "toString": "str(x)",
    "startsWith": "x.startswith(value)",
    "endsWith": "x.endswith(value)",
    "trim": "x.strip()",
    "hasOwnProperty": "`name in x`",
    "has": "`value in x`",
    "set": "x[name] = value",
    "getTime": "x.timestamp()",
    "test": "re.search(pattern, text)",
}


def suggest(name: str, known: Iterable[str]) -> str:
    """Answer the missing name, quoted, followed by what was probably meant."""
    if len(name) > _NAME_CHARS:
        return repr(name[:_NAME_CHARS]) + "..."
    if python := _JAVASCRIPT.get(name):
        return f"{name!r}. In Python: {python}"
    if near := nearest(name, known):
        return f"{name!r}. Did you mean {near!r}?"
    return repr(name)


_JAVASCRIPT_NAMES = {
    "Boolean": "write bool(x)",
    "Date": "write `import datetime`",
    "JSON": "write `import json`",
    "Math": "write `import math`",
    "Number": "write int(x) or float(x)",
    "Object": "write a dict, {'name': value}",
    "RegExp": "write `import re`",
    "String": "write str(x)",
    "console": "write print(...)",
    "false": "write False",
    "module": "an action needs no exports: define on_execute_post_login",
    "exports": "an action needs no exports: define on_execute_post_login",
    "null": "write None",
    "require": "write `import ...`",
    "true": "write True",
    "undefined": "write None",
}


# What a line of JavaScript looks like as a whole, and what stands where Python's parser stops in it. The first counts.
_JAVASCRIPT_LINES = (
    (re.compile(r"\s*(?:module\.)?exports\b"), "`def on_execute_post_login(event, api):`"),
    (re.compile(r"\s*(?:const|let|var)\s+\w"), "`name = value`"),
    (re.compile(r"\s*(?:async\s+)?function\b"), "`def name(...):`"),
    (re.compile(r"\s*switch\s*\("), "`if`, `elif` and `else`"),
)
_JAVASCRIPT_SYMBOLS = {
    "===": "`==`",
    "!==": "`!=`",
    "&&": "`and`",
    "||": "`or`",
    "??": "`x if x is not None else y`",
    "?.": "`x.y if x else None`, or `event.get('x.y')`",
    "?": "`a if x else b`",
    "++": "`x += 1`",
    "//": "`#` begins a comment",
    "/*": "`#` begins a comment",
    "!": "`not x`",
}
_JAVASCRIPT_REST = (
    (re.compile(r".*=>"), "`lambda x: ...`, or a function"),
    (re.compile(r".*\)\s*\{\s*\Z"), "a colon, and what belongs to it indented"),
)


def syntax(line: str, column: int) -> str:
    """Answer what to add to the parser's words about a line, by its column from 1: Python for what is JavaScript."""
    line = line[: column + _NAME_CHARS]
    near = line[max(column - 4, 0) : column + 2]
    meant = (
        *(python for pattern, python in _JAVASCRIPT_LINES if pattern.match(line)),
        *(python for symbol, python in _JAVASCRIPT_SYMBOLS.items() if symbol in near),
        *(python for pattern, python in _JAVASCRIPT_REST if pattern.match(line, max(column - 4, 0))),
    )
    return f"; in Python: {meant[0]}" if meant else ""


def define(name: str, known: Iterable[str], modules: Iterable[str]) -> str:
    """Answer what to do about a name that nothing binds."""
    if name == "datetime":
        return "write `from datetime import datetime` for datetime.now(), or `import datetime` for the module, first"
    if name in modules:
        return f"write `import {name}` first"
    instead = _JAVASCRIPT_NAMES.get(name)
    if instead is not None:
        return instead
    if len(name) <= _NAME_CHARS and (near := nearest(name, known)):
        return f"did you mean {near!r}?"
    return "define or import it"
