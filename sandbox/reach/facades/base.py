"""The shape of a facade, and the way a class opens its attributes.

Knows `sandbox.reach.reachable` (which names there must be) and `sandbox.reach.guards` (where attributes are opened).
Knows no module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from sandbox.reach import reachable
from sandbox.reach.registry import ERROR_NAMES, expose, expose_class


def names(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


class Module:
    """A module as an action sees it. It cannot be changed, and it is not a module object."""

    __slots__ = ()
    _exposed_: ClassVar[frozenset[str]] = frozenset()
    _module_: ClassVar[str] = ""
    _read_only_: ClassVar[str] = "modules cannot be changed"

    # `__name__`, which the interpreter asks for, must stay missing: with it, `from x import y` would fall back on
    # sys.modules.

    if TYPE_CHECKING:
        # Members are given to each facade from a table.
        def __getattr__(self, name: str) -> Any: ...

    def _absent_(self, name: str) -> NoReturn:
        """Say that there is no such member."""
        raise AttributeError(reachable.explain_member(self._module_, name))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(self._read_only_)

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(self._read_only_)

    def _named_(self) -> str:
        return self._module_

    def __repr__(self) -> str:
        return f"<module '{self._module_}'>"


def module(name: str, members: Mapping[str, Any], source: object = None) -> Module:
    """Build the facade of a module, with exactly what `reachable.MODULES` lists.

    Args:
        name: of the module.
        members: our own.
        source: the real module, which has the others.
    """
    wanted = reachable.MODULES[name]
    if source is not None:
        members = {member: members[member] if member in members else getattr(source, member) for member in wanted}
    if members.keys() != wanted:
        raise RuntimeError(f"facade {name} differs from sandbox.reach.reachable by {sorted(members.keys() ^ wanted)}")
    return named(name, members)


def named(name: str, members: Mapping[str, Any]) -> Module:
    """Make a module of these members."""
    slots = {"__slots__": tuple(sorted(members)), "_exposed_": frozenset(members), "_module_": name}
    made: Module = type(name, (Module,), slots)()
    for member, value in members.items():
        object.__setattr__(made, member, value)
    return made


def exception(cls: type[BaseException], names: str = "") -> None:
    """Open an exception class of a library: its arguments, and what else is named."""
    expose(cls, ERROR_NAMES | frozenset(names.split()))


def opened(cls: type, names: str, class_names: str = "", *, iterable: bool = False, items: bool = False) -> None:
    """Open attributes of instances of exactly `cls`, and of the class object itself."""
    expose(cls, frozenset(names.split()), iterable=iterable, items=items)
    expose_class(cls, frozenset(class_names.split()))


def unpack(cls: type) -> None:
    """Open a tuple-like result of a library: its items and fields, nothing that makes another."""
    opened(cls, " ".join(["count", "index", *getattr(cls, "_fields", ())]), iterable=True, items=True)
