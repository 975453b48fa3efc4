"""The daemon's ends of a worker's two pipes, one for each direction.

A worker that waited for its next question at a socket would be woken by its own answer being read from it: twice for
each login. Knows descriptors. Must not know frames, or what a worker says.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Pipes:
    """Two descriptors that are their owner's to close; neither blocks."""

    question_fd: int
    answer_fd: int
    """-1 once closed, as the other one is."""

    def ask(self, data: bytes) -> int:
        """Write what fits, and return how much that was. Raises: BlockingIOError, OSError."""
        return os.write(self.question_fd, data)

    def hear(self, size: int) -> bytes:
        """Read what is there; nothing when the worker is gone. Raises: BlockingIOError, OSError."""
        return os.read(self.answer_fd, size)

    def close(self) -> None:
        """Close both. The worker leaves when it reads next. Twice is fine."""
        if self.answer_fd >= 0:
            os.close(self.question_fd)
            os.close(self.answer_fd)
            self.question_fd = self.answer_fd = -1


@dataclass(slots=True)
class WorkerEnds:
    """A worker's own ends, until they are sent to the zygote."""

    question_fd: int
    answer_fd: int

    @property
    def fds(self) -> tuple[int, int]:
        """Both, as a request for a worker carries them."""
        return self.question_fd, self.answer_fd

    def close(self) -> None:
        """Close them here."""
        os.close(self.question_fd)
        os.close(self.answer_fd)


def make_pipes() -> tuple[Pipes, WorkerEnds]:
    """Make the pipes of a worker. Raises: OSError."""
    with ExitStack() as made:
        question_fd, asking_fd = os.pipe2(os.O_CLOEXEC)
        made.callback(os.close, question_fd)
        made.callback(os.close, asking_fd)
        hearing_fd, answer_fd = os.pipe2(os.O_CLOEXEC)
        made.pop_all()
    os.set_blocking(asking_fd, False)
    os.set_blocking(hearing_fd, False)
    return Pipes(asking_fd, hearing_fd), WorkerEnds(question_fd, answer_fd)
