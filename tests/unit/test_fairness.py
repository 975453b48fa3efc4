"""Fairness: which tenants are kept to the side lane and for how long, by a test's clock; where workers go."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import pytest

from runtime.config.sections import LogConfig
from runtime.ops import log
from runtime.ops.metrics import Metrics
from runtime.workers.fairness import Fairness, Lane

# One tenth of two processors: a fifth of a second for each second.
SHARE = 0.1
RATE = 0.2


def lane(cpus: int = 2, share: float = SHARE) -> Lane:
    found = Lane(range(cpus), share)
    found.arrived("quiet")
    found.arrived("busy")
    return found


def test_the_lane_is_the_second_half_of_the_processors() -> None:
    """The half that is kept free is never the smaller one."""
    assert Lane((0, 1), SHARE).cpus == (1,)
    assert Lane((0, 2, 4, 6), SHARE).cpus == (4, 6)
    assert Lane((3, 5, 7), SHARE).cpus == (7,)


def test_who_runs_on_and_on_is_kept_in_the_lane() -> None:
    """Five seconds' worth of its share may be spent ahead, and no more; no other tenant is held."""
    it = lane()
    it.spent("busy", 5 * RATE - 0.01, 100.0)
    assert not it.holds("busy", 100.0)
    it.spent("busy", 0.02, 100.0)
    assert it.holds("busy", 100.0)
    assert not it.holds("quiet", 100.0)
    assert it.held == {"busy"}


def test_who_stays_within_its_share_is_never_held() -> None:
    """An action that is slow and honest, second after second, has the whole machine as long as it takes its share."""
    it = lane()
    for second in range(100):
        it.arrived("quiet")
        it.arrived("busy")
        it.spent("busy", RATE, 100.0 + second)
        assert not it.holds("busy", 100.0 + second)


def test_it_leaves_when_its_debt_is_paid() -> None:
    """However long it ran, twenty seconds without a long execution are enough; until then it stays in."""
    it = lane()
    it.spent("busy", 1000.0, 100.0)
    for later in range(20):
        it.arrived("quiet")
        assert it.holds("busy", 100.0 + later)
    it.arrived("quiet")
    assert not it.holds("busy", 120.0)
    it.settle(120.0)
    assert not it.held


def test_a_tenant_that_is_alone_is_not_held() -> None:
    """No tenant is disturbed, so nothing is kept free; as soon as another logs in, it is."""
    it = Lane((0, 1), SHARE)
    it.arrived("busy")
    it.spent("busy", 5.0, 100.0)
    assert not it.holds("busy", 100.0)
    it.arrived("quiet")
    it.spent("busy", 0.1, 100.5)
    assert it.holds("busy", 100.5)
    # The other one came, and did not come again.
    it.arrived("busy")
    assert it.holds("busy", 101.5)
    it.arrived("busy")
    it.arrived("busy")
    assert not it.holds("busy", 102.5)


def test_one_processor_has_no_lane() -> None:
    """There is nowhere else to be; nor where the share is 0."""
    for closed in (lane(cpus=1), lane(share=0.0)):
        assert not closed.open
        closed.spent("busy", 1000.0, 100.0)
        assert not closed.holds("busy", 100.0)


def test_who_owes_nothing_is_forgotten() -> None:
    """The memory of a tenant's long executions ends with its debt."""
    it = lane()
    for number in range(1000):
        it.spent(f"tenant-{number}", 0.01, 100.0)
    it.settle(105.0)
    assert not it.debts


class Meter:
    """A processor clock that moves by a tenth of a second at each reading."""

    def __init__(self) -> None:
        self.seen_s, self.read_ns = 0.0, 0

    def read(self) -> bool:
        self.seen_s += 0.1
        return True


class _Worker:
    """What fairness sees of one."""

    def __init__(self, number: int, tenant: str) -> None:
        self.id, self.tenant = number, tenant
        self.meter = Meter()
        self.sent_ns = 1


Worker: Any = _Worker


class World:
    """Four processors, and a share of them that is used up by the first tenth of a second."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.placed: dict[int, Any] = {}
        logger = log.build(LogConfig(level="error"), io.StringIO())
        self.fairness: Any = Fairness(0.001, self, Metrics(""), logger, lambda: self.now_s)  # type: ignore[arg-type]  # it is pool and spawner
        self.quiet, self.busy = Worker(1, "quiet"), Worker(2, "busy")
        for worker in (self.quiet, self.busy):
            self.fairness.leased(worker, worker.tenant)

    # As a spawner:

    def weigh(self, _worker: Any) -> None: ...

    def place(self, worker: Any, cpus: Sequence[int]) -> None:
        self.placed[worker.id] = cpus

    def fork_on(self, cpus: Sequence[int]) -> None:
        self.placed[0] = cpus


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2, 3})
    return World()


def test_the_workers_of_a_tenant_that_runs_long_are_placed_aside(world: World) -> None:
    """The running one at once, others when they are leased or bound, and new ones are made there; no other tenant's.

    What the first look at an execution finds was spent before it, and does not count."""
    world.fairness.look(world.busy, 5_000_000)
    assert world.placed == {}
    world.fairness.look(world.busy, 10_000_000)
    assert world.placed == {2: (2, 3), 0: (2, 3)}
    idle, bound = Worker(3, "busy"), Worker(4, "busy")
    world.fairness.leased(idle, "busy")
    world.fairness.place(bound)
    world.fairness.leased(world.quiet, "quiet")
    assert world.placed == dict.fromkeys((0, 2, 3, 4), (2, 3))


def test_a_worker_comes_back_when_its_tenant_has_paid(world: World) -> None:
    """At its next lease; workers are made everywhere again at the next sweep."""
    for now_ns in (5_000_000, 10_000_000):
        world.fairness.look(world.busy, now_ns)
    world.now_s += 100
    world.fairness.settle()
    assert world.placed[0] == (0, 1, 2, 3)
    assert world.placed[2] == (2, 3)
    world.fairness.leased(world.busy, "busy")
    assert world.placed[2] == (0, 1, 2, 3)


def test_a_worker_that_runs_long_is_looked_at_now_and_then(world: World) -> None:
    """At each tick at first, then every 20 ms: hundreds may run long, and each look costs system calls."""
    looks, meter = [], world.busy.meter
    world.busy.sent_ns = 1_000_000_000
    for tick in range(1, 61):
        now_ns, before_s = world.busy.sent_ns + tick * 5_000_000, meter.seen_s
        world.fairness.look(world.busy, now_ns)
        if meter.seen_s != before_s:
            meter.read_ns = now_ns
            looks.append(tick * 5)
    assert looks[:5] == [5, 10, 15, 35, 55]
    assert len(looks) <= 18


def test_what_a_long_execution_spent_at_its_end_counts_too(world: World) -> None:
    """A worker that fills its memory is found to run long once and is killed: what it spent in between is not lost."""
    world.fairness.look(world.busy, 5_000_000)
    world.busy.meter.read()
    world.fairness.forget(world.busy)
    following = Worker(3, "busy")
    world.fairness.leased(following, "busy")
    assert world.placed == {3: (2, 3), 0: (2, 3)}


def test_a_short_question_after_a_long_one_does_not_count(world: World) -> None:
    """What a worker spent since an earlier question may have been many short executions."""
    world.fairness.look(world.busy, 5_000_000)
    world.busy.sent_ns = 8_000_000
    world.busy.meter.read()
    world.fairness.forget(world.busy)
    following = Worker(3, "busy")
    world.fairness.leased(following, "busy")
    assert world.placed == {}
