"""What rewritten tenant code calls instead of touching an object directly.

Knows, per exact type, which attribute names, items, iterations and writes are open. Must not know which modules,
builtins or events exist: the environment and the views register theirs here.

For the neighbours:

- a class opens attributes with `_exposed_: frozenset[str]`, or is registered with `expose(cls, names)`;
- `expose_class(cls, names)` opens attributes of the class object itself (`datetime.fromisoformat`);
- `expose_module(name, facade)` makes `import name` work; attributes of a facade go through the same guard. Rewritten
  code never uses `__import__`: the interpreter's own `from m import x` falls back on `sys.modules` if a facade lacks x;
- a class whose instances may be written to (`x.a = 1`, `x[k] = v`) has `_writable_ = True` or is registered with
  `expose(..., writable=True)`; for any other the text of `_read_only_`, if it has one, says why not;
- a class made anew in each execution sets `_ephemeral_ = True`, so that no registry keeps it alive.
"""

from __future__ import annotations

import collections
import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sandbox.reach import held, iterators, keys
from sandbox.reach.builtin_types import (
    CHECKED_METHODS,
    CLASS_NAMES,
    EXCEPTIONS,
    INSTANCE_NAMES,
    WRITABLES,
    check_codec,
)
from sandbox.reach.hints import suggest
from sandbox.reach.interrupts import STATE, Interrupted, LimitExceeded, caught, interrupt, reset
from sandbox.reach.paced import LongRange
from sandbox.reach.registry import (
    ATTRS,
    CAUGHT,
    CLASS_ATTRS,
    ITERABLE,
    MODULES,
    NOTHING,
    SUBSCRIPTABLE,
    WRITABLE,
    Facade,
    check_import,
    expose,
    expose_class,
    expose_module,
    find_module,
    learn,
    module_names,
)
from sandbox.reach.slices import ListWriter, make_slice
from sandbox.reach.text import (
    field_text,
    guarded_mod,
    guarded_vformat,
    safe_ascii,
    safe_format,
    safe_repr,
    safe_str,
    scrub,
)

__all__ = [
    "EXCEPTIONS",
    "GUARDS",
    "STATE",
    "Facade",
    "Interrupted",
    "LimitExceeded",
    "caught",
    "check_codec",
    "check_import",
    "expose",
    "expose_class",
    "expose_module",
    "guarded_getattr",
    "guarded_getattr_builtin",
    "guarded_getitem",
    "guarded_getiter",
    "guarded_hasattr_builtin",
    "guarded_setattr_builtin",
    "guarded_write",
    "interrupt",
    "module_names",
    "reset",
    "safe_ascii",
    "safe_format",
    "safe_repr",
    "safe_str",
    "scrub",
    "type_name",
]

_OMITTED: Any = object()


def type_name(value: object) -> str:
    """Answer the name of the type of `value`, as error messages use it."""
    return type(value).__name__


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
    if kind is Facade:
        try:
            return value._members[name]
        except KeyError:
            message = f"module {value._name!r} has no attribute {suggest(name, value._members)}"
            raise AttributeError(message) from None
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
    hook = getattr(kind, "__getattr__", None)
    if hook is not None and name[:1] != "_":
        hook(value, name)  # raises with a better message than ours; an answer, if it had one, is not the author's
    raise AttributeError(_missing(value, name, names))


def _getattr_of_class(cls: type, name: str) -> Any:
    """Answer an attribute of a class object: `dict.fromkeys`, and methods by way of the class, `key=str.lower`."""
    checked = CHECKED_METHODS.get(cls)
    if checked is not None and name in checked:
        return checked[name]
    own = CLASS_ATTRS.get(cls, NOTHING)
    if name in own:
        return getattr(cls, name)
    names = own | ATTRS.get(cls, NOTHING) if cls in INSTANCE_NAMES else own
    if name in names:
        found = getattr(cls, name)
        # A method written in C checks its receiver. One written in Python takes anything: `Counter.copy(int)` would
        # be `int.__class__(int)`, which is `type` itself, and with it classes whose methods nobody has checked.
        return partial(_call_method, cls, found) if type(found) is types.FunctionType else found
    raise AttributeError(f"class {cls.__name__!r} has no attribute {suggest(name, names)}")


def _call_method(cls: type, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    if not args or type(args[0]) is not cls:
        given = type(args[0]).__name__ if args else "nothing"
        raise TypeError(f"{cls.__name__}.{method.__name__} needs a {cls.__name__} first, not {given}")
    return method(*args, **kwargs)


def _missing(value: Any, name: str, names: frozenset[str]) -> str:
    kind = type(value)
    if value is None:
        return (
            f"None has no attribute {name[:100]!r}: the value before the dot is absent here. "
            "Test it first (`x.y if x else None`) or use `event.get('a.b', default)`"
        )
    if name[:1] == "_":
        return f"{kind.__name__!r} has no attribute {name[:100]!r}: names beginning with an underscore are never open"
    if kind is dict:
        entry = repr(name[:100])
        return f"a dict has no attribute {suggest(name, names)} (an entry is read as `x[{entry}]` or `x.get({entry})`)"
    return f"{kind.__name__!r} has no attribute {suggest(name, names)}"


def guarded_getitem(value: Any, key: Any) -> Any:
    """Answer `value[key]`."""
    kind = type(value)
    if kind in SUBSCRIPTABLE:
        return value[keys.key(key)] if kind is collections.defaultdict else value[key]  # which may make an entry
    if issubclass(kind, type):
        # `Names = dict[str, list[int]]`: the type is erased, as annotations are.
        if getattr(value, "_real_", value) in CLASS_NAMES:
            return value
    elif hasattr(kind, "_exposed_") and hasattr(kind, "__getitem__"):
        return value[key]
    raise TypeError(f"'{kind.__name__}' object is not subscriptable")


def guarded_getiter(value: Any) -> Any:
    """Answer `value` itself if its type may be iterated."""
    kind = type(value)
    if kind in ITERABLE:
        return value
    if kind is LongRange:
        return value.numbers  # Python code walks it, which the alarm interrupts
    if hasattr(kind, "_exposed_") and hasattr(kind, "__iter__"):
        return value
    raise TypeError(f"'{kind.__name__}' object is not iterable")


# Their items are always exact tuples: nothing to check one by one.
_PAIRS = frozenset({type({}.items()), iterators.CLASSES["enumerate"], iterators.CLASSES["zip"]})


def guarded_iter_unpack(value: Any, spec: tuple[Any, ...] | None) -> Any:
    """Answer an iterable of what `value` yields, each fit to be unpacked by `spec` (None: a flat target)."""
    if spec is None:
        return value if type(value) in _PAIRS else map(guarded_getiter, guarded_getiter(value))
    return _unpack_each(guarded_getiter(value), spec)


def _unpack_each(items: Any, spec: tuple[Any, ...]) -> Iterator[Any]:
    for item in items:
        yield guarded_unpack(item, spec)


def guarded_unpack(value: Any, spec: tuple[Any, ...]) -> list[Any]:
    """Answer the items of `value`, those that are unpacked further unpacked under guard.

    Args:
        value: what is assigned to a target with targets inside.
        spec: `(least length, whether a star takes more, ((index, spec of the inner target), ...))`; an index after a
            star counts from the end.
    """
    items = list(guarded_getiter(value))
    least, starred, inner = spec
    if len(items) == least or (starred and len(items) > least):  # else the interpreter says what is wrong
        for index, deeper in inner:
            items[index] = guarded_unpack(items[index], deeper)
    return items


def guarded_write(value: Any) -> Any:
    """Answer `value` itself if its items may be assigned and deleted."""
    kind = type(value)
    if kind in WRITABLE or getattr(kind, "_writable_", False) is True:
        return value
    reason = getattr(kind, "_read_only_", None)
    if type(reason) is str:
        raise TypeError(reason)
    raise TypeError(f"'{kind.__name__}' object cannot be changed: copy what you need into a dict or a list of your own")


def guarded_write_slice(value: Any) -> Any:
    """Answer what `[a:b]` may be assigned to and deleted from."""
    kind = type(value)
    if kind is list:
        return ListWriter(value)
    return _no_slice(guarded_write(value))


def guarded_write_any(value: Any) -> Any:
    """Answer what a key may be assigned to and deleted from, of an action that makes slice objects."""
    return ListWriter(value) if type(value) is list else guarded_write(value)


def guarded_getslice(value: Any, key: slice) -> Any:
    """Answer `value[a:b]`."""
    kind = type(value)
    if kind in _SLICED:
        return value[key]
    try:
        return guarded_getitem(_no_slice(value), key)
    except (LookupError, TypeError):
        # Not as it is: the slice in it would hand out whatever stood between the brackets.
        raise TypeError(f"'{kind.__name__}' object cannot be sliced") from None


_SLICED = frozenset({str, bytes, list, tuple, range})


def _no_slice(value: Any) -> Any:
    if type(value) in _DICTS:
        # From Python 3.12 on it would be a key, and hand out whatever stood between the brackets.
        raise TypeError("unhashable type: 'slice'")
    return value


def guarded_write_attribute(value: Any, name: str) -> Any:
    """Answer `value` itself if its attribute `name` may be assigned."""
    kind = type(value)
    if kind in _NO_ATTRIBUTES:
        if kind is not collections.defaultdict or name != "default_factory":
            # A Counter has room for attributes, which its own methods would call.
            raise AttributeError(f"{kind.__name__!r} object has no attribute {name[:100]!r} that can be assigned")
        held.keep(value.default_factory)
        return value
    return guarded_write(value)


_NO_ATTRIBUTES = WRITABLES - {types.SimpleNamespace}
"""Their items may be assigned."""


def guarded_kwargs(value: Any) -> dict[str, Any]:
    """Answer the dict after `**` in a call; its names are held to the rule for keyword names in source."""
    if type(value) is not dict:
        raise TypeError(f"argument after ** must be a dict, not {type(value).__name__}")
    for key in value:
        if type(key) is not str:
            raise TypeError("keywords must be strings")
        if key[:1] == "_":
            raise TypeError(f"keyword {key[:100]!r} begins with an underscore: such names are private")
    return value


def guarded_mapping(value: Any) -> Any:
    """Answer what `{**value}` may take its entries from."""
    if type(value) in _DICTS:
        return value
    raise TypeError(f"'{type(value).__name__}' object is not a dict")


_DICTS = frozenset(kind for kind in WRITABLES if issubclass(kind, dict))


_INPLACE: dict[str, Callable[[Any, Any], Any]] = {
    "%": guarded_mod,
    "|": keys.union_inplace,
    "&": keys.intersection_inplace,
    "^": keys.symmetric_difference_inplace,
    "-": keys.difference_inplace,
}
"""Operators of an augmented assignment that go by a guard."""


def guarded_inplace(operator: str, left: Any, right: Any) -> Any:
    """Answer what `left OPERATOR= right` binds."""
    return _INPLACE[operator](left, right)


def guarded_exception_type(kind: Any) -> Any:
    """Answer what stands after `except` if it is a subclass of Exception, or a tuple of such.

    Only evaluated while an exception is on its way, which may be an interrupt: that goes on at once.
    """
    caught()
    for member in kind if type(kind) is tuple else (kind,):
        if not (isinstance(member, type) and issubclass(member, Exception)):
            raise TypeError("after `except` stands an exception class that derives from Exception, or a tuple of such")
    return tuple([CAUGHT.get(member, member) for member in kind]) if type(kind) is tuple else CAUGHT.get(kind, kind)


def guarded_raise(error: Any) -> Any:
    """Answer what stands after `raise` or `from` if it is an Exception or a class of such."""
    if isinstance(error, type) and issubclass(error, Exception):
        return error
    if issubclass(type(error), Exception):
        return error
    raise TypeError("exceptions must derive from Exception")


def guarded_cause(error: Any) -> Any:
    """Answer what stands after `raise ... from` if it is None, an Exception or a class of such."""
    return None if error is None else guarded_raise(error)


def guarded_import_from(name: str, member: str) -> Any:
    """Answer what `from name import member` binds."""
    module = find_module(name)
    try:
        return guarded_getattr(module, member)
    except AttributeError as error:
        submodule = MODULES.get(f"{name}.{member}")
        if submodule is not None:
            return submodule
        raise ImportError(f"cannot import {member[:100]!r} from {name!r}: {error}", name=name) from None


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


def guarded_setattr_builtin(value: Any, name: Any, new: Any, /) -> None:
    """The `setattr` of an action."""
    if type(name) is not str:
        raise TypeError("attribute name must be string, not " + repr(type(name).__name__))
    if name[:1] == "_":
        raise AttributeError(f"{name[:100]!r}: names beginning with an underscore are never open")
    setattr(guarded_write_attribute(value, name), name, new)


def _str_format(template: str, /, *args: Any, **kwargs: Any) -> str:
    if type(template) is not str:
        raise TypeError("str.format needs a str")
    return guarded_vformat(template, args, kwargs, guarded_getattr, guarded_getitem)


def _str_format_map(template: str, mapping: Any, /) -> str:
    if type(template) is not str:
        raise TypeError("str.format_map needs a str")
    return guarded_vformat(template, (), guarded_mapping(mapping), guarded_getattr, guarded_getitem)


CHECKED_METHODS[str]["format"] = _str_format
CHECKED_METHODS[str]["format_map"] = _str_format_map

GUARDS: dict[str, Callable[..., Any]] = {
    **keys.GUARDS,
    "_getattr_": guarded_getattr,
    "_getitem_": guarded_getitem,
    "_getiter_": guarded_getiter,
    "_iter_unpack_sequence_": guarded_iter_unpack,
    "_unpack_sequence_": guarded_unpack,
    "_write_": guarded_write,
    "_write_attribute_": guarded_write_attribute,
    "_write_slice_": guarded_write_slice,
    "_write_any_": guarded_write_any,
    "_getslice_": guarded_getslice,
    "_kwargs_": guarded_kwargs,
    "_mapping_": guarded_mapping,
    "_mod_": guarded_mod,
    "_inplace_": guarded_inplace,
    "_slice_": make_slice,
    "_text_": field_text,
    "_str_": safe_str,
    "_repr_": safe_repr,
    "_ascii_": safe_ascii,
    "_format_": safe_format,
    "_caught_": caught,
    "_exception_type_": guarded_exception_type,
    "_raise_": guarded_raise,
    "_cause_": guarded_cause,
    "_import_": find_module,
    "_import_from_": guarded_import_from,
}
"""Names that rewritten code calls; the environment puts them into the globals of every execution. Author code can
neither read nor bind a name that begins and ends with an underscore."""
