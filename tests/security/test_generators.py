"""A generator keeps nothing: no interrupt, and no piece of a login for the next one; nothing runs as it is given up."""

# ruff: noqa: E501  tables of bodies of actions

from __future__ import annotations

import contextlib
import gc
import sys
import weakref
from typing import Any

import pytest
from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from sandbox.action import alarm, execution, live
from sandbox.contract.report import Verdict
from sandbox.language import compiler
from sandbox.reach import environment
from tests.action_body import value

HANDLER = "on_execute_post_login"


def execute(source: str, budget_ns: int = 1 << 60) -> tuple[worker_pb2.StepReport, dict[str, Any]]:
    """Run an action as a worker does; return its report and what it left in its globals."""
    code = compiler.compile_action(source, alarm.ACTION_FILENAME)
    message = event_pb2.PostLoginEvent()
    report, _, namespace = execution.execute(
        code, HANDLER, message, {"KEY": "s3cret-value"}, 10**18, bytes(16), 0, budget_ns, 8192, live.FlowState(), 0
    )
    return worker_pb2.StepReport.FromString(report), namespace


@pytest.fixture(autouse=True)
def _ringing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ring as in a worker; an interrupt that strikes while something is freed is lost there, and the next one is not."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    alarm.install()


LEFT = """
def walk():
    for n in range(9):
        try:
            yield n
        except ValueError:
            print("ran")
        except:
            print("ran")
OPEN = [walk(), walk()]
next(OPEN[0])
next(OPEN[1])
OPEN.append(OPEN)
def on_execute_post_login(event, api):
    held = walk()
    next(held)
    print("open")
"""


def test_nothing_runs_when_a_generator_is_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    """Left in globals, in a circle or in a frame, it ends without a statement of the action.

    Control: in plain Python the bare `except` around a `yield` runs as the generator ends.
    """
    report, namespace = execute(LEFT)
    assert report.output == "open\n"
    later = environment.ActionOutput()
    environment.begin(0, b"next", later)
    namespace.clear()
    gc.collect()
    environment.end()
    assert later.text() == ""

    plain: dict[str, Any] = {}
    exec(LEFT, plain)  # noqa: S102  the control
    plain.clear()
    gc.collect()
    assert "ran" in capsys.readouterr().out


def test_a_generator_is_gone_after_its_execution() -> None:
    """Its frame, and what it holds, die with the globals of the execution."""
    source = (
        "class Mark(Exception): pass\ndef walk():\n    kept = Mark('x')\n    yield kept\n    yield kept\n"
        f"OPEN = walk()\nFOUND = next(OPEN)\ndef {HANDLER}(event, api):\n    pass\n"
    )
    _, namespace = execute(source)
    found = weakref.ref(namespace["FOUND"])
    assert found() is not None
    namespace.clear()
    gc.collect()
    assert found() is None


@pytest.mark.parametrize(
    "body",
    [
        "def g():\n    while True:\n        try:\n            yield 1\n        except:\n            pass\nfor _ in g():\n    pass",
        "def g():\n    try:\n        while True:\n            pass\n    except:\n        yield 1\n    yield 2\nlist(g())",
        "def g():\n    yield from g2()\ndef g2():\n    while True:\n        yield from (1, 2)\nsum(g())",
        "import contextlib\nwhile True:\n    with contextlib.suppress(Exception):\n        while True:\n            1 / 0",
        "import functools\n@functools.cache\ndef f(n):\n    while True:\n        pass\nf(1)",
        "import heapq\nheapq.heapify(list(range(100000)) * 100)",
        "import bisect\nbisect.bisect(range(10 ** 9), 5, key=lambda n: [1 for _ in range(10 ** 9)])",
        "match 1:\n    case x if [1 for _ in range(10 ** 10)]:\n        pass",
    ],
)
def test_an_interrupt_gets_out(body: str) -> None:
    """An endless generator, handler, block or helper is timed out by the alarm, with its line."""
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    report, namespace = execute(f"def {HANDLER}(event, api):\n{lines}", 20_000_000)
    namespace.clear()
    alarm.disarm()
    assert report.verdict == Verdict.TIMED_OUT, report
    assert report.error_line > 1


def test_a_generator_is_not_entered_twice() -> None:
    """By itself, by what walks it in C, and by a chain of those that delegate to it: an error, and no crash."""
    body = """
        made = []
        def walk():
            for _ in range(3):
                try:
                    yield list(made[0])
                except ValueError as error:
                    yield str(error)
        def outer():
            yield from walk()
        made.append(outer())
        return [next(made[0]), sorted(set(made[0]))]
    """
    assert value(body) == ["generator already executing"] * 1 + [["generator already executing"]]


def test_a_deep_chain_of_generators_ends_in_an_error() -> None:
    """One in another, as deep as memory lets it: RecursionError, when it is walked."""
    body = """
        def walk(inner):
            yield from inner
        made = iter([1])
        for _ in range(20000):
            made = walk(made)
        try:
            return list(made)
        except RecursionError:
            return "too deep"
    """
    assert value(body) == "too deep"


STATE = {
    "precision": (
        "import decimal\ndecimal.getcontext().prec = 3",
        "import decimal\nreturn str(decimal.Decimal(1) / 3)",
    ),
    "precision of a block": (
        "import decimal\nc = decimal.localcontext()\ndef g():\n    with c:\n        raise ValueError\ng()",
        "import decimal\nreturn str(decimal.Decimal(1) / 3)",
    ),
    "a name of the library": (
        "import functools, json\ndef f():\n    'mine'\nfunctools.wraps(f)(json.loads)\nfunctools.wraps(f)(len)",
        "import json\nreturn [json.loads.__name__, len.__name__, json.loads.__doc__]",
    ),
    "randomness": ("import random\nrandom.seed(1)", "import random\nreturn random.random()"),
    "a zone": (
        "import zoneinfo\nz = zoneinfo.ZoneInfo('Europe/Oslo')\nsetattr(z, 'key', 'x')",
        "import zoneinfo\nreturn zoneinfo.ZoneInfo('Europe/Oslo').key",
    ),
    "members of an Enum": ("import enum\nenum.Enum.x = 1", "import enum\nreturn repr(enum.Enum)"),
    "what a function remembers": (
        "import functools\nf = functools.lru_cache(str.upper)\nf('a')",
        "import functools\nseen = []\nf = functools.lru_cache(lambda x: seen.append(x))\nf('a')\nreturn seen",
    ),
}


@pytest.mark.parametrize("name", STATE)
def test_nothing_of_a_module_is_kept(name: str) -> None:
    """What an execution does to a module is not seen by the next one."""
    attempt, look = STATE[name]
    before = value(look)
    with contextlib.suppress(compiler.Rejected, AttributeError, TypeError, ValueError):
        value(f"{attempt}\nreturn 1")
    assert value(look) == before


WAY = """
def inner(event):
    raise ValueError("no: " + event.secrets["KEY"])
def middle(event, n):
    return middle(event, n - 1) if n else inner(event)
def on_execute_post_login(event, api):
    middle(event, DEPTH)
"""


def test_the_way_to_an_error_has_five_frames_and_no_secret() -> None:
    """The innermost frames of the action's own lines; a secret in the message is masked, and ours are not shown."""
    report, _ = execute(WAY.replace("DEPTH", "9"))
    lines = report.output.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == "  [7 earlier frames of the action are left out]"
    assert [line.split(", in ")[1] for line in lines[2:-1]] == ["middle"] * 4 + ["inner"]
    assert lines[-1] == "ValueError: no: ***"
    assert "sandbox" not in report.output
    assert report.error_line == 3


def test_an_error_in_the_handler_itself_prints_nothing() -> None:
    """Its line is in the report, and says it all."""
    report, _ = execute(f"def {HANDLER}(event, api):\n    event.secrets['NONE']\n")
    assert (report.output, report.error_line) == ("", 2)


def test_a_note_is_a_part_of_the_report() -> None:
    """The remedy that a note gives reaches its author."""
    report, _ = execute(f"import json\ndef {HANDLER}(event, api):\n    json.dumps({{1}})\n")
    assert report.error_message == (
        "Object of type set is not JSON serializable; make it a dict, a list or a str first"
    )
