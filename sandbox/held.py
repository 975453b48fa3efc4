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
    if type(receiver) is not collections.deque:
        raise TypeError(f"deque.index needs a deque first, not {type(receiver).__name__}")
    items = list(receiver)  # which no action reaches
    try:
        return items.index(value, *bounds)
    except ValueError:
        raise ValueError(f"{value!r} is not in deque") from None


DEQUE: Final[dict[str, Callable[..., Any]]] = {"index": _deque_index}
"""The method of a deque that compares an item which CPython 3.11 and 3.12 do not hold; receiver first."""
