"""`email.utils` and `fnmatch`: addresses and dates as mail writes them, and names matched as a shell does.

Knows texts. Reads no mail, and looks no host up. Patterns run on the linear-time engine of `re`.
"""

from __future__ import annotations

import datetime as real
import re
from collections.abc import Iterable
from email import utils
from typing import Any, Final

from sandbox.reach.facades import patterns
from sandbox.reach.facades.base import Module, module
from sandbox.reach.facades.pattern_syntax import S
from sandbox.reach.facades.times import Datetime

_CHARS_MAX: Final = 8192
"""As long as a pattern may be. The library's reader of addresses goes back over its text."""


def _text(what: str, value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"{what} takes a text, not {type(value).__name__}")
    if len(value) > _CHARS_MAX:
        raise ValueError(f"{what}: more than {_CHARS_MAX} characters")
    return value


def parseaddr(addr: Any) -> tuple[str, str]:
    """Return the name and the address of `Name <address>`; two empty texts if it is none."""
    return utils.parseaddr(_text("email.utils.parseaddr()", addr))


def getaddresses(fieldvalues: Iterable[Any]) -> list[tuple[str, str]]:
    """Return the names and addresses of several fields."""
    fields = list(fieldvalues)
    _text("email.utils.getaddresses()", ", ".join([_text("email.utils.getaddresses()", one) for one in fields]))
    return utils.getaddresses(fields)


def formataddr(pair: Any) -> str:
    """Write a name and an address as `Name <address>`."""
    name, address = pair
    return utils.formataddr(
        (name and _text("email.utils.formataddr()", name), _text("email.utils.formataddr()", address))
    )


def parsedate_to_datetime(data: Any) -> Any:
    """Return the time that a Date field tells."""
    found = utils.parsedate_to_datetime(_text("email.utils.parsedate_to_datetime()", data))
    return Datetime.combine(found.date(), found.time(), found.tzinfo)


def format_datetime(dt: Any, usegmt: bool = False) -> str:
    """Write a time as a Date field does."""
    if not isinstance(dt, real.datetime):
        raise TypeError(f"email.utils.format_datetime() takes a datetime, not {type(dt).__name__}")
    return utils.format_datetime(dt, bool(usegmt))


_RANGE: Final = re.compile(r"(.)-(.)", re.DOTALL)


def _glob(what: str, pat: Any) -> patterns.Pattern:
    """Return the compiled pattern of a shell's: `*`, `?`, `[seq]` and `[!seq]`."""
    text = _text(what, pat)
    parts: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "*":
            if parts[-1:] != [".*"]:
                parts.append(".*")
        elif char == "?":
            parts.append(".")
        elif char == "[":
            begin = at + 1 if text[at : at + 1] == "!" else at
            end = text.find("]", begin + 1)
            if end < 0:
                parts.append("\\[")
                continue
            parts.append(_set(text[begin:end], negated=begin > at))
            at = end + 1
        else:
            parts.append(re.escape(char))
    return patterns.compile("".join(parts), S)


def _set(text: str, *, negated: bool) -> str:
    members = []
    at = 0
    while at < len(text):
        found = _RANGE.match(text, at)
        if found is None:
            members.append(re.escape(text[at]))
            at += 1
            continue
        if found[1] <= found[2]:  # one that is the wrong way round has no members
            members.append(f"{re.escape(found[1])}-{re.escape(found[2])}")
        at = found.end()
    if not members:
        return "." if negated else "[^\\x00-\\x{10FFFF}]"
    return f"[{'^' if negated else ''}{''.join(members)}]"


def fnmatch(name: Any, pat: Any) -> bool:
    """Tell whether a name matches a pattern. Upper and lower case differ, on every host."""
    return _glob("fnmatch.fnmatch()", pat).fullmatch(name) is not None


def filter_names(names: Iterable[Any], pat: Any) -> list[Any]:
    """Return the names that match a pattern."""
    pattern = _glob("fnmatch.filter()", pat)
    return [name for name in names if pattern.fullmatch(name) is not None]


def modules() -> dict[str, Module]:
    """Build the facades of this file."""
    mail = module(
        "email.utils",
        {
            "formataddr": formataddr, "format_datetime": format_datetime, "getaddresses": getaddresses,
            "parseaddr": parseaddr, "parsedate_to_datetime": parsedate_to_datetime,
        },
    )  # fmt: skip
    return {
        "email": module("email", {"utils": mail}),
        "email.utils": mail,
        "fnmatch": module("fnmatch", {"filter": filter_names, "fnmatch": fnmatch, "fnmatchcase": fnmatch}),
    }
