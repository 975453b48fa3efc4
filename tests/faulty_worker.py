"""The entry of a zygote that can be made to crash and whose workers send faulty replies where an action says so.

Not a test module. It is `sandbox.process.worker` but for two things. A source with the line `# reply: KIND` makes its
worker send every reply to a login the way that KIND names. And signals to the zygote make it crash, run out of
memory, or run out of processes, address space or descriptors until another one gives them back: no other process
may limit it from outside.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from collections.abc import Callable
from typing import NoReturn

from vestibule.worker.v1 import worker_pb2

from sandbox.contract import frames
from sandbox.process import worker
from sandbox.process.channel import Channel
from sandbox.process.children import Children
from sandbox.process.syscalls import ANSWER_FD, QUESTION_FD

_MARK = b"# reply: "


def _lowest_free() -> int:
    number = os.dup(1)
    os.close(number)
    return number


CRASH = signal.SIGUSR2
RUN_OUT = signal.SIGUSR1
RELENT = signal.SIGRTMIN
LIMITS: dict[str, tuple[int, int, Callable[[], int]]] = {
    "processes": (signal.SIGRTMIN + 1, resource.RLIMIT_NPROC, lambda: 0),
    "memory": (signal.SIGRTMIN + 2, resource.RLIMIT_AS, lambda: 4096),
    "descriptors": (signal.SIGRTMIN + 3, resource.RLIMIT_NOFILE, _lowest_free),
}
"""What sets which soft limit of the zygote to how much."""
_BEFORE = {limit: resource.getrlimit(limit) for _, limit, _ in LIMITS.values()}


def _limit(number: int, _frame: object) -> None:
    for which, limit, soft in LIMITS.values():
        if which == number:
            resource.setrlimit(limit, (soft(), _BEFORE[limit][1]))


def _relent(_number: int, _frame: object) -> None:
    for limit, before in _BEFORE.items():
        resource.setrlimit(limit, before)


def _crash(_number: int, _frame: object) -> None:
    ctypes.string_at(0)


def _run_out(_number: int, _frame: object) -> None:
    raise MemoryError


def prepare() -> None:
    """Do what a worker does, and take the signals."""
    worker.prepare()
    signal.signal(RUN_OUT, _run_out)
    signal.signal(CRASH, _crash)
    signal.signal(RELENT, _relent)
    for number, _, _ in LIMITS.values():
        signal.signal(number, _limit)


def _never(_fd: int, _payload: bytes) -> None:
    # A locked-down worker cannot sleep; it can wait for what never comes.
    while os.read(QUESTION_FD, 1):
        pass
    os._exit(0)


def _end(_fd: int, _payload: bytes) -> None:
    os._exit(0)


def _empty(fd: int, _payload: bytes) -> None:
    os.write(fd, frames.encode(b""))


def _half(fd: int, payload: bytes) -> None:
    os.write(fd, frames.encode(payload)[:-1])
    _never(fd, payload)


def _bytewise(fd: int, payload: bytes) -> None:
    for byte in frames.encode(payload):
        os.write(fd, bytes([byte]))
        later_ns = time.monotonic_ns() + 200_000
        while time.monotonic_ns() < later_ns:
            pass


def _huge(fd: int, _payload: bytes) -> None:
    data = bytes(1 << 20)
    os.write(fd, (64 << 20).to_bytes(frames.LENGTH_BYTES))
    for _ in range(64):
        os.write(fd, data)


def _flood(fd: int, payload: bytes) -> None:
    data = frames.encode(payload)
    while True:
        os.write(fd, data)


def _garbage(fd: int, payload: bytes) -> None:
    os.write(fd, frames.encode(bytes(255 - byte for byte in payload)))


def _burns(fd: int, payload: bytes) -> None:
    os.write(fd, frames.encode(payload))
    while True:
        pass


KINDS: dict[bytes, Callable[[int, bytes], None]] = {
    b"never": _never,
    b"end": _end,
    b"empty": _empty,
    b"half": _half,
    b"bytewise": _bytewise,
    b"huge": _huge,
    b"flood": _flood,
    b"garbage": _garbage,
    b"burns": _burns,
}


class FaultyChannel(Channel):
    """Sends as the tenant's source chooses."""

    def __init__(self) -> None:
        super().__init__(QUESTION_FD, ANSWER_FD)
        self._kind = self._chosen = b""

    def read(self) -> bytes:
        """Read a question, and how its reply is to be sent."""
        frame = super().read()
        _, found, rest = frame.partition(_MARK)
        if found:
            self._chosen = rest.partition(b"\n")[0]
        # Code is asked for, and loaded by a template, before the first login, whose reply it is about.
        question = worker_pb2.RunFlow.FromString(frame)
        self._kind = b"" if question.return_code or question.template else self._chosen
        return frame

    def write(self, payload: bytes) -> None:
        """Send a reply."""
        if self._kind in KINDS:
            KINDS[self._kind](ANSWER_FD, payload)
        else:
            super().write(payload)


def serve(_channel: Channel, view: memoryview, ready: bytes, children: Children | None = None) -> NoReturn:
    """Serve as a worker does, with a way of sending that the tenant's source chooses."""
    worker.serve(FaultyChannel(), view, ready, children)
