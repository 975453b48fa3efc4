"""Attempts to break out, which a locked worker makes instead of serving: proof that the layers hold on this host."""

from __future__ import annotations

import mmap
import os
import socket
from collections.abc import Callable
from typing import Final, NoReturn

from sandbox.contract import attempts, exit_codes


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
    # The program ends with the code of success: another one could come from anything that ended.
    os.execv("/bin/sh", ["sh", "-c", f"exit {exit_codes.BROKE_OUT}"])


def _map_executable() -> None:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def _signal_parent() -> None:
    os.kill(os.getppid(), 0)


_ATTEMPTS: Final[dict[str, Callable[[], None]]] = {
    attempts.READ_FILE: _read_file,
    attempts.READ_ENVIRONMENT: _read_environment,
    attempts.OPEN_SOCKET: _open_socket,
    attempts.FORK: _fork,
    attempts.EXECUTE: _execute,
    attempts.MAP_EXECUTABLE: _map_executable,
    attempts.SIGNAL_PARENT: _signal_parent,
}


def run(attempt: str) -> NoReturn:
    """Make one attempt; the exit code says how it went, or the signal of the system call filter."""
    try:
        _ATTEMPTS[attempt]()
    except OSError:
        os._exit(exit_codes.REFUSED)
    os._exit(exit_codes.BROKE_OUT)
