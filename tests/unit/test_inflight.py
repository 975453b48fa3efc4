"""Several questions in a worker's pipe: which answer, limit, lie or death belongs to which of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime.errors import DeadlineExceeded, ProtocolViolation, WorkerLost
from runtime.ops.labels import KillReason
from runtime.workers.inflight import NEVER, NotBegun, Overtaken, WorkerKilled
from runtime.workers.worker import State, Worker
from sandbox.contract import frames, journal
from tests.fakes import FakeSpawned, reached

COUNT = 8
MS = 1_000_000


class Held:
    """A worker that runs, and its process in the test's hands."""

    def __init__(self) -> None:
        self.spawned = FakeSpawned(1, [])
        self.dead: list[Worker] = []
        self.worker = Worker(asyncio.get_running_loop(), self.spawned, 1 << 16, self.dead.append, lambda _: None)  # type: ignore[arg-type]  # a stand-in

    async def ready(self) -> None:
        self.spawned.say(b"ready")
        await self.worker.ready()

    def ask(self, nonce: int, deadline_ns: int = NEVER, **rest: Any) -> asyncio.Future[bytes]:
        """Ask as the engine does; the question is its number."""
        now_ns = time.monotonic_ns()
        return self.worker.ask(b"%d" % nonce, nonce, (100 * MS,), now_ns, 100 * MS, 1000 * MS, deadline_ns, **rest)

    def asks(self, **rest: Any) -> list[asyncio.Future[bytes]]:
        return [self.ask(nonce, **rest) for nonce in range(1, COUNT + 1)]

    async def answer(self, *nonces: int, more: bytes = b"") -> None:
        """Say these answers in one piece, and let the daemon's end read them."""
        self.spawned.peer.sendall(b"".join(frames.encode(b"of %d" % nonce) for nonce in nonces) + more)
        await reached(lambda: not self.worker.asked or self.worker.questions.nonce > nonces[-1])

    def note(self, nonce: int) -> None:
        with memoryview(self.spawned.journal) as view:
            journal.write_phase(view, nonce, time.monotonic_ns(), 0, journal.Phase.RUNNING, 0)


@pytest.fixture
async def held() -> AsyncIterator[Held]:
    made = Held()
    await made.ready()
    yield made
    made.worker.kill(KillReason.SHUTDOWN)
    made.worker.exited(None)


def ends(asked: list[asyncio.Future[bytes]]) -> list[object]:
    """What each came to: its answer, or the type of the reason why there is none."""
    return [
        type(future.exception()) if future.exception() else future.result() if future.done() else None
        for future in asked
        if future.done()
    ]


def answers(*nonces: int) -> list[object]:
    return [b"of %d" % nonce for nonce in nonces]


@pytest.mark.parametrize("pieces", [[1, 2, 3, 4, 5, 6, 7, 8], [8], [3, 5]])
async def test_each_question_gets_its_answer(held: Held, pieces: list[int]) -> None:
    """However many of them come at once."""
    asked = held.asks()
    came = 0
    for piece in [1] * COUNT if len(pieces) == COUNT else pieces:
        await held.answer(*range(came + 1, came + piece + 1))
        came += piece
        assert ends(asked) == answers(*range(1, came + 1))
    assert held.worker.state is State.IDLE
    assert held.worker.executions == COUNT


@pytest.mark.parametrize("at", range(1, COUNT + 1))
async def test_a_kill_is_the_running_questions_alone(held: Held, at: int) -> None:
    """Those before it have their answers, and those behind it have not begun, whatever the journal says of them."""
    asked = held.asks()
    if at > 1:
        await held.answer(*range(1, at))
    held.note(at)
    held.worker.kill_at_limit(5)
    assert ends(asked) == [*answers(*range(1, at)), WorkerKilled, *[NotBegun] * (COUNT - at)]
    error = asked[at - 1].exception()
    assert isinstance(error, WorkerKilled)
    assert error.entry.nonce == at
    assert held.dead == [held.worker]


@pytest.mark.parametrize("at", range(1, COUNT + 1))
async def test_a_death_is_the_running_questions_alone(held: Held, at: int) -> None:
    """An answer that it had written before it died counts."""
    asked = held.asks()
    if at > 1:
        held.spawned.peer.sendall(b"".join(frames.encode(b"of %d" % nonce) for nonce in range(1, at)))
    held.note(at)
    held.spawned.peer.close()
    await reached(lambda: held.dead)
    assert ends(asked) == [*answers(*range(1, at)), WorkerLost, *[NotBegun] * (COUNT - at)]
    assert held.worker.last_entry is not None
    assert held.worker.last_entry.nonce == at


@pytest.mark.parametrize("at", range(1, COUNT + 1))
async def test_a_lie_is_the_running_questions_alone(held: Held, at: int) -> None:
    """The answers before it stand."""
    asked = held.asks()
    lie = (1 << 30).to_bytes(4) + b"too long"
    held.spawned.peer.sendall(b"".join(frames.encode(b"of %d" % nonce) for nonce in range(1, at)) + lie)
    await reached(lambda: held.dead)
    assert ends(asked) == [*answers(*range(1, at)), ProtocolViolation, *[NotBegun] * (COUNT - at)]
    assert held.worker.kill_reason is KillReason.VIOLATION


async def test_an_answer_too_many_is_a_lie(held: Held) -> None:
    """The last question's: those before it were answered in order."""
    asked = [held.ask(1), held.ask(2)]
    held.spawned.peer.sendall(b"".join(frames.encode(b"of %d" % nonce) for nonce in (1, 2, 3)))
    await reached(lambda: held.dead)
    assert ends(asked) == [b"of 1", ProtocolViolation]


async def test_an_answer_before_its_question_was_read_is_a_lie(held: Held) -> None:
    """A question that is still in the daemon cannot have been answered; one that was sent can."""
    first = held.ask(1)
    second = held.worker.ask(b"x" * (1 << 20), 2, (100 * MS,), time.monotonic_ns(), 100 * MS, 1000 * MS)
    await held.answer(1)
    held.spawned.peer.sendall(frames.encode(b"of 2"))
    await reached(lambda: held.dead)
    assert ends([first, second]) == [b"of 1", ProtocolViolation]


async def test_the_clock_of_a_question_starts_when_the_one_before_it_was_answered(held: Held) -> None:
    """So do its limits; its caller's deadline counts from the first."""
    soon_ns = time.monotonic_ns() + 60_000 * MS
    held.ask(1)
    held.ask(2, soon_ns)
    first_ns = held.worker.sent_ns
    assert held.worker.questions.deadline_ns == soon_ns
    before_ns = time.monotonic_ns()
    await held.answer(1)
    assert held.worker.questions.nonce == 2
    assert held.worker.sent_ns >= before_ns >= first_ns
    assert held.worker.questions.first_look_ns == held.worker.sent_ns + 100 * MS


async def test_a_limit_that_an_answer_overtook_kills_no_question(held: Held) -> None:
    """The answer is here when the watchdog looks: the question behind it has only begun."""
    asked = held.asks()
    held.spawned.peer.sendall(frames.encode(b"of 1"))
    held.worker.kill_at_limit(5)
    assert ends(asked) == answers(1)
    assert held.worker.state is State.RUNNING


async def test_a_deadline_in_the_middle_ends_one_wait(held: Held) -> None:
    """The worker still answers it, and the others get their own answers."""
    asked = [held.ask(1), held.ask(2, time.monotonic_ns() - 1), held.ask(3)]
    held.worker.out_of_time()
    assert ends(asked) == [DeadlineExceeded]
    late = held.worker.adopt(asked[1])
    assert late is not None
    assert held.worker.questions.deadline_ns == NEVER
    await held.answer(1, 2, 3)
    assert ends([asked[0], late, asked[2]]) == answers(1, 2, 3)
    assert held.worker.adopt(asked[2]) is None


async def test_a_caller_that_leaves_in_the_middle_takes_no_answer_along(held: Held) -> None:
    """A question with no caller is not waited for once it runs."""
    asked = [held.ask(1), held.ask(2), held.ask(3)]
    asked[1].cancel()
    late = held.worker.adopt(asked[1])
    assert late is not None
    assert held.worker.questions.waited_for
    await held.answer(1)
    assert not held.worker.questions.waited_for
    await held.answer(2, 3)
    assert ends([asked[0], late, asked[2]]) == answers(1, 2, 3)


async def test_those_behind_a_long_question_may_be_asked_elsewhere(held: Held) -> None:
    """Once each: one that was asked again stays, as the running one does."""
    asked = [held.ask(1, movable=True), held.ask(2, movable=True), held.ask(3)]
    held.worker.overtake()
    assert ends(asked) == [Overtaken]
    assert asked[1].done()
    kept = held.worker.adopt(asked[1])
    assert kept is not None
    await held.answer(1, 2, 3)
    assert ends([asked[0], kept, asked[2]]) == answers(1, 2, 3)


async def test_a_killed_worker_leaves_no_login_waiting(held: Held) -> None:
    """Whatever it is killed for. One that is asked afterwards has not begun either."""
    asked = [held.ask(1), held.ask(2)]
    held.worker.kill(KillReason.VIOLATION)
    assert ends([*asked, held.ask(3)]) == [NotBegun] * 3


async def test_a_worker_that_compiles_is_asked_nothing_else(held: Held) -> None:
    """It may die of what it compiles."""
    compiling = held.ask(1, compiles=True)
    assert ends([held.ask(2), compiling]) == [NotBegun]
    assert held.worker.state is State.COMPILING
