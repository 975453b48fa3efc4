"""The daemon's end of one worker: two pipes, a journal and a pidfd; one question in flight.

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

from runtime.errors import DeadlineExceeded, ProtocolViolation, WorkerError, WorkerLost
from runtime.ops.labels import KillReason
from runtime.workers.meter import Meter, anonymous_bytes
from runtime.workers.spawned import SpawnedWorker
from sandbox.contract import frames, journal

_READ_BYTES: Final = 64 * 1024
_READY_BYTES_MAX: Final = 16 * 1024
_EXIT_CODE_WAIT_S: Final = 0.25
_SHARED_BROKEN_BYTES: Final = 2 << 20
"""Private copies of pages that a worker was forked with. The kernel counts these pages as the worker's before and after
the copy, so that the growth does not show them. Measured on CPython 3.11: 1.8 MiB in a warm worker of three actions."""

NEVER: Final = 1 << 62
"""An instant that does not come."""


class State(enum.StrEnum):
    """What a worker does, and so what it may send: see `_PERMITTED`."""

    STARTING = "starting"
    IDLE = "idle"
    RUNNING = "running"
    COMPILING = "compiling"
    DEAD = "dead"


@dataclass(slots=True)
class _Frame:
    """A frame that a state permits: once, and whole."""

    bytes_max: Callable[[Worker], int]
    take: Callable[[Worker], None]
    """What the worker's end notes when it has come."""
    then: State


class WorkerKilled(WorkerError):
    """The watchdog killed the worker while it ran.

    `entry` is its journal at that instant, `cpu_ns` the processor time that the step had by then, None where the kernel
    does not say. `stalled` says that the machine gave it none, so that nothing is known about the action.
    """

    def __init__(self, entry: journal.JournalEntry, cpu_ns: int | None = None, *, stalled: bool = False) -> None:
        self.entry = entry
        self.cpu_ns = cpu_ns
        self.stalled = stalled
        super().__init__("the worker was killed at its limit")


class Worker:
    """One worker process, from its ready frame to its death."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        spawned: SpawnedWorker,
        reply_max: int,
        on_dead: Callable[[Worker], None],
        kill_otherwise: Callable[[SpawnedWorker], None],
    ) -> None:
        self._loop = loop
        self.spawned = spawned
        self.id = spawned.id
        self._pipes = spawned.pipes
        self._view = memoryview(spawned.journal)
        self.reply_max = reply_max
        self._on_dead = on_dead
        self._kill_otherwise = kill_otherwise
        self._frames = frames.Reader()
        self._unsent = b""
        self._pending: asyncio.Future[bytes] | None = loop.create_future()
        self._exited: asyncio.Future[int | None] = loop.create_future()
        self.state = State.STARTING
        self.tenant: str | None = None
        self.flow = b""
        """Digest of the flow that it serves until it dies, once it is bound."""
        self.revisions: set[str] = set()
        """What it has compiled, and `plan` the flow whose steps it has all compiled: the login engine's notes."""
        self.plan: object = None
        self.executions = 0
        self.kill_reason: KillReason | None = None
        self.last_entry: journal.JournalEntry | None = None
        """Its journal when it died by itself while it was asked something."""
        self.meter = Meter(spawned)
        self.ready_cpu_ns = 0
        """Where its processor clock stood when it was ready."""
        self.memory_bytes = 0
        """Private memory, as it was measured last."""
        self._forked_bytes = 0
        # Of the question that it was asked last.
        self._asked_before_ns = 0
        self.nonce = self.sent_ns = self.first_look_ns = self.hard_ns = 0
        self.deadline_ns = NEVER
        self.step_budgets_ns: tuple[int, ...] = ()
        self.waited_for = True
        """Is there a caller left for its answer?"""
        loop.add_reader(self._pipes.answer_fd, self._on_readable)

    def ready(self) -> asyncio.Future[bytes]:
        """Return what will hold the ready frame, or WorkerLost or ProtocolViolation. To be called once, at first."""
        assert self._pending is not None
        return self._pending

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

    def asked_ns(self, now_ns: int) -> int:
        """Return for how long it had a question to answer in its life, until an instant of CLOCK_MONOTONIC."""
        return self._asked_before_ns + (max(0, now_ns - self.sent_ns) if self.asked else 0)

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
    ) -> asyncio.Future[bytes]:
        """Send one question; the future holds the reply's bytes, or the reason why there is none.

        Args:
            payload: the question, and `nonce` the number in it.
            step_budgets_ns: processor time of each step.
            now_ns: CLOCK_MONOTONIC now, and `deadline_ns` the instant until which a caller waits.
            first_look_ns: after what time a limit can be reached at the earliest.
            hard_ns: processor time that the whole question may take, whatever the worker says.
            compiles: no step is run, and the answer holds code at most.
        """
        future: asyncio.Future[bytes] = self._loop.create_future()
        self.nonce = nonce
        self.step_budgets_ns = step_budgets_ns
        self.sent_ns = now_ns
        self.first_look_ns = now_ns + first_look_ns
        self.hard_ns = hard_ns
        self.deadline_ns = deadline_ns
        self.waited_for = True
        if self.state is not State.IDLE:
            # It died between its lease and this turn of the loop: no other case than one that dies right after.
            future.set_exception(WorkerLost(f"worker {self.id} is {self.state.value}"))
            return future
        if compiles:
            self.state = State.COMPILING
        else:
            self.state = State.RUNNING
            self.executions += 1
        self._pending = future
        journal.clear(self._view)
        frame = frames.encode(payload)
        try:
            sent = self._pipes.ask(frame)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lost()
            return future
        if sent < len(frame):
            self._unsent = frame[sent:]
            self._loop.add_writer(self._pipes.question_fd, self._on_writable)
        return future

    def _on_writable(self) -> None:
        try:
            sent = self._pipes.ask(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            self._lost()
            return
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._loop.remove_writer(self._pipes.question_fd)

    def _on_readable(self) -> None:
        try:
            data = self._pipes.hear(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        permitted = _PERMITTED.get(self.state)
        if permitted is None:
            self._violated(f"sent {len(data)} bytes while {self.state.value}")
            return
        try:
            frame = self._frames.feed(data, permitted.bytes_max(self))
        except frames.FrameError as violation:
            self._violated(str(violation))
            return
        if frame is None:
            return
        if self._unsent:
            self._violated("answered before it had read its question")
            return
        permitted.take(self)
        self.state = permitted.then
        future, self._pending = self._pending, None
        if future is not None and not future.done():
            future.set_result(frame)

    def _note_ready(self) -> None:
        self.meter.read()
        self.ready_cpu_ns = int(self.meter.seen_s * 1e9)

    def _note_answer(self) -> None:
        self._asked_before_ns += time.monotonic_ns() - self.sent_ns

    def _fail(self, error: Exception) -> None:
        """End a caller's wait without an answer."""
        future, self._pending = self._pending, None
        if future is not None and not future.done():
            future.set_exception(error)

    def adopt(self) -> asyncio.Future[bytes] | None:
        """Take over the question of a caller that stopped waiting; None when nothing is being answered."""
        if not self.asked:
            return None
        self._pending = self._loop.create_future()
        self.waited_for = False
        self.deadline_ns = NEVER
        return self._pending

    def out_of_time(self) -> None:
        """End a caller's wait at its deadline. The worker keeps its question; `adopt` takes it over."""
        self._on_readable()
        self.waited_for = False
        self.deadline_ns = NEVER
        if self.asked:
            self._fail(DeadlineExceeded())

    def cpu_ns(self) -> int | None:
        """Return where its processor clock stands by the kernel; None when that cannot be read."""
        return int(self.meter.seen_s * 1e9) if self.meter.read() else None

    def weigh(self) -> int:
        """Measure its private memory; return by how many bytes it differs from the last measurement."""
        before, anonymous = self.memory_bytes, anonymous_bytes(self.meter.pid)
        if self.state is State.DEAD or (before and anonymous is None):
            return 0
        anonymous = anonymous or 0
        if not before:
            self._forked_bytes = anonymous
        self.memory_bytes = _SHARED_BROKEN_BYTES + max(0, anonymous - self._forked_bytes)
        return self.memory_bytes - before

    def entry(self) -> journal.JournalEntry:
        """Copy the journal."""
        return journal.read(self._view)

    # -- its end ---------------------------------------------------------------------------------------------------

    def _violated(self, what: str) -> None:
        self._fail(ProtocolViolation(f"worker {self.id} {what}"))
        self.kill(KillReason.VIOLATION)

    def _lost(self) -> None:
        if self._pending is not None and self.last_entry is None:
            self.last_entry = journal.read(self._view)
        self._fail(WorkerLost(f"worker {self.id} closed its pipe"))
        self._dead()

    def kill_at_limit(self, cpu_ns: int | None = None, *, stalled: bool = False) -> None:
        """Kill a running worker; its caller gets what its journal holds at this instant.

        After a pause of the daemon or of the machine the timer comes first: an answer that is here already counts.
        Arguments as `WorkerKilled` has them.
        """
        self._on_readable()
        if not self.asked:
            return
        self._fail(WorkerKilled(self.entry(), cpu_ns, stalled=stalled))
        self.kill(KillReason.DEADLINE)

    def kill(self, reason: KillReason) -> None:
        """Send SIGKILL by pidfd, so that a reused process id is never hit. Does nothing to a dead worker."""
        if self.state is State.DEAD:
            return
        if self.kill_reason is None:
            self.kill_reason = reason
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
        if self._unsent:
            self._loop.remove_writer(self._pipes.question_fd)
            self._unsent = b""
        self._view.release()
        self.spawned.close()
        self._on_dead(self)


# As in OpenSSH's monitor: what a worker may send in which state, and what follows. All else is a violation.
_PERMITTED: Final = {
    State.STARTING: _Frame(lambda _worker: _READY_BYTES_MAX, Worker._note_ready, State.IDLE),
    State.RUNNING: _Frame(lambda worker: worker.reply_max, Worker._note_answer, State.IDLE),
    State.COMPILING: _Frame(lambda worker: worker.reply_max, Worker._note_answer, State.IDLE),
}
