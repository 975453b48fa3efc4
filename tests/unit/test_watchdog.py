"""The watchdog: it looks when a limit is due, and kills only workers past theirs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from runtime.workers.watchdog import Watchdog
from sandbox.contract.journal import JournalEntry, Phase

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
    """A worker that runs the first step, with a budget of 100 ms; it has the processor for `share` of the time.

    It holds the limits of its question itself.
    """

    nonce = 7
    shared = renewing = False
    overtaken = 0

    def __init__(self, now_ns: int, phase: Phase = Phase.RUNNING, share: float | None = 1.0) -> None:
        self.questions = self
        self.sent_ns = now_ns
        self.asked = True
        self.step_budgets_ns = (100 * MS,)
        self.first_look_ns = now_ns + 100 * MS + GRACE
        self.hard_ns = 5_000 * MS
        self.deadline_ns = now_ns + 60_000 * MS
        self.waited_for = True
        self.phase = phase
        self.share = share
        self.started_ns, self.began_cpu_ns = now_ns, 0
        self.killed = self.stalled = self.late = False
        self.had_ns: int | None = None

    def entry(self) -> JournalEntry:
        return JournalEntry(
            nonce=self.nonce,
            phase=self.phase,
            step=0,
            started_ns=self.started_ns,
            reports=b"",
            cpu_ns=self.began_cpu_ns,
        )

    def cpu_ns(self) -> int | None:
        return None if self.share is None else int((time.monotonic_ns() - self.sent_ns) * self.share)

    def kill_at_limit(self, cpu_ns: int | None = None, *, stalled: bool = False) -> None:
        self.killed, self.stalled, self.had_ns = True, stalled, cpu_ns
        self.asked = False

    def overtake(self) -> None:
        self.overtaken += 1

    def out_of_time(self) -> None:
        self.late, self.waited_for, self.deadline_ns = True, False, 1 << 62


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time, which a test moves."""
    now = [1_000_000 * MS]
    monkeypatch.setattr(time, "monotonic_ns", lambda: now[0])
    return now


class Fairness:
    """Notes when it is to look at a worker."""

    def __init__(self) -> None:
        self.looks: list[int] = []

    def look(self, _worker: Any, now_ns: int) -> None:
        self.looks.append(now_ns)


def watching(worker: Any, fairness: Fairness | None = None, *, moves: bool = True) -> Loop:
    loop = Loop()
    dog = Watchdog(loop, GRACE, fairness or Fairness(), moves=moves)  # type: ignore[arg-type]  # stand-ins
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
    limit_ns = worker.first_look_ns
    loop = watching(worker)
    while not worker.killed:
        assert clock[0] < limit_ns + MS
        tick(loop, clock)
    assert limit_ns <= clock[0] <= limit_ns + MS


def test_no_worker_is_killed_within_budget_and_grace(clock: list[int]) -> None:
    """A look that comes too early kills no worker, and comes again."""
    worker = Running(clock[0])
    loop = watching(worker)
    worker.first_look_ns = clock[0]
    while clock[0] < worker.sent_ns + 100 * MS + GRACE - 5 * MS:
        assert 1 <= tick(loop, clock) <= 5
        assert not worker.killed


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.TEARDOWN])
def test_who_has_finished_its_step_is_not_killed_for_the_loops_delay(clock: list[int], phase: Phase) -> None:
    """A loop that was late to read an answer finds in the journal that no step runs, and lets the worker be."""
    worker, control = Running(clock[0], phase), Running(clock[0])
    for one in (worker, control):
        loop = watching(one)
        clock[0] = one.first_look_ns + 30 * MS
        tick(loop, clock)
        clock[0] = one.sent_ns
    assert not worker.killed
    assert control.killed


def test_a_worker_is_looked_at_at_each_tick_once_its_question_is_a_tick_old(clock: list[int]) -> None:
    """One that answers within a tick is not; one that runs long is, again and again, until it is killed."""
    fairness = Fairness()
    worker = Running(clock[0] - 3 * MS)
    loop = watching(worker, fairness)
    while not worker.killed:
        tick(loop, clock)
    assert 15 <= len(fairness.looks) <= 30
    assert fairness.looks[0] - worker.sent_ns >= 5 * MS
    assert fairness.looks == sorted(set(fairness.looks))


def run_until_killed(worker: Running, clock: list[int], most_ns: int = 20_000 * MS) -> int:
    """Let the time pass until the worker is killed; return how long it took."""
    loop, began_ns = watching(worker), clock[0]
    while not worker.killed and clock[0] - began_ns < most_ns:
        tick(loop, clock)
    return clock[0] - began_ns


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
def test_a_budget_is_processor_time(clock: list[int], share: float) -> None:
    """Who has a part of the processor has so much more time on the clock, and is killed once it had its budget."""
    worker = Running(clock[0], share=share)
    took_ns = run_until_killed(worker, clock)
    assert not worker.stalled
    assert worker.had_ns is not None
    assert 100 * MS <= worker.had_ns <= 100 * MS + GRACE + 6 * MS
    assert took_ns <= (100 * MS + GRACE + 6 * MS) / share + GRACE


def test_without_a_processor_clock_the_wall_clock_counts(clock: list[int]) -> None:
    """Where the kernel does not tell, a budget is time on the clock, as it would be on an idle machine."""
    worker = Running(clock[0], share=None)
    assert run_until_killed(worker, clock) <= 100 * MS + GRACE + 6 * MS
    assert worker.had_ns is None


def test_a_worker_that_gets_nothing_is_stopped_and_not_out_of_budget(clock: list[int]) -> None:
    """It is killed half a second after it last moved, and nothing is said about the action. The control moves a bit."""
    worker, control = Running(clock[0], share=0.0), Running(clock[0], share=0.01)
    began_ns = clock[0]
    took_ns = run_until_killed(worker, clock)
    assert worker.stalled
    assert 500 * MS <= took_ns <= 650 * MS
    clock[0] = began_ns
    run_until_killed(control, clock)
    assert not control.stalled
    assert control.had_ns is not None
    assert control.had_ns >= 100 * MS


def test_the_callers_deadline_ends_the_wait_and_not_the_worker(clock: list[int]) -> None:
    """It hears that it is out of time, once, and lives until it had its budget."""
    worker = Running(clock[0], share=0.5)
    worker.deadline_ns = worker.first_look_ns = clock[0] + 20 * MS
    loop = watching(worker)
    while not worker.late:
        tick(loop, clock)
    assert 20 * MS <= clock[0] - worker.sent_ns <= 21 * MS
    assert not worker.killed
    while not worker.killed:
        tick(loop, clock)
    assert worker.had_ns is not None
    assert worker.had_ns >= 100 * MS


@pytest.mark.parametrize("after", ["it rings", "it gets nothing"])
def test_the_workers_own_alarm_comes_first(clock: list[int], monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    """Who used its budget up and then waited for the processor is not killed before its alarm could ring."""
    worker = Running(clock[0])
    had = [100 * MS]
    monkeypatch.setattr(worker, "cpu_ns", lambda: had[0])
    loop, began_ns = watching(worker), clock[0]
    while clock[0] - began_ns < 400 * MS:
        tick(loop, clock)
        assert not worker.killed
    if after == "it rings":
        had[0] += GRACE // 2
    while not worker.killed:
        tick(loop, clock)
    assert clock[0] - began_ns <= (420 if after == "it rings" else 650) * MS
    # It had what it was given, so that this is no stall either.
    assert (worker.had_ns, worker.stalled) == (had[0], False)


@pytest.mark.parametrize("share", [1.0, 0.1])
def test_tearing_down_takes_processor_time_too(clock: list[int], share: float) -> None:
    """A worker that waits for the processor between two actions is not killed for the time on the clock."""
    worker = Running(clock[0], Phase.TEARDOWN, share)
    worker.hard_ns = 50 * MS
    took_ns = run_until_killed(worker, clock)
    assert worker.had_ns is not None
    assert worker.had_ns >= worker.hard_ns
    assert took_ns >= worker.hard_ns / share


@pytest.mark.parametrize("lie", ["started later", "had nothing yet", "both"])
def test_what_a_worker_says_of_its_start_buys_no_more_than_the_whole_question(clock: list[int], lie: str) -> None:
    """A worker that moves its start is killed when it had what all its steps together may take."""
    worker = Running(clock[0])
    if lie != "had nothing yet":
        worker.started_ns = clock[0] + 10**15
    if lie != "started later":
        worker.began_cpu_ns = 10**15
    took_ns = run_until_killed(worker, clock)
    assert worker.killed
    assert took_ns <= worker.hard_ns + 50 * MS


def test_a_slow_worker_that_no_login_waits_for_is_not_kept_for_ever(clock: list[int]) -> None:
    """One that has a hundredth of the processor is killed when its whole question could have been answered."""
    worker = Running(clock[0], share=0.005)
    worker.waited_for = False
    took_ns = run_until_killed(worker, clock)
    assert worker.stalled
    assert worker.hard_ns <= took_ns <= worker.hard_ns + 1_100 * MS


@pytest.mark.parametrize(("shared", "moves", "overtaken"), [(True, True, 1), (False, True, 0), (True, False, 0)])
def test_logins_behind_a_long_question_are_let_go(clock: list[int], shared: bool, moves: bool, overtaken: int) -> None:
    """Once it is older than a tick and computes, and only where their tenant may have another worker."""
    worker = Running(clock[0])
    worker.shared = shared
    loop = watching(worker, moves=moves)
    tick(loop, clock)
    assert worker.overtaken == 0
    tick(loop, clock)
    assert worker.overtaken == overtaken


def test_logins_behind_a_question_that_waits_for_the_processor_stay(clock: list[int]) -> None:
    """Another worker would wait for it too, and the answers would be computed twice."""
    worker = Running(clock[0], share=0.01)
    worker.shared = True
    loop = watching(worker)
    for _ in range(5):
        tick(loop, clock)
    assert worker.overtaken == 0


def test_one_more_question_changes_nothing_for_the_first(clock: list[int]) -> None:
    """Its limit is still due when it was, and one answer does not end the watch over the others."""
    worker = Running(clock[0])
    limit_ns = worker.first_look_ns
    loop = Loop()
    dog = Watchdog(loop, GRACE, Fairness())  # type: ignore[arg-type]  # stand-ins
    dog.watch(worker)  # type: ignore[arg-type]  # a stand-in
    while not worker.killed:
        tick(loop, clock)
        dog.watch(worker)  # type: ignore[arg-type]  # a stand-in
        dog.unwatch(worker)  # type: ignore[arg-type]  # a stand-in
    assert limit_ns <= clock[0] <= limit_ns + MS
    dog.unwatch(worker)  # type: ignore[arg-type]  # a stand-in
    assert not dog.running
