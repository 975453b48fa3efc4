"""The daemon's end of the fork server: start it, ask it for workers, learn of exits, notice its death.

Knows the messages of `vestibule.worker.v1.zygote` and the descriptors that travel with them. Must not know grpc,
tenants, or what a worker says on its own pipe. A worker goes by the id chosen here: process ids of the zygote mean
nothing outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from vestibule.worker.v1 import zygote_pb2

from runtime.errors import WorkerStartError
from runtime.workers.launch import Hold, Launched, describe_end, is_runnable
from runtime.workers.pending import Pending, prepared
from runtime.workers.spawned import SpawnedWorker
from sandbox.contract.layers import Layer

if TYPE_CHECKING:
    from runtime.config.effective import Config

_STDERR_BYTES: Final = 4096
_REPORT_BYTES: Final = 64 * 1024
_REPORTS_PER_TURN: Final = 64
_SPAWNS_IN_FLIGHT: Final = 16
START_TIMEOUT_S: Final = 30.0
CLOSE_TIMEOUT_S: Final = 2.0
WRITABLE_TIMEOUT_S: Final = 1.0
_WRITABLE_WAITS: Final = 10
# A fork takes 2 ms. Waited for twice: after a pause of the machine the first wait is over before it began. And longer
# while all that it lacks is a processor, which another zygote would lack too.
ZYGOTE_ANSWER_S: Final = 5.0
_ANSWER_WAITS: Final = 2
ANSWER_WAITS_MAX: Final = 12
_LINGER_S: Final = 0.2  # for a zygote that closed its socket to leave by itself, and so to say how


class Zygote:
    """One fork server process. A dead one stays dead: make another.

    Every method must be called on the loop that called `start`, in a thread that outlives the zygote: the kernel ties
    the parent-death signal to the thread that forked.
    """

    _control: socket.socket | None = None
    _process: subprocess.Popen[bytes] | None = None

    def __init__(
        self,
        hold: Hold,
        on_exit: Callable[[int, int], None] | None = None,
        on_death: Callable[[str], None] | None = None,
        launched: Launched | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            hold: how workers are held.
            on_exit: called with a worker's id, and its exit code or negated signal, once it is reaped.
            on_death: called once with a reason when the zygote, once started, has ended without `close`. Its workers
                are gone too; no exit is reported for them.
            launched: its process, where that was started ahead.
        """
        self._hold = hold
        self._launched = launched
        self._on_exit = on_exit
        self._on_death = on_death
        self._profile = zygote_pb2.SpawnProfile(
            memory_bytes=hold.memory_bytes, cpu_s=hold.cpu_s, omit=sorted(hold.omit), forks=hold.forks
        )
        self._pending: dict[int, Pending] = {}
        self._last_id = 0
        self._slots = asyncio.Semaphore(_SPAWNS_IN_FLIGHT)
        self._send_lock = asyncio.Lock()
        self._stderr = b""
        self._closing = False
        self._silent = ""
        self.alive = False
        """It takes requests."""
        self.layers: tuple[Layer, ...] = ()
        """Layers that hold it, and with it every worker."""

    @property
    def pid(self) -> int:
        """Return the process id of its outermost process; -1 before `start`."""
        return self._process.pid if self._process is not None else -1

    async def start(self) -> None:
        """Execute it and wait until it can fork. Once only.

        Raises: WorkerStartError with one line that says why it cannot; it is gone then.
        """
        if self._process is not None:
            raise WorkerStartError("a zygote is started once")
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._exited: asyncio.Future[None] = self._loop.create_future()
        self._execute()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._started
        except TimeoutError:
            await self.close()
            raise WorkerStartError(f"the zygote was not ready after {START_TIMEOUT_S:.0f} s") from None
        except BaseException:
            await self.close()
            raise

    def _execute(self) -> None:
        hold = self._hold
        launched = self._launched or Launched(hold.uid, hold.entry, hold.path, hold.omit)
        try:
            self._pidfd = os.pidfd_open(launched.process.pid)
        except OSError as error:
            launched.close()
            raise WorkerStartError(f"no descriptor for the zygote: {error.strerror}") from error
        launched.take()
        self._process, self._stderr_fd, ours = launched.process, launched.stderr_fd, launched.control
        ours.setblocking(False)
        self._control = ours
        os.set_blocking(self._stderr_fd, False)
        self._loop.add_reader(ours.fileno(), self._read_control)
        self._loop.add_reader(self._stderr_fd, self._read_stderr)
        self._loop.add_reader(self._pidfd, self._ended)

    async def spawn(self, *, self_test: str = "") -> SpawnedWorker:
        """Fork one worker. It is not locked down yet: its Ready frame says when it is, and how.

        Args:
            self_test: a name in `sandbox.process.selftest`; the worker tries that instead of serving.

        Raises: WorkerStartError; the zygote itself may still be alive.
        """
        async with self._slots:
            self._require_alive()
            self._last_id += 1
            spawn_id = self._last_id
            with prepared(self._hold, self._loop.create_future()) as (pending, fds):
                self._pending[spawn_id] = pending
                spawn = zygote_pb2.Spawn(id=spawn_id, profile=self._profile, self_test=self_test)
                try:
                    await self._send(zygote_pb2.ZygoteRequest(spawn=spawn), fds)
                except BaseException:
                    # Nothing was sent, so no answer will take it out of the table.
                    if self._pending.pop(spawn_id, None) is not None:
                        pending.future.cancel()
                        pending.fail("")
                    raise
            return await self._answer(pending.future)

    async def _answer(self, future: asyncio.Future[SpawnedWorker]) -> SpawnedWorker:
        """Wait for a worker; a zygote that stays silent is given up, because it would never fork another."""
        try:
            for waits in range(1, ANSWER_WAITS_MAX + 1):
                done, _ = await asyncio.wait((future,), timeout=ZYGOTE_ANSWER_S)
                if done:
                    break
                # After a pause the timer comes first: an answer that is here already counts.
                self._read_control()
                starved = waits < ANSWER_WAITS_MAX and is_runnable(self.pid)
                if waits >= _ANSWER_WAITS and not future.done() and not starved:
                    self._give_up(f"the zygote did not answer for {waits * ZYGOTE_ANSWER_S:.0f} s")
            return future.result()
        except asyncio.CancelledError:
            # The answer finds a cancelled future and undoes the worker; unless it came in this very turn.
            if not future.cancel() and future.exception() is None:
                future.result().undo()
            raise

    async def kill(self, worker: SpawnedWorker) -> None:
        """Kill a worker, through the zygote where the daemon itself may not signal another uid."""
        try:
            worker.kill()
        except PermissionError:
            with contextlib.suppress(WorkerStartError):
                await self._send(zygote_pb2.ZygoteRequest(kill=zygote_pb2.Kill(id=worker.id)))

    async def place(self, worker_id: int, cpus: Sequence[int], child: int = 0) -> None:
        """Keep a worker to some of the processors; id 0 means the zygote, but none of the workers that it forks.

        `child` is the process id of a template's child, as the zygote sees it.
        """
        with contextlib.suppress(WorkerStartError):
            await self._send(zygote_pb2.ZygoteRequest(place=zygote_pb2.Place(id=worker_id, cpus=cpus, child=child)))

    async def close(self) -> None:
        """Stop it, and with it every worker; wait until it is gone. Twice is fine."""
        self._closing = True
        if self._process is None:
            return
        self._hang_up("the zygote was closed")
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await asyncio.shield(self._exited)
        except TimeoutError:
            self._process.kill()
            await self._exited

    def _require_alive(self) -> None:
        if not self.alive:
            raise WorkerStartError("the zygote is not running")

    async def _send(self, request: zygote_pb2.ZygoteRequest, fds: Sequence[int] = ()) -> None:
        data = request.SerializeToString()
        async with self._send_lock:
            for _ in range(_WRITABLE_WAITS):
                self._require_alive()
                assert self._control is not None
                try:
                    socket.send_fds(self._control, [data], list(fds))
                except BlockingIOError:
                    await self._writable(self._control)
                except OSError as error:
                    raise WorkerStartError(f"the zygote cannot be asked: {error.strerror}") from error
                else:
                    return
        self._give_up(f"the zygote took no request for {_WRITABLE_WAITS * WRITABLE_TIMEOUT_S:.0f} s")
        raise WorkerStartError(self._silent)

    def _give_up(self, reason: str) -> None:
        """Let go of a zygote that does not work, although it lives."""
        self._silent = reason
        self._hang_up(reason)

    async def _writable(self, control: socket.socket) -> None:
        ready = self._loop.create_future()
        self._loop.add_writer(control.fileno(), _resolve, ready)
        try:
            # No event comes for a socket that is closed meanwhile.
            async with asyncio.timeout(WRITABLE_TIMEOUT_S):
                await ready
        except TimeoutError:
            pass
        finally:
            if self._control is control:
                self._loop.remove_writer(control.fileno())

    def _read_control(self) -> None:
        for _ in range(_REPORTS_PER_TURN):
            if self._control is None:
                return
            try:
                data, fds, _flags, _address = socket.recv_fds(self._control, _REPORT_BYTES, 1)
            except BlockingIOError:
                return
            except OSError as error:
                self._hang_up(f"the zygote's socket failed: {error.strerror}")
                return
            if not data:
                self._hang_up("the zygote closed its socket")
                return
            try:
                self._take(zygote_pb2.ZygoteReport.FromString(data), fds)
            except DecodeError:
                self._hang_up("the zygote sent what cannot be read")
            finally:
                for fd in fds:
                    os.close(fd)

    def _take(self, report: zygote_pb2.ZygoteReport, fds: list[int]) -> None:
        """Act on one report; a descriptor that is kept is taken out of `fds`."""
        kind = report.WhichOneof("report")
        if kind == "spawned":
            self._take_spawned(report.spawned, fds)
        elif kind == "exited":
            if self._on_exit is not None:
                self._on_exit(report.exited.id, report.exited.exit_code)
        elif kind == "spawn_failed":
            pending = self._pending.pop(report.spawn_failed.id, None)
            if pending is not None:
                pending.fail(f"the zygote cannot fork a worker: {report.spawn_failed.reason}")
        elif not self._started.done():
            if kind == "started":
                self.layers = tuple(map(Layer.of, report.started.layers))
                self.alive = True
                self._started.set_result(None)
            elif kind == "start_failed":
                self._started.set_exception(WorkerStartError(f"the zygote cannot start: {report.start_failed.reason}"))

    def _take_spawned(self, spawned: zygote_pb2.Spawned, fds: list[int]) -> None:
        pending = self._pending.pop(spawned.id, None)
        if pending is None:
            return
        if not fds:
            # Our own descriptor limit cut it off. The pipes close with `fail`, so the worker leaves.
            pending.fail("no descriptor left for a worker's pidfd")
            return
        worker = SpawnedWorker(spawned.id, pending.pipes, pending.journal, fds.pop(), spawned.pid, pending.renewals)
        if pending.future.done():
            worker.undo()
        else:
            pending.future.set_result(worker)

    def _read_stderr(self) -> None:
        try:
            data = os.read(self._stderr_fd, _STDERR_BYTES)
        except BlockingIOError:
            return
        if data:
            self._stderr = (self._stderr + data)[-_STDERR_BYTES:]
        else:
            self._loop.remove_reader(self._stderr_fd)

    def _hang_up(self, reason: str) -> None:
        """Stop talking: fail those who wait for a worker, and give the process a moment to leave."""
        if self._control is None:
            return
        self.alive = False
        self._loop.remove_reader(self._control.fileno())
        self._loop.remove_writer(self._control.fileno())
        self._control.close()
        self._control = None
        for pending in self._pending.values():
            pending.fail(reason)
        self._pending.clear()
        if self._process is not None and not self._closing:
            self._loop.call_later(_LINGER_S, self._process.kill)

    def _ended(self) -> None:
        assert self._process is not None
        code = self._process.poll()
        if code is None:
            return
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # What it said last may still be in the socket and the pipe.
        self._read_control()
        self._read_stderr()
        self._loop.remove_reader(self._stderr_fd)
        os.close(self._stderr_fd)
        reason = self._silent or describe_end(code, self._stderr)
        self._hang_up(reason)
        starting = not self._started.done()
        if starting:
            self._started.set_exception(WorkerStartError(reason))
        self._exited.set_result(None)
        if self._on_death is not None and not self._closing and not starting:
            self._on_death(reason)


def zygotes(
    config: Config, ahead: Launched | None = None
) -> Callable[[Callable[[int, int], None], Callable[[str], None]], Zygote]:
    """Return a maker of zygotes for a configuration; it takes `on_exit` and `on_death`.

    `ahead` is a process that was started before the configuration was there; it becomes the first of them if it fits,
    and is ended otherwise.
    """
    hold = Hold.of(config)
    first = []
    if ahead is not None:
        if ahead.fits(hold):
            first.append(ahead)
        else:
            ahead.close()
    return lambda on_exit, on_death: Zygote(hold, on_exit, on_death, first.pop() if first else None)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
