"""Which attributes of Python's own types an action can reach, and which of them are checked first.

Data with reasons. Must not know facades, events or api.

The rule for a name to be listed: with any arguments it acts on the receiver and its arguments alone. Nothing here
reaches a frame, a module, a file or an import; what burns time or memory is the kernel layers' to hold.
"""

from __future__ import annotations

import builtins
import codecs
import collections
import itertools
import types
import unicodedata  # noqa: F401  the error handler `namereplace` imports it, which a locked-down worker could not
from collections.abc import Callable, Iterable
from typing import Any

from sandbox.contract.frozen import EventDict, EventList, EventSecrets
from sandbox.reach import iterators, keys, reachable


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SEQUENCE = _names("count index")
_NUMBER = _names("as_integer_ratio conjugate imag real is_integer")
# `format` and `format_map` read attributes in C without a guard, `encode` may import a codec: CHECKED_METHODS has them.
_STR = _names(
    "capitalize casefold center count endswith expandtabs find index isalnum isalpha isascii isdecimal isdigit"
    " isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip partition"
    " removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip"
    " swapcase title translate upper zfill"
)
_BYTES = _names(
    "capitalize center count endswith expandtabs find hex index isalnum isalpha isascii isdigit islower isspace istitle"
    " isupper join ljust lower lstrip partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit"
    " rstrip split splitlines startswith strip swapcase title translate upper zfill"
)
_DICT = _names("clear copy get items keys pop popitem setdefault update values")
_LIST = _names("append clear copy extend index count insert pop remove reverse sort")
_FROZENSET = _names("copy difference intersection isdisjoint issubset issuperset symmetric_difference union")
_SET = _FROZENSET | _names(
    "add clear difference_update discard intersection_update pop remove symmetric_difference_update update"
)
_DEQUE = _LIST - {"sort"} | _names("appendleft extendleft popleft rotate maxlen")

_PLAIN_DICT: dict[Any, Any] = {}
_ORDERED: collections.OrderedDict[Any, Any] = collections.OrderedDict()

_CLOSED: tuple[type, ...] = (
    type(None), types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.GeneratorType,
    types.ModuleType, types.FrameType, types.TracebackType, types.CodeType,
)  # fmt: skip

INSTANCE_NAMES: dict[type, frozenset[str]] = {
    str: _STR,
    bytes: _BYTES,
    int: (_NUMBER - {"is_integer"}) | _names("bit_count bit_length denominator numerator to_bytes"),
    bool: (_NUMBER - {"is_integer"}) | _names("bit_count bit_length denominator numerator to_bytes"),
    float: _NUMBER | {"hex"},
    complex: _names("conjugate imag real"),
    list: _LIST,
    EventList: EventList._exposed_,
    tuple: _SEQUENCE,
    dict: _DICT,
    EventDict: EventDict._exposed_,
    EventSecrets: EventDict._exposed_,
    set: _SET,
    frozenset: _FROZENSET,
    range: _SEQUENCE | _names("start step stop"),
    slice: _names("indices start step stop"),
    # Not `mapping`: it hands out a proxy of the dict, one more type to reason about.
    type(_PLAIN_DICT.keys()): frozenset({"isdisjoint"}),
    type(_PLAIN_DICT.values()): frozenset(),
    type(_PLAIN_DICT.items()): frozenset({"isdisjoint"}),
    type(_ORDERED.keys()): frozenset({"isdisjoint"}),
    type(_ORDERED.values()): frozenset(),
    type(_ORDERED.items()): frozenset({"isdisjoint"}),
    collections.OrderedDict: _DICT | {"move_to_end"},
    collections.defaultdict: _DICT | {"default_factory"},
    collections.Counter: _DICT | _names("elements most_common subtract total"),
    collections.deque: _DEQUE,
    # Fields are the author's own; `guards` reads them out of the instance's dict.
    types.SimpleNamespace: frozenset(),
    # Nothing at all, and said here so that a later default cannot open them.
    **dict.fromkeys(_CLOSED, frozenset()),
}

CLASS_NAMES: dict[type, frozenset[str]] = {
    **dict.fromkeys((bool, list, tuple, set, frozenset, type, collections.deque), frozenset()),
    **dict.fromkeys((collections.defaultdict, collections.Counter), frozenset()),
    str: frozenset({"maketrans"}),
    bytes: frozenset({"fromhex", "maketrans"}),
    int: frozenset({"from_bytes"}),
    float: frozenset({"fromhex"}),
    dict: frozenset({"fromkeys"}),
    collections.OrderedDict: frozenset({"fromkeys"}),
}

SUBSCRIPTABLES: frozenset[type] = frozenset({
    str, bytes, list, tuple, dict, range,
    collections.OrderedDict, collections.defaultdict, collections.Counter, collections.deque,
    EventDict, EventList, EventSecrets,
})  # fmt: skip

WRITABLES: frozenset[type] = frozenset({
    list, dict, types.SimpleNamespace,
    collections.OrderedDict, collections.defaultdict, collections.Counter, collections.deque,
})  # fmt: skip


def _iterator_types() -> set[type]:
    """Answer the types of the iterators that safe values and builtins give."""
    values: list[Iterable[Any]] = [
        (), [], {}, {}.keys(), {}.values(), {}.items(), set(), frozenset(), "", "é", b"", range(0), range(1 << 65),
        _ORDERED, _ORDERED.keys(), _ORDERED.values(), _ORDERED.items(), collections.deque(),
    ]  # fmt: skip
    backwards: list[Any] = [
        [], {}, {}.keys(), {}.values(), {}.items(), range(0), _ORDERED, _ORDERED.keys(), _ORDERED.values(),
        _ORDERED.items(), collections.deque(),
    ]  # fmt: skip
    kinds = {type(value) for value in values}
    kinds |= {type(iter(value)) for value in values}
    kinds |= {type(reversed(value)) for value in backwards}
    kinds |= {*iterators.ITERABLES, enumerate, zip, map, filter, reversed, types.GeneratorType}
    kinds |= {value for name, value in vars(itertools).items() if isinstance(value, type) and name[:1] != "_"}
    kinds |= {type(group) for group in (itertools.groupby([1]), next(itertools.groupby([1]))[1])}
    kinds.add(type(itertools.tee("")[0]))
    return kinds | {collections.defaultdict, collections.Counter, EventDict, EventList, EventSecrets}


ITERABLES: frozenset[type] = frozenset(_iterator_types())

EXCEPTIONS: dict[str, type[Exception]] = {name: getattr(builtins, name) for name in sorted(reachable.EXCEPTIONS)}
"""What an action may raise and catch by name. Nothing that is not an `Exception`: SystemExit would end the worker,
GeneratorExit and KeyboardInterrupt mean something to the interpreter."""

for _error in EXCEPTIONS.values():
    # `args` and notes alone: `obj` of an AttributeError or `exc.value` hand out objects the author never had.
    INSTANCE_NAMES[_error] = frozenset({"add_note", "args"})
    CLASS_NAMES[_error] = frozenset()

_CODEC_NAMES = (
    "ascii us-ascii utf-8 utf8 utf-8-sig latin-1 latin1 iso-8859-1 iso8859-1 iso-8859-15 cp1252 windows-1252"
    " utf-16 utf16 utf-16-le utf-16-be utf-32 utf32 utf-32-le utf-32-be"
)
# Looking a codec up imports it: done here once, before any lock-down, and only for codecs that map text to bytes in
# linear time (no zlib, no bz2, no idna, which is quadratic).
CODECS = {name: codecs.lookup(name).name for name in _CODEC_NAMES.split()}


def check_codec(name: Any) -> str:
    """Answer the codec to use for `name`, one of a fixed list.

    Raises:
        LookupError: not one of them.
    """
    if type(name) is not str:
        raise TypeError(f"encoding must be a str, not {type(name).__name__}")
    try:
        return CODECS[name.lower().replace("_", "-")]
    except KeyError:
        raise LookupError(f"unknown encoding {name[:40]!r}: an action can use {', '.join(sorted(CODECS))}") from None


def _encode(text: str, /, encoding: str = "utf-8", errors: str = "strict") -> bytes:
    if type(text) is not str:
        raise TypeError("str.encode needs a str")
    _check_handler("str.encode", text, errors)
    return text.encode(check_codec(encoding), errors)


def _decode(data: bytes, /, encoding: str = "utf-8", errors: str = "strict") -> str:
    if type(data) is not bytes:
        raise TypeError("bytes.decode needs bytes")
    _check_handler("bytes.decode", data, errors)
    return data.decode(check_codec(encoding), errors)


# Above, a handler that writes several characters for one takes longer than an author waits, and nothing interrupts it.
_HANDLED_MAX = 1 << 16
_SHORT_HANDLERS = frozenset({"strict", "ignore", "replace"})


def _check_handler(what: str, value: str | bytes, errors: Any) -> None:
    if len(value) > _HANDLED_MAX and errors not in _SHORT_HANDLERS:
        raise ValueError(f"{what}(): with errors={errors!r:.40} at most {_HANDLED_MAX} at once: take it in parts")


_PART = 1 << 13


def _translate(text: str, table: Any, /) -> str:
    if type(text) is not str:
        raise TypeError("str.translate needs a str")
    if len(text) <= _PART:
        return text.translate(table)
    # In parts, so that the alarm gets through.
    return "".join([text[at : at + _PART].translate(table) for at in range(0, len(text), _PART)])


CHECKED_METHODS: dict[type, dict[str, Callable[..., Any]]] = {
    str: {"encode": _encode, "translate": _translate},
    bytes: {"decode": _decode},
    **keys.METHODS,
}
"""Methods replaced by a checked function of the same signature, receiver first."""

for _kind, _checked in CHECKED_METHODS.items():
    # The guard reads what is listed without a look at what is checked.
    INSTANCE_NAMES[_kind] -= _checked.keys()
