"""`datetime`, `time` and `calendar` on the execution's own clock, which stands still, in UTC.

Knows the execution's clock. Knows no host time, time zone or locale: an answer depends on the arguments and the
injected clock alone.
"""

from __future__ import annotations

import calendar
import datetime as real
import importlib
import time as real_time
from typing import Any, Final

from sandbox.reach import keys
from sandbox.reach.facades.base import Module, module, opened
from sandbox.reach.facades.context import CURRENT
from sandbox.reach.facades.time_format import Fields, checked, write

_NANO: Final = 1_000_000_000


class Time(real.time):
    """`datetime.time`, written by our own templates."""

    __slots__ = ()

    def strftime(self, format: str, /) -> str:
        """Write the time by a template; the day is 1900-01-01, as in Python."""
        when = (1900, 1, 1, self.hour, self.minute, self.second, 0, 1)
        return write(checked(format), Fields(when, self.microsecond, self.utcoffset(), self.tzname() or ""))

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
        return Datetime.now().date()

    @classmethod
    def fromtimestamp(cls, timestamp: float, /) -> Any:
        """Return the day of a time stamp, in UTC."""
        when = real.datetime.fromtimestamp(timestamp, real.UTC)
        return cls(when.year, when.month, when.day)

    def strftime(self, format: str, /) -> str:
        """Write the day by a template."""
        when = (self.year, self.month, self.day, 0, 0, 0, self.weekday(), self.toordinal() - _year_start(self))
        return write(checked(format), Fields(when, 0, None, ""))

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
        since = real.timedelta(microseconds=CURRENT.now_ns // 1000)
        if tz is None:
            return _NAIVE_EPOCH + since
        made = _AWARE_EPOCH + since
        return made if tz is real.UTC else made.astimezone(tz)

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
        return (aware - _AWARE_EPOCH).total_seconds()

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
        return write(checked(format), Fields(when, self.microsecond, self.utcoffset(), zone or ""))

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
_NAIVE_EPOCH: Final = Datetime(1970, 1, 1)
_AWARE_EPOCH: Final = Datetime(1970, 1, 1, tzinfo=real.UTC)

# The inherited ones are instances of the real classes, whose clock is the host's.
Time.min, Time.max = Time(0, 0), Time(23, 59, 59, 999999)
Date.min, Date.max = Date(1, 1, 1), Date(9999, 12, 31)
Datetime.min, Datetime.max = Datetime(1, 1, 1), Datetime(9999, 12, 31, 23, 59, 59, 999999)


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
    return write(checked(template), Fields(plain, 0, real.timedelta(0), "UTC"))


def strptime(text: str, template: str = "%a %b %d %H:%M:%S %Y") -> real_time.struct_time:
    """Read fields from a text by a template."""
    return real_time.strptime(text, template)


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


def modules() -> dict[str, Module]:
    """Build the facades of this file and open what their values show."""
    importlib.import_module("_strptime")  # `datetime.strptime` is C and imports it from an action's frame, which cannot
    keys.by_value(Date, Datetime, Time)
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
    # All clocks are the one that stands still: a timer would be a side channel, and not replayable.
    clocks = dict.fromkeys(("monotonic", "perf_counter", "process_time", "time"), time)
    clocks_ns = dict.fromkeys(("monotonic_ns", "perf_counter_ns", "process_time_ns", "time_ns"), time_ns)
    zone = {"localtime": gmtime, "gmtime": gmtime, "mktime": mktime, "timezone": 0, "tzname": ("UTC", "UTC")}
    written = {"strftime": strftime, "strptime": strptime}
    # Tuples, in English: what the library has writes by the host's locale.
    names = {name: tuple(getattr(calendar, name)) for name in ("day_abbr", "day_name", "month_abbr", "month_name")}
    days = {**names, "monthrange": monthrange, "timegm": lambda fields: int(mktime(fields)), "weekday": weekday}
    return {
        "datetime": module("datetime", {"date": Date, "datetime": Datetime, "time": Time}, real),
        "time": module("time", {**clocks, **clocks_ns, **zone, **written}, real_time),
        "calendar": module("calendar", days, calendar),
    }
