"""Iterators that the alarm can interrupt, in place of those that C code would walk for too long.

Knows which of CPython's iterators have no end in sight. Must not know guards, facades or events. A signal is handled
between two steps of Python code. `sum(itertools.repeat(0))` takes none: it is killed from outside, and its worker with
it. So what yields very often is a generator here. Nothing else about it differs.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final

from sandbox.reach.receivers import of_exactly

SHORT: Final = 1 << 14
"""Numbers that C code may walk without a look at the alarm: less than a millisecond."""


def _steps(source: Iterable[Any]) -> Iterator[Any]:
    for item in source:  # noqa: UP028 - `yield from` looks at no alarm between two items of C code
        yield item


def _repeat(value: Any) -> Iterator[Any]:
    while True:
        yield value


def repeat(object: Any, times: Any = None) -> Iterator[Any]:
    """Be `itertools.repeat`."""
    return _repeat(object) if times is None else _steps(itertools.repeat(object, times))


def _count(number: Any, step: Any) -> Iterator[Any]:
    while True:
        yield number
        number = number + step


def count(start: Any = 0, step: Any = 1) -> Iterator[Any]:
    """Be `itertools.count`."""
    itertools.count(start, step)  # says what is wrong
    return _count(start, step)


def _all(make: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def paced(*args: Any, **options: Any) -> Iterator[Any]:
        return _steps(make(*args, **options))

    paced.__name__ = paced.__qualname__ = make.__name__
    return paced


ITERTOOLS: Final[dict[str, Callable[..., Iterator[Any]]]] = {
    "combinations": _all(itertools.combinations),
    "combinations_with_replacement": _all(itertools.combinations_with_replacement),
    "count": count,
    "permutations": _all(itertools.permutations),
    "product": _all(itertools.product),
    "repeat": repeat,
}
"""What an action has for a member of `itertools` of the same name."""


def _elements(counter: collections.Counter[Any]) -> Iterator[Any]:
    for element, times in counter.items():
        for _ in range(times):
            yield element


elements: Final = of_exactly(collections.Counter, "elements", _elements)


class LongRange:
    """A `range` of more than SHORT numbers. A `for` loop walks `numbers`; C code walks a generator."""

    __slots__ = ("numbers",)
    _exposed_: ClassVar[frozenset[str]] = frozenset({"count", "index", "start", "step", "stop"})

    numbers: range

    def __init__(self, numbers: range) -> None:
        self.numbers = numbers

    @property
    def start(self) -> int:
        return self.numbers.start

    @property
    def stop(self) -> int:
        return self.numbers.stop

    @property
    def step(self) -> int:
        return self.numbers.step

    def __len__(self) -> int:
        return len(self.numbers)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[int]:
        return _steps(self.numbers)

    def __reversed__(self) -> Iterator[int]:
        return _steps(reversed(self.numbers))

    def __getitem__(self, key: Any) -> Any:
        found: Any = self.numbers[key]
        return found if type(found) is int else shortened(found)

    def __contains__(self, value: object) -> bool:
        # Of what is no int CPython compares every number with it.
        return (type(value) in (int, bool) and value in self.numbers) or self._place(value) is not None

    def index(self, value: Any) -> int:
        """Return where a number stands."""
        if type(value) not in (int, bool):
            value = self._place(value)
        if value is None:
            raise ValueError("sequence.index(x): x not in sequence")
        return self.numbers.index(value)

    def count(self, value: Any) -> int:
        """Return 1 or 0."""
        return int(value in self)

    def _place(self, value: Any) -> int | None:
        """Return the number that equals a value which is no int."""
        try:
            number = int(value.real if isinstance(value, complex) and not value.imag else value)
        except (TypeError, ValueError, ArithmeticError):
            return None
        return number if number == value and number in self.numbers else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LongRange) and self.numbers == other.numbers

    def __hash__(self) -> int:
        return hash(self.numbers)

    def __repr__(self) -> str:
        return repr(self.numbers)


LongRange.__name__ = LongRange.__qualname__ = "range"  # what errors say
Sequence.register(LongRange)


def shortened(numbers: range) -> range | LongRange:
    """Answer a range as an action has it."""
    # Not its length, which may not fit into a machine's word.
    return LongRange(numbers) if numbers[SHORT : SHORT + 1] else numbers


def make_range(*args: Any) -> range | LongRange:
    """Be `range`."""
    return shortened(range(*args))


def total(iterable: Iterable[Any], /, start: Any = 0) -> Any:
    """Be `sum`."""
    if type(start) in (int, float, complex, str, bytes):
        return sum(iterable, start)
    # Lists are copied each time, which takes the longer the more there are.
    for item in iterable:
        start = start + item
    return start


total.__name__ = total.__qualname__ = "sum"  # what errors say
