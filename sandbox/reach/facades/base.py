"""The shape of a facade, and the way a class opens its attributes.

Knows `sandbox.reach.reachable` (which names there must be) and `sandbox.reach.guards` (where attributes are opened).
Knows no module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn

from sandbox.reach import guards, reachable


def names(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


class Module:
    """A module as an action sees it. It cannot be changed, and it is not a module object."""

    __slots__ = ()
    _exposed_: ClassVar[frozenset[str]] = frozenset()
    _module_: ClassVar[str] = ""
    _read_only_: ClassVar[str] = "modules cannot be changed"

    def __getattr__(self, name: str) -> NoReturn:
        # Also asked by the interpreter for `__name__`, which must stay missing: with it, `from x import y` would fall
        # back on sys.modules.
        raise AttributeError(reachable.explain_member(self._module_, name))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(self._read_only_)

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(self._read_only_)

    def __repr__(self) -> str:
        return f"<module '{self._module_}'>"


def module(name: str, members: Mapping[str, Any]) -> Module:
    """Build the facade of a module. `members` must be exactly what `reach.MODULES` says."""
    wanted = reachable.MODULES[name]
    if members.keys() != wanted:
        raise RuntimeError(f"facade {name} differs from sandbox.reach.reachable by {sorted(members.keys() ^ wanted)}")
    kind = type(name, (Module,), {"__slots__": tuple(sorted(members)), "_exposed_": wanted, "_module_": name})
    made: Module = kind()
    for member, value in members.items():
        object.__setattr__(made, member, value)
    return made


def pick(source: object, name: str, *own: str) -> dict[str, Any]:
    """Return the members that `reach` lists for module `name`, taken from the real module `source`, except `own`."""
    return {member: getattr(source, member) for member in reachable.MODULES[name] if member not in own}


def exception(cls: type[BaseException], names: str = "") -> None:
    """Open an exception class of a library: its arguments, and what else is named."""
    guards.expose(cls, frozenset(["args", *names.split()]))


def opened(cls: type, names: str, class_names: str = "", *, iterable: bool = False, items: bool = False) -> None:
    """Open attributes of instances of exactly `cls`, and of the class object itself."""
    guards.expose(cls, frozenset(names.split()), iterable=iterable, items=items)
    guards.expose_class(cls, frozenset(class_names.split()))


def unpack(cls: type) -> None:
    """Open a tuple-like result of a library: its items and fields, nothing that makes another."""
    opened(cls, " ".join(["count", "index", *getattr(cls, "_fields", ())]), iterable=True, items=True)
