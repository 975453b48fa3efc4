"""Attempts to break out, made by a locked worker in place of serving: proof that the layers hold on this host.

Knows what each attempt does. Must not know which layer should stop it.
"""

from __future__ import annotations

import mmap
import os
import socket
from collections.abc import Callable
from typing import Final, NoReturn

EXIT_BROKE_OUT: Final = 42
EXIT_REFUSED: Final = 43


def _read_file() -> None:
    os.close(os.open("/etc/passwd", os.O_RDONLY))


def _read_environment() -> None:
    os.close(os.open("/proc/self/environ", os.O_RDONLY))


def _open_socket() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _execute() -> None:
    # The program says what this one would say had it gone on: without that, its end could be any other's.
    os.execv("/bin/sh", ["sh", "-c", f"exit {EXIT_BROKE_OUT}"])


def _map_executable() -> None:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def _signal_parent() -> None:
    os.kill(os.getppid(), 0)


ATTEMPTS: Final[dict[str, Callable[[], None]]] = {
    "read a file": _read_file,
    "read its environment": _read_environment,
    "open a socket": _open_socket,
    "fork a process": _fork,
    "execute a program": _execute,
    "map executable memory": _map_executable,
    "signal its parent": _signal_parent,
}


def run(attempt: str, _sock_fd: int) -> NoReturn:
    """Make one attempt and say by the exit code how it went; the system call filter says it by its signal.

    Any other end says nothing of the attempt.
    """
    try:
        ATTEMPTS[attempt]()
    except OSError:
        os._exit(EXIT_REFUSED)
    os._exit(EXIT_BROKE_OUT)
