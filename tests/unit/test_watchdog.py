"""The watchdog: it looks when a limit is due, kills who is past it, and nobody else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from runtime.workers.watchdog import Watchdog
from runtime.workers.worker import State
from sandbox.journal import Entry, Phase

MS = 1_000_000
GRACE = 10 * MS


class Timer:
    """What the loop would call later."""

    def __init__(self, delay_s: float, callback: Callable[[], None]) -> None:
        self.delay_s, self.callback = delay_s, callback

    def cancel(self) -> None: ...


class Loop:
    """A loop whose timers are run by hand."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        self.timers.append(Timer(delay_s, callback))
        return self.timers[-1]


class Running:
    """A worker that runs the first step, with a budget of 100 ms."""

    state = State.RUNNING
    nonce = 7

    def __init__(self, now_ns: int, phase: Phase = Phase.RUNNING) -> None:
        self.sent_ns = now_ns
        self.step_budgets_ns = (100 * MS,)
        self.check_at_ns = now_ns + 100 * MS + GRACE
        self.hard_at_ns = now_ns + 5_000 * MS
        self.phase = phase
        self.killed = False

    def entry(self) -> Entry:
        return Entry(nonce=self.nonce, phase=self.phase, step=0, started_ns=self.sent_ns, reports=b"")

    def kill_at_deadline(self) -> None:
        self.killed = True
        self.state = State.DEAD


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time, which a test moves."""
    now = [1_000_000 * MS]
    monkeypatch.setattr(time, "monotonic_ns", lambda: now[0])
    return now


def nobody_cares(_worker: Any, _now_ns: int) -> None: ...


def watching(worker: Any, on_long: Callable[[Any, int], None] = nobody_cares) -> Loop:
    loop = Loop()
    dog = Watchdog(loop, GRACE, 3_000 * MS, 200 * MS, on_long)  # type: ignore[arg-type]  # a stand-in for a loop
    dog.watch(worker)
    return loop


def tick(loop: Loop, clock: list[int]) -> float:
    """Let the pending timer go off when it is due; return the delay of the next, in milliseconds."""
    timer = loop.timers[-1]
    clock[0] += int(timer.delay_s * 1e9)
    timer.callback()
    return loop.timers[-1].delay_s * 1000


def test_a_limit_is_looked_at_when_it_is_due(clock: list[int]) -> None:
    """The tick of 5 ms adds nothing to the grace: the kill comes within the timer's millisecond of the limit."""
    worker = Running(clock[0] - 2 * MS)
    limit_ns = worker.check_at_ns
    loop = watching(worker)
    while not worker.killed:
        assert clock[0] < limit_ns + MS
        tick(loop, clock)
    assert limit_ns <= clock[0] <= limit_ns + MS


def test_nobody_is_killed_within_budget_and_grace(clock: list[int]) -> None:
    """A look that comes too early kills nobody, and comes again."""
    worker = Running(clock[0])
    loop = watching(worker)
    worker.check_at_ns = clock[0]
    while clock[0] < worker.sent_ns + 100 * MS + GRACE - 5 * MS:
        assert 1 <= tick(loop, clock) <= 5
        assert not worker.killed


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.TEARDOWN])
def test_who_has_finished_its_step_is_not_killed_for_the_loops_delay(clock: list[int], phase: Phase) -> None:
    """A loop that was late to read an answer finds in the journal that no step runs, and lets the worker be."""
    worker, control = Running(clock[0], phase), Running(clock[0])
    for one in (worker, control):
        loop = watching(one)
        clock[0] = one.check_at_ns + 30 * MS
        tick(loop, clock)
        clock[0] = one.sent_ns
    assert not worker.killed
    assert control.killed


def test_a_worker_is_told_of_at_each_tick_once_its_question_is_a_tick_old(clock: list[int]) -> None:
    """Who answers within a tick is never told of; who runs on is, again and again, until it is killed."""
    told: list[int] = []
    worker = Running(clock[0] - 3 * MS)
    loop = watching(worker, lambda _worker, now_ns: told.append(now_ns))
    began_ns = worker.sent_ns
    while not worker.killed:
        tick(loop, clock)
    assert 15 <= len(told) <= 30
    assert told[0] - began_ns >= 5 * MS
    assert told == sorted(set(told))
