"""Classes that an action declares: exceptions, named tuples and typed dicts; none has methods.

Knows how each is made of names and values. Runs nothing of the action. Every class is the
execution's own, and nothing of it is left behind.
"""

from __future__ import annotations

import keyword
import operator
from collections.abc import Callable
from typing import Any, ClassVar, Final, NoReturn

from sandbox.reach import keys, registry

FIELDS_MAX: Final = 200
_BASES_MAX: Final = 50
"""Exceptions derived from one another: each has a list of all above it."""

Declared = tuple[tuple[str, bool, bool], ...]
"""The members of a class in order: name, whether it is annotated, whether it has a value."""


class Declaration:
    """What an action names as a base, or calls, to make classes of one kind."""

    __slots__ = ("_call", "_declare", "_name")
    _exposed_: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, name: str, declare: Callable[..., Any], call: Callable[..., Any]) -> None:
        """Make one.

        Args:
            name: as the action knows it, with its module.
            declare: takes name, Declared, values, text and options of a `class` statement.
            call: what calling it does.
        """
        self._name = name
        self._declare = declare
        self._call = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<class '{self._name}'>"


def declare_class(
    name: str, base: Any, declared: Declared, values: tuple[Any, ...], doc: str | None, /, **options: Any
) -> Any:
    """Answer what `class name(base): ...` binds."""
    if isinstance(base, Declaration):
        return base._declare(name, declared, values, doc, options)
    if base is None or getattr(base, "_real_", None) is object:
        if options:
            raise TypeError(f"class {name}: it takes no options")
        return Undecorated(name, declared, values, doc)
    if not (isinstance(base, type) and issubclass(base, Exception)) or base in registry.CAUGHT:
        raise TypeError(
            f"class {name}: {_shown(base)} cannot be a base: an exception, Enum, NamedTuple or TypedDict can"
        )
    if declared or options:
        raise TypeError(f"class {name}: an exception has no members of its own: give what it tells to its arguments")
    if len(base.__mro__) > _BASES_MAX:
        raise TypeError(f"class {name}: more than {_BASES_MAX} classes derived from one another")
    # Its instances show `args` and take notes, as every exception does: see `registry.learn`.
    body = {"_exposed_": frozenset({"add_note", "args"}), "_ephemeral_": True, "__module__": "action", "__doc__": doc}
    return type(name, (base,), body)


def _shown(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else f"a value of type {type(value).__name__}"


def public_names(what: str, typename: Any, names: list[Any]) -> None:
    """Refuse what cannot be the name of a class and of its members."""
    if type(typename) is not str or any(type(name) is not str for name in names):
        raise TypeError(f"{what} takes names that are texts")
    if len(names) > FIELDS_MAX:
        raise TypeError(f"{what} takes up to {FIELDS_MAX} members")
    # A class may be called `_Row`; a member that begins so could not be read, or would be one of ours.
    for name, closed in ((typename, "__"), *((name, "_") for name in names)):
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith(closed):
            raise ValueError(f"{what}: {name[:40]!a} is not a public name")
    if len(set(names)) != len(names):
        raise ValueError(f"{what}: a name is given twice")


# Named tuples


def namedtuple(
    typename: Any, field_names: Any, *, rename: Any = False, defaults: Any = None, module: Any = None
) -> type:
    """Make a tuple with names; without the text that Python's own makes a function from."""
    fields = field_names.replace(",", " ").split() if type(field_names) is str else list(field_names)
    if rename:
        raise TypeError("collections.namedtuple() takes names as they are: leave `rename` out")
    public_names("collections.namedtuple()", typename, fields)
    given = tuple(defaults) if defaults is not None else ()
    if len(given) > len(fields):
        raise TypeError("collections.namedtuple(): more defaults than fields")
    preset = dict(zip(fields[len(fields) - len(given) :], given, strict=True))
    return _tuple_class(typename, fields, preset, None)


def _tuple_class(typename: str, fields: list[str], preset: dict[str, Any], doc: str | None) -> type:
    body: dict[str, Any] = {
        "__slots__": (),
        "__new__": lambda cls, *args, **options: tuple.__new__(cls, _bound(typename, fields, preset, args, options)),
        "__repr__": lambda self: written(typename, fields, self),
        "__doc__": doc or f"{typename}({', '.join(fields)})",
        "__module__": "action",
        "_exposed_": frozenset(["count", "index", *fields]),
        "_ephemeral_": True,
        "_fields": tuple(fields),
    }
    body.update((field, property(operator.itemgetter(place))) for place, field in enumerate(fields))
    return type(typename, (tuple,), body)


def _bound(
    typename: str, fields: list[str], preset: dict[str, Any], args: tuple[Any, ...], options: dict[str, Any]
) -> list[Any]:
    values = {**preset, **dict(zip(fields, args))}  # noqa: B905 - counted next
    wrong = [name for name in options if name not in fields or fields.index(name) < len(args)]
    values.update(options)
    if len(args) > len(fields) or wrong or len(values) != len(fields):
        raise TypeError(f"{typename}() takes {', '.join(fields)}")
    return [values[field] for field in fields]


def written(typename: str, fields: list[str], values: Any) -> str:
    return f"{typename}({', '.join(f'{name}={value!r}' for name, value in zip(fields, values, strict=True))})"


def _declare_tuple(
    name: str, declared: Declared, values: tuple[Any, ...], doc: str | None, options: dict[str, Any]
) -> type:
    fields = [field for field, annotated, _ in declared if annotated]
    if options or len(fields) != len(declared):
        raise TypeError(
            f"class {name}: a NamedTuple has annotated fields alone, `name: type` or `name: type = default`"
        )
    public_names(f"class {name}", name, fields)
    preset = _preset(name, declared, values)
    return _tuple_class(name, fields, preset, doc)


def _preset(name: str, declared: Declared, values: tuple[Any, ...]) -> dict[str, Any]:
    """Answer the defaults of fields; none without one may follow."""
    given = iter(values)
    preset: dict[str, Any] = {}
    for field, _, has_value in declared:
        if has_value:
            preset[field] = next(given)
        elif preset:
            raise TypeError(f"class {name}: the field {field!r} without a default follows one that has one")
    return preset


def _typing_tuple(typename: Any, fields: Any = (), /) -> type:
    names = [field for field, _ in fields]
    public_names("typing.NamedTuple()", typename, names)
    return _tuple_class(typename, names, {}, None)


# Typed dicts


class TypedDictClass:
    """What a typed dict is when it runs: a dict, whose types are for readers."""

    __slots__ = ("_name",)
    _exposed_: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, name: str) -> None:
        self._name = name

    def _named_(self) -> str:
        return self._name

    def __call__(self, *args: Any, **entries: Any) -> dict[Any, Any]:
        return keys.make_dict(*args, **entries)

    def __getitem__(self, item: object) -> TypedDictClass:
        return self

    __iter__ = None

    def __or__(self, other: object) -> TypedDictClass:
        return self

    __ror__ = __or__

    def __repr__(self) -> str:
        return f"<class 'action.{self._name}'>"


def _declare_dict(
    name: str, declared: Declared, values: tuple[Any, ...], doc: str | None, options: dict[str, Any]
) -> TypedDictClass:
    if values or options.keys() - {"total"}:
        raise TypeError(f"class {name}: a TypedDict has annotated names alone, and the option `total`")
    return TypedDictClass(name)


def _typing_dict(typename: Any, fields: Any = (), /, *, total: bool = True) -> TypedDictClass:
    return TypedDictClass(typename if type(typename) is str else "TypedDict")


class Undecorated:
    """A class that has no base: nothing, unless `@dataclass` makes something of it."""

    __slots__ = ("declared", "doc", "name", "values")
    _exposed_: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, name: str, declared: Declared, values: tuple[Any, ...], doc: str | None) -> None:
        self.name = name
        self.declared = declared
        self.values = values
        self.doc = doc

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"class {self.name} has no base: write @dataclass above it, or use types.SimpleNamespace")

    def __repr__(self) -> str:
        return f"<class 'action.{self.name}'>"


NAMED_TUPLE: Final = Declaration("typing.NamedTuple", _declare_tuple, _typing_tuple)
TYPED_DICT: Final = Declaration("typing.TypedDict", _declare_dict, _typing_dict)
