"""The daemon's end of one worker: two pipes, a journal and a pidfd; questions in flight, answered in their order.

Knows which frame a worker may send when. Must not know tenants' settings, verdicts or gRPC. Everything a worker sends
is hostile: a frame that its state does not permit is a `ProtocolViolation`, and the worker is killed.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from runtime.errors import ProtocolViolation, WorkerError, WorkerLost
from runtime.ops.labels import KillReason
from runtime.workers.children import TemplateChildren
from runtime.workers.inflight import NEVER, NotBegun, Question, Unanswered, WorkerKilled
from runtime.workers.memory import Memory
from runtime.workers.meter import Meter
from runtime.workers.outbox import Outbox
from runtime.workers.spawned import SpawnedWorker
from sandbox.contract import frames, journal

_READ_BYTES: Final = 64 * 1024
_READY_BYTES_MAX: Final = 16 * 1024
_EXIT_CODE_WAIT_S: Final = 0.25


class State(enum.StrEnum):
    """What a worker does, and so what it may send: see `_PERMITTED`."""

    STARTING = "starting"
    IDLE = "idle"
    RUNNING = "running"
    COMPILING = "compiling"
    RENEWING = "renewing"
    """The child of a template has answered, and the next one is not there yet."""
    DEAD = "dead"


def _no_news(_worker: Worker) -> None:
    """Let a worker be renewed."""


@dataclass(slots=True)
class _Frame:
    """A frame that a state permits: once for each question, and whole."""

    bytes_max: Callable[[Worker], int]
    take: Callable[[Worker, bytes], None]


class Worker:
    """One worker process, from its ready frame to its death."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        spawned: SpawnedWorker,
        reply_max: int,
        on_dead: Callable[[Worker], None],
        kill_otherwise: Callable[[SpawnedWorker], None],
        on_renewed: Callable[[Worker], None] = _no_news,
    ) -> None:
        self._loop = loop
        self.spawned = spawned
        self.id = spawned.id
        self._pipes = spawned.pipes
        self._view = memoryview(spawned.journal)
        self.reply_max = reply_max
        self._on_dead = on_dead
        self._kill_otherwise = kill_otherwise
        self._on_renewed = on_renewed
        self._renewals = None if spawned.renewals is None else TemplateChildren(spawned.renewals, spawned.journal)
        # The answer of a worker that became a template, until its first child is there.
        self._loaded: tuple[asyncio.Future[bytes], bytes] | None = None
        self.is_template = False
        """Does a child of its own answer each question?"""
        self._frames = frames.Reader()
        self._outbox = Outbox(loop, self._pipes, self._hung_up)
        self.questions = Unanswered(self.id)
        """What it was asked and has not answered, with the limits of the question that it runs."""
        self._ready: asyncio.Future[bytes] = loop.create_future()
        self._exited: asyncio.Future[int | None] = loop.create_future()
        self.state = State.STARTING
        self.tenant: str | None = None
        self.flow = b""
        """Digest of the flow that it serves until it dies, once it is bound."""
        self.revisions: set[str] = set()
        """What it has compiled, and `plan` the flow whose steps it has all compiled: the login engine's notes."""
        self.plan: object = None
        self.executions = 0
        self.leases = 0
        """How many logins have it, and is it let go of after them: the pool's notes."""
        self.retiring = False
        self.kill_reason: KillReason | None = None
        self.last_entry: journal.JournalEntry | None = None
        """Its journal when it died by itself while it was asked something."""
        self.meter = Meter(spawned)
        self.ready_cpu_ns = 0
        """Where its processor clock stood when it was ready."""
        self.memory = Memory()
        self._asked_before_ns = 0
        self.sent_ns = 0
        """When the time of the question that it runs began: when it was asked, or had answered the one before."""
        loop.add_reader(self._pipes.answer_fd, self._on_readable)
        if self._renewals is not None:
            loop.add_reader(self._renewals.fd, self._on_renewal)

    def ready(self) -> asyncio.Future[bytes]:
        """Return what will hold the ready frame, or WorkerLost or ProtocolViolation. To be called once, at first."""
        return self._ready

    def bind(self, tenant: str, flow: bytes, spent: Callable[[float], None]) -> None:
        """Let it serve one flow of one tenant until it dies, and `spent` be called with its processor seconds."""
        self.tenant, self.flow = tenant, flow
        self.meter.charge(spent)

    def learns(self, revisions: Iterable[str], plan: object = None) -> None:
        """Note that the next question brings these revisions; with it each step of `plan` is compiled."""
        self.revisions.update(revisions)
        self.plan = plan

    @property
    def asked(self) -> bool:
        """Is there a question that it has not answered?"""
        return self.state is State.RUNNING or self.state is State.COMPILING

    @property
    def forks(self) -> bool:
        """May it become a template, so long as it has been asked nothing else?"""
        return self._renewals is not None

    @property
    def renewing(self) -> bool:
        """Is it a template whose next child is not there yet?"""
        return self.state is State.RENEWING

    @property
    def child_pid(self) -> int:
        """Return the process id of the child that answers for a template; 0 where there is none."""
        return self._renewals.pid if self._renewals is not None else 0

    def asked_ns(self, now_ns: int) -> int:
        """Return for how long it had a question to answer in its life, until an instant of CLOCK_MONOTONIC."""
        return self._asked_before_ns + (max(0, now_ns - self.sent_ns) if self.asked or self.renewing else 0)

    def ask(
        self,
        payload: bytes,
        nonce: int,
        step_budgets_ns: tuple[int, ...],
        now_ns: int,
        first_look_ns: int,
        hard_ns: int,
        deadline_ns: int = NEVER,
        *,
        compiles: bool = False,
        movable: bool = False,
        template: bool = False,
    ) -> asyncio.Future[bytes]:
        """Send one question; the future holds the reply's bytes, or the reason why there is none.

        A worker that runs steps may be asked more, which it reads when it has answered.

        Args:
            payload: the question, and `nonce` the number in it.
            step_budgets_ns: processor time of each step.
            now_ns: CLOCK_MONOTONIC now, and `deadline_ns` the instant until which a caller waits.
            first_look_ns: after what time a limit can be reached at the earliest.
            hard_ns: processor time that the whole question may take, whatever the worker says.
            compiles: no step is run, and the answer holds code at most.
            movable: it may be asked of another worker instead, should it have to wait here for long.
            template: the worker becomes a template. The answer comes when the first child is there.
        """
        future: asyncio.Future[bytes] = self._loop.create_future()
        idle = self.state is State.IDLE
        if not idle and (compiles or self.state is not State.RUNNING):
            # It died between its lease and this turn of the loop: no other case than one that dies right after.
            future.set_exception(NotBegun(f"worker {self.id} is {self.state.value}"))
            return future
        frame = frames.encode(payload)
        sent_at = self._outbox.asked_bytes + len(frame)
        self.questions.add(
            Question(future, nonce, step_budgets_ns, first_look_ns, hard_ns, deadline_ns, sent_at, movable)
        )
        self.executions += not compiles
        self.is_template = self.is_template or template
        if idle:
            self.state = State.COMPILING if compiles else State.RUNNING
            self.sent_ns = now_ns
            self.questions.turn(now_ns)
        self._outbox.send(frame)
        return future

    def _on_readable(self) -> bool:
        """Take what is there of answers; False when there was nothing to read."""
        try:
            data = self._pipes.hear(_READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._lost()
            return False
        permitted = _PERMITTED.get(self.state)
        if permitted is None:
            self._violated(f"sent {len(data)} bytes while {self.state.value}")
            return False
        coming, limit = self._frames, permitted.bytes_max(self)
        try:
            frame = coming.feed(data, limit)
            while frame is not None:
                if coming.left and not self.questions.shared:
                    raise frames.FrameError("sent more than the one frame it owed")
                if self._outbox.unsent and self._outbox.sent_bytes < self.questions.sent_at:
                    raise frames.FrameError("answered before it had read its question")
                permitted.take(self, frame)
                frame = coming.next(limit) if coming.left else None
        except frames.FrameError as violation:
            self._violated(str(violation))
        return True

    def _take_ready(self, frame: bytes) -> None:
        self.meter.read()
        self.ready_cpu_ns = int(self.meter.seen_s * 1e9)
        self.state = State.IDLE
        if not self._ready.done():
            self._ready.set_result(frame)

    def _take_answer(self, frame: bytes) -> None:
        now_ns = time.monotonic_ns()
        self._asked_before_ns += now_ns - self.sent_ns
        future = self.questions.answered()
        if self.questions:
            self.sent_ns = now_ns
            self.questions.turn(now_ns)
        elif self.is_template:
            loads = self.state is State.COMPILING
            self.state, self.sent_ns = State.RENEWING, now_ns
            if loads:
                self._loaded = future, frame
                return
        else:
            self.state = State.IDLE
        if not future.done():
            future.set_result(frame)

    def _on_renewal(self) -> None:
        """Take a template's next child; the one that answered is gone."""
        assert self._renewals is not None
        self._on_readable()
        if self.state is State.DEAD:
            return
        try:
            there = self._renewals.renew()
        except ProtocolViolation as violation:
            self._violated(str(violation))
            return
        if not there:
            if there is False:
                self._loop.remove_reader(self._renewals.fd)
            return
        if self.state is not State.RENEWING:
            self._violated(f"began the next login while {self.state.value}")
            return
        self._asked_before_ns += time.monotonic_ns() - self.sent_ns
        self.meter.follow(self._renewals.pid)
        self.state = State.IDLE
        loaded, self._loaded = self._loaded, None
        if loaded is None:
            self._on_renewed(self)
        elif not loaded[0].done():
            loaded[0].set_result(loaded[1])

    def _fail(self, error: WorkerError) -> None:
        """End the wait for the question that it runs with an error; those behind it have not begun."""
        if self.state is State.STARTING and not self._ready.done():
            self._ready.set_exception(error)
        if self._loaded is not None and not self._loaded[0].done():
            self._loaded[0].set_exception(error)
        self.questions.fail(error)

    def adopt(self, future: asyncio.Future[bytes]) -> asyncio.Future[bytes] | None:
        """Take over the question of a caller that stopped waiting; None when it is not being answered any more."""
        return self.questions.adopt(future, self._loop.create_future)

    def out_of_time(self) -> None:
        """End the wait of callers at their deadline. The worker keeps their questions; `adopt` takes them over."""
        self._on_readable()
        self.questions.out_of_time(time.monotonic_ns())

    def overtake(self) -> None:
        """Let those that wait behind a long question be asked elsewhere. It keeps their questions, as `adopt` says."""
        self._on_readable()
        self.questions.overtake()

    def cpu_ns(self) -> int | None:
        """Return where its processor clock stands by the kernel; None when that cannot be read."""
        return self.meter.answering_ns()

    def weigh(self) -> int:
        """Measure its private memory; return by how many bytes it differs from the last measurement."""
        return 0 if self.state is State.DEAD else self.memory.weigh(self.meter.pid, self.child_pid)

    def entry(self) -> journal.JournalEntry:
        """Copy the journal."""
        return journal.read(self._view)

    # -- its end ---------------------------------------------------------------------------------------------------

    def _violated(self, what: str) -> None:
        self._fail(ProtocolViolation(f"worker {self.id} {what}"))
        self.kill(KillReason.VIOLATION)

    def _hung_up(self) -> None:
        """End with a worker that reads no more questions; what it has answered already counts."""
        while self._on_readable():
            pass
        self._lost()

    def _lost(self) -> None:
        if self.state is State.DEAD:
            return
        if self.questions and self.last_entry is None:
            self.last_entry = journal.read(self._view)
        self._fail(WorkerLost(f"worker {self.id} closed its pipe"))
        self._dead()

    def kill_at_limit(self, cpu_ns: int | None = None, *, stalled: bool = False) -> None:
        """Kill a running worker; the caller of the question that it runs gets what its journal holds at this instant.

        After a pause of the daemon or of the machine the timer comes first: an answer that is here already counts.
        Arguments as `WorkerKilled` has them.
        """
        nonce = self.questions.nonce
        self._on_readable()
        if not self.asked or self.questions.nonce != nonce:
            return
        self._fail(WorkerKilled(self.entry(), cpu_ns, stalled=stalled))
        self.kill(KillReason.DEADLINE)

    def kill(self, reason: KillReason) -> None:
        """Send SIGKILL by pidfd, so that a reused process id is never hit. Does nothing to a dead worker."""
        if self.state is State.DEAD:
            return
        if self.kill_reason is None:
            self.kill_reason = reason
        if self.questions or self._loaded:
            self._fail(NotBegun(f"worker {self.id} was killed: {reason.value}"))
        self.meter.read()
        try:
            self.spawned.kill()
        except PermissionError:
            # Root without CAP_KILL: the zygote, which runs as the worker's own user, does it.
            self._kill_otherwise(self.spawned)
        self._dead()

    def exited(self, code: int | None) -> None:
        """Take the exit code, or negated signal, that the zygote reports; None when the zygote itself is gone."""
        if not self._exited.done():
            self._exited.set_result(code)
        if self.state is not State.DEAD:
            # Nothing may be left in the pipe to read: the loop sees its end next.
            self._on_readable()

    async def exit_code(self) -> int | None:
        """Return the exit code or negated signal of a dead worker, or None when the zygote does not say in time."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._exited), _EXIT_CODE_WAIT_S)
        except TimeoutError:
            return None

    def _dead(self) -> None:
        if self.state is State.DEAD:
            return
        self.meter.close(self.sent_ns if self.asked else 0)
        self.state = State.DEAD
        self._loop.remove_reader(self._pipes.answer_fd)
        self._outbox.close()
        if self._renewals is not None:
            self._loop.remove_reader(self._renewals.fd)
            self._renewals.close()
        self._view.release()
        self.spawned.close()
        self._on_dead(self)


# As in OpenSSH's monitor: what a worker may send in which state. All else is a violation.
_PERMITTED: Final = {
    State.STARTING: _Frame(lambda _worker: _READY_BYTES_MAX, Worker._take_ready),
    State.RUNNING: _Frame(lambda worker: worker.reply_max, Worker._take_answer),
    State.COMPILING: _Frame(lambda worker: worker.reply_max, Worker._take_answer),
}
