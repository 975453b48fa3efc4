"""The children of a template, one after the other: which one answers now, and that the one before it is gone.

Knows credentials on a socket, pidfds and the journal's memory. Must not know questions, or what a worker answers.

A child says once that it has taken its place, before it reads anything, on a socket that it then closes; the kernel
adds its process id. The template never ran an action, and yet is not believed: a child is gone when its pidfd says so.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
import struct
from pathlib import Path
from typing import Final

from runtime.errors import ProtocolViolation

_CREDENTIALS: Final = struct.Struct("3i")
_NEWS: Final = b"\1"
# More than a child says, so that too much is seen.
_READ_BYTES: Final = 16


class TemplateChildren:
    """Our end of the socket of one template. The socket is the spawned worker's to close."""

    __slots__ = ("_journal", "_pidfd", "_socket", "pid")

    def __init__(self, ours: socket.socket, journal: mmap.mmap) -> None:
        self._socket = ours
        self._journal = journal
        self._pidfd = -1
        self.pid = 0
        """Of the child that answers, as the daemon sees it; 0 while there is none."""

    @property
    def fd(self) -> int:
        """Return what is readable when a child takes its place."""
        return self._socket.fileno()

    def renew(self) -> bool | None:
        """Take the next child's word that it is there, and clear the journal for it.

        Returns: False when there will be no other; None when there is no news.

        Raises: ProtocolViolation: what came is no such word, or the child before it still lives.
        """
        try:
            data, ancillary, _flags, _address = self._socket.recvmsg(_READ_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
        except BlockingIOError:
            return None
        except OSError:
            return False
        if not data:
            return False
        pid = next((_CREDENTIALS.unpack(sent)[0] for _, kind, sent in ancillary if kind == socket.SCM_CREDENTIALS), 0)
        if data != _NEWS or pid <= 0:
            raise ProtocolViolation("said what no child of a template says")
        if not self.gone():
            raise ProtocolViolation("began with the next login before the process of the last one was gone")
        self.clear()
        try:
            self._pidfd = os.pidfd_open(pid)
        except OSError as error:
            raise ProtocolViolation(f"has a child that cannot be looked at: {error.strerror}") from None
        self.pid = pid
        return True

    def clear(self) -> None:
        """Give the journal's pages back, with whatever the last child wrote to any of them."""
        self._journal.madvise(mmap.MADV_REMOVE)

    def close(self) -> None:
        """Let go of the child's pidfd. Twice is fine."""
        self.pid = 0
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def gone(self) -> bool:
        """Say whether the last child is dead and reaped."""
        if self._pidfd < 0:
            return True
        try:
            signal.pidfd_send_signal(self._pidfd, 0)
        except ProcessLookupError:
            self.close()
            return True
        except PermissionError:
            return False
        return False


def pid_inside(pid: int) -> int:
    """Return a process's id in the innermost namespace that it is in; 0 for 0, and when it is gone.

    Source: proc_pid_status(5), NSpid.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[-1]) for line in lines if line.startswith("NSpid:")), 0)


def make_renewals() -> tuple[socket.socket, socket.socket]:
    """Make the socket on which children say that they are there: our end, and the worker's. Raises: OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    ours.setblocking(False)
    return ours, theirs
