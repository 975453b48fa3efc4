"""The names an action starts with: curated builtins, the guards and the module facades; and the span of one execution.

Builds exactly what `sandbox.reach.reachable` lists. Knows no event, api or process.
"""

from __future__ import annotations

import builtins
import importlib
import os
import sys
import time
import warnings
from collections.abc import Iterator
from types import FunctionType, SimpleNamespace
from typing import Any, ClassVar, Final

from sandbox.contract.frozen import EventDict, EventList, EventSecrets
from sandbox.reach import guards, held, iterators, keys, paced, reachable, registry, slices, stacks
from sandbox.reach.attributes import guarded_getattr_builtin, guarded_hasattr_builtin
from sandbox.reach.builtin_types import check_codec
from sandbox.reach.facades import (
    addresses,
    callables,
    crypto,
    data,
    declared,
    enums,
    logs,
    mail,
    managers,
    numbers,
    ordering,
    pattern_syntax,
    patterns,
    records,
    shown,
    text,
    times,
    zones,
)
from sandbox.reach.facades.base import Module
from sandbox.reach.facades.context import CURRENT, ActionOutput
from sandbox.reach.registry import expose_module
from sandbox.reach.stand_in import STAND_INS, StandIn, stand_in
from sandbox.reach.text import safe_ascii, safe_format, safe_repr, safe_str

__all__ = ["BUILTINS", "MODULES", "ActionOutput", "begin", "end", "preload"]


def _checked_error(real: Any, text: type[str] | type[bytes]) -> type:
    """Return what makes errors of a class whose message reads `text[start]` in C, wherever that is in memory."""

    def make(encoding: Any, source: Any, start: Any, end: Any, reason: Any, /) -> Any:
        if type(source) is not text or type(start) is not int or type(end) is not int:
            raise TypeError(f"{real.__name__} takes (encoding, {text.__name__}, start, end, reason)")
        if not 0 <= start <= end <= len(source):
            raise ValueError(f"{real.__name__}: start and end must name a part of the {text.__name__}")
        return real(encoding, source, start, end, reason)

    body = {"__slots__": (), "_real_": real, "_kinds_": (real,), "_make_": staticmethod(make)}
    cls = StandIn(real.__name__, (UnicodeError,), body)
    registry.CAUGHT[cls] = real
    STAND_INS[real] = cls
    return cls


def _make_str(object: Any = "", encoding: Any = None, errors: Any = None) -> str:
    # The plain `str` of a function or an iterator tells a memory address; of bytes, it may import a codec.
    if encoding is None and errors is None:
        return safe_str(object)
    if type(object) is not bytes:
        raise TypeError(f"decoding to str: need bytes, {type(object).__name__} found")
    return object.decode(check_codec(encoding or "utf-8"), "strict" if errors is None else errors)


def _make_bytes(source: Any = b"", encoding: Any = None, errors: Any = None) -> bytes:
    if encoding is None and errors is None:
        return bytes(source)
    if type(source) is not str:
        raise TypeError("encoding without a string argument")
    return source.encode(check_codec(encoding or "utf-8"), "strict" if errors is None else errors)


_STR: Final = stand_in(str, _make_str)
_BYTES: Final = stand_in(bytes, _make_bytes)
_DECODE_ERROR: Final = _checked_error(UnicodeDecodeError, bytes)
_ENCODE_ERROR: Final = _checked_error(UnicodeEncodeError, str)
_SET: Final = stand_in(set, keys.make_set)
_FROZENSET: Final = stand_in(frozenset, keys.make_frozenset)
_RANGE: Final = stand_in(range, paced.make_range, paced.LongRange)
_DICT: Final = stand_in(dict, keys.make_dict, fromkeys=keys.FROMKEYS[dict])


class Marker:
    """What `object()` makes: nothing but itself."""

    __slots__ = ()
    _exposed_: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        return "<object object>"


Marker.__name__ = Marker.__qualname__ = "object"
_OBJECT: Final = stand_in(object, Marker, Marker)


def _vars(value: Any, /) -> dict[str, Any]:
    """Be `vars` of a SimpleNamespace; the attributes of anything else are not the action's."""
    if type(value) is not SimpleNamespace:
        raise TypeError(f"vars() takes a types.SimpleNamespace, not {type(value).__name__}")
    return vars(value)


def _iter(value: Any, *sentinel: Any) -> Iterator[Any]:
    return (
        iterators.until(value, *sentinel)
        if sentinel
        else iter(value if type(value) is paced.LongRange else guards.guarded_getiter(value))
    )


def _type(value: Any, *more: Any) -> Any:
    """Return the class of a value if an action can name it anyway; a mark of its own otherwise.

    The classes of functions, views and modules make objects that no guard has seen.
    """
    if more:
        raise TypeError("type() takes one argument: actions cannot make classes")
    kind = type(value)
    known = _CLASSES.get(kind)
    if known is not None:
        return known
    if getattr(kind, "_ephemeral_", False):
        return kind  # a namedtuple of the action's own
    return MARKS.setdefault(kind, data.ClassMark(kind.__name__))


MARKS: Final[dict[type, data.ClassMark]] = {}
"""Per class that is not handed out; these are classes of ours and Python's, so there is an end to them."""


def _import(name: str, *rest: object) -> None:
    """Let C code of the library use a module that is loaded already; hand no module out.

    Rewritten code imports through the guards and never asks here. C functions called by an action do (`timetuple()`
    wants `time`): the interpreter ignores what this answers and takes the module from sys.modules itself.
    """
    if type(name) is not str or name not in sys.modules:
        raise ImportError("import is not available here")


# Real ones. Those that walk their arguments in C (`sorted`, `zip`, `tuple`, `bytes` and others, which RestrictedPython
# leaves out) go past the iteration guard: it only refuses types whose items an action cannot use, and nothing within
# reach yields, when walked, an object that is not within reach. `tests/security/test_reach.py` walks it all.
_PLAIN: Final = (
    "abs all any bin bool callable chr complex divmod float hex int isinstance issubclass len list max min next oct ord"
    " reversed sorted tuple"
)

_OWN: Final[dict[str, Any]] = {
    **iterators.CLASSES,  # as deep in one another as the stack allows
    "ascii": safe_ascii,  # the plain ones tell addresses
    "bytes": _BYTES,
    "dict": _DICT,  # no key of it is hashed by its address, and no member of the next two
    "frozenset": _FROZENSET,
    "set": _SET,
    "format": safe_format,
    "getattr": guarded_getattr_builtin,  # the same attributes as `x.name` shows
    "hasattr": guarded_hasattr_builtin,
    "iter": _iter,
    "object": _OBJECT,
    "pow": numbers.power,  # capped: the plain one can compute for minutes
    "print": logs.show,  # into the execution's output
    "range": _RANGE,  # a long one can be interrupted
    "repr": safe_repr,
    "round": numbers.round_number,  # round(7, -10**9) computes for minutes
    "setattr": guards.guarded_setattr_builtin,
    "slice": slices.make_slice,
    "str": _STR,
    "sum": paced.total,
    "type": _type,
    "vars": _vars,
    "UnicodeDecodeError": _DECODE_ERROR,
    "UnicodeEncodeError": _ENCODE_ERROR,
}


_SOURCES: Final = (
    *(data, numbers, text, addresses, times, crypto, patterns, logs),
    *(callables, enums, mail, managers, ordering, records, shown, zones),
)


def _build_builtins() -> dict[str, Any]:
    built = {name: getattr(builtins, name) for name in (*_PLAIN.split(), *reachable.EXCEPTIONS)}
    built.update(_OWN)
    for name, value in _OWN.items():
        if isinstance(value, FunctionType):
            value.__name__ = value.__qualname__ = name  # what `f.__name__` and errors say
    if built.keys() != reachable.BUILTINS:
        raise RuntimeError(
            f"builtins differ from sandbox.reach.reachable by {sorted(built.keys() ^ reachable.BUILTINS)}"
        )
    return {**built, "None": None, "True": True, "False": False, "__import__": _import}


def _build_modules() -> dict[str, Module]:
    built: dict[str, Module] = {}
    for source in _SOURCES:
        built.update(source.modules())
    if built.keys() != reachable.MODULES.keys():
        raise RuntimeError(
            f"modules differ from sandbox.reach.reachable by {sorted(built.keys() ^ reachable.MODULES.keys())}"
        )
    for name, facade in built.items():
        expose_module(name, facade)
    return built


def _build_classes() -> dict[type, type]:
    """Return every class an action can name, with what it is called there."""
    found = [*BUILTINS.values()]
    for name, facade in MODULES.items():
        found += [getattr(facade, member) for member in reachable.MODULES[name]]
    known: dict[type, type] = {**{value: value for value in found if isinstance(value, type)}, **STAND_INS}
    # To an author these are lists and dicts.
    return {**known, EventList: list, **dict.fromkeys((EventDict, EventSecrets), known[dict])}


BUILTINS: Final[dict[str, Any]] = _build_builtins()
"""One dict for all executions: no name of an action reaches it, and nothing an action can call writes to it. The guards
are added below."""

MODULES: Final[dict[str, Module]] = _build_modules()

_CLASSES: Final = _build_classes()

# Every execution has globals of its own, and each name in them would be copied for it.
BUILTINS.update(guards.GUARDS, _class_=declared.declare_class)

NAMESPACE: Final[dict[str, Any]] = {"__builtins__": BUILTINS, "__name__": "action"}


STACK: Final[list[int]] = []
"""Size of the C stack, once the first execution has begun."""


def begin(now_ns: int, seed: bytes, output: ActionOutput) -> dict[str, Any]:
    """Start an execution and return its fresh globals.

    Args:
        now_ns: its clock, nanoseconds since the epoch; it stands still.
        seed: of all its randomness.
        output: where print and logging go.
    """
    if not STACK:
        STACK.append(stacks.grow(stacks.deep_enough(stacks.DEFAULT_MEMORY_BYTES)))
    CURRENT.begin(now_ns, seed, output)
    return NAMESPACE.copy()


def end() -> None:
    """Forget the execution: clock, randomness, compiled patterns, what libraries remembered."""
    held.release()
    CURRENT.end()


_LAZY: Final = (
    *("_strptime", "heapq", "stringprep", "traceback", "linecache", "unicodedata", "locale", "html.entities"),
    *("encodings.idna", "encodings.punycode", "encodings.utf_16", "encodings.utf_32", "encodings.latin_1"),
    *("encodings.ascii", "encodings.cp1252", "encodings.raw_unicode_escape", "encodings.unicode_escape"),
)
"""What the library imports at first use, when a locked-down worker no longer can."""


def preload() -> None:
    """Import and warm everything that an execution may need, and make the process's time zone UTC.

    To be called once, before the lock-down, in a process that does nothing else: afterwards no file can be opened.
    """
    # A warning of the library would be written to stderr, with a line of source read from a file.
    warnings.simplefilter("ignore")
    os.environ["TZ"] = "UTC0"  # the C library looks for the host's time zone file otherwise, again and again
    time.tzset()
    for name in _LAZY:
        importlib.import_module(name)
    zones.load()
    begin(0, b"preload", ActionOutput(0))
    try:
        _warm()
    finally:
        end()


def _warm() -> None:
    stamp = times.Datetime.strptime("2024-02-29T12:00:00 UTC", "%Y-%m-%dT%H:%M:%S %Z")
    stamp.strftime("%c")
    times.strptime("2024", "%Y")
    patterns.sub(r"(?P<word>\w+)\s", r"\g<word>", "warm up ", flags=pattern_syntax.I)
    data.loads(data.dumps({"warm": [1.5, None, "é"]}, indent=2, default=str))
    for name in crypto.ALGORITHMS:
        crypto.new(name, b"warm").hexdigest()
        crypto.hmac_new(b"key", b"warm", name).hexdigest()
        crypto.hmac_digest(b"key", b"warm", name)
    crypto.pbkdf2_hmac("sha256", b"warm", b"up", 1)
    crypto.uuid1(), crypto.uuid4(), crypto.uuid5(MODULES["uuid"].NAMESPACE_DNS, "warm")
    CURRENT.random.random()
    MODULES["urllib.parse"].urlsplit("https://exämple.com/?q=1")
    MODULES["ipaddress"].ip_address("2001:db8::1")
    MODULES["statistics"].stdev([1, 2, 4])
    MODULES["decimal"].Decimal("1.5").sqrt()
    logs.info("%s", "warm")
    zones.zone("Europe/Oslo").utcoffset(stamp)
    MODULES["email.utils"].parseaddr("Ada <ada@example.com>")
    MODULES["textwrap"].fill("warm up")
    reachable.explain_module("warm")
