"""Writing times by `strftime` templates, the same on every host.

Knows the directives of the C library in the C locale, and Python's own. Knows no clock and no time zone database.
"""

from __future__ import annotations

import datetime as real
from collections.abc import Callable
from typing import Final


class Fields:
    """What a format directive may ask for."""

    __slots__ = ("micros", "offset", "when", "zone")

    def __init__(self, when: tuple[int, ...], micros: int, offset: real.timedelta | None, zone: str) -> None:
        # year, month, day, hour, minute, second, weekday (Monday 0), day of the year
        self.when = when
        self.micros = micros
        self.offset = offset
        self.zone = zone


def _week(fields: Fields, first: int) -> int:
    # Weeks counted from the first day `first` (0 Monday, 6 Sunday) of the year; days before it are in week 0.
    since_first = (fields.when[6] - first) % 7
    return (fields.when[7] - 1 - since_first + 7) // 7


def _iso(fields: Fields) -> tuple[int, int, int]:
    year, week, day = real.date(*fields.when[:3]).isocalendar()
    return year, week, day


def _offset(fields: Fields, separator: str = "") -> str:
    if fields.offset is None:
        return ""
    micros = fields.offset // real.timedelta(microseconds=1)
    sign, micros = ("-", -micros) if micros < 0 else ("+", micros)
    seconds, micros = divmod(micros, 1_000_000)
    text = f"{sign}{seconds // 3600:02d}{separator}{seconds // 60 % 60:02d}"
    if seconds % 60 or micros:
        text += f"{separator}{seconds % 60:02d}"
    return f"{text}.{micros:06d}" if micros else text


# English names, as in the C locale; a name from the host's locale would make a decision depend on the host.
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

_DIRECTIVES: Final[dict[str, Callable[[Fields], str]]] = {
    "%": lambda f: "%",
    "A": lambda f: _DAYS[f.when[6]],
    "B": lambda f: _MONTHS[f.when[1] - 1],
    "C": lambda f: f"{f.when[0] // 100:02d}",
    "D": lambda f: write("%m/%d/%y", f),
    "F": lambda f: write("%Y-%m-%d", f),
    "G": lambda f: f"{_iso(f)[0]:04d}",
    "H": lambda f: f"{f.when[3]:02d}",
    "I": lambda f: f"{(f.when[3] + 11) % 12 + 1:02d}",
    "M": lambda f: f"{f.when[4]:02d}",
    "R": lambda f: write("%H:%M", f),
    "S": lambda f: f"{f.when[5]:02d}",
    "T": lambda f: write("%H:%M:%S", f),
    "U": lambda f: f"{_week(f, 6):02d}",
    "V": lambda f: f"{_iso(f)[1]:02d}",
    "W": lambda f: f"{_week(f, 0):02d}",
    "X": lambda f: write("%H:%M:%S", f),
    "Y": lambda f: f"{f.when[0]:04d}",
    "Z": lambda f: f.zone,
    "a": lambda f: _DAYS[f.when[6]][:3],
    "b": lambda f: _MONTHS[f.when[1] - 1][:3],
    "c": lambda f: write("%a %b %e %H:%M:%S %Y", f),
    "d": lambda f: f"{f.when[2]:02d}",
    "e": lambda f: f"{f.when[2]:2d}",
    "f": lambda f: f"{f.micros:06d}",
    "g": lambda f: f"{_iso(f)[0] % 100:02d}",
    "h": lambda f: _MONTHS[f.when[1] - 1][:3],
    "j": lambda f: f"{f.when[7]:03d}",
    "m": lambda f: f"{f.when[1]:02d}",
    "n": lambda f: "\n",
    "p": lambda f: "AM" if f.when[3] < 12 else "PM",
    "r": lambda f: write("%I:%M:%S %p", f),
    "t": lambda f: "\t",
    "u": lambda f: str(f.when[6] + 1),
    "w": lambda f: str((f.when[6] + 1) % 7),
    "x": lambda f: write("%m/%d/%y", f),
    "y": lambda f: f"{f.when[0] % 100:02d}",
    "z": lambda f: _offset(f),
}


def write(template: str, fields: Fields) -> str:
    """Write a time by a template.

    Our own, because the C library's looks for time zone files on every call and its answer depends on the host.
    """
    head, *pieces = template.split("%")
    parts = [head]
    rest = iter(pieces)
    for piece in rest:
        if piece == "":  # "%%": split made an empty piece between the two
            parts.append("%")
            parts.append(next(rest, ""))
            continue
        bare = piece[0] == "-"
        at = 1 if bare or piece[0] == ":" else 0
        directive = piece[at : at + 1]
        if piece[0] == ":" and directive == "z":
            written = _offset(fields, ":")
        elif directive in _DIRECTIVES and piece[0] != ":":
            written = _DIRECTIVES[directive](fields)
        else:
            raise ValueError(f"strftime: unknown directive {'%' + piece[:2]!r}")
        parts.append((written.lstrip("0 ") or "0") if bare else written)
        parts.append(piece[at + 1 :])
    return "".join(parts)


def checked(template: object) -> str:
    """Return a template if it is text."""
    if type(template) is not str:
        raise TypeError(f"strftime() takes a format text, not {type(template).__name__}")
    return template
