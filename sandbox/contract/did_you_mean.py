"""Suggests which known name a misspelt one was meant to be. Pure, and bounded in time for names that are hostile."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

_NAME_CHARS: Final = 64
_KNOWN_MAX: Final = 500
# One wrong letter of three is a third of a name.
_SHORT_CHARS: Final = 4
_SHORT_LEAST: Final = 0.65


def nearest(name: str, known: Iterable[str], least: float = 0.75) -> str:
    """Return the known name that is most like `name`, or an empty one when none is alike.

    Case and underscores do not count. Of two names that differ in these alone, the one in the author's own style wins:
    snake_case or camelCase.

    Args:
        name: hostile, of any length.
        known: at most 500 are looked at, in alphabetical order.
        least: likeness from 0 to 1, as `difflib` has it; less will do for names of three letters.
    """
    name = name[:_NAME_CHARS]
    if len(name) < _SHORT_CHARS:
        least = min(least, _SHORT_LEAST)
    words = sorted(sorted(known)[:_KNOWN_MAX], key=lambda word: word.islower() is name.islower())
    spelled = {_plain(word): word for word in words}
    close = difflib.get_close_matches(_plain(name), spelled, 1, least)
    return spelled[close[0]] if close else ""


def did_you_mean(name: str, known: Iterable[str], least: float = 0.75) -> str:
    """Return `; did you mean 'x'?` to end a message with, or nothing."""
    near = nearest(name, known, least)
    return f"; did you mean {near!r}?" if near else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "")
