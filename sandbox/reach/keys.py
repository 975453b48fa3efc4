"""Which values may be keys of a dict and members of a set: those whose hash follows from what they are worth.

Knows the hash of each type. Must not know guards, facades or events: the facades register their own types here.
A set shows its order and its order is made of hashes. An object hashed by its address would show the address, and with
it what the login before had freed; so none gets in, wherever a set or a key is made.

A NaN is hashed by its address too (since CPython 3.10). It may be a key, for a dict shows the order of insertion alone;
a set refuses it. None is hashed by its address before CPython 3.12: see `none_hash`.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import ipaddress
import operator
import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from sandbox.contract.frozen import DICTS
from sandbox.reach import paced
from sandbox.reach.receivers import of_exactly

_DEPTH_MAX: Final = 100
"""Of tuples in tuples. Hashing goes down in C, one C frame for each."""

_BY_VALUE: Final[set[type]] = {
    str, bytes, int, bool, type(None), range, paced.LongRange, frozenset, uuid.UUID,
    datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone,
    ipaddress.IPv4Address, ipaddress.IPv4Interface, ipaddress.IPv4Network,
    ipaddress.IPv6Address, ipaddress.IPv6Interface, ipaddress.IPv6Network,
}  # fmt: skip
_NUMBERS: Final = frozenset({float, complex, decimal.Decimal})
"""Hashed by value as long as they equal themselves."""

KEYS: Final[set[type]] = {*_BY_VALUE, *_NUMBERS, slice}  # of ints; a list takes it, a dict says no by itself
_SETS: Final = frozenset({set, frozenset})
_DICTS: Final = frozenset({*DICTS, collections.OrderedDict, collections.defaultdict, collections.Counter})

_Key = TypeVar("_Key")


def by_value(*kinds: type) -> None:
    """Register types whose hash follows from the value of each instance alone."""
    _BY_VALUE.update(kinds)
    KEYS.update(kinds)


def key(value: _Key) -> _Key:
    """Answer `value` itself if it may be a key of a dict.

    Raises:
        TypeError: its hash is its address, or it has none.
    """
    if type(value) not in KEYS:
        _look_into(value, KEYS, 0)
    return value


def member(value: _Key) -> _Key:
    """Answer `value` itself if it may be a member of a set.

    Raises:
        TypeError: its hash is its address, or it has none.
    """
    if type(value) not in _BY_VALUE:
        _look_into(value, _BY_VALUE, 0)
    return value


def members(values: Iterable[Any]) -> Iterable[Any]:
    """Answer the same values, all of which may be members of a set, in something that can be walked again."""
    if type(values) in _SETS:
        return values  # nothing else is in there
    found = values if type(values) in (list, tuple) else list(values)
    if not _BY_VALUE.issuperset(map(type, found)):
        for value in found:
            member(value)
    return found


def keyed(values: dict[Any, Any]) -> dict[Any, Any]:
    """Answer the dict itself if all of its keys may be there."""
    if not KEYS.issuperset(map(type, values)):
        for value in values:
            key(value)
    return values


def _look_into(value: Any, plain: set[type], depth: int) -> None:
    kind = type(value)
    if issubclass(kind, tuple):
        if depth >= _DEPTH_MAX:
            raise TypeError(f"a key is nested deeper than {_DEPTH_MAX}")
        for item in value:
            if type(item) not in plain:
                _look_into(item, plain, depth + 1)
    elif kind in _NUMBERS:
        # A signalling NaN cannot even be compared.
        if value.is_nan() if isinstance(value, decimal.Decimal) else value != value:
            raise TypeError("a NaN has no place in a set: it equals nothing, itself included; leave it out")
    elif getattr(kind, "_by_value_", False) is True:
        return  # a member of an Enum
    elif kind.__hash__ is None:
        raise TypeError(f"unhashable type: '{kind.__name__}'")
    else:
        what = "a class" if issubclass(kind, type) else f"an object of type {kind.__name__!r}"
        raise TypeError(f"{what} cannot be a dict key or a set member: use a text instead, such as its name")


# What an action calls instead of the classes and methods that fill a set or a dict.


def make_set(values: Iterable[Any] = (), /) -> set[Any]:
    """Be `set`, also for a display and a comprehension."""
    return set(members(values))


def make_frozenset(values: Iterable[Any] = (), /) -> frozenset[Any]:
    """Be `frozenset`."""
    return values if type(values) is frozenset else frozenset(members(values))


def make_dict(*args: Any, **entries: Any) -> dict[Any, Any]:
    """Be `dict`."""
    made: dict[Any, Any] = dict(*args, **entries)
    return made if not args or type(args[0]) in _DICTS else keyed(made)


def make_ordered(*args: Any, **entries: Any) -> collections.OrderedDict[Any, Any]:
    """Be `collections.OrderedDict`."""
    return collections.OrderedDict(*map(_entries, args), **entries)


def make_default(factory: Any = None, /, *args: Any, **entries: Any) -> collections.defaultdict[Any, Any]:
    """Be `collections.defaultdict`."""
    return collections.defaultdict(factory, *map(_entries, args), **entries)


def make_counter(values: Any = None, /, **counts: int) -> collections.Counter[Any]:
    """Be `collections.Counter`."""
    return collections.Counter(_counted(values), **counts)


def _entries(values: Any) -> Any:
    return values if type(values) in _DICTS else make_dict(values)


def _counted(values: Any) -> Any:
    """Answer what a Counter may count."""
    if type(values) in _DICTS or values is None:
        return values
    return [key(value) for value in values]


def _one(real: Any) -> Callable[..., Any]:
    return lambda receiver, other, /: real(receiver, members(other))


def _many(real: Any) -> Callable[..., Any]:
    return lambda receiver, /, *others: real(receiver, *map(members, others))


def _add(receiver: Any, value: Any, /) -> None:
    set.add(receiver, member(value))


def _dict_methods(kind: Any) -> dict[str, Callable[..., Any]]:
    def setdefault(receiver: Any, name: Any, default: Any = None, /) -> Any:
        return kind.setdefault(receiver, key(name), default)

    def update(receiver: Any, /, *args: Any, **entries: Any) -> None:
        kind.update(receiver, *map(_entries, args), **entries)

    return {"setdefault": setdefault, "update": update}


def _counting(name: str) -> Callable[..., Any]:
    real = getattr(collections.Counter, name)

    def count(receiver: Any, /, *args: Any, **counts: Any) -> None:
        real(receiver, *map(_counted, args), **counts)

    return of_exactly(collections.Counter, name, count)


METHODS: Final[dict[type, dict[str, Callable[..., Any]]]] = {
    set: {
        "add": _add,
        "symmetric_difference": _one(set.symmetric_difference),
        "symmetric_difference_update": _one(set.symmetric_difference_update),
        "union": _many(set.union),
        "update": _many(set.update),
    },
    frozenset: {
        "symmetric_difference": _one(frozenset.symmetric_difference),
        "union": _many(frozenset.union),
    },
    **{kind: _dict_methods(kind) for kind in (dict, collections.OrderedDict, collections.defaultdict)},
    collections.Counter: {
        **_dict_methods(collections.Counter),
        **{name: _counting(name) for name in ("subtract", "update")},
        "elements": paced.elements,
    },
}
"""Methods by which something new gets in, checked; receiver first. Those left out take nothing but what is there."""


def _fromkeys(kind: Any) -> Callable[..., Any]:
    return lambda values, value=None, /: kind.fromkeys([key(one) for one in values], value)


FROMKEYS: Final = {kind: _fromkeys(kind) for kind in (dict, collections.OrderedDict)}


def _no_strange_member(result: Any, left: Any, right: Any) -> Any:
    # Of two sets comes nothing that was not in one of them. A view of a dict takes any iterable, and its own items
    # hold the dict's values.
    if type(left) not in _SETS or type(right) not in _SETS:
        members(list(result))
    return result


def _checked(real: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Answer an operator of sets that lets nothing strange into its result."""

    def operate(left: Any, right: Any) -> Any:
        result = real(left, right)
        return result if type(result) is not set else _no_strange_member(result, left, right)

    return operate


union: Final = _checked(operator.or_)
intersection: Final = _checked(operator.and_)
_union_inplace: Final = _checked(operator.ior)


def union_inplace(left: Any, right: Any) -> Any:
    """Answer what `left |= right` binds."""
    if type(left) in _DICTS and type(right) not in _DICTS:
        right = make_dict(right)
    return _union_inplace(left, right)


INPLACE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "|": union_inplace,
    "&": _checked(operator.iand),
    "^": _checked(operator.ixor),
    "-": _checked(operator.isub),
}
"""What an augmented assignment binds, by its operator."""

GUARDS: Final[dict[str, Callable[..., Any]]] = {
    "_key_": key,
    "_set_": make_set,
    "_constants_": set,  # numbers, texts, None: nothing to look into
    "_or_": union,
    "_and_": intersection,
    "_xor_": _checked(operator.xor),
    "_sub_": _checked(operator.sub),
}


class _Counts:
    """What `Counter += x` reads of `x`, looked at."""

    __slots__ = ("_counts",)

    def __init__(self, counts: Iterable[tuple[Any, int]]) -> None:
        self._counts = [(key(name), count) for name, count in counts]

    def items(self) -> list[tuple[Any, int]]:
        return self._counts


def _add_in_place(receiver: Any, other: Any, /) -> Any:
    return _real_add_in_place(receiver, other if type(other) in _DICTS else _Counts(other.items()))


# `counter += x` is not rewritten, and Python's own takes the keys of anything that has `items()`.
_real_add_in_place: Final[Callable[[Any, Any], Any]] = collections.Counter.__iadd__
collections.Counter.__iadd__ = _add_in_place  # type: ignore[method-assign]  # there is no other place to look
