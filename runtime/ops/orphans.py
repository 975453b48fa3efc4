"""Processes that the kernel gave us when their parent had died, as it does to the first process of a container.

They are waited for when they have ended, or they would stay as zombies. Must not know whose they were.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

_EVERY_S: Final = 5.0
_PROC: Final = Path("/proc/self")


class Orphans:
    """Looks for them now and then, where we are the first process. Belongs to one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, first: bool | None = None) -> None:
        """`first`: whether orphans come to us; without, whether we are process 1."""
        self._first = os.getpid() == 1 if first is None else first
        self._clock, self._next_s = clock, 0.0
        self._ended: frozenset[int] = frozenset()

    def look(self) -> None:
        """Wait for what had ended at the look before too. An owner waits for its child at once."""
        if not self._first or self._clock() < self._next_s:
            return
        self._next_s = self._clock() + _EVERY_S
        ended = frozenset(_ended())
        for pid in ended & self._ended:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        self._ended = ended - self._ended


def _ended() -> Iterator[int]:
    """Return our children that have ended, where the kernel lists children (CONFIG_PROC_CHILDREN)."""
    for listed in _PROC.glob("task/*/children"):
        with contextlib.suppress(OSError):
            for pid in listed.read_text().split():
                if _state(pid) == "Z":
                    yield int(pid)


def _state(pid: str) -> str:
    try:
        # The name, in brackets, may hold anything.
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
