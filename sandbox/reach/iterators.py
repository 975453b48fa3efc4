"""The iterators of an action: Python's own, but those of CPython that let go of an iterator, a key or a sum in use.

Knows how CPython's iterators hold what they run. Must not know guards, facades or events. What is replaced here is a
generator: it holds what it runs, and says `generator already executing` where it is entered twice. What is kept is a
class of CPython's that also counts how deep it is nested: one C frame for each level, which no recursion limit counts.

Source: Modules/itertoolsmodule.c, Objects/iterobject.c, Python/bltinmodule.c of CPython 3.11 to 3.13.
"""

from __future__ import annotations

import builtins
import functools
import itertools
import operator
import sys
import types
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Final

DEPTH_MAX: Final = 100
"""Iterators in iterators. Between two Python frames there are never more C frames of iterators than this."""

Steps = Generator[Any, None, None]

_END: Final[Any] = object()
"""What an iterator answers that has nothing more; no action has it."""


# What lets go of what it runs: written in Python.


class _Made(type):
    """A class whose instances are generators."""

    _make_: Callable[..., Steps]
    _code_: types.CodeType

    def __call__(cls, *args: Any, **kwargs: Any) -> Steps:
        return cls._make_(*args, **kwargs)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, types.GeneratorType) and instance.gi_code is cls._code_

    def __subclasscheck__(cls, subclass: type) -> bool:
        return subclass is cls

    def __repr__(cls) -> str:
        return f"<class 'itertools.{cls.__name__}'>"


def _class(make: Callable[..., Steps], steps: Callable[..., Steps], **more: Callable[..., Steps]) -> type:
    """Answer what an action calls and asks `isinstance` for; `steps` is the generator that `make` answers."""
    name = make.__name__
    steps.__name__, steps.__qualname__ = name, f"itertools.{name}"  # what its text says
    code = steps.__code__
    members = {key: staticmethod(value) for key, value in more.items()}
    return _Made(name, (), {"__slots__": (), "_make_": staticmethod(make), "_code_": code, **members})


def _chain_steps(sources: Iterable[Iterable[Any]]) -> Steps:
    for source in sources:
        yield from source


def chain(*iterables: Iterable[Any]) -> Steps:
    """Be `itertools.chain`."""
    return _chain_steps(iterables)


def from_iterable(iterable: Iterable[Iterable[Any]], /) -> Steps:
    """Be `itertools.chain.from_iterable`."""
    return _chain_steps(iter(iterable))


def _cycle_steps(source: Iterator[Any]) -> Steps:
    saved = []
    for item in source:
        saved.append(item)
        yield item
    while saved:
        yield from saved


def cycle(iterable: Iterable[Any], /) -> Steps:
    """Be `itertools.cycle`."""
    return _cycle_steps(iter(iterable))


def _islice_steps(source: Iterator[Any], start: int, stop: int | None, step: int) -> Steps:
    # As CPython does: what lies between two items is passed when the next one is asked for, and never what comes
    # after `stop`.
    if start == 0 and step == 1 and stop is not None:
        left = stop
        while left > 0:
            item = next(source, _END)
            if item is _END:
                return
            left -= 1
            yield item
        return
    passed, following = 0, start
    while True:
        while passed < following:
            if next(source, _END) is _END:
                return
            passed += 1
        if stop is not None and passed >= stop:
            return
        item = next(source, _END)
        if item is _END:
            return
        passed += 1
        following = following + step if stop is None else min(following + step, stop)
        yield item


def _limit(value: Any, default: int | None, least: int, message: str) -> int | None:
    if value is None:
        return default
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(message) from None
    if not least <= number <= sys.maxsize:
        raise ValueError(message)
    return number


def islice(iterable: Iterable[Any], /, *bounds: Any) -> Steps:
    """Be `itertools.islice`."""
    if not 1 <= len(bounds) <= 3:
        raise TypeError(f"islice expected at least 2 and at most 4 arguments, got {len(bounds) + 1}")
    first, last, by = (None, *bounds, None) if len(bounds) == 1 else (*bounds, None)[:3]
    indices = "Indices for islice() must be None or an integer: 0 <= x <= sys.maxsize."
    if len(bounds) == 1:
        indices = "Stop argument for islice() must be None or an integer: 0 <= x <= sys.maxsize."
    stop = _limit(last, None, 0, indices)
    start = _limit(first, 0, 0, indices) or 0
    step = _limit(by, 1, 1, "Step for islice() must be a positive integer or None.") or 1
    return _islice_steps(iter(iterable), start, stop, step)


def _pairwise_steps(source: Iterator[Any]) -> Steps:
    left = next(source, _END)
    if left is _END:
        return
    for right in source:
        yield left, right
        left = right


def pairwise(iterable: Iterable[Any], /) -> Steps:
    """Be `itertools.pairwise`."""
    return _pairwise_steps(iter(iterable))


def _zip_longest_steps(sources: list[Iterator[Any] | None], fill: Any) -> Steps:
    active = len(sources)
    while active:
        row = []
        for index, source in enumerate(sources):
            item = _END if source is None else next(source, _END)
            if item is _END:
                item = fill
                if source is not None:
                    sources[index] = None
                    active -= 1
                    if not active:
                        return
            row.append(item)
        yield tuple(row)


def zip_longest(*iterables: Iterable[Any], fillvalue: Any = None) -> Steps:
    """Be `itertools.zip_longest`."""
    return _zip_longest_steps([iter(iterable) for iterable in iterables], fillvalue)


def _accumulate_steps(source: Iterator[Any], function: Callable[[Any, Any], Any], initial: Any) -> Steps:
    total = next(source, _END) if initial is None else initial
    if total is _END:
        return
    yield total
    for item in source:
        try:
            total = function(total, item)
        except StopIteration:
            return
        yield total


def accumulate(iterable: Iterable[Any], func: Callable[[Any, Any], Any] | None = None, *, initial: Any = None) -> Steps:
    """Be `itertools.accumulate`."""
    return _accumulate_steps(iter(iterable), operator.add if func is None else func, initial)


class _Groups:
    """Where a `groupby` and its groups stand: they share one iterator."""

    __slots__ = ("current", "has_item", "item", "key", "key_of", "source")

    def __init__(self, source: Iterator[Any], key_of: Callable[[Any], Any] | None) -> None:
        self.source = source
        self.key_of = key_of
        self.has_item = False
        self.item: Any = None
        self.key: Any = None
        self.current: object = None
        """The group that may take items; an older one has ended."""

    def step(self) -> bool:
        """Fetch an item and its key; say whether there was one."""
        item = next(self.source, _END)
        if item is _END:
            return False
        try:
            key = item if self.key_of is None else self.key_of(item)
        except StopIteration:
            return False
        self.item, self.key, self.has_item = item, key, True
        return True

    def take(self) -> Any:
        item, self.item, self.has_item = self.item, None, False
        return item


def _same(left: Any, right: Any) -> bool:
    return left is right or bool(left == right)


def _group_steps(groups: _Groups, mark: object, key: Any) -> Steps:
    while groups.current is mark:
        if not groups.has_item and not groups.step():
            return
        if not _same(key, groups.key):
            return
        # The comparison and the key are the action's own, and may have moved the groups meanwhile.
        if groups.current is not mark or not groups.has_item:
            return
        yield groups.take()


def _groupby_steps(groups: _Groups) -> Steps:
    if not groups.step():
        return
    while True:
        key = groups.key
        mark = groups.current = object()
        yield key, _group_steps(groups, mark, key)
        groups.current = None
        while not groups.has_item or _same(key, groups.key):
            if not groups.step():
                return


def groupby(iterable: Iterable[Any], key: Callable[[Any], Any] | None = None) -> Steps:
    """Be `itertools.groupby`."""
    return _groupby_steps(_Groups(iter(iterable), key))


_group_steps.__name__, _group_steps.__qualname__ = "_grouper", "itertools._grouper"


def _callable_iterator(function: Callable[[], Any], sentinel: Any) -> Steps:
    while True:
        try:
            value = function()
        except StopIteration:
            return
        if _same(sentinel, value):
            return
        yield value


def until(function: Any, sentinel: Any) -> Steps:
    """Be `iter(function, sentinel)`."""
    if not callable(function):
        raise TypeError("iter(v, w): v must be callable")
    return _callable_iterator(function, sentinel)


# What holds what it runs for as long as it lives: CPython's own, with its depth.


def _counted(function: Any) -> Any:
    """Answer the function; what CPython calls without counting the call is called by Python, which counts it."""
    if function is list or function is tuple or type(function) is functools.partial:
        return lambda *args: function(*args)
    return function


def _depth(sources: Iterable[Any]) -> int:
    depth = 1
    for source in sources:
        if type(source) in _NESTED and source._depth >= depth:
            depth = source._depth + 1
    if depth > DEPTH_MAX:
        raise RecursionError(f"iterators are nested deeper than {DEPTH_MAX}: make a list of one of them")
    return depth


def _nested(kind: Any, *, calls: bool = False) -> Any:
    """Answer a class like `kind` whose instances know their depth. `calls`: a function is the first argument."""
    new = kind.__new__

    def walking(cls: type, *args: Any, **options: Any) -> Any:
        made = new(cls, *args, **options)
        made._depth = _depth((*args, *options.values()) if options else args)
        return made

    def numbering(cls: type, iterable: Any, start: Any = 0) -> Any:
        # Apart from the others, for it is made in many a loop.
        made = new(cls, iterable, start)
        made._depth = _depth((iterable,)) if type(iterable) in _NESTED else 1
        return made

    def calling(cls: type, function: Any, /, *iterables: Any) -> Any:
        made = new(cls, _counted(function), *iterables)
        made._depth = _depth(iterables) if len(iterables) > 1 or type(iterables[0]) in _NESTED else 1
        return made

    make = calling if calls else numbering if kind is builtins.enumerate else walking
    make.__name__ = make.__qualname__ = kind.__name__
    return type(kind.__name__, (kind,), {"__slots__": ("_depth",), "__new__": make, "__module__": kind.__module__})


CLASSES: Final[dict[str, Any]] = {
    "enumerate": _nested(builtins.enumerate),
    "filter": _nested(builtins.filter, calls=True),
    "map": _nested(builtins.map, calls=True),
    "zip": _nested(builtins.zip),
}
"""What an action has for a builtin of the same name."""

ITERTOOLS: Final[dict[str, Any]] = {
    "accumulate": _class(accumulate, _accumulate_steps),
    "chain": _class(chain, _chain_steps, from_iterable=from_iterable),
    "compress": _nested(itertools.compress),
    "cycle": _class(cycle, _cycle_steps),
    "dropwhile": _nested(itertools.dropwhile, calls=True),
    "filterfalse": _nested(itertools.filterfalse, calls=True),
    "groupby": _class(groupby, _groupby_steps),
    "islice": _class(islice, _islice_steps),
    "pairwise": _class(pairwise, _pairwise_steps),
    "starmap": _nested(itertools.starmap, calls=True),
    "takewhile": _nested(itertools.takewhile, calls=True),
    "zip_longest": _class(zip_longest, _zip_longest_steps),
}
"""What an action has for a member of `itertools` of the same name."""

_NESTED: Final[frozenset[type]] = frozenset(
    kind for kind in (*CLASSES.values(), *ITERTOOLS.values()) if type(kind) is type
)

ITERABLES: Final = _NESTED
"""Types of iterators that are made here and are no generators."""
