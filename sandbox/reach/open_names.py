"""The few names with an underscore that an object shows, each answered by a function: `f.__name__`, `row._asdict()`.

Knows what such a name may tell. Must not read an attribute that an action chose. What is answered is a text, a tuple of
texts, an exception that was raised on purpose, or a copy; never an object of the interpreter.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from sandbox.contract.bundle import PACKAGE
from sandbox.reach.registry import ATTRS

DUNDERS: Final = frozenset({"__cause__", "__doc__", "__name__"})
METHODS: Final = frozenset({"_asdict", "_fields", "_make", "_replace"})
"""Of a named tuple."""
OPEN: Final = DUNDERS | METHODS

ACTION_FILENAME: Final = "<action>"
"""Constant file name of every compiled action: no path chosen by a tenant, nothing a traceback printer could read."""
SHARED_FILES: Final = f"{PACKAGE}/"
"""What the file names of a tenant's shared files begin with."""
_MISSING: Final[Any] = object()
_NAMED: Final = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType)


def is_own_file(filename: str) -> bool:
    """Tell whether code of this file is the action's or of a shared file of its tenant. Ours has an absolute path."""
    return filename == ACTION_FILENAME or filename.startswith(SHARED_FILES)


def is_own_function(value: Any) -> bool:
    """Tell whether a function was made by the running action, and goes when it ends."""
    return type(value) is types.FunctionType and is_own_file(value.__code__.co_filename)


def open_name(value: Any, name: str) -> Any:
    """Answer `value.name` for one of `OPEN`.

    Raises:
        AttributeError: this value has none.
    """
    found = _OF[name](value)
    if found is _MISSING or (found is None and name not in _NONE_IS_AN_ANSWER):
        raise AttributeError(f"{type(value).__name__!r} object has no attribute {name!r}")
    return found


def _name_of(value: Any) -> str | None:
    if isinstance(value, _NAMED):
        name: str = value.__name__
        return name
    # What `type(x)` answers for a class that is not handed out, and a module.
    found = getattr(type(value), "_named_", None)
    return found(value) if isinstance(found, types.FunctionType) else None


def class_name(value: Any) -> str:
    """Answer `type(value).__name__`."""
    return type(value).__name__


def _doc_of(value: Any) -> Any:
    own = is_own_function(value) or (isinstance(value, type) and vars(value).get("_ephemeral_", False))
    if not own and not isinstance(value, _NAMED):
        return _MISSING
    doc = value.__doc__ if own else None  # that of the runtime's own functions is for its maintainers
    return doc if type(doc) is str else None


def _cause_of(value: Any) -> Any:
    if not issubclass(type(value), Exception):
        return _MISSING
    cause = value.__cause__
    # An interrupt is no cause that an action may see.
    return cause if isinstance(cause, Exception) else None


def _fields_of(value: Any) -> tuple[str, ...] | None:
    """Answer the fields of a named tuple, or of a class of such that the action has made."""
    kind = value if isinstance(value, type) else type(value)
    if not issubclass(kind, tuple) or not (kind in ATTRS or getattr(kind, "_ephemeral_", False)):
        return None
    fields = getattr(kind, "_fields", None)
    return fields if type(fields) is tuple else None


def _asdict_of(value: Any) -> Callable[..., Any] | None:
    fields = None if isinstance(value, type) else _fields_of(value)
    return None if fields is None else lambda: dict(zip(fields, value, strict=True))


def _replace_of(value: Any) -> Callable[..., Any] | None:
    fields = None if isinstance(value, type) else _fields_of(value)
    return None if fields is None else partial(_replaced, value, fields)


def _replaced(value: Any, fields: tuple[str, ...], /, **changes: Any) -> Any:
    wrong = [name for name in changes if name not in fields]
    if wrong:
        raise ValueError(f"Got unexpected field names: {wrong!r}")
    return type(value)(*[changes.get(name, item) for name, item in zip(fields, value, strict=True)])


def _make_of(value: Any) -> Callable[..., Any] | None:
    if not isinstance(value, type) or _fields_of(value) is None:
        return None
    return lambda items, /: _made(value, items)


def _made(cls: Any, items: Iterable[Any]) -> Any:
    return cls(*items)


_OF: Final[dict[str, Callable[[Any], Any]]] = {
    "__cause__": _cause_of, "__doc__": _doc_of, "__name__": _name_of,
    "_asdict": _asdict_of, "_fields": _fields_of, "_make": _make_of, "_replace": _replace_of,
}  # fmt: skip
_NONE_IS_AN_ANSWER: Final = frozenset({"__cause__", "__doc__"})
