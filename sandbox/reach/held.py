"""What CPython uses without holding it, held: the factory of a defaultdict, and what a list compares.

Knows how CPython calls these. Must not know guards, facades or events. A defaultdict calls its factory by a reference
that it does not own (Modules/_collectionsmodule.c): what is called may let go of it. A list is ordered by the first
items that differ, which CPython 3.11 and 3.12.0 to 3.12.4 do not hold while they are compared (Objects/listobject.c,
list_richcompare): a comparison that clears the outer list frees the inner one. `deque.index` is the same. So no
container may call an action to compare its items.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

KEPT: Final[list[object]] = []


def keep(value: object) -> None:
    """Hold `value` until the execution ends: a factory that is replaced may be the one that runs."""
    if not KEPT or KEPT[-1] is not value:
        KEPT.append(value)


def release() -> None:
    """Let go of everything, when no code of an action runs."""
    KEPT.clear()


class _Key:
    """A value that is ordered by a function of the action.

    Containers compare with `==` before anything else; only what holds both sides begins with `<` or `>`: a sort, `min`
    and `max`, and the frame of a comparison.
    """

    __slots__ = ("_compare", "_value")
    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # as CPython's own
    _exposed_: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, compare: Callable[[Any, Any], Any], value: Any) -> None:
        self._compare = compare
        self._value = value

    def _to(self, other: object) -> Any:
        if type(other) is not _Key:
            raise TypeError("other argument must be K instance")
        return self._compare(self._value, other._value)

    def __lt__(self, other: object) -> Any:
        return self._to(other) < 0

    def __gt__(self, other: object) -> Any:
        return self._to(other) > 0

    def __le__(self, other: object) -> Any:
        return self._to(other) <= 0

    def __ge__(self, other: object) -> Any:
        return self._to(other) >= 0

    def __eq__(self, other: object) -> bool:
        raise TypeError(
            "a key of cmp_to_key() is ordered and equals nothing: have its function compare whole rows, and use it as"
            " `key=cmp_to_key(function)`, not inside a tuple or a list"
        )

    def __repr__(self) -> str:
        return "<functools.KeyWrapper object>"


_Key.__name__ = _Key.__qualname__ = "KeyWrapper"  # what errors say


class _ToKey:
    """What `cmp_to_key` answers. No function: nested ones take several times the memory."""

    __slots__ = ("_compare",)
    _exposed_: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, compare: Callable[[Any, Any], Any]) -> None:
        self._compare = compare

    def __call__(self, obj: Any) -> _Key:
        return _Key(self._compare, obj)

    def __repr__(self) -> str:
        return "<functools.KeyWrapper object>"


def cmp_to_key(mycmp: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    """Be `functools.cmp_to_key`, whose keys an action's function orders but no container compares."""
    return _ToKey(mycmp)
