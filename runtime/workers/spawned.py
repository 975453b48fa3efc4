"""A forked worker as the daemon holds it: two pipes, a journal, a pidfd.

Knows descriptors and signals. Must not know tenants, or what a worker says.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.workers.pipes import Pipes

CRASH_SIGNALS: Final = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE})
"""What the kernel sends to a process whose own machine code went wrong."""


@dataclass(slots=True, eq=False)
class SpawnedWorker:
    """A forked worker, and the descriptors that are its owner's to close."""

    id: int
    """Its name in every message of the zygote; never used twice by one zygote."""
    pipes: Pipes
    """The first frame of answers is Ready."""
    journal: mmap.mmap
    pidfd: int
    """-1 once closed."""
    pid: int
    """As the zygote sees it, which means nothing outside: for messages only."""
    renewals: socket.socket | None = None
    """Where the children of a worker that may fork say that they are there."""

    def undo(self) -> None:
        """Kill and close a worker that is not wanted; where it may not be signalled, its closed pipe ends it."""
        with contextlib.suppress(PermissionError):
            self.kill()
        self.close()

    def kill(self) -> None:
        """Send SIGKILL; a worker that is gone already is fine.

        Raises: PermissionError where the daemon is root without CAP_KILL; `Zygote.kill` works there too.
        """
        if self.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Release our descriptors. The worker leaves once its pipe is closed, unless it hangs: kill it first."""
        self.pipes.close()
        if self.renewals is not None:
            self.renewals.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
        # A view that is still held keeps the memory until it is released.
        with contextlib.suppress(BufferError):
            self.journal.close()

    def host_pid(self) -> int:
        """Return the process id in the daemon's namespace; -1 when it is gone. For logs: it reads /proc."""
        try:
            text = Path(f"/proc/self/fdinfo/{self.pidfd}").read_text()
        except OSError:
            return -1
        return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pid:")), -1)
