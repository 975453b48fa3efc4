"""`enum`: sets of named constants. A class of them is made of names and values, and has no methods of the action's.

Knows how members compare, print and are found. Every class is the execution's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from sandbox.reach.builtin_types import INSTANCE_NAMES
from sandbox.reach.facades.base import Module, module
from sandbox.reach.facades.declared import Declaration, Declared, public_names


class Auto:
    """What `enum.auto()` answers: the next value."""

    __slots__ = ()
    _exposed_: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        return "auto()"


class EnumType(type):
    """The class of all classes of constants."""

    _exposed_: ClassVar[frozenset[str]] = frozenset()
    _members_: dict[str, Any]

    def __call__(cls, value: Any, /) -> Any:
        for member in cls._members_.values():
            if member is value or member.value == value:
                return member
        raise ValueError(f"{value!r} is not a valid {cls.__name__}")

    def __iter__(cls) -> Iterator[Any]:
        # A name for the value of another one is no member of its own.
        return iter([member for name, member in cls._members_.items() if member.name == name])

    def __len__(cls) -> int:
        return len(list(iter(cls)))

    def __bool__(cls) -> bool:
        return True

    def __contains__(cls, value: object) -> bool:
        return any(member is value or member.value == value for member in cls._members_.values())

    def __getitem__(cls, name: Any) -> Any:
        if type(name) is not str or name not in cls._members_:
            raise KeyError(name)
        return cls._members_[name]

    def __repr__(cls) -> str:
        return f"<enum {cls.__name__!r}>"


class EnumMember:
    """What members of all kinds have in common. `_by_value_`: the hash is that of the name or of the value."""

    __slots__ = ()
    _by_value_: ClassVar[bool] = True
    _exposed_: ClassVar[frozenset[str]] = frozenset({"name", "value"})


class _Plain(EnumMember):
    __slots__ = ("_name", "_value")

    _name: str
    _value: Any

    @property
    def name(self) -> str:
        return self._name

    @property
    def value(self) -> Any:
        return self._value

    def __hash__(self) -> int:
        return hash(self._name)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"<{type(self).__name__}.{self._name}: {self._value!r}>"

    def __str__(self) -> str:
        return f"{type(self).__name__}.{self._name}"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


class _OfInt(EnumMember, int):
    __slots__ = ()
    _exposed_ = EnumMember._exposed_ | INSTANCE_NAMES[int]

    @property
    def name(self) -> str:
        return str(type(self)._names_[int(self)])  # type: ignore[attr-defined]  # each class of constants has it

    @property
    def value(self) -> int:
        return int(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}.{self.name}: {int(self)!r}>"

    __str__ = int.__repr__
    __format__ = int.__format__
    __hash__ = int.__hash__


class _OfStr(EnumMember, str):
    __slots__ = ()
    _exposed_ = EnumMember._exposed_ | INSTANCE_NAMES[str]

    @property
    def name(self) -> str:
        return str(type(self)._names_[str.__str__(self)])  # type: ignore[attr-defined]  # each class of constants has it

    @property
    def value(self) -> str:
        return str.__str__(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}.{self.name}: {str.__repr__(self)}>"

    __str__ = str.__str__
    __format__ = str.__format__
    __hash__ = str.__hash__


def _make(base: type, typename: Any, pairs: list[tuple[Any, Any]], doc: str | None) -> type:
    public_names(f"class {typename}" if type(typename) is str else "Enum()", typename, [name for name, _ in pairs])
    wrong = sorted({"name", "value"} & {name for name, _ in pairs})
    if wrong:
        raise ValueError(
            f"class {typename}: a member cannot be called {wrong[0]!r}, as every member has one of that name"
        )
    members: dict[str, Any] = {}
    names: dict[Any, str] = {}
    namespace: dict[str, Any] = {
        "__slots__": (),
        "__module__": "action",
        "__doc__": doc,
        "_ephemeral_": True,
        "_members_": members,
        "_names_": names,
        "_class_exposed_": frozenset([name for name, _ in pairs]),
    }
    cls = EnumType(typename, (base,), namespace)
    last: Any = 0
    for name, given in pairs:
        value = given
        if isinstance(given, Auto):
            value = name.lower() if base is _OfStr else last + 1 if type(last) is int else 1
        last = value
        member: Any = next((one for one in members.values() if one.value == value), None)
        if member is None:
            member = _member(cls, base, name, value, names)
        members[name] = member
        type.__setattr__(cls, name, member)
    return cls


def _member(cls: Any, base: type, name: str, value: Any, names: dict[Any, str]) -> Any:
    if base is _Plain:
        member: Any = object.__new__(cls)
        member._name, member._value = name, value
        return member
    real: Any = int if base is _OfInt else str
    if type(value) is not real and not (real is int and type(value) is bool):
        raise TypeError(f"{cls.__name__}.{name}: the value must be {real.__name__}, not {type(value).__name__}")
    names[value] = name
    return real.__new__(cls, value)


def _declaration(name: str, base: type) -> Declaration:
    def declare(
        typename: str, declared: Declared, values: tuple[Any, ...], doc: str | None, options: dict[str, Any]
    ) -> type:
        if options or len(values) != len(declared):
            raise TypeError(f"class {typename}: a member of an Enum has a value, `NAME = value`")
        return _make(
            base, typename, [(member, value) for (member, _, _), value in zip(declared, values, strict=True)], doc
        )

    def call(typename: Any, names: Any, /, *, start: Any = 1, module: Any = None, qualname: Any = None) -> type:
        if type(names) is str:
            names = names.replace(",", " ").split()
        pairs: list[Any] = list(names.items()) if isinstance(names, dict) else list(names)
        if pairs and type(pairs[0]) is str:
            pairs = [(one, one.lower() if base is _OfStr else start + place) for place, one in enumerate(pairs)]
        return _make(base, typename, [(one, value) for one, value in pairs], None)

    return Declaration(f"enum.{name}", declare, call)


ENUM: Final = _declaration("Enum", _Plain)


def unique(enumeration: Any) -> Any:
    """Answer a class of constants no two of which have the same value."""
    if not isinstance(enumeration, EnumType):
        raise TypeError("@unique stands above an Enum")
    twice = [f"{name} -> {member.name}" for name, member in enumeration._members_.items() if member.name != name]
    if twice:
        raise ValueError(f"duplicate values found in {enumeration!r}: {', '.join(twice)}")
    return enumeration


def modules() -> dict[str, Module]:
    """Build the facade of this file."""
    kinds = {"Enum": ENUM, "IntEnum": _declaration("IntEnum", _OfInt), "StrEnum": _declaration("StrEnum", _OfStr)}
    return {"enum": module("enum", {**kinds, "auto": Auto, "unique": unique})}
