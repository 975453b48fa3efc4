"""Refused logins are visible: a line at once, counts a minute later, and no caller can fill the log."""

import io
import json
from typing import Any

import pytest

from runtime.calls.refusals import TENANTS_A_REASON, Refusals
from runtime.config.sections import LogConfig
from runtime.ops.log import build
from runtime.ops.throttle import WINDOW_S


class Rig:
    """Refusals, their lines and their clock."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._stream = io.StringIO()
        self.refusals = Refusals(build(LogConfig(), self._stream), lambda: self.now_s)

    def refuse(self, tenant: str, reason: str = "UNKNOWN_TENANT") -> None:
        """Refuse a login."""
        self.refusals.refused(tenant, reason, "NOT_FOUND", "r1", f"tenant {tenant!r} is not in the catalog")

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines since the last call."""
        found = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        self._stream.seek(0)
        self._stream.truncate()
        return found


@pytest.fixture
def rig() -> Rig:
    """Nothing is refused yet."""
    return Rig()


def test_a_line_at_once_and_a_count_a_minute(rig: Rig) -> None:
    """The first refusal of a tenant and reason is written with an example, those of the minute after it as a count."""
    for _ in range(100):
        rig.refuse("acme")
    rig.refuse("acme", "TENANT_QUEUE_FULL")
    rig.refuse("globex")
    first = rig.lines()
    assert [(line["level"], line["tenant"], line["reason"], line["count"]) for line in first] == [
        ("info", "acme", "UNKNOWN_TENANT", 1),
        ("info", "acme", "TENANT_QUEUE_FULL", 1),
        ("info", "globex", "UNKNOWN_TENANT", 1),
    ]
    assert (first[0]["code"], first[0]["request_id"]) == ("NOT_FOUND", "r1")
    assert "not in the catalog" in first[0]["error"]
    rig.refusals.report()
    assert rig.lines() == []
    rig.now_s += WINDOW_S
    rig.refusals.report()
    assert [(line["tenant"], line["count"]) for line in rig.lines()] == [("acme", 99)]


def test_the_end_writes_what_was_counted(rig: Rig) -> None:
    """A daemon that stops leaves no refusal uncounted."""
    for _ in range(5):
        rig.refuse("acme")
    rig.refusals.report(everything=True)
    assert sum(line["count"] for line in rig.lines()) == 5


def test_names_that_a_caller_makes_up_are_bounded(rig: Rig) -> None:
    """Ten thousand names are fifty lines and one count; a tenant that is refused for another reason is still seen."""
    for at in range(10_000):
        rig.refuse(f"made-up-{at}")
    rig.refuse("acme", "TENANT_QUEUE_FULL")
    lines = rig.lines()
    assert len(lines) == TENANTS_A_REASON + 1
    assert lines[-1]["tenant"] == "acme"
    rig.refusals.report(everything=True)
    (others,) = rig.lines()
    assert (others["tenant"], others["other_tenants"], others["count"]) == (None, True, 10_000 - TENANTS_A_REASON)


def test_a_hostile_name_is_clipped_and_escaped(rig: Rig) -> None:
    """A name of a megabyte with controls becomes a short one that no terminal obeys."""
    rig.refuse("\x1b[2J\n\u202e" + "x" * 1_000_000)
    (line,) = rig.lines()
    assert len(line["tenant"]) < 100
    assert line["tenant"].isprintable()
    assert len(line["error"]) < 1000
    assert line["error"].isprintable()
