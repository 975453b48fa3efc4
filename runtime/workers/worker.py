"""The daemon's end of one worker: a socket, a journal and a pidfd; one question in flight.

Knows frames and which of them may arrive when. Must not know tenants' settings, verdicts or gRPC. Owned by the pool,
used by the flow runner. Everything a worker sends is hostile: a surprise is a `ProtocolViolation`, and the worker dies.
"""

from __future__ import annotations

import asyncio
import enum
import time
from typing import TYPE_CHECKING, Final

from runtime.errors import DeadlineExceeded, ProtocolViolation, WorkerError, WorkerLost
from runtime.ops.labels import KillReason
from sandbox.contract import frames, journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runtime.workers.meter import Meter
    from runtime.workers.spawned import SpawnedWorker

_READ_BYTES: Final = 64 * 1024
_READY_BYTES_MAX: Final = 16 * 1024
_EXIT_CODE_WAIT_S: Final = 0.25


class State(enum.Enum):
    """What the worker may send: see `_PERMITTED`."""

    STARTING = "starting"
    IDLE = "idle"
    RUNNING = "running"
    DEAD = "dead"


# As in OpenSSH's monitor: which state permits a frame at all.
_PERMITTED: Final = frozenset({State.STARTING, State.RUNNING})


class WorkerKilled(WorkerError):
    """The watchdog killed the worker while it ran.

    `entry` is its journal at that instant, `cpu_ns` the processor time that the step had by then, None where the kernel
    does not tell. `stalled` says that the machine gave it none, so that nothing is said about the action.
    """

    def __init__(self, entry: journal.Entry, cpu_ns: int | None = None, *, stalled: bool = False) -> None:
        self.entry = entry
        self.cpu_ns = cpu_ns
        self.stalled = stalled
        super().__init__("the worker was killed at its limit")


NEVER: Final = 1 << 62
"""An instant that does not come."""


class Worker:
    """One worker process, from its ready frame to its death."""

    __slots__ = (
        "_exited",
        "_fd",
        "_frames",
        "_kill_otherwise",
        "_loop",
        "_on_dead",
        "_pending",
        "_reader_on",
        "_unsent",
        "_view",
        "aside",
        "check_at_ns",
        "cpu_first_ns",
        "cpu_seen_ns",
        "deadline_ns",
        "executions",
        "flow",
        "forked_bytes",
        "hard_ns",
        "id",
        "idle_cpu_ns",
        "idle_since_s",
        "kill_reason",
        "last_entry",
        "leased",
        "looked_s",
        "memory_bytes",
        "meter",
        "moved_ns",
        "nonce",
        "patrolled",
        "plan",
        "ran_ns",
        "reply_max",
        "revisions",
        "sent_ns",
        "sock",
        "spawned",
        "state",
        "step_budgets_ns",
        "tenant",
        "waited_for",
    )

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
        self.sock = spawned.sock
        self._view = memoryview(spawned.journal)
        self._fd = self.sock.fileno()
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
        self.executions = 0
        self.plan: object = None
        """The flow whose steps it has all compiled; compared, never used."""
        self.idle_since_s = 0.0
        self.nonce = 0
        self.sent_ns = 0
        self.check_at_ns = 0
        self.hard_ns = 0
        self.deadline_ns = NEVER
        self.waited_for = True
        """Somebody waits for its answer."""
        self.cpu_first_ns = self.cpu_seen_ns = -1
        self.moved_ns = 0
        self.step_budgets_ns: tuple[int, ...] = ()
        self.kill_reason: KillReason | None = None
        self.last_entry: journal.Entry | None = None
        self.leased = False
        self.aside = False
        """It was asked to keep to the side lane."""
        self.looked_s = -1.0
        """What its meter stood at when it was last found to run long; negative: not since its last question."""
        self.meter: Meter | None = None
        """Its processor time, from when it was ready."""
        self.ran_ns = 0
        """For how long it had a question to answer."""
        self.patrolled = (0, 0)
        """What its processor clock and `ran_ns` stood at when the patrol saw it last."""
        self.idle_cpu_ns = 0
        """Processor time that it took with no question to answer, of late."""
        self.memory_bytes = 0
        """Private memory, as it was measured last."""
        self.forked_bytes = 0
        """Anonymous memory that it held when it was ready."""
        loop.add_reader(self._fd, self._on_readable)
        self._reader_on = True

    def ready(self) -> asyncio.Future[bytes]:
        """Return what will hold the ready frame, or WorkerLost or ProtocolViolation. To be called once, at first."""
        assert self._pending is not None
        return self._pending

    def metered(self, meter: Meter) -> None:
        """Take a clock, from where it stands now."""
        self.meter = meter
        self.patrolled = (int(meter.seen_s * 1e9), self.ran_ns)

    def ask(self, payload: bytes) -> asyncio.Future[bytes]:
        """Send one question; the future holds the reply's bytes, or the reason why there is none."""
        future: asyncio.Future[bytes] = self._loop.create_future()
        if self.state is not State.IDLE:
            # It died between its lease and this turn of the loop: no other case than one that dies right after.
            future.set_exception(WorkerLost(f"worker {self.id} is {self.state.value}"))
            return future
        self.state = State.RUNNING
        self._pending = future
        journal.clear(self._view)
        frame = frames.encode(payload)
        try:
            sent = self.sock.send(frame)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lost()
            return future
        if sent < len(frame):
            self._unsent = frame[sent:]
            self._loop.add_writer(self._fd, self._on_writable)
        return future

    def _on_writable(self) -> None:
        try:
            sent = self.sock.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            self._loop.remove_writer(self._fd)
            self._unsent = b""
            self._lost()
            return
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._loop.remove_writer(self._fd)

    def _on_readable(self) -> None:
        try:
            data = self.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        if self.state not in _PERMITTED:
            self._violated(f"sent {len(data)} bytes while {self.state.value}")
            return
        running = self.state is State.RUNNING
        try:
            frame = self._frames.feed(data, self.reply_max if running else _READY_BYTES_MAX)
        except frames.FrameError as violation:
            self._violated(str(violation))
            return
        if frame is None:
            return
        if self._unsent:
            self._violated("answered before it had read its question")
            return
        if running:
            self.ran_ns += time.monotonic_ns() - self.sent_ns
        self.state = State.IDLE
        future, self._pending = self._pending, None
        if future is not None and not future.done():
            future.set_result(frame)

    def adopt(self) -> asyncio.Future[bytes] | None:
        """Take over the question of a caller that stopped waiting; None when nothing is being answered."""
        if self.state is not State.RUNNING:
            return None
        self._pending = self._loop.create_future()
        self.waited_for = False
        self.deadline_ns = NEVER
        return self._pending

    def out_of_time(self) -> None:
        """Tell who waits for the answer that the deadline is here. The worker goes on; `adopt` takes it over."""
        self._on_readable()
        self.waited_for = False
        self.deadline_ns = NEVER
        if self.state is not State.RUNNING:
            return
        future, self._pending = self._pending, None
        if future is not None and not future.done():
            future.set_exception(DeadlineExceeded())

    def cpu_ns(self) -> int | None:
        """Return where its processor clock stands by the kernel; None when that cannot be read."""
        meter = self.meter
        return int(meter.seen_s * 1e9) if meter is not None and meter.read() else None

    def _violated(self, what: str) -> None:
        future, self._pending = self._pending, None
        self.kill(KillReason.VIOLATION)
        if future is not None and not future.done():
            future.set_exception(ProtocolViolation(f"worker {self.id} {what}"))

    def _lost(self) -> None:
        if self._pending is not None and self.last_entry is None:
            self.last_entry = journal.read(self._view)
        self._dead()
        future, self._pending = self._pending, None
        if future is not None and not future.done():
            future.set_exception(WorkerLost(f"worker {self.id} closed its socket"))

    def kill_at_limit(self, cpu_ns: int | None = None, *, stalled: bool = False) -> None:
        """Kill a running worker; what its journal holds at this instant goes to who waits for the answer.

        After a pause of the daemon or of the machine the timer comes first: an answer that is here already counts.
        Arguments as `WorkerKilled` has them.
        """
        self._on_readable()
        if self.state is not State.RUNNING:
            return
        entry = journal.read(self._view)
        future, self._pending = self._pending, None
        self.kill(KillReason.DEADLINE)
        if future is not None and not future.done():
            future.set_exception(WorkerKilled(entry, cpu_ns, stalled=stalled))

    def entry(self) -> journal.Entry:
        """Copy the journal."""
        return journal.read(self._view)

    def kill(self, reason: KillReason) -> None:
        """Send SIGKILL by pidfd, so that a reused process id is never hit. Does nothing to a dead worker."""
        if self.state is State.DEAD:
            return
        if self.kill_reason is None:
            self.kill_reason = reason
        if self.meter is not None:
            self.meter.read()
        try:
            self.spawned.kill()
        except PermissionError:
            # Root without CAP_KILL: the zygote, who is the worker's own user, does it.
            self._kill_otherwise(self.spawned)
        self._dead()

    def exited(self, code: int | None) -> None:
        """Take the exit code, or negated signal, that the zygote reports; None when the zygote itself is gone."""
        if not self._exited.done():
            self._exited.set_result(code)
        if self.state is not State.DEAD:
            # Nothing may be left in the socket to read: the loop sees its end next.
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
        if self.meter is not None:
            self.meter.close(self.sent_ns if self.state is State.RUNNING else 0)
        self.state = State.DEAD
        if self._reader_on:
            self._loop.remove_reader(self._fd)
            self._reader_on = False
        if self._unsent:
            self._loop.remove_writer(self._fd)
            self._unsent = b""
        self._view.release()
        self.spawned.close()
        self._on_dead(self)

    def learns(self, revisions: Iterable[str], plan: object = None) -> None:
        """Note that the next question brings these revisions; with it each step of `plan` is compiled."""
        self.revisions.update(revisions)
        self.plan = plan

    def started(
        self,
        nonce: int,
        step_budgets_ns: tuple[int, ...],
        now_ns: int,
        first_look_ns: int,
        hard_ns: int,
        deadline_ns: int = NEVER,
        *,
        logins: int = 0,
    ) -> None:
        """Note the limits of the question that is about to be asked, for the watchdog.

        Args:
            nonce: of the question.
            step_budgets_ns: processor time of each step.
            now_ns: CLOCK_MONOTONIC now.
            first_look_ns: after what time a limit can be reached at the earliest.
            hard_ns: processor time that the whole question may take, whatever the worker says.
            deadline_ns: CLOCK_MONOTONIC instant until which somebody waits for the answer.
            logins: how many it runs.
        """
        self.executions += logins
        self.nonce = nonce
        self.step_budgets_ns = step_budgets_ns
        self.sent_ns = self.moved_ns = now_ns
        self.looked_s = -1.0
        self.check_at_ns = min(now_ns + first_look_ns, deadline_ns)
        self.hard_ns = hard_ns
        self.deadline_ns = deadline_ns
        self.waited_for = True
        self.cpu_first_ns = self.cpu_seen_ns = -1
