"""The soft time limit: when it rings, whom it interrupts, and that nothing at a recursion limit loses it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.action import alarm
from sandbox.language import compiler
from sandbox.reach import guards
from sandbox.reach.builtin_types import EXCEPTIONS
from sandbox.reach.interrupts import STATE, Interrupted, reset
from tests.action_body import ENTRY

_BUDGET_NS = 50_000_000


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # An interrupt may strike while something is being freed; that one is lost, as in a worker, and the next one is not.
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    before = signal.getsignal(signal.SIGALRM)
    alarm.install()
    reset()
    yield
    alarm.disarm()
    signal.signal(signal.SIGALRM, before)
    reset()


def _run(body: str, deadline_ns: int = alarm.NEVER) -> str:
    """Answer how a run ends whose loops are bounded far beyond its budget. The deadline counts from now."""
    namespace: dict[str, Any] = {"__builtins__": {"range": range, **EXCEPTIONS}, **guards.GUARDS}
    exec(compiler.compile_action(ENTRY + body, alarm.ACTION_FILENAME), namespace)  # noqa: S102  what is tested
    reset()
    now_ns = time.monotonic_ns()
    used_s = time.thread_time()
    try:
        try:
            alarm.start(_BUDGET_NS, now_ns, time.thread_time_ns(), now_ns + deadline_ns)
            namespace["on_execute_post_login"](None, None)
        finally:
            alarm.stop()
    except Interrupted:
        # On a processor: what others take of a busy machine is no fault of the alarm.
        taken_s = time.thread_time() - used_s
        return "in time" if taken_s < 10 * _BUDGET_NS / 1e9 else f"after {taken_s:.1f} s"
    return "swallowed"


def test_loop_says_its_line() -> None:
    """A loop is interrupted and the interrupt says where it stood."""
    assert _run("    for _ in range(300_000_000):\n        pass\n") == "in time"
    assert isinstance(STATE.interrupted, Interrupted)
    assert STATE.interrupted.line in (2, 3)


def test_a_budget_is_processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ring that finds less processor time used than the budget rings again later; what others took does not count."""
    taken_ns = _BUDGET_NS
    real = time.thread_time_ns
    # As if the kernel had given this thread nothing for the first rings: its clock is far behind where it began.
    behind = iter((0, taken_ns, taken_ns))
    monkeypatch.setattr(time, "thread_time_ns", lambda: real() - next(behind, 0))
    assert _run("    for _ in range(300_000_000):\n        pass\n") == "in time"
    assert next(behind, None) is None
    assert not alarm.late()


def test_a_deadline_is_distinguished_from_a_budget() -> None:
    """Who had all of its budget is out of budget; who is interrupted with some of it left is late."""
    loop = "    for _ in range(300_000_000):\n        pass\n"
    assert _run(loop, _BUDGET_NS // 10) == "in time"
    assert alarm.late()
    assert _run(loop) == "in time"
    assert not alarm.late()


@pytest.mark.parametrize("handler", ["finally", "except RecursionError"])
def test_handler_without_a_frame_to_run_in(handler: str) -> None:
    """At the recursion limit the alarm's handler cannot run; it rings again, until it can."""
    body = f"""
    def f():
        try:
            f()
        {handler}:
            for _ in range(300_000_000):
                pass
    f()
"""
    assert _run(body) == "in time"


def test_ring_that_was_lost_is_not_relied_on() -> None:
    """An alarm that should have rung before this step began, and found no frame to do it in, is armed anew."""
    now_ns = time.monotonic_ns()
    alarm.start(1_000_000_000, now_ns, time.thread_time_ns())
    alarm.stop()
    signal.setitimer(signal.ITIMER_REAL, 0)
    alarm.ALARM.armed_until_ns = time.monotonic_ns() - 1
    assert _run("    for _ in range(300_000_000):\n        pass\n") == "in time"


def test_ring_while_the_action_is_freed_does_not_tear_stop() -> None:
    """A ring that waited for a long release is delivered in `stop`, which then has stopped nothing."""
    left_behind: Any = [[number] for number in range(400_000)]
    now_ns = time.monotonic_ns()
    alarm.start(1_000_000, now_ns, time.thread_time_ns())
    del left_behind
    alarm.stop()
    assert not alarm.ALARM.active
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0), "no ring is left for the trusted code that follows"
