"""The two stacks that an action can run down, as deep as its memory lets it, made before its first byte.

Knows how CPython and the kernel grow a stack. Must not know what runs on it.

- The C stack. CPython hashes and frees what is nested by going down in C, one frame for each level and with no limit
  to the number of levels (tuples, deques, exceptions that have a cause, and more). What is nested takes memory, and the
  memory of a worker is limited, so there is a depth that is enough. Measured on CPython 3.11 and 3.13: never more than
  1.4 bytes of stack for each byte of what is nested. A stack that grows needs address space, which an action could
  have filled: it is grown here, to its full size, at the price of one page.
- The stack of Python's frames. CPython 3.11 does not raise but crash when it finds no memory for the next piece of it
  in a call from Python to Python. So all runs above one frame whose piece has room for every frame that can come.
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

MIB: Final = 1024 * 1024
_PER_MEMORY_BYTE: Final = 3
"""Twice what was measured: other compilers make other frames."""
_BESIDE_BYTES: Final = 16 * MIB
"""For what the recursion limit counts, where nothing else is needed."""
_GUARD_BYTES: Final = 2 * MIB
"""What the kernel leaves free between a stack and its neighbour (stack_guard_gap), with some room."""
DEFAULT_MEMORY_BYTES: Final = 128 * MIB

FRAME_SLOTS_MAX: Final = 2000
"""Locals and stack of one function, words. The language refuses what needs more."""
_PIECE_BYTES: Final = 32 * MIB
# CPython takes a piece of the next power of two above what a frame needs and a thousand words more
# (Python/pystate.c, push_chunk). So half of a piece is left by a frame that needs a little more than the other half.
_FIRST_FRAME_SLOTS: Final = _PIECE_BYTES // 16 - 1000 + 8

_T = TypeVar("_T")


def deep_enough(memory_bytes: int) -> int:
    """Answer how large a C stack must be so that nothing nested in so much memory can run over it."""
    return _PER_MEMORY_BYTE * memory_bytes + _BESIDE_BYTES


@dataclass(slots=True)
class Place:
    """Where the C stack of this process lies."""

    floor: int = 0
    """End of the neighbour below."""
    start: int = 0
    end: int = 0
    """0 where the kernel does not say."""

    def find(self) -> None:
        """Read the place from /proc, which a caged process cannot."""
        try:
            maps = Path("/proc/self/maps").read_bytes()
        except OSError:
            return
        floor = 0
        for line in maps.splitlines():
            words = line.split()
            start, end = (int(part, 16) for part in words[0].split(b"-"))
            if words[-1] == b"[stack]":
                self.floor, self.start, self.end = floor, start, end
                return
            floor = end


PLACE: Final = Place()
"""Of the main thread. A fork has it where its parent had it."""


def grow(wanted_bytes: int) -> int:
    """Grow the C stack of the main thread to its full size; return what it has afterwards, 0 where that is unknown.

    It takes address space and one page. A limit of the process, a neighbour in the address space or a host that lets no
    limit be raised may make it less.
    """
    if not PLACE.end:
        PLACE.find()
    if not PLACE.end:
        return 0
    had = PLACE.end - PLACE.start
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    size = wanted_bytes if hard == resource.RLIM_INFINITY else min(wanted_bytes, hard)
    size = min(size, PLACE.end - PLACE.floor - _GUARD_BYTES, had + _space_left())
    size -= size % resource.getpagesize()
    if size <= had:
        return had
    if soft != resource.RLIM_INFINITY and soft < size:
        try:
            resource.setrlimit(resource.RLIMIT_STACK, (size, hard))
        except (ValueError, OSError):
            # Something forbids the call. What is nested too deep then ends its own worker, by SIGSEGV.
            return had
    # The kernel makes the stack reach down to wherever it is touched (Linux 5.0 and later), and keeps it there.
    ctypes.memset(PLACE.end - size, 0, 1)
    PLACE.start = PLACE.end - size
    return size


def _space_left() -> int:
    """Answer half of the address space that the process may still take."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_bytes().split()[0])
        return max(0, soft - pages * resource.getpagesize()) // 2
    return 0


def above_all_frames(function: Callable[[], _T]) -> _T:
    """Call `function` where Python's stack has room for every frame that can come above it."""
    return function()


above_all_frames.__code__ = above_all_frames.__code__.replace(co_stacksize=_FIRST_FRAME_SLOTS)
