"""Times are written and read as Python does it in the C locale and UTC, from the injected clock only."""

# ruff: noqa: E501 - lines of actions

from __future__ import annotations

import datetime as real
import random

import pytest

from sandbox.reach.facades import times
from tests.action_body import value

# Those whose text the C library defines the same everywhere; %Y and %G of small years differ between libraries.
DIRECTIVES = "aAbBcCdDeFfgGhHIjmMnprRStTuUVwWxXyYzZ%"


def test_directives_agree_with_python() -> None:
    """Every directive writes what Python's own strftime writes, for days all over the calendar."""
    draw = random.Random(5)
    zones = [
        None,
        real.UTC,
        real.timezone(real.timedelta(hours=-3, minutes=-30)),
        real.timezone(real.timedelta(seconds=3661)),
    ]
    days = [
        (year, month, day) for year in (1999, 2000, 2024, 2026) for month, day in ((1, 1), (1, 4), (2, 28), (12, 31))
    ]
    days += [(draw.randint(1000, 9999), draw.randint(1, 12), draw.randint(1, 28)) for _ in range(300)]
    for year, month, day in days:
        clock = (draw.randint(0, 23), draw.randint(0, 59), draw.randint(0, 59), draw.randint(0, 999999))
        zone = draw.choice(zones)
        ours = times.Datetime(year, month, day, *clock, zone)
        pythons = real.datetime(year, month, day, *clock, zone)
        for directive in DIRECTIVES:
            template = f"<%{directive}|%-d>"
            assert ours.strftime(template) == pythons.strftime(template), (template, pythons)
        assert times.Date(year, month, day).strftime("%j %A %H") == real.date(year, month, day).strftime("%j %A %H")
        assert times.Time(*clock, zone).strftime("%I %p %f %z") == real.time(*clock, zone).strftime("%I %p %f %z")


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("100%%", "100%"),
        ("%%d", "%d"),
        ("%", "%"),
        ("%%%d", "%14"),
        ("", ""),
        ("%:z", "+00:00"),
        ("é %Y", "é 2023"),
        ("%-H:%-M", "22:13"),
    ],
)
def test_template_edges(template: str, wanted: str) -> None:
    """A percent sign is written by two of them; a lone one at the end stays."""
    assert value(f"from datetime import datetime, UTC\nreturn datetime.now(UTC).strftime({template!r})") == wanted


@pytest.mark.parametrize("template", ["%Q", "%-", "%:d", "%1000000000d", "%s", "%Ez"])
def test_unknown_directives_raise(template: str) -> None:
    """What the C library would pass through, or fill the memory with, is refused."""
    with pytest.raises(ValueError, match="unknown directive"):
        value(f"from datetime import datetime\nreturn datetime.now().strftime({template!r})")


def test_clock_stands_still_and_moves_with_the_execution() -> None:
    """All clocks of an execution show the injected instant; the next execution has its own."""
    body = """
        import time
        from datetime import date, datetime, timezone
        first = time.time_ns()
        for i in range(10000):
            pass
        return [time.time_ns() - first, datetime.now(timezone.utc).timestamp(), date.today().isoformat()]
    """
    assert value(body, now_ns=0) == [0, 0.0, "1970-01-01"]
    assert value(body, now_ns=4_102_444_800 * 10**9) == [0, 4102444800.0, "2100-01-01"]


def test_no_way_to_the_host_clock() -> None:
    """No class within reach shows the real time. Control: Python's datetime does."""
    assert real.datetime.now().year > 1970
    body = """
        from datetime import date, datetime, time, timedelta, timezone
        made = [datetime.now(), datetime.max, datetime.min + timedelta(1), datetime.fromisoformat("2024-01-01"),
                datetime.strptime("2024", "%Y"), datetime.combine(date.today(), time.min), datetime.now().astimezone(),
                datetime.fromordinal(5), datetime.fromisocalendar(2024, 1, 1), timezone.utc.fromutc(datetime.now(timezone.utc)),
                max([datetime.now(), datetime.min]), datetime.now().replace(year=2000)]
        return [[type(one).now().year, type(one).today().year, type(one.date()).today().year] for one in made]
    """
    assert value(body, now_ns=0) == [[1970] * 3] * 12


def test_arithmetic_and_comparison_are_pythons() -> None:
    """Differences, order and hashes of our classes are those of Python's."""
    draw = random.Random(7)
    for _ in range(200):
        stamp = draw.randint(-(10**10), 10**10)
        ours = times.Datetime.fromtimestamp(stamp, real.UTC)
        pythons = real.datetime.fromtimestamp(stamp, real.UTC)
        assert ours == pythons
        assert hash(ours) == hash(pythons)
        assert str(ours) == str(pythons)
        assert ours.timestamp() == pythons.timestamp()
        assert repr(ours) == repr(pythons)
        assert str(ours.date()) == str(pythons.date())


@pytest.mark.parametrize(
    "text", ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.000Z", "2024-01-01T00:00:00.000000+00:00", "20240101T000000Z"]
)
def test_iso_stamps_of_events(text: str) -> None:
    """The time stamps of events are read, with their trailing Z, and compare with the aware now."""
    body = f"from datetime import datetime, UTC\nt = datetime.fromisoformat({text!r})\nreturn t.isoformat(), t > datetime.now(UTC)"
    assert value(body) == ("2024-01-01T00:00:00+00:00", True)
