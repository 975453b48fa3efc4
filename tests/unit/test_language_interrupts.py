"""No handler, `finally` block or recursion of an action keeps an interrupt; plain Python beside each does."""

from __future__ import annotations

import builtins
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from sandbox.language import compiler as language
from sandbox.reach import guards
from sandbox.reach.builtin_types import EXCEPTIONS
from sandbox.reach.interrupts import STATE, Interrupted, LimitExceeded, caught, interrupt, reset

# Processor time, of which a busy machine takes none from the test.
_FIRST_S = 0.02
_AGAIN_S = 0.005

BUILTINS = {name: getattr(builtins, name) for name in ("range", "sorted", "any", "list", "len")} | EXCEPTIONS


@pytest.fixture(autouse=True)
def _lost_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt may strike while something is being freed; that one is lost, and the next one is not."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)


def _ring(_signum: int, _frame: FrameType | None) -> None:
    if STATE.interrupted is None:
        interrupt(Interrupted(7))
    raise STATE.interrupted  # type: ignore[misc]  # an exception, by the test above


@pytest.fixture(autouse=True)
def _alarm() -> Iterator[None]:
    before = signal.signal(signal.SIGVTALRM, _ring)
    reset()
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)
    reset()


def _run(body: str, compiler: Callable[[str, str, str], Any], log: list[str]) -> str:
    """Answer how a run under a ringing alarm ends; every loop of a body is bounded, so that it always does."""
    lines = "\n".join("    " + line for line in body.strip().splitlines())
    source = (
        "def spin():\n    for _ in range(20_000_000):\n        pass\n"
        f"def on_execute_post_login(event, api):\n{lines}\n    return 'swallowed'\n"
    )
    names = EXCEPTIONS | BUILTINS | {"BaseException": BaseException}
    namespace: dict[str, Any] = {"__builtins__": names, **guards.GUARDS}
    exec(compiler(source, "<action>", "exec"), namespace)  # noqa: S102  what is tested
    reset()
    ended = "?"
    try:
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, _FIRST_S, _AGAIN_S)
            ended = namespace["on_execute_post_login"](log, None)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except Interrupted as interrupted:
        ended = f"interrupted at {interrupted.line}"
    return ended


def _swallowed(body: str, log: list[Any]) -> bool:
    """Whether plain Python swallows the interrupt; tried again, as one between two blocks is in neither."""
    return "swallowed" in (_run(body, compile, log) for _ in range(20))


def _policy(source: str, filename: str, _mode: str) -> Any:
    return language.compile_action(source, filename)


SWALLOWING = {
    "bare except": """
try:
    spin()
except:
    pass
""",
    "bare except in a generator": """
def walk():
    for _ in range(3):
        try:
            spin()
            yield 1
        except:
            yield 2
for _ in walk():
    pass
""",
    "a generator that yields in its handler": """
def walk():
    try:
        spin()
    except:
        yield 1
    yield 2
list(walk())
""",
    "a generator that is given up by a handler": """
def walk():
    while True:
        try:
            yield 1
            spin()
        except:
            pass
n = 0
for _ in walk():
    n += 1
    if n > 4:
        break
""",
    "a case that is tried": """
try:
    match 1:
        case x if [spin() for _ in (1,)]:
            pass
except:
    pass
""",
    "finally raises": """
try:
    try:
        spin()
    finally:
        1 / 0
except Exception:
    pass
""",
    "finally raises, again and again": """
for _ in range(5):
    try:
        try:
            spin()
        finally:
            [][0]
    except Exception:
        pass
""",
    "finally of a loop that another loop catches": """
for _ in range(3):
    try:
        for _ in range(3):
            try:
                spin()
            finally:
                len(5)
    except (TypeError, ValueError):
        continue
""",
    "exception type is no class": """
NONSENSE = 5
try:
    try:
        spin()
    except NONSENSE:
        pass
except Exception:
    pass
""",
    "exception type is not defined": """
try:
    try:
        spin()
    except ValueError.nonsense:
        pass
except Exception:
    pass
""",
    "finally in a callback": """
def key(x):
    try:
        spin()
    finally:
        1 / 0
try:
    sorted([2, 1], key=key)
except Exception:
    pass
""",
    "finally in a generator expression": """
def slow(x):
    try:
        spin()
    finally:
        1 / 0
try:
    any(slow(x) for x in [1, 2])
except Exception:
    pass
""",
    "handler in a handler": """
try:
    try:
        try:
            spin()
        finally:
            1 / 0
    except Exception:
        try:
            [][0]
        except Exception:
            pass
except Exception:
    pass
""",
}


@pytest.mark.parametrize("body", SWALLOWING.values(), ids=SWALLOWING.keys())
def test_not_swallowed(body: str) -> None:
    """An interrupt gets through the action; the same action in plain Python continues as if nothing had happened."""
    assert _swallowed(body, [])
    assert _run(body, _policy, []) == "interrupted at 7"


@pytest.mark.parametrize(
    "clause",
    [
        "try:\n    spin()\nexcept BaseException:\n    pass",
        "try:\n    spin()\nexcept (ValueError, BaseException):\n    pass",
        "for _ in range(2):\n    try:\n        spin()\n    finally:\n        continue",
        "for _ in range(2):\n    try:\n        spin()\n    finally:\n        break",
        "def f():\n    try:\n        spin()\n    finally:\n        return 1\nf()",
    ],
)
def test_refused_at_check(clause: str) -> None:
    """What swallows in plain Python and cannot be rewritten is refused when the action is checked."""
    assert _swallowed(clause, [])
    with pytest.raises(language.Rejected):
        _run(clause, _policy, [])


@pytest.mark.parametrize(
    "body",
    [
        "try:\n    spin()\nfinally:\n    event.append('ran')",
        "try:\n    try:\n        spin()\n    finally:\n        event.append('ran')\nfinally:\n    event.append('ran')",
        "try:\n    try:\n        spin()\n    finally:\n        1 / 0\nexcept Exception:\n    event.append('ran')",
    ],
)
def test_nothing_runs_after_an_interrupt(body: str) -> None:
    """Once interrupted no statement of the action runs, not even in its `finally` blocks."""
    log: list[str] = []
    assert any(_run(body, compile, log) and log for _ in range(20))
    log.clear()
    assert _run(body, _policy, log) == "interrupted at 7"
    assert log == []


def test_swallowed_by_the_host() -> None:
    """An interrupt that host code lost is raised again by the next ring, and by the next handler in any case."""

    def lossy(function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException:  # noqa: BLE001  what a C function that clears errors does
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    body = "event[0](spin)\ntry:\n    [][0]\nexcept IndexError:\n    pass"
    log: Any = [lossy]
    assert _swallowed(body, log)
    assert _run(body, _policy, log) == "interrupted at 7"


def test_recursion_ends() -> None:
    """A recursion that catches its own RecursionError at every depth is interrupted like any other code."""
    body = """
def f():
    try:
        f()
    except Exception:
        pass
    try:
        f()
    except Exception:
        pass
    spin()
f()
"""
    assert _run(body, _policy, []) == "interrupted at 7"


def test_loop_at_the_recursion_limit_ends() -> None:
    """Even where there is no frame left for the alarm's handler, the error that causes cannot be caught for ever."""
    body = """
def f():
    try:
        f()
    except RecursionError:
        pass
    for _ in range(20_000_000):
        try:
            for _ in range(20_000_000):
                pass
        except RecursionError:
            pass
f()
"""
    assert _run(body, _policy, []) == "interrupted at 7"


def test_limit_is_an_interrupt() -> None:
    """A used-up limit is noted from the moment it is made, and the first reason stands."""
    error = LimitExceeded("output", "too much")
    assert STATE.interrupted is error
    assert (error.error_type, error.message) == ("OutputLimitExceeded", "too much")
    interrupt(Interrupted(3))
    with pytest.raises(LimitExceeded):
        caught()
    reset()
    caught()


def test_limit_cannot_be_caught() -> None:
    """A handler around the call that used the limit up does not keep it."""

    def write() -> None:
        raise LimitExceeded("output", "too much")

    body = "try:\n    try:\n        event[0]()\n    finally:\n        1 / 0\nexcept Exception:\n    pass"
    log: Any = [write]
    assert _swallowed(body, log)
    with pytest.raises(LimitExceeded):
        _run(body, _policy, log)
