"""What CPython uses without holding it, held: the factory of a defaultdict, the item that a deque compares.

Knows how CPython calls these. Must not know guards, facades or events. A defaultdict calls its factory, and a deque
compares its item, by a reference that it does not own (Modules/_collectionsmodule.c): what is called may let go of it.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any, Final

_KEPT: Final[list[object]] = []


def keep(value: object) -> None:
    """Hold `value` until the execution ends: a factory that is replaced may be the one that runs."""
    if not _KEPT or _KEPT[-1] is not value:
        _KEPT.append(value)


def release() -> None:
    """Let go of everything, when no code of an action runs."""
    _KEPT.clear()


def _deque_index(receiver: Any, value: Any, *bounds: int) -> int:
    items = _items("index", receiver)
    try:
        return items.index(value, *bounds)
    except ValueError:
        raise ValueError(f"{value!r} is not in deque") from None


def _deque_remove(receiver: Any, value: Any, /) -> None:
    items = _items("remove", receiver)
    try:
        place = items.index(value)
    except ValueError:
        raise ValueError("deque.remove(x): x not in deque") from None
    if len(receiver) != len(items):
        raise IndexError("deque mutated during remove().")
    del receiver[place]


def _items(method: str, receiver: Any) -> list[Any]:
    """Answer what a deque holds, in a list that no action reaches."""
    if type(receiver) is not collections.deque:
        raise TypeError(f"deque.{method} needs a deque first, not {type(receiver).__name__}")
    return list(receiver)


DEQUE: Final[dict[str, Callable[..., Any]]] = {"index": _deque_index, "remove": _deque_remove}
"""Methods of a deque that compare; receiver first."""
