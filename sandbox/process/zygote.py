"""The fork server: imports everything a worker needs, cages itself, then forks workers on request.

It has one thread and no secret. Must not know tenants or flows.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import mmap
import os
import select
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Final, NoReturn, Protocol, cast

from google.protobuf.message import DecodeError
from vestibule.worker.v1 import worker_pb2, zygote_pb2

from sandbox.contract import exit_codes
from sandbox.contract.layers import ENVIRONMENT, NOT_DUMPABLE, PID, ZYGOTE, Layer
from sandbox.process import compact, kernel, namespaces, selftest
from sandbox.process.channel import Channel
from sandbox.process.children import Children
from sandbox.process.lockdown import Lockdown, OwnSize, Profile
from sandbox.process.syscalls import ANSWER_FD, QUESTION_FD
from sandbox.reach import stacks

REQUEST_BYTES_MAX: Final = 4096
_FDS_PER_SPAWN: Final = 3
_FDS_MAX: Final = _FDS_PER_SPAWN + 1
_PROFILES_MAX: Final = 16


class WorkerModule(Protocol):
    """The module that serves in a locked worker: `sandbox.process.worker`."""

    def prepare(self) -> None:
        """Do once, before any fork, what a worker could not do after its lock-down."""

    def serve(self, channel: Channel, view: memoryview, ready: bytes, children: Children | None = None) -> NoReturn:
        """Send the Ready message, and serve the channel; `view` is the journal, `children` how it forks if it may."""


@dataclass(frozen=True, slots=True)
class ZygoteOptions:
    """What the daemon says when it starts us, as JSON on the command line."""

    control_fd: int
    entry: str
    uid: int
    gid: int
    omit: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> ZygoteOptions:
        """Read the command line. It is the daemon's, hence trusted."""
        raw = json.loads(text)
        return cls(raw["control_fd"], raw["entry"], raw["uid"], raw["gid"], tuple(raw["omit"]))


def main(argument: str) -> NoReturn:
    """Start, report, serve until the daemon closes the control socket."""
    options = ZygoteOptions.parse(argument)
    control = socket.socket(fileno=options.control_fd)
    try:
        zygote = _start(options, control)
    except Exception as error:  # noqa: BLE001  process edge: whatever it is, the operator gets one line
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        report = zygote_pb2.ZygoteReport(start_failed=zygote_pb2.StartFailed(reason=reason))
        with contextlib.suppress(OSError):
            control.send(report.SerializeToString())
        os._exit(exit_codes.FAILED)
    stacks.above_all_frames(zygote.serve)


def _start(options: ZygoteOptions, control: socket.socket) -> _Zygote:
    _quiet_signals()
    kernel.set_name("vst-zygote")
    # The daemon's death also closes the control socket; this is for the time before we listen to it.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    entry = cast("WorkerModule", importlib.import_module(options.entry))
    entry.prepare()
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(f"an import started a thread ({threads} run): a forked child would miss it")
    layers = []
    wanted = frozenset(ZYGOTE) - frozenset(options.omit)
    if ENVIRONMENT in wanted:
        os.environ.clear()
        layers.append(Layer(ENVIRONMENT, True, "empty"))
    os.umask(0o077)
    os.chdir("/")
    stacks.PLACE.find()  # while there is a /proc
    cage = namespaces.Cage(wanted)
    cage.enter(options.uid, options.gid)
    if cage.active(PID):
        namespaces.become_init("vst-zygote-init")
    # Both were cleared by the change of uid, and again by the fork.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if NOT_DUMPABLE not in options.omit:
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    layers += [layer for layer in cage.layers() if layer.name in wanted]
    return _Zygote(control, cage.open_own_size(), entry, layers)


def _quiet_signals() -> None:
    """Leave dying to the control socket and to SIGKILL: a Ctrl-C or a SIGTERM to the whole group is the daemon's to
    handle, which lets its workers finish first. A worker inherits all of this.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for signum in (signal.SIGXCPU, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT, signal.SIGALRM):
        signal.signal(signum, signal.SIG_DFL)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(signum, signal.SIG_IGN)


def _ignore(_signum: int, _frame: FrameType | None) -> None:
    """Handle SIGCHLD: the byte in the wake-up pipe says it all."""


class _Zygote:
    """One thread, one loop: a request or a dead child at a time."""

    def __init__(self, control: socket.socket, statm_fd: int, entry: WorkerModule, layers: Sequence[Layer]) -> None:
        self._control = control
        self._statm_fd = statm_fd
        self._entry = entry
        self._layers = tuple(layers)
        self._pid = os.getpid()
        self._ids: dict[int, int] = {}  # process id -> worker id
        self._lockdowns: dict[bytes, tuple[Lockdown, bytes]] = {}
        self._fillers: list[object] = []
        self._cpus = os.sched_getaffinity(0)
        self._placed = False
        self._wake_fd, self._wake_write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> NoReturn:
        """Report, then answer requests until the control socket closes."""
        signal.set_wakeup_fd(self._wake_write_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake_fd, select.POLLIN)
        started = zygote_pb2.Started(layers=_messages(self._layers))
        # Everything up to here is shared with every worker; the collector must not touch, and so copy, its pages.
        gc.collect()
        self._fillers = compact.fill()
        gc.freeze()
        self._report(zygote_pb2.ZygoteReport(started=started))
        control_fd = self._control.fileno()
        while True:
            for fd, _events in poll.poll():
                if fd == control_fd:
                    self._answer()
                else:
                    # Only when a child has died: the kernel looks through all of them at every wait.
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_fd, 4096)
                    self._reap()

    def _answer(self) -> None:
        try:
            data, fds, _flags, _address = socket.recv_fds(self._control, REQUEST_BYTES_MAX, _FDS_MAX)
        except OSError:
            os._exit(0)
        if not data:
            # The daemon is gone or done. Workers die with us.
            os._exit(0)
        try:
            request = zygote_pb2.ZygoteRequest.FromString(data)
            if request.HasField("spawn"):
                self._spawn(request.spawn, fds)
            elif request.HasField("kill"):
                self._kill(request.kill.id)
            elif request.HasField("place"):
                self._place(request.place.id, request.place.cpus, request.place.child)
        except DecodeError:
            # The daemon is trusted: this is a difference of versions, and no worker can come of it.
            os._exit(exit_codes.FAILED)
        finally:
            for fd in fds:
                os.close(fd)

    def _spawn(self, spawn: zygote_pb2.Spawn, fds: list[int]) -> None:
        try:
            wanted = _FDS_MAX if spawn.profile.forks else _FDS_PER_SPAWN
            if len(fds) != wanted:
                # Our own descriptor limit cuts the list.
                raise OSError(0, f"{len(fds)} descriptors came with the request, not {wanted}")
            lockdown, ready = self._lockdown(spawn.profile)
            question_fd, answer_fd, journal_fd, *renewal_fd = fds
            journal = mmap.mmap(journal_fd, 0)
            # With the journal already in it: that is not the tenant's to pay for.
            lockdown.aim(question_fd, answer_fd, OwnSize.parse(os.pread(self._statm_fd, 256, 0)), *renewal_fd)
            pid = os.fork()
            if pid == 0:
                self._become_worker(spawn.self_test, lockdown, ready, journal)
            journal.close()
        except (OSError, ValueError) as error:
            self._failed(spawn.id, str(error), error.errno if isinstance(error, OSError) else None)
            return
        self._ids[pid] = spawn.id
        try:
            # The child cannot be reaped before this: only this loop reaps.
            pidfd = os.pidfd_open(pid)
        except OSError as error:
            os.kill(pid, signal.SIGKILL)
            self._failed(spawn.id, f"pidfd_open: {error.strerror}", error.errno)
            return
        try:
            self._report(zygote_pb2.ZygoteReport(spawned=zygote_pb2.Spawned(id=spawn.id, pid=pid)), (pidfd,))
        finally:
            os.close(pidfd)

    def _failed(self, worker_id: int, reason: str, number: int | None) -> None:
        failed = zygote_pb2.SpawnFailed(id=worker_id, errno=number or 0, reason=reason)
        self._report(zygote_pb2.ZygoteReport(spawn_failed=failed))

    def _lockdown(self, profile: zygote_pb2.SpawnProfile) -> tuple[Lockdown, bytes]:
        """Return the lock-down of a profile, and the Ready message of a worker that could take on all of it."""
        key = profile.SerializeToString(deterministic=True)
        prepared = self._lockdowns.get(key)
        if prepared is None:
            if len(self._lockdowns) >= _PROFILES_MAX:
                for lockdown, _ in self._lockdowns.values():
                    lockdown.close()
                self._lockdowns.clear()
            lockdown = Lockdown(Profile(profile.memory_bytes, profile.cpu_s, frozenset(profile.omit), profile.forks))
            lockdown.rehearse()
            prepared = lockdown, _ready([*self._layers, *lockdown.layers])
            self._lockdowns[key] = prepared
        return prepared

    def _become_worker(self, self_test: str, lockdown: Lockdown, ready: bytes, journal: mmap.mmap) -> NoReturn:
        """Run in the child, to its end."""
        global _journal
        try:
            # The handler of the soft timeout would write to a descriptor that is not ours any more.
            signal.set_wakeup_fd(-1)
            # The object has a duplicate of the descriptor, which the lock-down closes: it must never close it itself.
            _journal = journal
            if self._placed:
                os.sched_setaffinity(0, self._cpus)
            children = lockdown.children
            if children is not None:
                children.begin(os.getpid())
            layers = lockdown.take_on()
            if self_test:
                selftest.run(self_test)
            if layers is not lockdown.layers:
                ready = _ready([*self._layers, *layers])
                if children is not None:
                    children = children.left_with(frozenset(layer.name for layer in layers if layer.active))
            self._entry.serve(Channel(QUESTION_FD, ANSWER_FD), memoryview(journal), ready, children)
        except BaseException:  # noqa: BLE001  process edge: no traceback, no interpreter shutdown, no way back into the zygote's loop
            os._exit(exit_codes.FAILED)

    def _pid_of(self, worker_id: int) -> int | None:
        """Return the process id of a worker that is not reaped yet, so that the number is still its own."""
        return next((pid for pid, known in self._ids.items() if known == worker_id), None)

    def _kill(self, worker_id: int) -> None:
        pid = self._pid_of(worker_id)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _place(self, worker_id: int, cpus: Sequence[int], child: int) -> None:
        pid = self._pid_of(worker_id) if worker_id else 0
        if pid is None:
            return
        # A processor may have gone meanwhile, and the worker too: then it stays where it is.
        with contextlib.suppress(OSError, ValueError):
            os.sched_setaffinity(pid, cpus)
            if pid == 0:
                self._placed = set(cpus) != self._cpus
            elif child > 0 and child not in self._ids:
                os.sched_setaffinity(child, cpus)

    def _reap(self) -> None:
        # Of a template that ends before its child, the child is ours: the first process of a namespace gets orphans.
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            worker_id = self._ids.pop(pid, None)
            if worker_id is not None:
                code = os.waitstatus_to_exitcode(status)
                self._report(zygote_pb2.ZygoteReport(exited=zygote_pb2.Exited(id=worker_id, exit_code=code)))

    def _report(self, report: zygote_pb2.ZygoteReport, fds: Sequence[int] = ()) -> None:
        data = report.SerializeToString()
        try:
            if fds:
                socket.send_fds(self._control, [data], list(fds))
            else:
                self._control.send(data)
        except (BrokenPipeError, ConnectionResetError):
            os._exit(0)


def _messages(layers: Sequence[Layer]) -> list[worker_pb2.Layer]:
    return [worker_pb2.Layer(name=layer.name, active=layer.active, detail=layer.detail) for layer in layers]


def _ready(layers: Sequence[Layer]) -> bytes:
    """Return the message in which a worker says what holds it."""
    data: bytes = worker_pb2.Ready(layers=_messages(layers)).SerializeToString()
    return data


_journal: mmap.mmap | None = None
