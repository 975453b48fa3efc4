"""Stand-ins for processes: a worker that is a socket, and a zygote that makes such workers."""

from __future__ import annotations

import asyncio
import errno
import mmap
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vestibule.worker.v1 import worker_pb2

from runtime.workers.pipes import WorkerEnds, make_pipes
from sandbox.contract import frames, journal

LAYERS = ("seccomp", "landlock", "rlimits", "no_new_privs")


def _ignore(_worker: int, _code: int) -> None:
    pass


async def reached(state: Callable[[], object]) -> None:
    """Let the loop run until it has brought about a state: without a sleep, and for ever only if a test is wrong."""
    async with asyncio.timeout(30):
        while not state():
            await asyncio.sleep(0)


@dataclass(frozen=True)
class Question:
    """What a worker was asked."""

    nonce: int
    steps: list[worker_pb2.Step]


class Peer:
    """A worker's own ends, in the test's hands."""

    def __init__(self, ends: WorkerEnds) -> None:
        self._ends: WorkerEnds | None = ends
        os.set_blocking(ends.question_fd, False)

    def recv(self, size: int) -> bytes:
        """Read what was asked, if anything was. Raises: BlockingIOError."""
        assert self._ends is not None
        return os.read(self._ends.question_fd, size)

    def sendall(self, data: bytes) -> None:
        """Answer with these bytes. Raises: OSError."""
        if self._ends is None:
            raise OSError(errno.EBADF, "closed")
        while data:
            data = data[os.write(self._ends.answer_fd, data) :]

    def close(self) -> None:
        """Be gone. Twice is fine."""
        ends, self._ends = self._ends, None
        if ends is not None:
            ends.close()


class FakeSpawned:
    """A worker process that exists as two pipes only."""

    def __init__(self, worker_id: int, killed: list[int]) -> None:
        self.id = worker_id
        self._killed = killed
        self.pipes, ends = make_pipes()
        self.peer = Peer(ends)
        self.journal = mmap.mmap(-1, journal.size_for(64 * 1024))
        self.pid = 0
        self.renewals: socket.socket | None = None
        self.closed = False

    def kill(self) -> None:
        """Note the kill instead of sending a signal."""
        self._killed.append(self.id)

    def undo(self) -> None:
        """Be killed and closed unused."""
        self.kill()
        self.close()

    def host_pid(self) -> int:
        """Say that there is no process."""
        return -1

    def close(self) -> None:
        """Release everything, as the daemon does with a dead worker."""
        self.closed = True
        self.pipes.close()
        self.peer.close()
        self.journal.close()

    async def read(self) -> worker_pb2.RunFlow:
        """Read one question."""
        reader = frames.Reader()
        while True:
            try:
                frame = reader.feed(self.peer.recv(1 << 20), 1 << 30)
            except BlockingIOError:
                await asyncio.sleep(0)
            else:
                if frame is not None:
                    return worker_pb2.RunFlow.FromString(frame)

    async def asked(self) -> worker_pb2.RunFlow:
        """Read one question about a login; those that ask for code only are answered with none."""
        while (request := await self.read()).return_code:
            self.say(worker_pb2.FlowReply(nonce=request.nonce).SerializeToString())
        return request

    async def hear(self) -> Question:
        """Read one question about a login."""
        request = await self.asked()
        return Question(request.nonce, list(worker_pb2.FlowSteps.FromString(request.flow).steps))

    def say(self, payload: bytes) -> None:
        """Send one frame."""
        self.peer.sendall(frames.encode(payload))


class FakeZygote:
    """Makes fake workers that say they are ready at once, or fails as told."""

    def __init__(self, layers: tuple[str, ...] = LAYERS) -> None:
        self.alive = True
        self.layers = layers
        self.spawned: list[FakeSpawned] = []
        self.failures: list[Exception] = []
        self.started = 0
        self.killed: list[int] = []
        self.placed: dict[int, tuple[int, ...]] = {}
        self.on_exit: Callable[[int, int], None] = _ignore

    def make(self, on_exit: Callable[[int, int], None], on_death: Callable[[str], None]) -> FakeZygote:
        """Be the zygote that the pool makes."""
        self.on_exit = on_exit
        return self

    async def kill(self, worker: FakeSpawned) -> None:
        """Note the kill."""
        self.killed.append(worker.id)

    async def place(self, worker_id: int, cpus: Sequence[int], child: int = 0) -> None:
        """Note where the worker, or the zygote, is to run."""
        self.placed[worker_id] = tuple(cpus)

    async def close(self) -> None:
        """Nothing to stop."""

    async def start(self) -> None:
        """Be alive again."""
        self.started += 1
        self.alive = True

    async def spawn(self) -> FakeSpawned:
        """Make a worker that says it is ready, or raise the next failure."""
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        spawned = FakeSpawned(len(self.spawned) + 1, self.killed)
        self.spawned.append(spawned)
        ready = worker_pb2.Ready(layers=[worker_pb2.Layer(name=name, active=True) for name in self.layers])
        spawned.say(ready.SerializeToString())
        return spawned
