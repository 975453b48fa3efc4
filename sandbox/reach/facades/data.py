"""`json`, `copy`, `collections`, `itertools`, `types` and `typing`.

Knows plain data. Knows nothing of events or api. The types of Python's own containers and iterators are opened by
`sandbox.reach.guards`.

Containers and iterators walk their arguments in C, past the iteration guard. That is safe here because the guard
refuses whole types, and no type an action can hold yields, when walked, anything an attribute would not have shown;
`tests/security/test_reach.py` walks everything there is.
"""

from __future__ import annotations

import collections
import collections.abc
import itertools
import json
import types
from collections.abc import Callable
from typing import Any, ClassVar, Final, NoReturn

from sandbox.contract.frozen import DICTS, EventList
from sandbox.reach import iterators, keys, paced, reachable
from sandbox.reach.facades import declared, records, shown
from sandbox.reach.facades.base import Module, exception, module
from sandbox.reach.registry import expose_class
from sandbox.reach.stand_in import stand_in

JSON_CHARS: Final = 1 << 20
"""As large as a whole event may be."""

JSON_DEPTH: Final = 100
"""Deeper data meets the interpreter's recursion limit later, at a place that cannot name it."""

_COPY_DEPTH: Final = 100


def loads(
    text: str | bytes,
    *,
    parse_float: Callable[[str], Any] | None = None,
    parse_int: Callable[[str], Any] | None = None,
) -> Any:
    """Read JSON. The hooks make numbers of their texts; those that make objects are left out: what comes is plain."""
    if type(text) is bytes:
        text = text.decode("utf-8")
    if type(text) is not str:
        raise TypeError(f"json.loads() takes str or bytes, not {type(text).__name__}")
    if len(text) > JSON_CHARS:
        raise ValueError(f"json.loads(): more than {JSON_CHARS >> 20} MiB")
    try:
        value = json.loads(text, parse_float=parse_float, parse_int=parse_int)
    except RecursionError:
        raise ValueError(f"json.loads(): nested deeper than {JSON_DEPTH}") from None
    if text.count("[") + text.count("{") > JSON_DEPTH:
        _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(JSON_DEPTH + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer if type(outer) is list else ())
            if type(inner) in (dict, list)
        ]
        if not level:
            return
    raise ValueError(f"json.loads(): nested deeper than {JSON_DEPTH}")


def dumps(
    value: Any,
    *,
    skipkeys: bool = False,
    ensure_ascii: bool = True,
    check_circular: bool = True,
    allow_nan: bool = True,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
    default: Callable[[Any], Any] | None = None,
) -> str:
    """Write plain data as JSON. `default` sees only what the action put in; the other hooks of Python are left out."""
    if indent is not None:
        if type(indent) not in (int, str):
            raise TypeError("json.dumps(): indent must be an int or a str")
        indent = min(indent, 16) if isinstance(indent, int) else indent[:16]
    if separators is not None and (len(separators) != 2 or any(type(part) is not str for part in separators)):
        raise TypeError("json.dumps(): separators must be two strings")
    try:
        # A circle is always looked for: without, it is a crash of the interpreter or an endless text.
        # What `default` is given is held meanwhile by the record in which circles are looked for.
        text = json.dumps(
            value,
            skipkeys=bool(skipkeys),
            ensure_ascii=bool(ensure_ascii),
            allow_nan=bool(allow_nan),
            indent=indent,
            separators=separators,
            sort_keys=bool(sort_keys),
            default=_plain if default is None else _plain_or(default),
        )
    except RecursionError:
        raise ValueError("json.dumps(): nested too deeply") from None
    except TypeError as error:
        if "is not JSON serializable" in str(error):
            error.add_note("make it a dict, a list or a str first")
        raise
    if len(text) > JSON_CHARS:
        raise ValueError(f"json.dumps(): more than {JSON_CHARS >> 20} MiB")
    return text


def _plain(value: Any) -> Any:
    """Answer what is written in place of an object with members, such as a part of the event."""
    hook = getattr(type(value), "_plain_", None)
    if hook is None:
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    return hook(value)


def _plain_or(default: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: _plain(value) if hasattr(type(value), "_plain_") else default(value)


def copy(value: Any) -> Any:
    """Copy a container; anything else an action can hold cannot change, and is its own copy."""
    kind = type(value)
    if kind in (list, dict, set):
        return kind(value)
    if kind in DICTS or kind is EventList:
        return value.copy()  # a plain one
    if kind in (collections.OrderedDict, collections.defaultdict, collections.Counter, collections.deque):
        return value.copy()
    if kind is types.SimpleNamespace:
        return types.SimpleNamespace(**vars(value))
    return records.like(value, lambda item: item) if isinstance(value, records.Record) else value


def deepcopy(value: Any) -> Any:
    """Copy a container and the containers in it."""
    return _deepcopy(value, {}, 0)


def _deepcopy(value: Any, done: dict[int, Any], depth: int) -> Any:
    if depth > _COPY_DEPTH:
        raise ValueError(f"copy.deepcopy(): nested deeper than {_COPY_DEPTH}")
    kind = type(value)
    if kind is tuple:
        return tuple([_deepcopy(item, done, depth + 1) for item in value])
    if id(value) in done:
        return done[id(value)]
    if kind is list or kind is EventList or kind is collections.deque:
        made = done[id(value)] = [] if kind is not collections.deque else collections.deque(maxlen=value.maxlen)
        made.extend(_deepcopy(item, done, depth + 1) for item in value)
        return made
    if isinstance(value, dict):
        copied: Any = value.copy() if kind not in DICTS else {}
        done[id(value)] = copied
        copied.clear()
        for key, item in value.items():
            copied[key] = _deepcopy(item, done, depth + 1)
        return copied
    if kind is types.SimpleNamespace:
        space = done[id(value)] = types.SimpleNamespace()
        for key, item in vars(value).items():
            setattr(space, key, _deepcopy(item, done, depth + 1))
        return space
    if isinstance(value, records.Record):
        return records.like(value, lambda item: _deepcopy(item, done, depth + 1))
    return copy(value)


class Hint:
    """A name of `typing`: may be subscripted and combined in an annotation, does nothing."""

    __slots__ = ("_name",)
    _exposed_: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, name: str) -> None:
        self._name = name

    __iter__ = None  # otherwise Python would walk it by index, without end

    def __getitem__(self, item: object) -> Hint:
        return self

    def __or__(self, other: object) -> Hint:
        return self

    __ror__ = __or__

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError(f"{self._name} is for annotations only")

    def __repr__(self) -> str:
        return self._name


class ClassMark(Hint):
    """What `type(x)` answers for a class that is not handed out."""

    __slots__ = ()

    def _named_(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"<class '{self._name}'>"


def cast(typ: object, value: Any) -> Any:
    """Return the value; the type is for readers."""
    return value


def new_type(name: str, tp: Any) -> Callable[[Any], Any]:
    """Make the identity function; the type is for readers."""
    return lambda value: value


def type_var(name: str, *constraints: object, **options: object) -> Hint:
    """Make a name for annotations."""
    return Hint("typing.TypeVar")


_TYPING: Final[dict[str, Any]] = {
    "TYPE_CHECKING": False,
    "cast": cast,
    "NewType": new_type,
    "TypeVar": type_var,
    "ParamSpec": type_var,
    "NamedTuple": declared.NAMED_TUPLE,
    "Text": Hint("typing.Text"),
    "TypedDict": declared.TYPED_DICT,
}


class _Subclasses(type):
    """A class for `isinstance` alone: the abstract classes of Python keep registries an action could write to."""

    _real_: type

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls._real_)

    def __subclasscheck__(cls, subclass: type) -> bool:
        # What stands in for a class has no base of its own.
        return cls is subclass or issubclass(getattr(subclass, "_real_", subclass), cls._real_)

    def __call__(cls, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError(f"{cls.__name__} is for isinstance() and annotations only")

    def __repr__(cls) -> str:
        return f"<class 'collections.abc.{cls.__name__}'>"


def _abstract(name: str) -> type:
    return _Subclasses(name, (), {"__slots__": (), "_real_": getattr(collections.abc, name)})


def modules() -> dict[str, Module]:
    """Build the facades of this file and open what their values show."""
    exception(json.JSONDecodeError, "msg doc pos lineno colno")
    expose_class(iterators.ITERTOOLS["chain"], frozenset({"from_iterable"}))
    abc = module("collections.abc", {name: _abstract(name) for name in reachable.MODULES["collections.abc"]})
    containers = {
        "ChainMap": shown.ChainMap,
        "Counter": stand_in(collections.Counter, keys.make_counter),
        "OrderedDict": stand_in(
            collections.OrderedDict, keys.make_ordered, fromkeys=keys.FROMKEYS[collections.OrderedDict]
        ),
        "abc": abc,
        "defaultdict": stand_in(collections.defaultdict, keys.make_default),
        "namedtuple": declared.namedtuple,
    }
    return {
        "__future__": module("__future__", {"annotations": True}),
        "json": module("json", {"dumps": dumps, "loads": loads}, json),
        "copy": module("copy", {"copy": copy, "deepcopy": deepcopy}),
        "collections": module("collections", containers, collections),
        "collections.abc": abc,
        "itertools": module("itertools", {**iterators.ITERTOOLS, **paced.ITERTOOLS}, itertools),
        "types": module("types", {"NoneType": type(None), "SimpleNamespace": types.SimpleNamespace}),
        "typing": module("typing", {n: _TYPING.get(n, Hint(f"typing.{n}")) for n in reachable.MODULES["typing"]}),
        # The types of an action's arguments, for editors and checkers: see sandbox.authoring.stubs.
        "vestibule_actions": module(
            "vestibule_actions", {name: Hint(name) for name in reachable.MODULES["vestibule_actions"]}
        ),
    }
