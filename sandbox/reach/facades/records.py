"""`dataclasses`: a class with fields of what an action declares. It has no methods of the action's.

Knows how a record is made, compared and printed. Runs nothing of the action but the factory of a field.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from sandbox.reach.facades.base import Module, module
from sandbox.reach.facades.declared import Undecorated, public_names, written

_MISSING: Final = object()


class Field:
    """What `dataclasses.field` answers."""

    __slots__ = ("compare", "default", "factory", "shown")
    _exposed_: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, default: Any, factory: Any, shown: bool, compare: bool) -> None:
        self.default = default
        self.factory = factory
        self.shown = shown
        self.compare = compare


def field(*, default: Any = _MISSING, default_factory: Any = _MISSING, repr: Any = True, compare: Any = True) -> Any:
    """Describe a field of a dataclass."""
    if default is not _MISSING and default_factory is not _MISSING:
        raise ValueError("cannot specify both default and default_factory")
    return Field(default, default_factory, bool(repr), bool(compare))


class Record:
    """The base of all dataclasses. `_shown_`, `_compared_`: the fields in the text, and those that decide equality."""

    __slots__ = ()
    _fields_: ClassVar[tuple[str, ...]] = ()
    _shown_: ClassVar[tuple[str, ...]] = ()
    _compared_: ClassVar[tuple[str, ...]] = ()
    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # as Python's own, which is not frozen

    def __eq__(self, other: object) -> Any:
        if type(self) is not type(other):
            return NotImplemented
        return _values(self, self._compared_) == _values(other, self._compared_)

    def __repr__(self) -> str:
        return written(type(self).__name__, list(self._shown_), _values(self, self._shown_))


def like(record: Record, copied: Callable[[Any], Any]) -> Record:
    """Return a dataclass of the same class, each of whose fields `copied` answers."""
    made = object.__new__(type(record))
    for name in record._fields_:
        setattr(made, name, copied(getattr(record, name)))
    return made


def _values(record: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple([getattr(record, name) for name in names])


_PLAIN_OPTIONS: Final = frozenset({"init", "repr", "eq", "frozen", "slots"})


def dataclass(draft: Any = None, /, **options: Any) -> Any:
    """Make a class with fields of what stands below."""
    wrong = options.keys() - _PLAIN_OPTIONS
    if wrong or not all(options.get(name, True) for name in ("init", "repr", "eq")):
        raise TypeError(f"dataclass() takes frozen and slots; not {', '.join(sorted(wrong)) or 'init, repr or eq'}")
    if draft is None:
        return lambda below: _dataclass(below, bool(options.get("frozen")))
    return _dataclass(draft, bool(options.get("frozen")))


def _dataclass(draft: Any, frozen: bool) -> type:
    if type(draft) is not Undecorated:
        raise TypeError("@dataclass stands above a class without a base")
    name = draft.name
    fields = [member for member, annotated, _ in draft.declared if annotated]
    if len(fields) != len(draft.declared):
        raise TypeError(f"class {name}: a dataclass has annotated fields alone, `name: type` or `name: type = default`")
    public_names(f"class {name}", name, fields)
    described = {}
    given = iter(draft.values)
    optional = False
    for member, _, has_value in draft.declared:
        value = next(given) if has_value else _MISSING
        if type(value) in (list, dict, set):
            raise ValueError(f"mutable default {type(value)} for field {member} is not allowed: use default_factory")
        made = value if type(value) is Field else Field(value, _MISSING, True, True)
        has_default = made.default is not _MISSING or made.factory is not _MISSING
        if optional and not has_default:
            raise TypeError(f"non-default argument {member!r} follows default argument")
        optional = optional or has_default
        described[member] = made
    body: dict[str, Any] = {
        "__slots__": tuple(fields),
        "__init__": lambda self, *args, **options: _fill(self, name, described, args, options),
        "__module__": "action",
        "__doc__": draft.doc,
        "_exposed_": frozenset(fields),
        "_ephemeral_": True,
        "_writable_": not frozen,
        "_read_only_": f"cannot assign to a field of {name}: it is frozen",
        "_fields_": tuple(fields),
        "_shown_": tuple([member for member in fields if described[member].shown]),
        "_compared_": tuple([member for member in fields if described[member].compare]),
    }
    return type(name, (Record,), body)


def _fill(record: Any, name: str, described: dict[str, Field], args: tuple[Any, ...], options: dict[str, Any]) -> None:
    given = dict(zip(described, args))  # noqa: B905 - counted next
    if len(args) > len(described):
        raise TypeError(f"{name}() takes {len(described)} values but {len(args)} were given")
    for member in options:
        if member not in described or member in given:
            raise TypeError(f"{name}() got {'multiple values for' if member in given else 'an unexpected'} argument"
                            f" {member!r}")  # fmt: skip
    given.update(options)
    missing = [
        member
        for member, made in described.items()
        if member not in given and made.default is _MISSING and made.factory is _MISSING
    ]
    if missing:
        raise TypeError(f"{name}() misses {', '.join(map(repr, missing))}")
    for member, made in described.items():
        if member not in given:
            given[member] = made.default if made.factory is _MISSING else made.factory()
        setattr(record, member, given[member])


def _record(what: str, value: Any) -> Any:
    if not isinstance(value, Record):
        raise TypeError(f"{what}() should be called on dataclass instances")
    return value


def asdict(obj: Any, /) -> dict[str, Any]:
    """Return the fields as a dict, and those of dataclasses, lists and dicts in them."""
    plain: dict[str, Any] = _plain(_record("asdict", obj), 0)
    return plain


def _plain(value: Any, depth: int) -> Any:
    if depth > 100:
        raise ValueError("asdict(): nested deeper than 100")
    if isinstance(value, Record):
        return {name: _plain(getattr(value, name), depth + 1) for name in value._fields_}
    if type(value) is list or type(value) is tuple:
        return type(value)([_plain(item, depth + 1) for item in value])
    if type(value) is dict:
        return {name: _plain(item, depth + 1) for name, item in value.items()}
    return value


def astuple(obj: Any, /) -> tuple[Any, ...]:
    """Return the fields as a tuple."""
    return _values(obj, _record("astuple", obj)._fields_)


def replace(obj: Any, /, **changes: Any) -> Any:
    """Return a dataclass like this one with some fields changed."""
    fields = _record("replace", obj)._fields_
    return type(obj)(**{**dict(zip(fields, _values(obj, fields), strict=True)), **changes})


def modules() -> dict[str, Module]:
    """Build the facade of this file."""
    members = {"asdict": asdict, "astuple": astuple, "dataclass": dataclass, "field": field, "replace": replace}
    return {"dataclasses": module("dataclasses", members)}
