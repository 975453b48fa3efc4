"""The daemon's end of the fork server: start it, ask it for workers, learn of exits, notice its death.

Knows the control socket's messages and descriptors. Must not know grpc, tenants, or what a worker says on its own
socket. Called by the pool. A worker goes by the id chosen here: process ids of the zygote mean nothing outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib.util
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError
from vestibule.worker.v1 import zygote_pb2

from runtime.config import Config
from runtime.errors import WorkerStartError
from sandbox import journal

# The path is the daemon's own: a zygote imports from where the daemon imports, wherever it was started.
_BOOT: Final = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from sandbox.zygote import main; main(sys.argv[2])"
)
# How a relocated interpreter finds itself; the zygote empties its environment once it runs.
_KEPT_ENVIRONMENT: Final = ("LD_LIBRARY_PATH", "PYTHONHOME")
_STDERR_BYTES: Final = 4096
_REPORT_BYTES: Final = 64 * 1024
_REPORTS_PER_TURN: Final = 64
_SPAWNS_IN_FLIGHT: Final = 16
_START_TIMEOUT_S: Final = 30.0
_CLOSE_TIMEOUT_S: Final = 2.0
_LINGER_S: Final = 0.2
MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ZygoteOptions:
    """How the zygote and its workers are held."""

    memory_bytes: int = 128 * MIB
    """What one worker may take on top of what it shares."""
    cpu_s: int = 60
    """Processor time of a worker's whole life."""
    journal_bytes: int = 256 * 1024
    """Size of each worker's journal, in whole pages."""
    uid: int = 65534
    """Who workers are when the daemon is root."""
    gid: int = 65534
    entry: str = "sandbox.worker"
    """Module that serves in a locked worker; tests put theirs here."""
    path: tuple[str, ...] = ()
    """Where to import from besides the daemon's own path; for `entry`."""
    omit: frozenset[str] = frozenset()
    """Layers to leave off, of the zygote and of each worker; for tests."""


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One layer of the zygote, as `vestibule.worker.v1.Layer`."""

    name: str
    active: bool
    detail: str


@dataclass(slots=True, eq=False)
class SpawnedWorker:
    """A forked worker, and the descriptors that are its owner's to close."""

    id: int
    sock: socket.socket
    """Our end, non-blocking. The first frame on it is Ready."""
    journal: mmap.mmap
    pidfd: int
    pid: int
    """As the zygote sees it: for messages only."""

    def kill(self) -> None:
        """Send SIGKILL; a worker that is gone already is fine.

        Raises: PermissionError where the daemon is root without CAP_KILL; `Zygote.kill` works there too.
        """
        if self.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Release our descriptors. The worker leaves once its socket is closed, unless it hangs: kill it first."""
        self.sock.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
        # A view that is still held keeps the memory until it is released.
        with contextlib.suppress(BufferError):
            self.journal.close()

    def host_pid(self) -> int:
        """Return the process id in the daemon's namespace; -1 when it is gone. For logs; reads /proc."""
        try:
            text = Path(f"/proc/self/fdinfo/{self.pidfd}").read_text()
        except OSError:
            return -1
        return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pid:")), -1)


@dataclass(slots=True, eq=False)
class _Pending:
    future: asyncio.Future[SpawnedWorker]
    sock: socket.socket
    journal: mmap.mmap

    def drop(self) -> None:
        self.sock.close()
        self.journal.close()


class Zygote:
    """One fork server process. A dead one stays dead: make another.

    Every method must be called on the loop that called `start`, in a thread that outlives the zygote: the kernel ties
    the parent-death signal to the thread that forked.
    """

    def __init__(
        self,
        options: ZygoteOptions,
        on_exit: Callable[[int, int], None] | None = None,
        on_death: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            options: how workers are held.
            on_exit: called with a worker's id, and its exit code or negated signal, once it is reaped.
            on_death: called once with a reason when the zygote dies and nobody closed it. No exit is reported then.
        """
        self._options = options
        self._on_exit = on_exit
        self._on_death = on_death
        self._profile = zygote_pb2.SpawnProfile(
            memory_bytes=options.memory_bytes, cpu_s=options.cpu_s, omit=sorted(options.omit)
        )
        self._pending: dict[int, _Pending] = {}
        self._next_id = 1
        self._slots = asyncio.Semaphore(_SPAWNS_IN_FLIGHT)
        self._send_lock = asyncio.Lock()
        self._stderr = b""
        self._closing = False
        self._alive = False
        self._pidfd = -1
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._started: asyncio.Future[None] | None = None
        self._exited: asyncio.Future[int] | None = None
        self.layers: tuple[LayerReport, ...] = ()

    @property
    def alive(self) -> bool:
        """Say whether it takes requests."""
        return self._alive

    @property
    def pid(self) -> int:
        """Return the process id of the zygote's outermost process; -1 before `start`."""
        return self._process.pid if self._process else -1

    async def start(self) -> None:
        """Start the process and wait until it can fork.

        Raises: WorkerStartError with one line that says why it could not.
        """
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.create_future()
        self._exited = self._loop.create_future()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._process = self._exec(theirs)
        except OSError as error:
            ours.close()
            raise WorkerStartError(f"the zygote cannot be executed: {error}") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        self._control = ours
        self._pidfd = os.pidfd_open(self._process.pid)
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)
        self._loop.add_reader(ours.fileno(), self._on_control)
        self._loop.add_reader(self._process.stderr.fileno(), self._on_stderr)
        self._loop.add_reader(self._pidfd, self._on_process_exit)
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await self._started
        except TimeoutError:
            await self.close()
            raise WorkerStartError(f"the zygote was not ready after {_START_TIMEOUT_S:.0f} s") from None
        except BaseException:
            await self.close()
            raise

    async def spawn(self, *, self_test: str = "") -> SpawnedWorker:
        """Fork one worker. It is not locked down yet: its Ready frame says when it is, and how.

        Args:
            self_test: a name of `sandbox.selftest`, to try that instead of serving.

        Raises: WorkerStartError; the zygote itself may still be alive.
        """
        async with self._slots:
            self._require_alive()
            worker_id = self._next_id
            self._next_id += 1
            try:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            except OSError as error:
                raise WorkerStartError(f"no socket for a worker: {error.strerror}") from error
            with theirs:
                try:
                    journal, journal_fd = _make_journal(self._options.journal_bytes)
                except OSError as error:
                    ours.close()
                    raise WorkerStartError(f"no journal for a worker: {error.strerror}") from error
                ours.setblocking(False)
                pending = _Pending(self._loop.create_future(), ours, journal)
                self._pending[worker_id] = pending
                request = zygote_pb2.ZygoteRequest(
                    spawn=zygote_pb2.Spawn(id=worker_id, profile=self._profile, self_test=self_test)
                )
                try:
                    await self._send(request, (theirs.fileno(), journal_fd))
                except BaseException:
                    # Nothing was sent, so no answer will take it out of the table.
                    if self._pending.pop(worker_id, None):
                        pending.drop()
                    raise
                finally:
                    os.close(journal_fd)
            # Cancelled from here on, the answer finds a cancelled future and undoes the worker.
            return await pending.future

    async def kill(self, worker: SpawnedWorker) -> None:
        """Kill a worker, through the zygote where the daemon itself may not."""
        try:
            worker.kill()
        except PermissionError:
            with contextlib.suppress(WorkerStartError):
                await self._send(zygote_pb2.ZygoteRequest(kill=zygote_pb2.Kill(id=worker.id)))

    async def close(self) -> None:
        """Stop the zygote and with it every worker; wait until it is gone. Twice is fine."""
        self._closing = True
        self._stop_control("the zygote was closed")
        if self._process is None or self._exited is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await asyncio.shield(self._exited)
        except TimeoutError:
            self._process.kill()
            await asyncio.shield(self._exited)

    def _exec(self, control: socket.socket) -> subprocess.Popen[bytes]:
        options = self._options
        argument = json.dumps(
            {
                "control_fd": control.fileno(),
                "entry": options.entry,
                "uid": options.uid,
                "gid": options.gid,
                "omit": sorted(options.omit),
            }
        )
        environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        # Sets and dicts in the same order in every worker: an execution can be run again.
        environment["PYTHONHASHSEED"] = "0"
        # -s, -P: no user site, no current directory; the path given here is the only one.
        return subprocess.Popen(
            [sys.executable, "-s", "-P", "-c", _BOOT, json.dumps(_import_path(options.path)), argument],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(control.fileno(),),
            cwd="/",
            env=environment,
            start_new_session=True,
        )

    def _require_alive(self) -> None:
        if not self._alive:
            raise WorkerStartError("the zygote is not running")

    async def _send(self, request: zygote_pb2.ZygoteRequest, fds: Sequence[int] = ()) -> None:
        data = request.SerializeToString()
        async with self._send_lock:
            while True:
                self._require_alive()
                assert self._control is not None
                try:
                    if fds:
                        socket.send_fds(self._control, [data], list(fds))
                    else:
                        self._control.send(data)
                except BlockingIOError:
                    await self._writable(self._control.fileno())
                except OSError as error:
                    raise WorkerStartError(f"the zygote cannot be asked: {error.strerror}") from error
                else:
                    return

    async def _writable(self, fd: int) -> None:
        ready = self._loop.create_future()
        self._loop.add_writer(fd, _resolve, ready)
        try:
            # The time-out covers a socket that is closed meanwhile: no event comes for it.
            async with asyncio.timeout(1.0):
                await ready
        except TimeoutError:
            pass
        finally:
            if self._control is not None and self._control.fileno() == fd:
                self._loop.remove_writer(fd)

    def _on_control(self) -> None:
        for _ in range(_REPORTS_PER_TURN):
            if self._control is None:
                return
            try:
                data, fds, _flags, _address = socket.recv_fds(self._control, _REPORT_BYTES, 1)
            except BlockingIOError:
                return
            except OSError as error:
                self._stop_control(f"the zygote's socket failed: {error.strerror}")
                return
            if not data:
                self._stop_control("the zygote closed its socket")
                return
            try:
                self._on_report(zygote_pb2.ZygoteReport.FromString(data), fds)
            except DecodeError:
                self._stop_control("the zygote sent what cannot be read")
            finally:
                for fd in fds:
                    os.close(fd)

    def _on_report(self, report: zygote_pb2.ZygoteReport, fds: list[int]) -> None:
        """Act on one report; a descriptor that is kept is taken out of `fds`."""
        kind = report.WhichOneof("report")
        if kind == "spawned":
            self._on_spawned(report.spawned, fds)
        elif kind == "exited":
            if self._on_exit is not None:
                self._on_exit(report.exited.id, report.exited.exit_code)
        elif kind == "spawn_failed":
            pending = self._pending.pop(report.spawn_failed.id, None)
            if pending is not None:
                pending.drop()
                if not pending.future.done():
                    pending.future.set_exception(
                        WorkerStartError(f"the zygote cannot fork a worker: {report.spawn_failed.reason}")
                    )
        elif kind == "started":
            self.layers = tuple(LayerReport(item.name, item.active, item.detail) for item in report.started.layers)
            self._alive = True
            if self._started is not None and not self._started.done():
                self._started.set_result(None)
        elif kind == "start_failed" and self._started is not None and not self._started.done():
            self._started.set_exception(WorkerStartError(f"the zygote cannot start: {report.start_failed.reason}"))

    def _on_spawned(self, spawned: zygote_pb2.Spawned, fds: list[int]) -> None:
        pending = self._pending.pop(spawned.id, None)
        if pending is None:
            return
        if not fds:
            # Our own descriptor limit cut it off. Its socket closes, so the worker leaves.
            pending.drop()
            if not pending.future.done():
                pending.future.set_exception(WorkerStartError("no descriptor left for a worker's pidfd"))
            return
        worker = SpawnedWorker(spawned.id, pending.sock, pending.journal, fds.pop(), spawned.pid)
        if pending.future.done():
            with contextlib.suppress(PermissionError):
                worker.kill()
            worker.close()
        else:
            pending.future.set_result(worker)

    def _on_stderr(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        try:
            data = os.read(self._process.stderr.fileno(), _STDERR_BYTES)
        except BlockingIOError:
            return
        if data:
            self._stderr = (self._stderr + data)[-_STDERR_BYTES:]
        else:
            self._loop.remove_reader(self._process.stderr.fileno())

    def _stop_control(self, reason: str) -> None:
        """Stop talking: whoever waits for a worker is told, and the process is given a moment to leave."""
        if self._control is None:
            return
        self._alive = False
        self._loop.remove_reader(self._control.fileno())
        self._loop.remove_writer(self._control.fileno())
        self._control.close()
        self._control = None
        for pending in self._pending.values():
            pending.drop()
            if not pending.future.done():
                pending.future.set_exception(WorkerStartError(reason))
        self._pending.clear()
        if self._process is not None and not self._closing:
            self._loop.call_later(_LINGER_S, self._process.kill)

    def _on_process_exit(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        code = self._process.poll()
        if code is None:
            return
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # What it said last may still be in the socket and the pipe.
        self._on_control()
        self._on_stderr()
        self._loop.remove_reader(self._process.stderr.fileno())
        self._process.stderr.close()
        reason = f"the zygote {_ending(code)}{_last_line(self._stderr)}"
        self._stop_control(reason)
        if self._started is not None and not self._started.done():
            self._started.set_exception(WorkerStartError(reason))
        if self._exited is not None and not self._exited.done():
            self._exited.set_result(code)
        if self._on_death is not None and not self._closing:
            self._on_death(reason)


def zygotes(config: Config) -> Callable[[Callable[[int, int], None], Callable[[str], None]], Zygote]:
    """Return a maker of zygotes for a configuration; it takes `on_exit` and `on_death`."""
    sandbox = config.sandbox
    options = ZygoteOptions(
        memory_bytes=sandbox.memory_bytes,
        # Many logins' worth: a worker retires long before, and a single flow is bounded by its own budget.
        cpu_s=60 + sandbox.flow_timeout_ms // 1000,
        journal_bytes=journal.size_for(sandbox.reply_bytes),
        uid=sandbox.uid,
        gid=sandbox.uid,
    )
    return lambda on_exit, on_death: Zygote(options, on_exit, on_death)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _ending(code: int) -> str:
    # The outer process of a PID namespace passes on a signal as a shell does.
    number = -code if code < 0 else code - 128 if code > 128 else 0
    if number:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(number).name}"
    return f"exited with code {code}"


def _last_line(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").strip().splitlines()
    return f": {lines[-1][:300]}" if lines else ""


def _import_path(extra: Sequence[str]) -> list[str]:
    """Return absolute directories only: what the daemon imports from, and where our own packages are."""
    roots = []
    for package in ("sandbox", "vestibule"):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            roots.append(str(Path(next(iter(spec.submodule_search_locations))).resolve().parent))
    given = [entry for entry in sys.path if entry and os.path.isabs(entry)]
    return list(dict.fromkeys([*extra, *given, *roots]))


def _make_journal(size_bytes: int) -> tuple[mmap.mmap, int]:
    """Return shared memory of a size that nobody can change, and its descriptor.

    Raises: OSError.
    """
    fd = os.memfd_create("vestibule-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size_bytes)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return mmap.mmap(fd, size_bytes), fd
    except BaseException:
        os.close(fd)
        raise
