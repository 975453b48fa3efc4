"""The way to an error through an action's own lines, as a text: up to five frames, no line of the runtime's.

Knows exceptions and the file name of every action. Must not know events, reports or output. A secret that stands in
the error's message is masked.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Final, NamedTuple

from sandbox.reach.open_names import is_own_file
from sandbox.reach.text import safe_str

FRAMES_MAX: Final = 5
_TEXT_CHARS: Final = 512
_SECRET_CHARS: Final = 4
"""A shorter one is no secret, and its letters may stand in any text."""
_MASK: Final = "***"
_OWN: Final = ("action", "builtins")


class Frame(NamedTuple):
    """Where a function of an action stood."""

    file: str
    line: int
    function: str


def frames(traceback: TracebackType | None) -> tuple[list[Frame], int]:
    """Return the innermost frames of the action, at most FRAMES_MAX, the innermost last; and how many it had."""
    found: list[Frame] = []
    count = 0
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if is_own_file(code.co_filename):
            count += 1
            found.append(Frame(code.co_filename, traceback.tb_lineno, code.co_name))
            del found[:-FRAMES_MAX]
        traceback = traceback.tb_next
    return found, count


def written(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """Return an error with the way to it, as Python writes it."""
    found, count = frames(error.__traceback__)
    lines = ["Traceback (most recent call last):"]
    if count > len(found):
        lines.append(f"  [{count - len(found)} earlier frames of the action are left out]")
    lines += [f'  File "{file}", line {line}, in {function[:100]}' for file, line, function in found]
    return "\n".join([*lines, last_lines(error, secrets)]) + "\n"


def last_lines(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """Return the name of an error and its message, then its notes."""
    kind = type(error)
    module = kind.__module__
    name = kind.__name__ if module in _OWN or module.startswith("sandbox.") else f"{module}.{kind.__name__}"
    # Masked before it is cut: half of a secret is not masked.
    text, *notes = [masked(line, secrets)[:_TEXT_CHARS] for line in (safe_str(error), *notes_of(error)[:FRAMES_MAX])]
    return "\n".join([f"{name}: {text}" if text else name, *notes])


def notes_of(error: BaseException) -> list[str]:
    """Return the notes of an error."""
    notes = getattr(error, "__notes__", None)
    return [note for note in notes if type(note) is str] if type(notes) is list else []


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text without the values of secrets."""
    for secret in sorted(secrets, key=len, reverse=True):  # one may be the beginning of another
        if len(secret) >= _SECRET_CHARS:
            text = text.replace(secret, _MASK)
    return text
