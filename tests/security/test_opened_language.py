"""Attacks on the syntax and the modules that ordinary Python brought, each beside a control that succeeds without what holds it."""

# ruff: noqa: E501  tables of bodies of actions

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
from typing import Any

import pytest
from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from sandbox.action import alarm, execution, live
from sandbox.contract.report import Verdict
from sandbox.language import compiler
from sandbox.reach import environment, tracebacks
from sandbox.reach.facades import enums

HANDLER = "on_execute_post_login"
ENTRY = f"\ndef {HANDLER}(event, api):\n    pass\n"


def run(source: str) -> worker_pb2.StepReport:
    """Run an action as a worker does."""
    code = compiler.compile_action(source, alarm.ACTION_FILENAME)
    report, _, _ = execution.execute(
        code, HANDLER, event_pb2.PostLoginEvent(), {}, 10**18, bytes(16), 0, 1 << 60, 8192, live.FlowState(), 0
    )
    return worker_pb2.StepReport.FromString(report)


@pytest.fixture(autouse=True)
def _ringing() -> None:
    alarm.install()


def _printed(source: str) -> str:
    return run(source + ENTRY).output


# A class of the action's own has no say in what the guard reads.

SHOWS_ITSELF = """
from enum import StrEnum
E = StrEnum("_class_exposed_", [("_class_exposed_", "mro __setattr__ __mro__")])
print(getattr(E, "mro"))
"""


def test_no_member_takes_the_place_of_a_name_of_the_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with an underscore is refused for a member, also where it is the name of the class.

    Control: without that rule, what a class shows is what its action says.
    """
    assert "is not a public name" in run(SHOWS_ITSELF + ENTRY).error_message
    monkeypatch.setattr(enums, "public_names", lambda *_: None)
    assert "mro" in _printed(SHOWS_ITSELF)


@pytest.mark.parametrize("name", ["__mro__", "__setattr__", "__subclasses__"])
def test_a_class_never_shows_a_name_with_an_underscore(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The guard reads none from a class, whatever the class says that it shows."""
    monkeypatch.setattr(enums, "public_names", lambda *_: None)
    source = SHOWS_ITSELF.replace('"mro"', repr(name)).replace("__mro__", "__mro__ __subclasses__", 1)
    assert "never open" in run(source + ENTRY).error_message


@pytest.mark.parametrize("make", ["namedtuple('_x', ['_x'])", "NamedTuple('_x', [('_x', int)])"])
def test_no_tuple_has_a_field_with_an_underscore(make: str) -> None:
    """Likewise for tuples with names; the class itself may be called so."""
    start = "from collections import namedtuple\nfrom typing import NamedTuple\n"
    assert "is not a public name" in run(f"{start}{make}{ENTRY}").error_message
    assert run(f"{start}namedtuple('_x', ['x']){ENTRY}").verdict == Verdict.COMPLETED


# A member of a StrEnum is a template.

TEMPLATE = """
from enum import StrEnum
class Form(StrEnum):
    SHOWN = "%r"
print(Form.SHOWN % print_)
text = Form.SHOWN
text %= print_
print(text)
"""


def test_a_template_of_a_str_enum_tells_no_address(capsys: pytest.CaptureFixture[str]) -> None:
    """Control: in plain Python it does."""
    body = "print_ = lambda: 0\n" + TEMPLATE
    assert "<function <lambda>>" in _printed(body)
    assert " at 0x" not in _printed(body)
    exec(body, {"__name__": "control"})  # noqa: S102  the control
    assert " at 0x" in capsys.readouterr().out


# What stands after `except` is not evaluated while something is on its way that no handler may hold.

GIVEN_UP = """
WRONG = 5
def by_type():
    try:
        try:
            yield 1
        except WRONG:
            pass
    except Exception:
        print("ran")
def by_name():
    try:
        try:
            yield 1
        except absent:
            pass
    except Exception:
        print("ran")
    if False:
        absent = ValueError
for walk in (by_type(), by_name()):
    next(walk)
walk = None
print("end")
"""

OUT_OF_MEMORY = """
def survive():
    try:
        try:
            try:
                [0] * (1 << 60)
            except absent:
                pass
        except absent:
            pass
    except Exception:
        print("survived")
    if False:
        absent = ValueError
survive()
"""


def test_no_statement_runs_as_a_generator_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where what stands after `except` is no class, or a name without a value: that is an Exception by itself.

    Control: without the first handler of every `try`, the handler further out runs.
    """
    assert _printed(GIVEN_UP) == "end\n"
    monkeypatch.setitem(environment.NAMESPACE, "_given_up_", ())
    assert "ran" in _printed(GIVEN_UP)


def test_no_execution_goes_on_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: without the check before what stands after `except`, it does."""
    report = run(OUT_OF_MEMORY + ENTRY)
    assert (report.verdict, report.output) == (Verdict.EXHAUSTED, "")
    monkeypatch.setitem(environment.NAMESPACE, "_caught_", lambda: None)
    assert _printed(OUT_OF_MEMORY) == "survived\n"


@pytest.mark.parametrize(
    ("items", "stands"),
    [
        ("nullcontext((yield)) as x", True),
        ("nullcontext(), nullcontext((yield)) as x", False),
        ("nullcontext() as x, nullcontext() as y, nullcontext((yield 1))", False),
    ],
)
def test_no_yield_stands_between_the_items_of_a_with(items: str, stands: bool) -> None:
    """There it stands inside of the block of the first one, which would end when the generator is given up."""
    faults = compiler.check(
        f"from contextlib import nullcontext\ndef walk():\n    with {items}:\n        pass\n{ENTRY}"
    )
    assert bool(faults) is not stands


# A time zone in C takes anything for a datetime, and reads a byte of it behind its end.

NO_TIME = """
from dataclasses import dataclass
from types import SimpleNamespace
from zoneinfo import ZoneInfo
def day():
    return 730000
@dataclass
class Day:
    hour: int
    minute: int
    second: int
    toordinal: object
for it in (Day(1, 1, 1 << 20, day), SimpleNamespace(hour=1, minute=1, second=1, toordinal=day)):
    for read in (zone.utcoffset, zone.dst, zone.tzname, zone.fromutc):
        try:
            read(it)
            print("taken")
        except TypeError as error:
            pass
"""
CRASH = """
import zoneinfo
class Day(int):
    hour = minute = second = 1
    def toordinal(self):
        return 730000
zone = zoneinfo.ZoneInfo("Europe/Oslo")
for fold in range(2, 64):
    zone.utcoffset(Day(fold << 84))
"""


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def test_a_time_zone_takes_no_object_of_an_action() -> None:
    """Control: Python's own reads memory that is not the object's, and crashes."""
    source = NO_TIME.replace("for it", "zone = ZoneInfo('Europe/Oslo')\nfor it")
    assert (run(source + ENTRY).verdict, _printed(source)) == (Verdict.COMPLETED, "")
    plain = subprocess.run([sys.executable, "-c", CRASH], preexec_fn=_bounded, capture_output=True, timeout=60)
    assert plain.returncode in (-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT)


def test_a_time_zone_takes_times() -> None:
    """What is a datetime or None is taken, as before."""
    source = (
        "from datetime import datetime, time\nfrom zoneinfo import ZoneInfo\nzone = ZoneInfo('Europe/Oslo')\n"
        "print(zone.utcoffset(datetime(2024, 7, 1)), zone.tzname(datetime(2024, 1, 1)), zone.dst(None))\n"
        "print(time(1, tzinfo=zone).utcoffset(), datetime(2024, 7, 1, tzinfo=zone).astimezone(zone))\n"
    )
    assert _printed(source) == "2:00:00 CET None\nNone 2024-07-01 00:00:00+02:00\n"


# Secrets


@pytest.mark.parametrize("before", range(495, 513))
def test_a_secret_is_masked_before_a_message_is_cut(before: int) -> None:
    """Where a message is cut inside of a secret, nothing of it is left."""
    secret = "s3cret-value-of-a-tenant"
    shown = tracebacks.last_lines(ValueError("." * before + secret), [secret])
    assert not re.search(r"s3c", shown)


def test_the_longer_of_two_secrets_is_masked_first() -> None:
    """One may be the beginning of the other."""
    found: Any = tracebacks.masked("a: s3cret-and-more", ["s3cret", "s3cret-and-more"])
    assert found == "a: ***"


# What stands for many characters.


@pytest.mark.parametrize("options", [{}, {"tabsize": 1000}, {"tabsize": 9}])
def test_a_text_is_no_longer_than_its_tabs_are_wide(options: dict[str, int]) -> None:
    """Tabs are counted as the blanks that they become: the library takes a long row of blanks apart in quadratic time."""
    wrap = environment.MODULES["textwrap"].wrap
    with pytest.raises(ValueError, match="with tabs expanded"):
        wrap("\t" * 2000, **options)
    assert len(wrap("\t" * 500 + "x", 80, tabsize=1)) == 1


# What a library keeps, and what an action puts where the runtime reads.


def test_no_pattern_of_a_text_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """`dedent` makes patterns of texts, which Python keeps: 512 of them, each as long as a text may be."""
    forgot: list[int] = []
    monkeypatch.setattr(re, "purge", lambda: forgot.append(1))
    run("import textwrap\nprint(textwrap)" + ENTRY)
    assert forgot == []
    run("import textwrap\nprint(textwrap.dedent('\\t a\\n\\t b'), textwrap.dedent(''))" + ENTRY)
    assert forgot == [1]


def test_a_chain_map_reads_by_the_guard() -> None:
    """What an action puts into `maps` is read as it would be by itself."""

    class Closed:
        def __contains__(self, name: object) -> bool:
            return True

        def __getitem__(self, name: object) -> str:
            return "read"

    chain = environment.MODULES["collections"].ChainMap({"a": 1})
    assert (chain["a"], chain.get("b", 2)) == (1, 2)
    chain.maps.insert(0, Closed())
    with pytest.raises(TypeError, match="not subscriptable"):
        chain.get("a")
    with pytest.raises(TypeError, match="not subscriptable"):
        chain["a"]


@pytest.mark.parametrize(("typed", "calls"), [(True, 2), (False, 1)])
def test_a_cache_tells_types_apart_if_it_is_to(typed: bool, calls: int) -> None:
    """As in Python: 1 and 1.0 are one question, but for `typed`."""
    body = f"from functools import lru_cache\n@lru_cache(typed={typed})\ndef f(x):\n    print(x)\n    return x\nf(1)\nf(1.0)\n"
    assert len(_printed(body).splitlines()) == calls
