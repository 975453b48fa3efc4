"""Reads attributes for tenant code: `x.name`, `getattr` and `hasattr`.

Knows, per exact type, which names are open. Must not know items, iteration, modules or events.
"""

from __future__ import annotations

import types
from functools import partial
from typing import Any

from sandbox.reach.builtin_types import CHECKED_METHODS, INSTANCE_NAMES
from sandbox.reach.hints import suggest
from sandbox.reach.open_names import OPEN, open_name
from sandbox.reach.receivers import of_exactly
from sandbox.reach.registry import ATTRS, CLASS_ATTRS, NOTHING, learn
from sandbox.reach.shared_file import SharedFile
from sandbox.reach.text import scrub

_OMITTED: Any = object()
_NEVER_OPEN = "names beginning with an underscore are never open"


def guarded_getattr(value: Any, name: str, _attrs: dict[type, frozenset[str]] = ATTRS) -> Any:
    """Answer `value.name` if the type of `value` shows it; raise AttributeError, never answer None, otherwise."""
    names = _attrs.get(type(value))
    if names is not None and name in names:
        return getattr(value, name)
    return _getattr_slowly(value, name)


def _getattr_slowly(value: Any, name: str) -> Any:
    kind = type(value)
    checked = CHECKED_METHODS.get(kind)
    if checked is not None and name in checked:
        return partial(checked[name], value)
    if name[:1] == "_" and name in OPEN:
        return open_name(value, name)
    if issubclass(kind, type):
        return _getattr_of_class(value, name)
    if name == "args" and issubclass(kind, Exception):
        # The library writes what it was given into its messages: `[].index(f)` tells where `f` lives.
        return tuple([scrub(arg) if type(arg) is str else arg for arg in value.args])
    names = ATTRS.get(kind)
    if names is None:
        names = learn(kind)
        if name in names and name[:1] != "_":
            return getattr(value, name)
    if kind is types.SimpleNamespace and name[:1] != "_":
        fields = vars(value)
        if name in fields:
            return fields[name]
        raise AttributeError(f"the SimpleNamespace has no attribute {suggest(name, fields)}")
    if kind is SharedFile and name[:1] != "_":
        return value._read_(name)
    hook = getattr(kind, "_absent_", None)
    if hook is not None and name[:1] != "_":
        hook(value, name)  # raises with a better message than ours; an answer, if it had one, is not the author's
    raise AttributeError(_missing(value, name, names))


def _getattr_of_class(cls: type, name: str) -> Any:
    """Answer an attribute of a class object: `dict.fromkeys`, and methods by way of the class, `key=str.lower`."""
    checked = CHECKED_METHODS.get(cls)
    if checked is not None and name in checked:
        return checked[name]
    own = CLASS_ATTRS.get(cls, NOTHING)
    if cls not in CLASS_ATTRS and getattr(cls, "_ephemeral_", False):
        own = getattr(cls, "_class_exposed_", NOTHING)  # of an action's own making: an Enum shows its members
    if name[:1] == "_":
        raise AttributeError(f"class {cls.__name__!r} has no attribute {name[:100]!r}: {_NEVER_OPEN}")
    if name in own:
        return getattr(cls, name)
    names = own | ATTRS.get(cls, NOTHING) if cls in INSTANCE_NAMES else own
    if name in names:
        found = getattr(cls, name)
        # A method written in C checks its receiver.
        return of_exactly(cls, name, found) if type(found) is types.FunctionType else found
    raise AttributeError(f"class {cls.__name__!r} has no attribute {suggest(name, names)}")


def _missing(value: Any, name: str, names: frozenset[str]) -> str:
    kind = type(value)
    if value is None:
        return (
            f"None has no attribute {name[:100]!r}: the value before the dot is absent here. "
            "Test it first (`x.y if x else None`) or use `event.get('a.b', default)`"
        )
    if name[:1] == "_":
        return f"{kind.__name__!r} has no attribute {name[:100]!r}: {_NEVER_OPEN}"
    if kind is dict:
        entry = repr(name[:100])
        return f"a dict has no attribute {suggest(name, names)} (an entry is read as `x[{entry}]` or `x.get({entry})`)"
    return f"{kind.__name__!r} has no attribute {suggest(name, names)}"


def guarded_getattr_builtin(value: Any, name: Any, default: Any = _OMITTED, /) -> Any:
    """The `getattr` of an action: `default` stands in for what is missing or not open."""
    if type(name) is not str:
        raise TypeError("attribute name must be string, not " + repr(type(name).__name__))
    try:
        return guarded_getattr(value, name)
    except AttributeError:
        if default is _OMITTED:
            raise
        return default


def guarded_hasattr_builtin(value: Any, name: Any, /) -> bool:
    """The `hasattr` of an action."""
    missing = object()
    return guarded_getattr_builtin(value, name, missing) is not missing
