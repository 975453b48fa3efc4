"""Several logins in the pipe of one real worker, one of which loops, crashes or fills the memory: its verdict alone."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from vestibule.v1 import event_pb2

from runtime.config.effective import Config
from runtime.core.model import Verdict
from runtime.login.engine import Engine, LoginOutcome
from runtime.login.plan import Login, Plan
from runtime.offline import run as offline
from runtime.workers import sharing
from runtime.workers.pool import Pool
from runtime.workers.worker import Worker
from sandbox.contract import journal
from tests.fixtures.processes import Process
from tests.fixtures.tenants import define
from tests.fixtures.waiting import PATIENCE_S

BUDGET_MS = 300
ACTION = """\
def on_execute_post_login(event, api):
    what = event.user.name
    if what in ("loop", "crash"):
        while True:
            pass
    if what == "c-loop":
        max(map(max, *[[0] * 10 ** 6] * 10 ** 4))
    if what == "memory":
        hoard = []
        while True:
            hoard.append("x" * 1_000_000)
    api.access.deny(event.user.user_id)
"""
VERDICTS = {
    "loop": Verdict.TIMED_OUT,
    "c-loop": Verdict.TIMED_OUT,
    "crash": Verdict.CRASHED,
    "memory": Verdict.EXHAUSTED,
}


class Shared:
    """An engine with real workers, and one tenant whose logins are short."""

    def __init__(self, engine: Engine, pool: Pool, plan: Plan) -> None:
        self.engine, self.pool, self.plan = engine, pool, plan

    def login(self, at: int, what: str = "") -> asyncio.Task[LoginOutcome]:
        """Begin a login of user `at`."""
        event = event_pb2.PostLoginEvent(user=event_pb2.User(user_id=str(at), name=what))
        deadline_ns = time.monotonic_ns() + int(PATIENCE_S * 1e9)
        login = Login(self.plan, event.SerializeToString(), None, deadline_ns, time.time_ns(), os.urandom(16))
        return asyncio.ensure_future(self.engine.decide(login))

    async def warm(self) -> None:
        """Decide many logins at once: then the next ones stand behind each other."""
        await self.login(0)
        await asyncio.gather(*(self.login(at) for at in range(6 * sharing.DEPTH_MAX)))

    async def together(self, what: list[str]) -> tuple[Worker, list[asyncio.Task[LoginOutcome]]]:
        """Begin logins at once, and hold them to stand in one worker's pipe."""
        tasks = [self.login(at, each) for at, each in enumerate(what)]
        await asyncio.sleep(0)
        (worker,) = [one for one in self.pool.watchdog.running if one.asked]
        assert worker.leases == len(what)
        assert len(worker.questions) == len(what)
        return worker, tasks


@asynccontextmanager
async def shared(workers: int = 4) -> AsyncIterator[Shared]:
    config = Config()
    config = replace(
        config,
        pool=replace(config.pool, workers_per_tenant=workers),
        sandbox=replace(config.sandbox, action_timeout_ms=BUDGET_MS, memory_bytes=64 << 20),
    )
    defined = define("acme", ACTION)
    async with offline.open_engine(config) as (engine, pool):
        found = Shared(engine, pool, Plan(defined.flow, defined.sources, BUDGET_MS * 1000))
        await found.warm()
        yield found


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logins stand behind each other though the machine is slow, has many processors, or has seen long ones of late."""
    monkeypatch.setattr(sharing, "LONG_NS", 10_000_000_000)
    monkeypatch.setattr(sharing, "PIPE_US", 1e12)
    two = set(sorted(os.sched_getaffinity(0))[:2])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: two)


def verdict(outcome: LoginOutcome, at: int) -> Verdict:
    """Return how the only action of a login ended; one that completed has denied its own user."""
    decision = outcome.answer.decision
    (execution,) = decision.executions
    if execution.verdict is Verdict.COMPLETED:
        assert decision.denial is not None
        assert decision.denial.description == str(at)
        assert not decision.degraded
    return execution.verdict


async def crash_before(worker: Worker, behind: int) -> None:
    """Crash a worker as soon as it runs the question that so many wait behind."""

    def begun() -> bool:
        entry = worker.entry()
        last = len(worker.questions) == behind + 1
        return last and entry.nonce == worker.questions.nonce and entry.phase == journal.Phase.RUNNING

    async with asyncio.timeout(PATIENCE_S):
        while not begun():
            await asyncio.sleep(0.001)
    process = Process.read(worker.meter.pid)
    assert process is not None
    assert process.kill(signal.SIGSEGV)


async def one_of_them(pipe: Shared, what: str, at: int, count: int) -> None:
    """Let one of some logins in a pipe be a bad one: each of the others is decided as if it were alone."""
    worker, tasks = await pipe.together([what if here == at else "" for here in range(count)])
    if what == "crash":
        await crash_before(worker, count - at - 1)
    found = await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_S)
    verdicts = [verdict(outcome, here) for here, outcome in enumerate(found)]
    assert verdicts == [VERDICTS[what] if here == at else Verdict.COMPLETED for here in range(count)]
    async with asyncio.timeout(PATIENCE_S):
        while pipe.pool.busy:  # one still runs what its callers have heard of elsewhere
            await asyncio.sleep(0.01)
    await pipe.warm()


@pytest.mark.parametrize("what", ["loop", "crash", "memory"])
async def test_a_bad_login_in_a_pipe_has_its_verdict_alone(what: str) -> None:
    """First, in the middle and last of four: those before it and behind it are decided, each for its own user."""
    async with shared() as pipe:
        for at in (0, 2, 3):
            await one_of_them(pipe, what, at, 4)


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("what", list(VERDICTS))
async def test_a_bad_login_at_each_place_of_a_full_pipe(what: str, workers: int) -> None:
    """At each of eight places, with other workers for those behind it, and without any."""
    async with shared(workers) as pipe:
        for at in range(sharing.DEPTH_MAX):
            await one_of_them(pipe, what, at, sharing.DEPTH_MAX)


async def test_the_budget_of_a_login_in_a_pipe_starts_when_it_starts() -> None:
    """Three that wait behind a loop for as long as their whole budget complete all the same."""
    async with shared(workers=1) as pipe:
        _, tasks = await pipe.together(["loop", "", "", ""])
        first, *others = await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_S)
        assert verdict(first, 0) is Verdict.TIMED_OUT
        assert first.wall_us[0] >= BUDGET_MS * 1000
        assert [verdict(outcome, at) for at, outcome in enumerate(others, 1)] == [Verdict.COMPLETED] * 3
