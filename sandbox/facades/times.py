"""`datetime`, `time` and `calendar` on the execution's own clock, which stands still, in UTC.

Knows the execution's clock. Knows no host time, time zone or locale: an answer depends on the arguments and the
injected clock alone. Called by `sandbox.environment`.
"""

from __future__ import annotations

import calendar
import datetime as real
import importlib
import time as real_time
from collections.abc import Callable
from typing import Any, Final

from sandbox.facades.base import Module, module, opened
from sandbox.facades.context import CURRENT

_NANO: Final = 1_000_000_000
_EPOCH: Final = real.datetime(1970, 1, 1, tzinfo=real.UTC)


class _Fields:
    """What a format directive may ask for."""

    __slots__ = ("micros", "offset", "when", "zone")

    def __init__(self, when: tuple[int, ...], micros: int, offset: real.timedelta | None, zone: str) -> None:
        # year, month, day, hour, minute, second, weekday (Monday 0), day of the year
        self.when = when
        self.micros = micros
        self.offset = offset
        self.zone = zone


def _week(fields: _Fields, first: int) -> int:
    # Weeks counted from the first day `first` (0 Monday, 6 Sunday) of the year; days before it are in week 0.
    since_first = (fields.when[6] - first) % 7
    return (fields.when[7] - 1 - since_first + 7) // 7


def _iso(fields: _Fields) -> tuple[int, int, int]:
    year, week, day = real.date(*fields.when[:3]).isocalendar()
    return year, week, day


def _offset(fields: _Fields, separator: str = "") -> str:
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

_DIRECTIVES: Final[dict[str, Callable[[_Fields], str]]] = {
    "%": lambda f: "%",
    "A": lambda f: _DAYS[f.when[6]],
    "B": lambda f: _MONTHS[f.when[1] - 1],
    "C": lambda f: f"{f.when[0] // 100:02d}",
    "D": lambda f: _format("%m/%d/%y", f),
    "F": lambda f: _format("%Y-%m-%d", f),
    "G": lambda f: f"{_iso(f)[0]:04d}",
    "H": lambda f: f"{f.when[3]:02d}",
    "I": lambda f: f"{(f.when[3] + 11) % 12 + 1:02d}",
    "M": lambda f: f"{f.when[4]:02d}",
    "R": lambda f: _format("%H:%M", f),
    "S": lambda f: f"{f.when[5]:02d}",
    "T": lambda f: _format("%H:%M:%S", f),
    "U": lambda f: f"{_week(f, 6):02d}",
    "V": lambda f: f"{_iso(f)[1]:02d}",
    "W": lambda f: f"{_week(f, 0):02d}",
    "X": lambda f: _format("%H:%M:%S", f),
    "Y": lambda f: f"{f.when[0]:04d}",
    "Z": lambda f: f.zone,
    "a": lambda f: _DAYS[f.when[6]][:3],
    "b": lambda f: _MONTHS[f.when[1] - 1][:3],
    "c": lambda f: _format("%a %b %e %H:%M:%S %Y", f),
    "d": lambda f: f"{f.when[2]:02d}",
    "e": lambda f: f"{f.when[2]:2d}",
    "f": lambda f: f"{f.micros:06d}",
    "h": lambda f: _MONTHS[f.when[1] - 1][:3],
    "j": lambda f: f"{f.when[7]:03d}",
    "m": lambda f: f"{f.when[1]:02d}",
    "n": lambda f: "\n",
    "p": lambda f: "AM" if f.when[3] < 12 else "PM",
    "t": lambda f: "\t",
    "u": lambda f: str(f.when[6] + 1),
    "w": lambda f: str((f.when[6] + 1) % 7),
    "x": lambda f: _format("%m/%d/%y", f),
    "y": lambda f: f"{f.when[0] % 100:02d}",
    "z": lambda f: _offset(f),
}


def _format(template: str, fields: _Fields) -> str:
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


def _text(template: object) -> str:
    if type(template) is not str:
        raise TypeError(f"strftime() takes a format text, not {type(template).__name__}")
    return template


class Time(real.time):
    """`datetime.time`, written by our own templates."""

    __slots__ = ()

    def strftime(self, format: str, /) -> str:
        """Write the time by a template; the day is 1900-01-01, as in Python."""
        when = (1900, 1, 1, self.hour, self.minute, self.second, 0, 1)
        return _format(_text(format), _Fields(when, self.microsecond, self.utcoffset(), self.tzname() or ""))

    def __format__(self, spec: str) -> str:
        return self.strftime(spec) if spec else str(self)

    def __repr__(self) -> str:
        return _qualified(super().__repr__())


class Date(real.date):
    """`datetime.date` whose today comes from the execution's clock."""

    __slots__ = ()

    @classmethod
    def today(cls) -> Any:
        """Return the day of the execution's clock, in UTC."""
        now = _now()
        return cls(now.year, now.month, now.day)

    @classmethod
    def fromtimestamp(cls, timestamp: float, /) -> Any:
        """Return the day of a time stamp, in UTC."""
        when = real.datetime.fromtimestamp(timestamp, real.UTC)
        return cls(when.year, when.month, when.day)

    def strftime(self, format: str, /) -> str:
        """Write the day by a template."""
        when = (self.year, self.month, self.day, 0, 0, 0, self.weekday(), self.toordinal() - _year_start(self))
        return _format(_text(format), _Fields(when, 0, None, ""))

    def __format__(self, spec: str) -> str:
        return self.strftime(spec) if spec else str(self)

    def __repr__(self) -> str:
        return _qualified(super().__repr__())


class Datetime(real.datetime, Date):
    """`datetime.datetime` whose now comes from the execution's clock; a naive one is in UTC."""

    __slots__ = ()

    @classmethod
    def now(cls, tz: real.tzinfo | None = None) -> Any:
        """Return the execution's clock, naive in UTC or in a time zone."""
        now = _now()
        made = cls(now.year, now.month, now.day, now.hour, now.minute, now.second, now.microsecond, real.UTC)
        return made.replace(tzinfo=None) if tz is None else made.astimezone(tz)

    @classmethod
    def utcnow(cls) -> Any:
        """Return the execution's clock, naive in UTC."""
        return cls.now()

    @classmethod
    def today(cls) -> Any:
        """Return the execution's clock, naive in UTC."""
        return cls.now()

    @classmethod
    def fromtimestamp(cls, timestamp: float, tz: real.tzinfo | None = None) -> Any:
        """Return the time of a time stamp in seconds; naive in UTC without `tz`."""
        made = super().fromtimestamp(timestamp, real.UTC)
        return made.replace(tzinfo=None) if tz is None else made.astimezone(tz)

    @classmethod
    def utcfromtimestamp(cls, timestamp: float, /) -> Any:
        """Return the time of a time stamp in seconds, naive in UTC."""
        return cls.fromtimestamp(timestamp)

    def timestamp(self) -> float:
        """Return seconds since the epoch."""
        aware = self if self.tzinfo is not None else self.replace(tzinfo=real.UTC)
        since: real.timedelta = real.datetime.__sub__(aware, _EPOCH)
        return since.total_seconds()

    def astimezone(self, tz: real.tzinfo | None = None) -> Any:
        """Return the same instant in another time zone; UTC when none is given."""
        aware = self if self.tzinfo is not None else self.replace(tzinfo=real.UTC)
        return super(Datetime, aware).astimezone(real.UTC if tz is None else tz)

    def date(self) -> Any:
        """Return the day."""
        return Date(self.year, self.month, self.day)

    def time(self) -> Any:
        """Return the time of day."""
        return Time(self.hour, self.minute, self.second, self.microsecond, fold=self.fold)

    def timetz(self) -> Any:
        """Return the time of day with its time zone."""
        return Time(self.hour, self.minute, self.second, self.microsecond, self.tzinfo, fold=self.fold)

    def strftime(self, format: str, /) -> str:
        """Write the time by a template."""
        zone = self.tzname()
        when = (
            *(self.year, self.month, self.day, self.hour, self.minute, self.second),
            *(self.weekday(), self.toordinal() - _year_start(self)),
        )
        return _format(_text(format), _Fields(when, self.microsecond, self.utcoffset(), zone or ""))

    def __format__(self, spec: str) -> str:
        return self.strftime(spec) if spec else str(self)

    def __repr__(self) -> str:
        return _qualified(super().__repr__())


def _year_start(day: real.date) -> int:
    return real.date(day.year, 1, 1).toordinal() - 1


def _qualified(text: str) -> str:
    # Python writes the name of a subclass without its module.
    return f"datetime.{text.removeprefix('datetime.')}"


_CLASSES: Final[tuple[tuple[type, str], ...]] = ((Date, "date"), (Datetime, "datetime"), (Time, "time"))
for _cls, _name in _CLASSES:
    _cls.__name__ = _cls.__qualname__ = _name
    _cls.__module__ = "datetime"
# The inherited ones are instances of the real classes, whose clock is the host's.
Time.min, Time.max = Time(0, 0), Time(23, 59, 59, 999999)
Date.min, Date.max = Date(1, 1, 1), Date(9999, 12, 31)
Datetime.min, Datetime.max = Datetime(1, 1, 1), Datetime(9999, 12, 31, 23, 59, 59, 999999)


def _now() -> real.datetime:
    return _EPOCH + real.timedelta(microseconds=CURRENT.now_ns // 1000)


def time() -> float:
    """Return the execution's clock in seconds since the epoch."""
    return CURRENT.now_ns / _NANO


def time_ns() -> int:
    """Return the execution's clock in nanoseconds since the epoch."""
    return CURRENT.now_ns


def gmtime(seconds: float | None = None) -> real_time.struct_time:
    """Return a time stamp, or the execution's clock, as fields in UTC."""
    return real_time.gmtime(CURRENT.now_ns // _NANO if seconds is None else seconds)


def mktime(fields: Any) -> float:
    """Return the time stamp of fields; local time is UTC here."""
    return float(calendar.timegm(tuple(fields)))


def strftime(template: str, fields: Any = None) -> str:
    """Write fields, or the execution's clock, by a template."""
    when = real_time.struct_time(gmtime() if fields is None else fields)
    try:
        real.datetime(*when[:5], min(when.tm_sec, 59))
    except ValueError as error:
        raise ValueError(f"strftime: {error}") from None
    plain = (*when[:6], when.tm_wday % 7, min(max(when.tm_yday, 1), 366))
    return _format(_text(template), _Fields(plain, 0, real.timedelta(0), "UTC"))


def strptime(text: str, template: str = "%a %b %d %H:%M:%S %Y") -> real_time.struct_time:
    """Read fields from a text by a template."""
    return real_time.strptime(text, template)


def timegm(fields: Any) -> int:
    """Return the time stamp of fields in UTC."""
    return int(calendar.timegm(tuple(fields)))


def monthrange(year: int, month: int) -> tuple[int, int]:
    """Return the weekday of the first day of a month and its number of days."""
    first, days = calendar.monthrange(year, month)
    return int(first), days  # an int: from 3.12 on the weekday is an enum, with attributes of its own


def weekday(year: int, month: int, day: int) -> int:
    """Return the day of the week, Monday is 0."""
    return int(calendar.weekday(year, month, day))


_DATE: Final = "year month day ctime isocalendar isoformat isoweekday replace strftime timetuple toordinal weekday"
_DATE_CLASS: Final = "today fromtimestamp fromordinal fromisoformat fromisocalendar min max resolution"
_TIME: Final = "hour minute second microsecond fold tzinfo utcoffset dst tzname"


def modules() -> list[tuple[str, Module]]:
    """Build the facades of this file and open what their values show."""
    importlib.import_module("_strptime")  # `datetime.strptime` is C and imports it from an action's frame, which cannot
    opened(Date, _DATE, _DATE_CLASS)
    opened(
        Datetime,
        f"{_DATE} {_TIME} astimezone date time timetz timestamp utctimetuple",
        f"{_DATE_CLASS} combine now utcnow utcfromtimestamp strptime",
    )
    opened(Time, f"{_TIME} isoformat replace strftime", "fromisoformat min max resolution")
    opened(real.timedelta, "days seconds microseconds total_seconds", "min max resolution")
    opened(real.timezone, "utcoffset dst tzname fromutc", "utc min max")
    opened(real.tzinfo, "")
    opened(type(real.date(2000, 1, 1).isocalendar()), "year week weekday", iterable=True, items=True)
    fields = "tm_year tm_mon tm_mday tm_hour tm_min tm_sec tm_wday tm_yday tm_isdst tm_zone tm_gmtoff count index"
    opened(real_time.struct_time, fields, iterable=True, items=True)
    return [
        (
            "datetime",
            module(
                "datetime",
                {
                    "MAXYEAR": real.MAXYEAR,
                    "MINYEAR": real.MINYEAR,
                    "UTC": real.UTC,
                    "date": Date,
                    "datetime": Datetime,
                    "time": Time,
                    "timedelta": real.timedelta,
                    "timezone": real.timezone,
                    "tzinfo": real.tzinfo,
                },
            ),
        ),
        (
            "time",
            module(
                "time",
                {
                    "gmtime": gmtime,
                    "localtime": gmtime,
                    "mktime": mktime,
                    # All clocks are the one that stands still: a timer would be a side channel, and not replayable.
                    "monotonic": time,
                    "monotonic_ns": time_ns,
                    "perf_counter": time,
                    "perf_counter_ns": time_ns,
                    "process_time": time,
                    "process_time_ns": time_ns,
                    "strftime": strftime,
                    "strptime": strptime,
                    "struct_time": real_time.struct_time,
                    "time": time,
                    "time_ns": time_ns,
                    "timezone": 0,
                    "tzname": ("UTC", "UTC"),
                },
            ),
        ),
        (
            "calendar",
            module(
                "calendar",
                {"isleap": calendar.isleap, "monthrange": monthrange, "timegm": timegm, "weekday": weekday},
            ),
        ),
    ]
