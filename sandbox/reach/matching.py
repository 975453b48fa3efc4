"""What a `match` asks for each of its cases: does the subject have this shape, and what do its names stand for?

Knows shapes as `sandbox.language.matching` writes them, and the containers that patterns take apart. Must not know
modules or events. A pattern reads items, never attributes.
"""

from __future__ import annotations

import collections
import collections.abc
from collections.abc import Callable, Sequence
from typing import Any, Final

from sandbox.reach import keys

_TEXTS: Final = (str, bytes)
_ABSENT: Final = object()

Taken = dict[int, Any]
"""What names stand for, by their places."""


def guarded_match(subject: Any, shape: tuple[Any, ...], values: tuple[Any, ...]) -> list[Any] | None:
    """Answer what the names of a pattern stand for, in order; None if it does not match.

    Args:
        subject: what is matched.
        shape: the pattern as data: `(kind, ...)`.
        values: what it compares with, by the places that it names.
    """
    found: Taken = {}
    if not _KINDS[shape[0]](subject, shape, values, found):
        return None
    return [found[place] for place in sorted(found)]


def _any(subject: Any, shape: tuple[Any, ...], values: tuple[Any, ...], found: Taken) -> bool:
    return True


def _value(subject: Any, shape: tuple[Any, ...], values: tuple[Any, ...], found: Taken) -> bool:
    return bool(subject == values[shape[1]])


def _is(subject: Any, shape: tuple[Any, ...], values: tuple[Any, ...], found: Taken) -> bool:
    return subject is shape[1]


def _as(subject: Any, shape: tuple[Any, ...], values: tuple[Any, ...], found: Taken) -> bool:
    if not _KINDS[shape[1][0]](subject, shape[1], values, found):
        return False
    found[shape[2]] = subject
    return True


def _or(subject: Any, shape: tuple[Any, ...], values: tuple[Any, ...], found: Taken) -> bool:
    for alternative in shape[1]:
        own: Taken = {}
        if _KINDS[alternative[0]](subject, alternative, values, own):
            found.update(own)
            return True
    return False


def _sequence(subject: Any, shape: tuple[Any, ...], values: tuple[Any, ...], found: Taken) -> bool:
    if not isinstance(subject, collections.abc.Sequence) or isinstance(subject, _TEXTS):
        return False
    shapes = shape[1]
    star = next((place for place, one in enumerate(shapes) if one[0] == "star"), None)
    size = len(subject)
    if size != len(shapes) if star is None else size < len(shapes) - 1:
        return False
    items = list(subject)
    if star is None:
        return _each(items, shapes, values, found)
    after = len(shapes) - star - 1
    head, rest, tail = items[:star], items[star : len(items) - after], items[len(items) - after :]
    if not _each(head, shapes[:star], values, found):
        return False
    if shapes[star][1] is not None:
        found[shapes[star][1]] = rest
    return _each(tail, shapes[star + 1 :], values, found)


def _each(items: list[Any], shapes: Sequence[Any], values: tuple[Any, ...], found: Taken) -> bool:
    return all(_KINDS[one[0]](item, one, values, found) for item, one in zip(items, shapes, strict=True))


def _mapping(subject: Any, shape: tuple[Any, ...], values: tuple[Any, ...], found: Taken) -> bool:
    if not isinstance(subject, dict):
        return False
    entries = subject
    names = [keys.key(values[place]) for place in shape[1]]
    for name, one in zip(names, shape[2], strict=True):
        item = entries.get(name, _ABSENT)
        if item is _ABSENT or not _KINDS[one[0]](item, one, values, found):
            return False
    if shape[3] is not None:
        found[shape[3]] = {name: item for name, item in entries.items() if name not in names}
    return True


_KINDS: Final[dict[str, Callable[[Any, tuple[Any, ...], tuple[Any, ...], Taken], bool]]] = {
    "any": _any, "as": _as, "is": _is, "mapping": _mapping, "or": _or, "sequence": _sequence, "value": _value,
}  # fmt: skip
