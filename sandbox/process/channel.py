"""A worker's own ends of its two pipes: blocking, a frame at a time.

The process ends here, with the exit code that says why, when the questions end or bring something that is no frame.
"""

from __future__ import annotations

import os
from typing import Final

from sandbox.contract import exit_codes, frames

_READ_BYTES: Final = 32 * 1024
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
"""An event of 1 MiB and twenty sources of 100 kB with their secrets fit many times over."""


class Channel:
    """A pipe from which questions are read, one at a time of those that wait in it, and one for the answers.

    Two, because who waits at a socket for the next question is woken by its own answer being read.
    """

    __slots__ = ("_answer_fd", "_question_fd", "_reader")

    def __init__(self, question_fd: int, answer_fd: int) -> None:
        self._question_fd = question_fd
        self._answer_fd = answer_fd
        self._reader = frames.Reader()

    def read(self) -> bytes:
        """Return the payload of the next frame."""
        reader = self._reader
        try:
            frame = reader.next(FRAME_BYTES_MAX)
            while frame is None:
                data = os.read(self._question_fd, _READ_BYTES)
                if not data:
                    os._exit(exit_codes.CLOSED)
                frame = reader.feed(data, FRAME_BYTES_MAX)
            return frame
        except frames.FrameError:
            os._exit(exit_codes.PROTOCOL)

    def write(self, payload: bytes) -> None:
        """Send a payload as one frame."""
        data = frames.encode(payload)
        sent = os.write(self._answer_fd, data)
        while sent < len(data):
            sent += os.write(self._answer_fd, data[sent:])
