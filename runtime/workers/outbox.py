"""What a worker is sent: as much at once as its pipe takes, the rest when it has read.

Must not know what a frame says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runtime.workers.pipes import Pipes


def _closed() -> None:
    """Do nothing: it is known."""


class Outbox:
    """The frames of one worker, in their order."""

    __slots__ = ("_broken", "_loop", "_pipes", "asked_bytes", "unsent")

    def __init__(self, loop: asyncio.AbstractEventLoop, pipes: Pipes, broken: Callable[[], None]) -> None:
        """Begin with nothing. `broken` is called when the worker has closed its end."""
        self._loop = loop
        self._pipes = pipes
        self._broken = broken
        self.unsent = b""
        """What the pipe did not take yet."""
        self.asked_bytes = 0
        """How many bytes it was to be sent, in all."""

    @property
    def sent_bytes(self) -> int:
        """How many of those are in the pipe, or were read."""
        return self.asked_bytes - len(self.unsent)

    def send(self, frame: bytes) -> None:
        """Send a frame behind those before it."""
        self.asked_bytes += len(frame)
        if self.unsent:
            self.unsent += frame
            return
        try:
            sent = self._pipes.ask(frame)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._broken()
            return
        if sent < len(frame):
            self.unsent = frame[sent:]
            self._loop.add_writer(self._pipes.question_fd, self._on_writable)

    def _on_writable(self) -> None:
        try:
            sent = self._pipes.ask(self.unsent)
        except BlockingIOError:
            return
        except OSError:
            self._broken()
            return
        self.unsent = self.unsent[sent:]
        if not self.unsent:
            self._loop.remove_writer(self._pipes.question_fd)

    def close(self) -> None:
        """Send nothing more, and let go of the worker."""
        self._broken = _closed
        if self.unsent:
            self._loop.remove_writer(self._pipes.question_fd)
            self.unsent = b""
