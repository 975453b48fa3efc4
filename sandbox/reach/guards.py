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
- a class made anew in each execution sets `_ephemeral_ = True`, so that no registry keeps it alive; what its class
  object shows is in `_class_exposed_`;
- a class whose instances may stand after `with` sets `_manager_ = True`: its `__exit__` runs nothing of the action, and
  lets an interrupt through.
"""

from __future__ import annotations

import collections
import types
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.contract.frozen import DICTS, EventList
from sandbox.reach import held, iterators, keys
from sandbox.reach.attributes import guarded_getattr
from sandbox.reach.builtin_types import CHECKED_METHODS, CLASS_NAMES, WRITABLES
from sandbox.reach.interrupts import caught
from sandbox.reach.matching import guarded_match
from sandbox.reach.open_names import class_name
from sandbox.reach.paced import LongRange
from sandbox.reach.registry import CAUGHT, ITERABLE, MODULES, SUBSCRIPTABLE, WRITABLE, find_module
from sandbox.reach.slices import ListWriter, make_slice
from sandbox.reach.text import field_text, guarded_mod, guarded_vformat, safe_ascii, safe_format, safe_repr, safe_str


def guarded_getitem(value: Any, key: Any) -> Any:
    """Answer `value[key]`."""
    kind = type(value)
    if kind in SUBSCRIPTABLE:
        return value[keys.key(key)] if kind is collections.defaultdict else value[key]  # which may make an entry
    if issubclass(kind, type):
        if hasattr(kind, "_exposed_") and hasattr(kind, "__getitem__"):
            return value[key]  # a member of an Enum
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
    reason = getattr(value, "_read_only_", None) if hasattr(kind, "_read_only_") else None
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


_SLICED = frozenset({str, bytes, list, tuple, range, EventList})


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
    if type(value) not in DICTS:
        raise TypeError(f"argument after ** must be a dict, not {type(value).__name__}")
    for key in value:
        if type(key) is not str:
            raise TypeError("keywords must be strings")
        if key[:1] == "_":
            raise TypeError(f"keyword {key[:100]!r} begins with an underscore: such names are private")
    checked: dict[str, Any] = value
    return checked


def guarded_mapping(value: Any) -> Any:
    """Answer what `{**value}` may take its entries from."""
    if type(value) in _DICTS:
        return value
    plain = getattr(type(value), "_plain_", None)
    if plain is not None:
        return plain(value)  # an object with members gives a dict of them
    raise TypeError(f"'{type(value).__name__}' object is not a dict")


_DICTS = DICTS | frozenset(kind for kind in WRITABLES if issubclass(kind, dict))


_INPLACE: dict[str, Callable[[Any, Any], Any]] = {"%": guarded_mod, **keys.INPLACE}
"""Operators of an augmented assignment that go by a guard."""


def guarded_inplace(operator: str, left: Any, right: Any) -> Any:
    """Answer what `left OPERATOR= right` binds."""
    return _INPLACE[operator](left, right)


def guarded_exception_type(_caught: None, kind: Any) -> Any:
    """Answer what stands after `except` if it is a subclass of Exception, or a tuple of such.

    Args:
        _caught: what `caught` answers: an interrupt that is on its way does not get here.
        kind: what stands there.
    """
    for member in kind if type(kind) is tuple else (kind,):
        if not (isinstance(member, type) and issubclass(member, Exception)):
            raise TypeError("after `except` stands an exception class that derives from Exception, or a tuple of such")
    return tuple([CAUGHT.get(member, member) for member in kind]) if type(kind) is tuple else CAUGHT.get(kind, kind)


def any_exception() -> type[Exception]:
    """Answer what a bare `except:` catches: nothing that ends a run."""
    caught()
    return Exception


def guarded_with(manager: Any) -> Any:
    """Answer what stands after `with` if leaving its block runs nothing of the action."""
    if getattr(type(manager), "_manager_", False) is True:
        return manager
    raise TypeError(
        f"{type(manager).__name__!r} object cannot stand after `with`: contextlib.suppress, contextlib.nullcontext and"
        " decimal.localcontext can"
    )


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
    "_any_exception_": any_exception,
    "_given_up_": GeneratorExit,
    "_with_": guarded_with,
    "_match_": guarded_match,
    "_class_name_": class_name,
    "_exception_type_": guarded_exception_type,
    "_raise_": guarded_raise,
    "_cause_": guarded_cause,
    "_import_": find_module,
    "_import_from_": guarded_import_from,
}
"""Names that rewritten code calls; the environment puts them into the globals of every execution. Author code can
neither read nor bind a name that begins and ends with an underscore."""
