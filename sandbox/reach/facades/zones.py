"""`zoneinfo`: the time zones of a table that is read before the lock-down, and is the same on every host.

Knows the table of the package tzdata, whose version is that of the IANA database. Opens no file once it has the table;
the host's own zones are never read.
"""

from __future__ import annotations

import datetime
import io
import zoneinfo
from pathlib import Path
from typing import Any, Final

import tzdata

from sandbox.contract.did_you_mean import did_you_mean
from sandbox.reach.builtin_types import CHECKED_METHODS
from sandbox.reach.facades.base import Module, exception, module, opened
from sandbox.reach.facades.context import KEPT
from sandbox.reach.stand_in import stand_in

VERSION: Final[str] = tzdata.IANA_VERSION
"""Of the IANA time zone database, such as `2026c`."""

TABLE: Final[dict[str, bytes]] = {}
"""Name of a zone -> what its file says."""

_MADE: Final[dict[str, zoneinfo.ZoneInfo]] = {}
"""The zones of the running execution: asked for again, a zone is the same object, as in Python."""


def load() -> None:
    """Read the table, once, before the lock-down."""
    if TABLE:
        return
    root = Path(tzdata.__file__).parent
    for name in (root / "zones").read_text(encoding="utf-8").split():
        TABLE[name] = (root / "zoneinfo" / name).read_bytes()


def zone(key: Any) -> zoneinfo.ZoneInfo:
    """Be `zoneinfo.ZoneInfo`.

    Raises:
        ZoneInfoNotFoundError: there is no such zone.
    """
    if type(key) is not str:
        raise TypeError(f"ZoneInfo() takes the name of a time zone, not {type(key).__name__}")
    made = _MADE.get(key)
    if made is None:
        load()
        data = TABLE.get(key)
        if data is None:
            error = zoneinfo.ZoneInfoNotFoundError(f"No time zone found with key {key[:64]}")
            error.add_note(f"names are those of the IANA database, such as Europe/Oslo{did_you_mean(key[:64], TABLE)}")
            raise error
        made = _MADE[key] = zoneinfo.ZoneInfo.from_file(io.BytesIO(data), key=key)
    return made


def available_timezones() -> set[str]:
    """Return the names of all time zones."""
    load()
    return set(TABLE)


def _of_time(name: str) -> Any:
    """Make a method that takes a datetime or None: C takes anything, and reads a datetime's bytes of it."""
    method = getattr(zoneinfo.ZoneInfo, name)

    def call(tz: Any, dt: Any, /) -> Any:
        if dt is not None and not issubclass(type(dt), datetime.datetime):
            raise TypeError(f"{name}(dt) argument must be a datetime instance or None, not {type(dt).__name__}")
        return method(tz, dt)

    call.__name__ = call.__qualname__ = name
    return call


def modules() -> dict[str, Module]:
    """Build the facade of this file and open what its values show."""
    KEPT.append(_MADE)
    opened(zoneinfo.ZoneInfo, "key")
    CHECKED_METHODS[zoneinfo.ZoneInfo] = {name: _of_time(name) for name in ("dst", "fromutc", "tzname", "utcoffset")}
    exception(zoneinfo.ZoneInfoNotFoundError)
    members = {
        "ZoneInfo": stand_in(zoneinfo.ZoneInfo, zone),
        "ZoneInfoNotFoundError": zoneinfo.ZoneInfoNotFoundError,
        "available_timezones": available_timezones,
    }
    return {"zoneinfo": module("zoneinfo", members)}
