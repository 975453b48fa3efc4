"""When a login goes behind another one to a busy worker, and what it is given when that lets it down."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest
from vestibule.worker.v1 import worker_pb2

from runtime.errors import DeadlineExceeded
from runtime.ops.labels import KillReason
from runtime.workers import sharing as sharing_module
from runtime.workers.assign import UNKNOWN_US, Slot, Waiter
from runtime.workers.sharing import DEPTH_MAX, Sharing, heard
from runtime.workers.worker import State
from sandbox.contract import frames, journal
from tests.fakes import FakeSpawned, reached
from tests.fixtures.waiting import PATIENCE_S
from tests.unit.test_flow import COMPLETED, DENY, Rig, make, step, verdicts, whole

__all__ = ["make"]  # the fixture

MS = 1_000_000
NOW_NS = 100_000 * MS


class _Worker:
    """What is seen of one."""

    def __init__(self, leases: int = 1, flow: bytes = b"a", **rest: Any) -> None:
        self.leases, self.flow = leases, flow
        self.plan: object = "plan"
        self.state, self.retiring, self.executions, self.sent_ns = State.RUNNING, False, 0, NOW_NS
        for name, value in rest.items():
            setattr(self, name, value)


def slot(login_us: float, *busy: Any) -> Slot:
    made = Slot("acme")
    made.login_us = login_us
    made.busy += busy
    return made


def sharing(logins: int = 0, cpus: int = 2, **rest: Any) -> Sharing:
    made = Sharing(cpus, 1000, **({"one_login": False} | rest))
    for _ in range(logins):
        made.began()
    return made


@pytest.mark.parametrize(
    ("login_us", "depth"), [(0, DEPTH_MAX), (10, DEPTH_MAX), (125, 8), (200, 5), (500, 2), (501, 1), (20_000, 1)]
)
def test_only_short_logins_stand_behind_each_other(login_us: float, depth: int) -> None:
    """As many as take a millisecond together. With a worker for each login there is none to stand behind."""
    assert sharing().depth(slot(login_us)) == depth
    assert sharing(one_login=True).depth(slot(login_us)) == 1


def test_a_tenant_of_which_nothing_is_known_shares_nothing() -> None:
    """It takes some short logins until it does, and one long one until it does not."""
    assert sharing().depth(Slot("acme")) == 1
    login_us = UNKNOWN_US
    for _ in range(30):
        login_us = heard(login_us, 80)
    assert sharing().depth(slot(login_us)) == DEPTH_MAX
    assert sharing().depth(slot(heard(login_us, 20_000))) == 1


@pytest.mark.parametrize(
    ("logins", "cpus", "depth"),
    [(1, 2, 1), (2, 2, 1), (3, 2, 3), (32, 2, 8), (4, 8, 1), (8, 8, 1), (32, 8, 5), (3, 1, 3)],
)
def test_a_crowd_shares_a_worker_although_others_are_idle(logins: int, cpus: int, depth: int) -> None:
    """Once there are more logins than processors; before that each has its own worker."""
    assert sharing(logins, cpus).crowded_depth(slot(100)) == depth


def test_a_crowd_is_over_some_logins_after_it_has_gone() -> None:
    """Not at once: a worker that has just answered is no sign of it."""
    held = sharing(32)
    held.ended(32)
    assert held.crowded_depth(slot(100)) > 1
    for _ in range(100):
        held.began()
        held.ended()
    assert held.crowded_depth(slot(100)) == 1


@pytest.mark.parametrize(
    "worker",
    [
        _Worker(flow=b"b"),
        _Worker(leases=4),
        _Worker(plan=None),
        _Worker(state=State.COMPILING),
        _Worker(retiring=True),
        _Worker(executions=999),
        _Worker(sent_ns=NOW_NS - 10_000 * MS),
    ],
    ids=["another flow", "full", "has compiled nothing", "compiles", "goes", "at its last login", "runs a long one"],
)
def test_no_login_goes_behind_one_that_would_let_it_down(worker: Any) -> None:
    """The controls are a worker that runs a short one, and one that has answered and is still out."""
    assert sharing().behind(slot(100, worker), b"a", 4, NOW_NS) is None
    for control in (_Worker(), _Worker(state=State.IDLE, sent_ns=0)):
        assert sharing().behind(slot(100, control), b"a", 4, NOW_NS) is control  # type: ignore[comparison-overlap]  # a stand-in


def test_one_worker_is_filled_before_the_next() -> None:
    """So that the other ones sleep."""
    one, two, full = _Worker(1), _Worker(3), _Worker(4)
    assert sharing().behind(slot(100, one, two, full), b"a", 4, NOW_NS) is two  # type: ignore[comparison-overlap]  # a stand-in


def test_a_login_that_was_let_down_waits_for_a_worker_of_its_own() -> None:
    """It keeps its place in the queue."""
    acme = Slot("acme")
    future: Any = asyncio.Future(loop=asyncio.new_event_loop())
    acme.waiters.append(Waiter(b"a", future, alone=True))
    busy: Any = _Worker(leases=1)
    assert acme.next_waiter(busy) is None
    busy.leases = 0
    assert acme.next_waiter(busy) is not None
    future.get_loop().close()


# -- the whole way: eight logins at one worker -------------------------------------------------------------------------

COUNT = 8


class Crowd:
    """Logins of one tenant in the pipe of its one worker."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.tasks: list[asyncio.Task[Any]] = []

    async def warm(self) -> FakeSpawned:
        """Decide so many short logins that the next ones go behind each other; return their worker."""
        for _ in range(30):
            task = self.rig.run()
            spawned, question = await self.rig.question()
            self.rig.answer(spawned, question.nonce, step(), step(), step())
            await task
        return spawned

    async def begin(self, count: int = COUNT) -> tuple[FakeSpawned, list[int]]:
        """Begin some short logins at once; return their worker and numbers."""
        spawned = await self.warm()
        self.tasks = [self.rig.run(PATIENCE_S) for _ in range(count)]
        await settle()
        return spawned, await numbers(spawned, count)

    async def ends(self) -> list[Any]:
        found = await asyncio.gather(*self.tasks, return_exceptions=True)
        return [verdicts(one) if not isinstance(one, BaseException) else type(one) for one in found]

    async def serve(self, other: FakeSpawned) -> None:
        """Answer all that another worker is asked, until every login is decided."""
        reader = frames.Reader()
        while not all(task.done() for task in self.tasks):
            await asyncio.sleep(0)
            with contextlib.suppress(BlockingIOError):
                frame = reader.feed(other.peer.recv(1 << 20), 1 << 20)
                while frame is not None:
                    request = worker_pb2.RunFlow.FromString(frame)
                    steps = worker_pb2.FlowSteps.FromString(request.flow).steps
                    reports = [] if request.return_code else [step() for _ in steps]
                    self.rig.answer(other, request.nonce, *reports)
                    frame = reader.next(1 << 20)


async def settle() -> None:
    for _ in range(40):
        await asyncio.sleep(0)


async def numbers(spawned: FakeSpawned, count: int) -> list[int]:
    """The numbers of questions that stand in a worker's pipe."""
    reader = frames.Reader()
    found: list[int] = []
    frame = reader.feed(spawned.peer.recv(1 << 20), 1 << 20)
    while frame is not None:
        found.append(worker_pb2.RunFlow.FromString(frame).nonce)
        frame = reader.next(1 << 20) if reader.left else None
    assert len(found) == count
    return found


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may be slower than a millisecond between two logins that begin at once."""
    monkeypatch.setattr(sharing_module, "LONG_NS", 10_000 * MS)


@pytest.fixture
async def crowd(make: Any) -> Crowd:
    return Crowd(await make(workers_per_tenant=1, queue_wait_ms=60_000))


WHOLE = ["COMPLETED"] * 3


async def test_each_of_eight_has_its_own_decision(crowd: Crowd) -> None:
    """In one pipe at the same time, and each with its own answer."""
    spawned, asked = await crowd.begin()
    for at, nonce in enumerate(asked):
        crowd.rig.answer(spawned, nonce, *([step(COMPLETED, DENY)] if at == 3 else [step(), step(), step()]))
    ends = await crowd.ends()
    assert [end == WHOLE for end in ends] == [at != 3 for at in range(COUNT)]
    assert not crowd.rig.pool.busy
    assert len(crowd.rig.zygote.spawned) == 1


@pytest.mark.parametrize("at", range(COUNT))
@pytest.mark.parametrize("how", ["crash", "lie", "kill"])
async def test_one_that_ends_its_worker_has_the_verdict_alone(crowd: Crowd, how: str, at: int) -> None:
    """The logins before it were decided, and those behind it are decided by another worker as if they were alone."""
    rig = crowd.rig
    spawned, asked = await crowd.begin()
    for nonce in asked[:at]:
        rig.answer(spawned, nonce, step(), step(), step())
    await reached(lambda: sum(task.done() for task in crowd.tasks) == at)
    rig.note(spawned, asked[at], 0, journal.Phase.RUNNING)
    if how == "crash":
        rig.zygote.on_exit(spawned.id, -11)
        spawned.peer.close()
    elif how == "lie":
        rig.answer(spawned, asked[at] + 1, step(), step(), step())
    if at < COUNT - 1 or how != "lie":
        # Its budget is the rig's: 60 ms, and the watchdog's grace.
        await reached(lambda: len(rig.zygote.spawned) > 1 or crowd.tasks[at].done())
    if how != "lie" or at < COUNT - 1:
        await reached(lambda: len(rig.zygote.spawned) > 1)
        await crowd.serve(rig.zygote.spawned[1])
    ends = await crowd.ends()
    assert [end for here, end in enumerate(ends) if here != at] == [WHOLE] * (COUNT - 1)
    wrong = {"crash": "CRASHED", "lie": "VIOLATED", "kill": "TIMED_OUT"}[how]
    assert ends[at][0] == wrong


async def test_a_caller_that_leaves_in_the_middle_harms_no_other(crowd: Crowd) -> None:
    """Nor does one whose time is over: the worker answers them all the same, and goes back to the pool."""
    rig = crowd.rig
    spawned, asked = await crowd.begin(4)
    crowd.tasks[1].cancel()
    await settle()
    for nonce in asked:
        rig.answer(spawned, nonce, step(), step(), step())
    assert await crowd.ends() == [WHOLE, asyncio.CancelledError, WHOLE, WHOLE]
    await reached(lambda: rig.pool.counts()["idle"] == 1)
    assert spawned.closed is False


async def test_a_deadline_in_the_middle_is_one_logins(crowd: Crowd) -> None:
    """It hears that its time is over while the one before it runs; the others are decided."""
    rig = crowd.rig
    await crowd.begin(1)
    spawned = rig.zygote.spawned[0]
    hurried = asyncio.ensure_future(rig.outcome(0.02))
    await settle()
    (worker,) = rig.pool.watchdog.running
    first = worker.questions.nonce
    assert worker.questions.deadline_ns < time.monotonic_ns() + 25 * MS
    with pytest.raises(DeadlineExceeded):
        await hurried
    (second,) = await numbers(spawned, 1)
    for nonce in (first, second):
        rig.answer(spawned, nonce, step(), step(), step())
    assert await crowd.ends() == [WHOLE]
    await reached(lambda: rig.pool.counts()["idle"] == 1)


async def test_a_worker_that_retires_answers_what_it_has(crowd: Crowd) -> None:
    """It is let go of behind its last answer, and given nothing new before."""
    rig = crowd.rig
    spawned, asked = await crowd.begin(3)
    spawned.say(whole(asked[0], step(), step(), step(), retire=True))
    await reached(lambda: crowd.tasks[0].done())
    late = rig.run()
    await settle()
    assert not spawned.closed
    for nonce in asked[1:]:
        rig.answer(spawned, nonce, step(), step(), step())
    assert await crowd.ends() == [WHOLE] * 3
    assert spawned.closed
    other, question = await rig.question(1)
    rig.answer(other, question.nonce, step(), step(), step())
    assert verdicts(await late) == WHOLE


async def test_logins_behind_a_long_one_are_decided_by_another_worker(make: Any) -> None:
    """The long one keeps its worker, which still answers what it was asked; nothing is asked a third time."""
    crowd = Crowd(await make(workers_per_tenant=2))
    rig = crowd.rig
    spawned = await crowd.warm()
    crowd.tasks = [rig.run() for _ in range(6)]
    await reached(lambda: len(rig.zygote.spawned) > 1)
    serving = asyncio.create_task(crowd.serve(rig.zygote.spawned[1]))
    await reached(lambda: sum(task.done() for task in crowd.tasks) == 5)
    question = await spawned.hear()
    rig.answer(spawned, question.nonce, step(), step(), step())
    assert await crowd.ends() == [WHOLE] * 6
    await serving


async def test_a_drained_pool_leaves_no_login_waiting(crowd: Crowd) -> None:
    """Its workers are killed with all that is in their pipes."""
    await crowd.begin(4)
    (worker,) = crowd.rig.pool.watchdog.running
    asked = [task for task in crowd.tasks if not task.done()]
    worker.kill(KillReason.SHUTDOWN)
    assert len(asked) == 4
    for task in asked:
        task.cancel()
    assert await crowd.ends() == [asyncio.CancelledError] * 4
    assert not crowd.rig.pool.busy


async def test_a_login_that_waits_is_not_overtaken_by_one_that_comes_later(crowd: Crowd) -> None:
    """Room in a busy worker's pipe is for those that have waited."""
    pool, flow = crowd.rig.pool, crowd.rig.plan.flow.digest
    await crowd.warm()
    worker = pool.lease_nowait("acme", flow)
    assert worker is not None
    for _ in range(DEPTH_MAX - 1):
        assert pool.lease_nowait("acme", flow) is worker
    waiting = asyncio.create_task(pool.lease("acme", 5.0, flow))
    await settle()
    assert not waiting.done()
    pool.release(worker)
    assert pool.lease_nowait("acme", flow) is None
    assert await waiting is worker
    for _ in range(DEPTH_MAX):
        assert pool.busy == 1
        pool.release(worker)
    assert pool.counts()["idle"] == 1
