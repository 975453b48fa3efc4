"""A pool's world that moves when a test says so: an event loop whose clock stands still, processes, fork servers.

Knows what a zygote reports and when. Must not know the pool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from vestibule.worker.v1 import worker_pb2

from runtime.errors import WorkerStartError
from tests.fakes import LAYERS, FakeSpawned

READY = worker_pb2.Ready(layers=[worker_pb2.Layer(name=name, active=True) for name in LAYERS]).SerializeToString()


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still between two steps of a test."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0
        self.faults: list[str] = []
        self.start_failures = 0
        """How many of the next zygotes cannot start."""
        self.set_exception_handler(lambda _loop, context: self.faults.append(repr(context)))

    def time(self) -> float:
        """Return the test's time."""
        return self.now_s

    def settle(self) -> None:
        """Turn until nothing is left to do at this instant."""
        for _ in range(25):
            self.call_soon(self.stop)
            self.run_forever()


class Process(FakeSpawned):
    """A worker's process: it says when it is ready and how it dies, and a killed one's exit is reported."""

    def __init__(self, zygote: Zygote, worker_id: int) -> None:
        super().__init__(worker_id, zygote.killed)
        self._zygote = zygote
        self.ready = False

    def say_ready(self) -> None:
        """Send the frame that a worker begins with."""
        self.ready = True
        self.say(READY)

    def kill(self) -> None:
        """Die of a signal."""
        super().kill()
        self.die()

    def die(self, code: int = -9) -> None:
        """End, and be reaped a moment later."""
        if self._zygote.processes.pop(self.id, None) is not None:
            self.peer.close()
            self._zygote.reap(self.id, code)


class Zygote:
    """A fork server that forks when the test says so. Its workers' ids begin at 1, as a real one's do."""

    def __init__(self, loop: Loop, on_exit: Callable[[int, int], None], on_death: Callable[[str], None]) -> None:
        self.loop = loop
        self.on_exit = on_exit
        self.on_death = on_death
        self.alive = False
        self.forks: list[asyncio.Future[FakeSpawned]] = []
        self.processes: dict[int, Process] = {}
        self.killed: list[int] = []
        self._last_id = 0

    async def start(self) -> None:
        """Start, unless the test says that it cannot."""
        if self.loop.start_failures:
            self.loop.start_failures -= 1
            raise WorkerStartError("the zygote cannot start")
        self.alive = True

    async def spawn(self) -> FakeSpawned:
        """Wait until the test answers."""
        if not self.alive:
            raise WorkerStartError("the zygote is not running")
        fork: asyncio.Future[FakeSpawned] = self.loop.create_future()
        self.forks.append(fork)
        return await fork

    def fork(self, fork: asyncio.Future[FakeSpawned]) -> Process:
        """Answer one request with a process."""
        self.forks.remove(fork)
        self._last_id += 1
        process = self.processes[self._last_id] = Process(self, self._last_id)
        fork.set_result(process)
        return process

    def fail(self, fork: asyncio.Future[FakeSpawned], reason: str) -> None:
        """Answer one request with a failure."""
        self.forks.remove(fork)
        fork.set_exception(WorkerStartError(reason))

    def reap(self, worker_id: int, code: int) -> None:
        """Report an exit in the next turn of the loop."""
        self.loop.call_soon(self._reaped, worker_id, code)

    def _reaped(self, worker_id: int, code: int) -> None:
        if self.alive:
            self.on_exit(worker_id, code)

    def die(self) -> None:
        """Die with every worker."""
        self.alive = False
        for fork in list(self.forks):
            self.fail(fork, "the zygote was killed")
        for process in list(self.processes.values()):
            process.die()
        self.on_death("the zygote was killed")

    async def kill(self, worker: FakeSpawned) -> None:
        """No one is asked: the daemon may signal its workers."""

    async def place(self, worker_id: int, cpus: Sequence[int], child: int = 0) -> None:
        """Workers are sockets, which run nowhere."""

    async def close(self) -> None:
        """End with every worker, of which none is reported any more."""
        self.alive = False
        for fork in list(self.forks):
            self.fail(fork, "the zygote was closed")
        for process in list(self.processes.values()):
            process.die()
