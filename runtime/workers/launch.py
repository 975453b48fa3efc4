"""How the zygote's process is started: command line, import path, environment; and a worker's shared journal.

Knows exec, memfd and what a dead process left to say. Must not know the control socket's messages.
"""

from __future__ import annotations

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
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runtime.errors import WorkerStartError
from sandbox.contract import journal
from sandbox.contract.layers import WORKER_UID

if TYPE_CHECKING:
    from runtime.config.effective import Config

# The path is the daemon's own: a zygote imports from where the daemon imports, wherever it was started.
_BOOT: Final = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from sandbox.reach import none_hash; none_hash.fix();"
    " from sandbox.process.boot import boot; boot(sys.argv[2])"
)
_OOM_SCORE_MORE: Final = 500
_OOM_SCORE_MAX: Final = 1000
# How a relocated interpreter finds itself; the zygote empties its environment once it runs.
_KEPT_ENVIRONMENT: Final = ("LD_LIBRARY_PATH", "PYTHONHOME")


_ENTRY: Final = "sandbox.process.worker"


@dataclass(frozen=True, slots=True)
class Hold:
    """How the zygote and its workers are held."""

    memory_bytes: int
    """What one worker may take on top of what it shares."""
    journal_bytes: int
    """Size of each worker's journal, in whole pages."""
    uid: int
    """User and group of workers, when the daemon is root."""
    cpu_s: int = 300
    """Processor time of a worker's whole life: the backstop for a daemon that does not kill in time."""
    entry: str = _ENTRY
    """Module that serves in a locked worker; tests put theirs here."""
    path: tuple[str, ...] = ()
    """Where to import `entry` from, before the daemon's own path."""
    forks: bool = False
    """A worker may become a template, which forks a child for each login: `isolation: login`."""
    omit: frozenset[str] = frozenset()
    """Layers to leave off, of the zygote and of each worker. Only tests do, to show that a probe is alive."""

    @classmethod
    def of(cls, config: Config) -> Hold:
        """Take what the configuration says."""
        sandbox = config.sandbox
        forks = sandbox.isolation == "login"
        return cls(sandbox.memory_bytes, journal.size_for(sandbox.reply_bytes), sandbox.uid, forks=forks)


class Launched:
    """A zygote's process that is not talked to yet, with our ends of its control socket and of its stderr.

    The kernel ties it to the thread that made it: that one must outlive it.
    """

    def __init__(
        self, uid: int = WORKER_UID, entry: str = _ENTRY, path: Sequence[str] = (), omit: frozenset[str] = frozenset()
    ) -> None:
        """Start it; the arguments are those of `Hold`. Raises: WorkerStartError."""
        self._started_with = (uid, entry, tuple(path), omit)
        self._taken = False
        try:
            self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise WorkerStartError(f"no socket for the zygote: {error.strerror}") from error
        with theirs:
            try:
                self.process, self.stderr_fd = launch(theirs.fileno(), uid, entry, path, omit)
            except OSError as error:
                self.control.close()
                raise WorkerStartError(f"the zygote cannot be executed: {error}") from error

    def fits(self, hold: Hold) -> bool:
        """Was it started as `hold` says?"""
        return self._started_with == (hold.uid, hold.entry, hold.path, hold.omit)

    def take(self) -> Launched:
        """Take it over, with what is to be closed. Once."""
        self._taken = True
        return self

    def close(self) -> None:
        """End it, unless it was taken over."""
        if not self._taken:
            self._taken = True
            self.control.close()
            os.close(self.stderr_fd)
            with self.process as process:
                process.kill()


def launch(
    control_fd: int, uid: int, entry: str, path: Sequence[str] = (), omit: frozenset[str] = frozenset()
) -> tuple[subprocess.Popen[bytes], int]:
    """Start the process; it inherits `control_fd` and no other descriptor. The rest is as in `Hold`.

    Returns: the process, and the end of its stderr that the caller reads and closes.

    Raises: OSError.
    """
    options = {"control_fd": control_fd, "entry": entry, "uid": uid, "gid": uid, "omit": sorted(omit)}
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    # Sets in the same order in every worker: an execution can be run again.
    environment["PYTHONHASHSEED"] = "0"
    # -s, -P: no user site, no current directory; the path given here is the only one. A session of its own: a
    # Ctrl-C is the daemon's to handle.
    command = [sys.executable, "-s", "-P", "-c", _BOOT, json.dumps(import_path(path)), json.dumps(options)]
    # Opened here and not by subprocess: before Python 3.11.4 it keeps the null device when there is no descriptor left
    # for the pipe.
    with ExitStack() as held:
        null = os.open(os.devnull, os.O_RDWR)
        held.callback(os.close, null)
        stderr, theirs = os.pipe()
        held.callback(os.close, theirs)
        try:
            process = subprocess.Popen(
                command,
                stdin=null,
                stdout=null,
                stderr=theirs,
                pass_fds=(control_fd,),
                cwd="/",
                env=environment,
                start_new_session=True,
            )
        except BaseException:
            os.close(stderr)
            raise
    _die_first(process.pid)
    return process, stderr


def _die_first(pid: int) -> None:
    """Let the kernel take workers when memory is short, the largest first, and not the daemon.

    Every worker inherits it. Source: proc_pid_oom_score_adj(5); to raise it needs no privilege.
    """
    file = Path(f"/proc/{pid}/oom_score_adj")
    # Where it cannot be said, the kernel goes by size alone.
    with contextlib.suppress(OSError):
        file.write_text(str(min(int(file.read_text()) + _OOM_SCORE_MORE, _OOM_SCORE_MAX)))


def is_runnable(pid: int) -> bool:
    """Say whether a zygote runs or only waits for a processor, by its outermost process: that, or the one inside it."""
    inside = []
    with contextlib.suppress(OSError):
        inside = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for each in (str(pid), *inside):
        with contextlib.suppress(OSError):
            # The name before it may hold anything.
            if Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[0] == "R":
                return True
    return False


def import_path(extra: Sequence[str] = ()) -> list[str]:
    """Return absolute directories only: where the daemon imports from, and where our own packages are."""
    roots = []
    for package in ("sandbox", "vestibule.worker", "vestibule.v1"):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            folder = Path(next(iter(spec.submodule_search_locations))).resolve()
            roots.append(str(folder.parents[package.count(".")]))
    given = [entry for entry in sys.path if os.path.isabs(entry)]
    return list(dict.fromkeys([*extra, *given, *roots]))


def make_journal(size_bytes: int) -> tuple[mmap.mmap, int]:
    """Return shared memory of a fixed size, and its descriptor.

    Raises: OSError.
    """
    fd = os.memfd_create("vestibule-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size_bytes)
        # A worker that could shrink it would let the daemon die of SIGBUS.
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return mmap.mmap(fd, size_bytes), fd
    except BaseException:
        os.close(fd)
        raise


def describe_end(code: int, stderr: bytes) -> str:
    """Say in one line how the zygote ended, from its exit code and the last line it wrote."""
    # The outer process of a PID namespace passes on a signal as a shell does.
    number = -code if code < 0 else code - 128 if code > 128 else 0
    ending = f"exited with code {code}"
    if number:
        with contextlib.suppress(ValueError):
            ending = f"was killed by {signal.Signals(number).name}"
    lines = stderr.decode(errors="replace").strip().splitlines()
    return f"the zygote {ending}" + (f": {lines[-1][:300]}" if lines else "")
