"""A worker's private memory, measured now and then. Must not know what it may take, nor of other workers."""

from __future__ import annotations

from typing import Final

from runtime.workers.meter import anonymous_bytes

_SHARED_BROKEN_BYTES: Final = 2 << 20
"""Private copies of pages that a worker was forked with. The kernel counts these pages as the worker's before and after
the copy, so that the growth does not show them. Measured on CPython 3.11: 1.8 MiB in a warm worker of three actions."""


class Memory:
    """Of one worker, by the kernel's account."""

    __slots__ = ("_forked_bytes", "bytes")

    def __init__(self) -> None:
        self.bytes = 0
        """As it was measured last."""
        self._forked_bytes = 0

    def weigh(self, pid: int, child_pid: int) -> int:
        """Measure a worker, and a template's child, 0 for none; return by how much that differs from the last time."""
        before, anonymous = self.bytes, anonymous_bytes(pid)
        if before and anonymous is None:
            return 0
        anonymous = anonymous or 0
        if child_pid:
            # What it was forked with is not its own, and what it has on top is not the template's.
            anonymous += max(0, (anonymous_bytes(child_pid) or 0) - anonymous)
        if not before:
            self._forked_bytes = anonymous
        self.bytes = _SHARED_BROKEN_BYTES + max(0, anonymous - self._forked_bytes)
        return self.bytes - before
