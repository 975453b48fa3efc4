"""What to tell an author whose name does not exist: the nearest name, or the Python for a JavaScript habit.

Knows names only. Must not see values. Called by `guards` and `registry` when something is missing at run time, and by
`expressions` when it is missing already in the source.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_NAME_CHARS = 100
_CANDIDATES_MAX = 500

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
    shown = repr(name) if len(name) <= _NAME_CHARS else repr(name[:_NAME_CHARS]) + "..."
    if len(name) <= _NAME_CHARS:
        candidates = sorted(known)[:_CANDIDATES_MAX]
        close = difflib.get_close_matches(name, candidates, n=1, cutoff=0.75)
        if close:
            return f"{shown}. Did you mean {close[0]!r}?"
        python = _JAVASCRIPT.get(name)
        if python is not None:
            return f"{shown}. In Python: {python}"
    return shown


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


def define(name: str, known: Iterable[str], modules: Iterable[str]) -> str:
    """Answer what to do about a name that nothing binds."""
    if name == "datetime":
        return "write `from datetime import datetime` for datetime.now(), or `import datetime` for the module, first"
    if name in modules:
        return f"write `import {name}` first"
    instead = _JAVASCRIPT_NAMES.get(name)
    if instead is not None:
        return instead
    if len(name) <= _NAME_CHARS:
        close = difflib.get_close_matches(name, sorted(known)[:_CANDIDATES_MAX], n=1, cutoff=0.75)
        if close:
            return f"did you mean {close[0]!r}?"
    return "define or import it"
