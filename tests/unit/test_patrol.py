"""The patrol: what a worker takes of the processor unasked, and what all of them hold of the memory."""

from __future__ import annotations

import io
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.config.effective import Config
from runtime.config.sections import LogConfig
from runtime.ops import log
from runtime.ops.labels import KillReason
from runtime.ops.metrics import Metrics
from runtime.workers import meter
from runtime.workers.patrol import WORKERS_AT_ONCE, Patrol
from runtime.workers.worker import State

MS = 1_000_000
MIB = 1 << 20


class Meter:
    """A processor clock that the test moves."""

    def __init__(self) -> None:
        self.seen_s = 0.0
        self.pid = -1
        self.moved = True

    def read(self) -> bool:
        return True


class Worker:
    """What the patrol sees of one."""

    def __init__(self, number: int = 1, tenant: str | None = "acme") -> None:
        self.id, self.tenant = number, tenant
        self.state = State.IDLE
        self.meter = Meter()
        self.ran_ns = self.sent_ns = self.ready_cpu_ns = 0
        self.killed: KillReason | None = None

    def kill(self, reason: KillReason) -> None:
        self.killed, self.state = reason, State.DEAD

    def asked_ns(self, now_ns: int) -> int:
        return self.ran_ns + (now_ns - self.sent_ns if self.state is State.RUNNING else 0)

    def computes(self, cpu_ms: int, asked_ms: int = 0) -> None:
        """Take processor time, some of it or none to answer a question."""
        self.meter.seen_s += cpu_ms / 1000
        self.ran_ns += asked_ms * MS


class Spawner:
    """Workers that are given."""

    def __init__(self, *workers: Worker) -> None:
        self.given = list(workers)
        self.memory_bytes = 0

    def workers(self) -> list[Worker]:
        return [worker for worker in self.given if worker.state is not State.DEAD]

    def weigh(self, _worker: Worker) -> None: ...


class World:
    """A patrol that goes its rounds when the test says so."""

    def __init__(self, *workers: Worker, memory_bytes: int = 256 * MIB) -> None:
        config = Config()
        self.spawner = Spawner(*workers)
        self.stream = io.StringIO()
        self.metrics = Metrics("")
        self.patrol = Patrol(
            replace(config, pool=replace(config.pool, memory_bytes=memory_bytes)),
            self.spawner,  # type: ignore[arg-type]  # a stand-in for a spawner
            self.metrics,
            log.build(LogConfig(format="json"), self.stream),
        )

    def round(self) -> float:
        """Go round once; return how long it takes."""
        turns = -(-max(len(self.spawner.workers()), 1) // WORKERS_AT_ONCE)
        return sum([self.patrol.turn() for _ in range(turns)])

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.mark.parametrize("tenant", ["acme", None], ids=["idle", "blank"])
def test_an_idle_worker_that_computes_is_killed_as_violated(tenant: str | None) -> None:
    """At the first look after it took more than 20 ms; the control took as much to answer questions."""
    burner, control = Worker(1, tenant), Worker(2)
    world = World(burner, control)
    burner.computes(22)
    control.computes(22, asked_ms=22)
    world.round()
    assert burner.killed is KillReason.VIOLATION
    assert control.killed is None
    (line,) = world.lines()
    assert (line["event"], line["worker"], line["tenant"], line["idle_cpu_ms"]) == ("worker.violated", 1, tenant, 21)


def test_a_worker_that_computes_between_the_questions_of_a_busy_tenant_is_killed() -> None:
    """It is never found idle for long: what counts is time with no question, however it is spread."""
    burner, control = Worker(1), Worker(2)
    world = World(burner, control)
    for _ in range(10):
        burner.computes(400 + 5, asked_ms=400)
        control.computes(400, asked_ms=400)
        world.round()
    assert burner.killed is KillReason.VIOLATION
    assert control.killed is None


def test_time_that_a_worker_did_not_use_is_no_credit() -> None:
    """A worker that had no processor while it was asked may not make up for it afterwards."""
    burner = Worker()
    world = World(burner)
    burner.computes(1, asked_ms=10_000)
    world.round()
    burner.computes(0, asked_ms=10_000)
    world.round()
    burner.computes(22)
    world.round()
    assert burner.killed is KillReason.VIOLATION


def test_what_every_answer_costs_at_its_end_is_forgiven() -> None:
    """A millisecond in a look: a worker ends its turn after its answer, and clocks are read one after the other."""
    worker = Worker()
    world = World(worker)
    for _ in range(200):
        worker.computes(21, asked_ms=20)
        world.round()
    assert worker.killed is None


def test_a_running_worker_is_asked_until_now() -> None:
    """The question that is being answered counts from when it was sent."""
    worker = Worker()
    world = World(worker)
    worker.state, worker.sent_ns = State.RUNNING, time.monotonic_ns() - 3_000 * MS
    worker.computes(2_900)
    world.round()
    assert worker.killed is None


def test_every_worker_is_seen_twice_a_second_and_only_some_at_a_time() -> None:
    """However many there are a round takes half a second, and no turn of the loop looks at more than some."""
    workers = [Worker(number) for number in range(5 * WORKERS_AT_ONCE + 1)]
    for worker in workers:
        worker.computes(30)
    world = World(*workers)
    taken_s = world.patrol.turn()
    assert sum(worker.killed is not None for worker in workers) == WORKERS_AT_ONCE
    taken_s += sum(world.patrol.turn() for _ in range(5))
    assert all(worker.killed for worker in workers)
    assert taken_s == pytest.approx(0.5)


def test_full_memory_is_logged_once() -> None:
    """The gauge shows what is held and what may be; the line comes again only when there was room meanwhile."""
    world = World(memory_bytes=256 * MIB)
    held, full = [], []
    for mib in (100, 256, 300, 255, 400):
        world.spawner.memory_bytes = mib * MIB
        world.round()
        held.append(world.metrics.registry.get_sample_value("vestibule_workers_memory_bytes"))
        full.append(world.patrol.over_bytes >= 0)
    assert held == [mib * MIB for mib in (100, 256, 300, 255, 400)]
    assert full == [False, True, True, False, True]
    assert world.metrics.registry.get_sample_value("vestibule_workers_memory_ceiling_bytes") == 256 * MIB
    assert [line["memory_bytes"] >> 20 for line in world.lines()] == [256, 400]


def test_without_a_setting_the_control_group_or_the_machine_is_the_limit(tmp_path: Path) -> None:
    """Three quarters of the least of what the machine has, and of every limit on the way to our group."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    group = tmp_path / "groups" / "pod" / "box"
    group.mkdir(parents=True)
    (tmp_path / "self").mkdir()
    assert meter.available_bytes(tmp_path, tmp_path / "groups") == whole
    (tmp_path / "self" / "cgroup").write_text("0::/pod/box\n")
    (group / "memory.max").write_text("max\n")
    assert meter.available_bytes(tmp_path, tmp_path / "groups") == whole
    (group.parent / "memory.max").write_text(f"{64 * MIB}\n")
    assert meter.available_bytes(tmp_path, tmp_path / "groups") == 64 * MIB
    assert meter.ceiling_bytes(0) <= whole * 3 // 4
    assert meter.ceiling_bytes(5) == 5
