"""Flags and words of the commands about versions: who makes one, why, and which one is meant."""

from __future__ import annotations

import argparse
import os
import pwd
import re
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from runtime.catalog.versions import Author

_MAX_CHARS: Final = 500
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def add_author_flags(parser: argparse.ArgumentParser) -> None:
    """Add --as and --message."""
    parser.add_argument(
        "--as", dest="who", type=_text, default="", metavar="NAME", help="who does it [the user of this process]"
    )
    parser.add_argument("--message", type=_text, default="", metavar="TEXT", help="why, for the history")


def author_of(args: argparse.Namespace) -> Author:
    """Return who makes a version now."""
    from runtime.catalog.versions import Author

    return Author(args.who or _user(), int(time.time()), args.message)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


def _text(given: str) -> str:
    if len(given) > _MAX_CHARS or not given.isprintable():
        raise argparse.ArgumentTypeError(f"is not usable; write one line of at most {_MAX_CHARS} printable characters")
    return given.strip()


def span(text: str) -> int:
    """Read a length of time, such as 2h, as seconds; at most 30 days."""
    found = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= 30 * 86_400:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no length of time; write 30m, 2h or 1d, at most 30d")
    return seconds


def reference(text: str) -> tuple[str, int | None]:
    """Read TENANT or TENANT@N."""
    from runtime.catalog.base import TENANT_NAME

    found = re.fullmatch(rf"({TENANT_NAME})(?:@([1-9][0-9]{{0,8}}))?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is no tenant; write acme, or acme@3 for its version 3")
    return found[1], int(found[2]) if found[2] else None


def expectation(text: str) -> tuple[str, int]:
    """Read TENANT@N."""
    tenant, number = reference(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} names no version; write {tenant}@3")
    return tenant, number


def tenant_name(text: str) -> str:
    """Read TENANT."""
    tenant, number = reference(text)
    if number is not None:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} names a version; this is about the tenant: write {tenant}")
    return tenant
