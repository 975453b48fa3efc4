"""`bisect` and `heapq`, in Python: CPython's own call back what orders the items while they are inside of the list.

Knows lists. Must not know guards, events or api. The alarm gets through between two steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from sandbox.reach.facades.base import Module, module


def _bounds(a: Any, lo: Any, hi: Any) -> tuple[int, int]:
    if type(lo) is not int or (hi is not None and type(hi) is not int):
        raise TypeError("lo and hi must be ints")
    if lo < 0:
        raise ValueError("lo must be non-negative")
    return lo, len(a) if hi is None else hi


def bisect_left(a: Any, x: Any, lo: int = 0, hi: int | None = None, *, key: Callable[[Any], Any] | None = None) -> int:
    """Return where `x` goes in a sorted list, before those equal to it."""
    first, last = _bounds(a, lo, hi)
    while first < last:
        middle = (first + last) // 2
        item = a[middle] if key is None else key(a[middle])
        if item < x:
            first = middle + 1
        else:
            last = middle
    return first


def bisect_right(a: Any, x: Any, lo: int = 0, hi: int | None = None, *, key: Callable[[Any], Any] | None = None) -> int:
    """Return where `x` goes in a sorted list, after those equal to it."""
    first, last = _bounds(a, lo, hi)
    while first < last:
        middle = (first + last) // 2
        item = a[middle] if key is None else key(a[middle])
        if x < item:
            last = middle
        else:
            first = middle + 1
    return first


def insort_left(a: Any, x: Any, lo: int = 0, hi: int | None = None, *, key: Any = None) -> None:
    """Put `x` into a sorted list, before those equal to it."""
    _list(a).insert(bisect_left(a, x if key is None else key(x), lo, hi, key=key), x)


def insort_right(a: Any, x: Any, lo: int = 0, hi: int | None = None, *, key: Any = None) -> None:
    """Put `x` into a sorted list, after those equal to it."""
    _list(a).insert(bisect_right(a, x if key is None else key(x), lo, hi, key=key), x)


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise TypeError(f"argument must be a list, not {type(value).__name__}")
    return value


def _up(heap: list[Any], first: int, place: int) -> None:
    """Move the item at a place towards the root, as long as it is smaller than what is above it."""
    item = heap[place]
    while place > first:
        above = (place - 1) >> 1
        if not item < heap[above]:
            break
        heap[place] = heap[above]
        place = above
    heap[place] = item


def _down(heap: list[Any], place: int) -> None:
    """Move the item at a place to a leaf along the smaller ones, and up again to where it belongs."""
    first, end, item = place, len(heap), heap[place]
    child = 2 * place + 1
    while child < end:
        right = child + 1
        if right < end and not heap[child] < heap[right]:
            child = right
        heap[place] = heap[child]
        place = child
        child = 2 * place + 1
    heap[place] = item
    _up(heap, first, place)


def heappush(heap: Any, item: Any, /) -> None:
    """Add an item to a heap."""
    _list(heap).append(item)
    _up(heap, 0, len(heap) - 1)


def heappop(heap: Any, /) -> Any:
    """Take the smallest item from a heap."""
    last = _list(heap).pop()
    if not heap:
        return last
    smallest, heap[0] = heap[0], last
    _down(heap, 0)
    return smallest


def heapreplace(heap: Any, item: Any, /) -> Any:
    """Take the smallest item from a heap, then add one."""
    smallest = _list(heap)[0]
    heap[0] = item
    _down(heap, 0)
    return smallest


def heappushpop(heap: Any, item: Any, /) -> Any:
    """Add an item to a heap, then take the smallest one."""
    if _list(heap) and heap[0] < item:
        item, heap[0] = heap[0], item
        _down(heap, 0)
    return item


def heapify(heap: Any, /) -> None:
    """Make a heap of a list."""
    for place in reversed(range(len(_list(heap)) // 2)):
        _down(heap, place)


def nlargest(n: int, iterable: Iterable[Any], key: Callable[[Any], Any] | None = None) -> list[Any]:
    """Return the n largest items, the largest first."""
    return sorted(iterable, key=key, reverse=True)[: max(n, 0)]


def nsmallest(n: int, iterable: Iterable[Any], key: Callable[[Any], Any] | None = None) -> list[Any]:
    """Return the n smallest items, the smallest first."""
    return sorted(iterable, key=key)[: max(n, 0)]


def merge(*iterables: Iterable[Any], key: Callable[[Any], Any] | None = None, reverse: bool = False) -> Iterator[Any]:
    """Walk sorted iterables as one that is sorted."""
    return _merged([iter(one) for one in iterables], key, bool(reverse))


_END: Final = object()


def _merged(sources: list[Iterator[Any]], key: Callable[[Any], Any] | None, reverse: bool) -> Iterator[Any]:
    # As sorted as its sources: the one whose next item comes first, of equal ones the earlier source.
    heads = [(source, item) for source in sources if (item := next(source, _END)) is not _END]
    while heads:
        least = 0
        for place in range(1, len(heads)):
            one: Any = heads[place][1]
            other: Any = heads[least][1]
            if key is not None:
                one, other = key(one), key(other)
            if other < one if reverse else one < other:
                least = place
        source, item = heads[least]
        yield item
        item = next(source, _END)
        if item is _END:
            del heads[least]
        else:
            heads[least] = source, item


def modules() -> dict[str, Module]:
    """Build the facades of this file."""
    bisecting = {
        "bisect": bisect_right, "bisect_left": bisect_left, "bisect_right": bisect_right,
        "insort": insort_right, "insort_left": insort_left, "insort_right": insort_right,
    }  # fmt: skip
    heaps = (heapify, heappop, heappush, heappushpop, heapreplace, merge, nlargest, nsmallest)
    return {
        "bisect": module("bisect", bisecting),
        "heapq": module("heapq", {function.__name__: function for function in heaps}),
    }
