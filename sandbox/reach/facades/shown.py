"""`pprint`, and `collections.ChainMap`: data laid out for a reader, and dicts looked into one after the other.

Knows dicts, lists and sets. No text of it depends on where a value lies in memory.
"""

from __future__ import annotations

import pprint
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from sandbox.contract.frozen import DICTS, LISTS
from sandbox.reach import keys
from sandbox.reach.facades.base import Module, module
from sandbox.reach.facades.logs import show
from sandbox.reach.guards import guarded_getitem, guarded_mapping
from sandbox.reach.text import PLAIN, safe_repr, scrub

_DEPTH_MAX: Final = 50
_WIDTH_MAX: Final = 1000
_ABSENT: Final = object()


def pformat(object: Any, indent: int = 1, width: int = 80, depth: int | None = None, *, compact: bool = False,
            sort_dicts: bool = True, underscore_numbers: bool = False) -> str:  # fmt: skip
    """Return data as text, over several lines where one is too short."""
    if type(width) is not int or width > _WIDTH_MAX or type(indent) is not int or indent > _DEPTH_MAX:
        raise ValueError(f"pprint: width is at most {_WIDTH_MAX}, indent at most {_DEPTH_MAX}")
    ordered = _ordered(object, bool(sort_dicts), 0)
    text = pprint.pformat(ordered, indent, width, depth, compact=bool(compact), sort_dicts=False,
                          underscore_numbers=bool(underscore_numbers))  # fmt: skip
    return scrub(text)


class _AsItIs:
    """Stands for a value that is not laid out, but written by its own text."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        return safe_repr(self._value)


_SCALARS: Final = PLAIN | {bytes}


def _ordered(value: Any, sort_dicts: bool, depth: int) -> Any:
    """Return plain data in order. What cannot be ordered stays as it is: the library would order it by address."""
    if depth > _DEPTH_MAX:
        raise ValueError(f"pprint: nested deeper than {_DEPTH_MAX}, or in a circle")
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind in DICTS:
        names = _sorted(value) if sort_dicts else None
        return {name: _ordered(value[name], sort_dicts, depth + 1) for name in names or value}
    if kind in LISTS:
        items = [_ordered(item, sort_dicts, depth + 1) for item in value]
        return tuple(items) if kind is tuple else items
    if kind in (set, frozenset) and _SCALARS.issuperset(map(type, value)) and _sorted(value):
        return value
    return _AsItIs(value)


def _sorted(values: Any) -> list[Any] | None:
    try:
        return sorted(values)
    except TypeError:
        return None


def pprint_(object: Any, stream: None = None, *args: Any, **options: Any) -> None:
    """Print data, over several lines where one is too short."""
    show(pformat(object, *args, **options), file=stream)


pprint_.__name__ = pprint_.__qualname__ = "pprint"


class ChainMap:
    """Dicts that are looked into one after the other; what is written goes to the first."""

    __slots__ = ("maps",)
    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # as Python's own
    _exposed_: ClassVar[frozenset[str]] = frozenset({"get", "items", "keys", "maps", "new_child", "parents", "values"})
    _writable_: ClassVar[bool] = True

    maps: list[Any]

    def __init__(self, *maps: Any) -> None:
        object.__setattr__(self, "maps", [guarded_mapping(one) for one in maps] or [{}])

    def _merged(self) -> dict[Any, Any]:
        merged: dict[Any, Any] = {}
        for one in reversed(self.maps):
            merged.update(guarded_mapping(one))
        return merged

    def __getitem__(self, name: Any) -> Any:
        found = self.get(name, _ABSENT)
        if found is _ABSENT:
            raise KeyError(name)
        return found

    def __setitem__(self, name: Any, value: Any) -> None:
        _own(self.maps[0])[keys.key(name)] = value

    def __delitem__(self, name: Any) -> None:
        del _own(self.maps[0])[name]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("the dicts of a ChainMap are set when it is made")

    def __contains__(self, name: object) -> bool:
        return any(name in one for one in self.maps)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._merged())

    def __len__(self) -> int:
        return len(self._merged())

    def __eq__(self, other: object) -> Any:
        return self._merged() == (other._merged() if isinstance(other, ChainMap) else other)

    def get(self, name: Any, default: Any = None) -> Any:
        """Return a value, or `default`. The action may have put anything into `maps`."""
        for one in self.maps:
            if name in one:
                return guarded_getitem(one, keys.key(name))
        return default

    def keys(self) -> Any:
        """Return the names of all."""
        return self._merged().keys()

    def values(self) -> Any:
        """Return the values of all."""
        return self._merged().values()

    def items(self) -> Any:
        """Return the entries of all."""
        return self._merged().items()

    def new_child(self, m: Any = None) -> ChainMap:
        """Return one with another dict in front."""
        return ChainMap({} if m is None else m, *self.maps)

    @property
    def parents(self) -> ChainMap:
        """Return one without the first dict."""
        return ChainMap(*self.maps[1:])

    def _plain_(self) -> dict[Any, Any]:
        """Be what `json.dumps`, `dict` and `**` take in place of this."""
        return self._merged()

    def __repr__(self) -> str:
        return f"ChainMap({', '.join(map(repr, self.maps))})"


def _own(value: Any) -> Any:
    if type(value) is not dict:
        raise TypeError(f"a ChainMap writes to a dict, and the first of this one is a {type(value).__name__}")
    return value


def modules() -> dict[str, Module]:
    """Build the facade of this file."""
    return {"pprint": module("pprint", {"pformat": pformat, "pprint": pprint_})}
