"""Workers in which plain Python is tried, with any of their layers left off.

Knows how to ask `sandbox.process.probe`, and how a process may end. Must not know what is tried, or why.
"""

from __future__ import annotations

import asyncio
import json
import signal
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from vestibule.worker.v1 import worker_pb2

from runtime.config.settings import LAYERS as _CONFIGURABLE
from runtime.workers.launch import Hold
from runtime.workers.spawned import SpawnedWorker
from runtime.workers.zygote import Zygote

LAYERS: Final = frozenset(_CONFIGURABLE)
MIB: Final = 1024 * 1024
MEMORY_BYTES: Final = 64 * MIB
LENGTH: Final = struct.Struct(">I")
ANSWER_TIMEOUT_S: Final = 20.0
ENTRY: Final = "sandbox.process.probe"
_UID: Final = 65534
_JOURNAL_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a probe: a value, an error, or the end of its process."""

    value: Any = None
    error: str | None = None
    errno: int | None = None
    exit_code: int | None = None

    @property
    def succeeded(self) -> bool:
        """The probe did what it wanted, and its process lives."""
        return self.error is None and self.exit_code is None

    @property
    def filtered(self) -> bool:
        """The system call filter killed it."""
        return self.exit_code == -signal.SIGSYS

    def refused(self, *numbers: int) -> bool:
        """The kernel answered with one of these errors."""
        return self.errno in numbers


class Cells:
    """A zygote whose workers are probes."""

    def __init__(self, zygote: Zygote) -> None:
        self.zygote = zygote
        self._exits: dict[int, asyncio.Future[int]] = {}

    def exited(self, worker_id: int, code: int) -> None:
        """Note an exit, whether or not somebody waits for it already."""
        self.exit_of(worker_id).set_result(code)

    def exit_of(self, worker_id: int) -> asyncio.Future[int]:
        """Return the exit code to come of a worker."""
        return self._exits.setdefault(worker_id, asyncio.get_running_loop().create_future())

    async def probe(self, source: str) -> Outcome:
        """Run Python in a fresh cell."""
        async with self.cell() as cell:
            return await cell.run(source)

    @asynccontextmanager
    async def cell(self) -> AsyncIterator[Cell]:
        """Spawn one cell and wait until it is locked."""
        worker = await self.zygote.spawn()
        try:
            cell = Cell(worker, self.exit_of(worker.id))
            ready = await cell.receive()
            assert ready is not None, await cell.exit
            cell.layers = {layer.name: layer for layer in worker_pb2.Ready.FromString(ready).layers}
            yield cell
        finally:
            worker.kill()
            worker.close()


class Cell:
    """One worker."""

    def __init__(self, worker: SpawnedWorker, exit_code: asyncio.Future[int]) -> None:
        self.worker = worker
        self.exit = exit_code
        self.layers: dict[str, worker_pb2.Layer] = {}

    async def run(self, source: str) -> Outcome:
        """Run Python in it; the value of `result` comes back. Raises: TimeoutError."""
        await self.send(source.encode())
        answer = await self.receive()
        if answer is None:
            return Outcome(exit_code=await self.ended())
        return Outcome(**json.loads(answer))

    async def ended(self) -> int:
        """Wait for its end and return the exit code. Raises: TimeoutError."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await asyncio.shield(self.exit)

    async def send(self, payload: bytes) -> None:
        """Write one frame."""
        await asyncio.get_running_loop().sock_sendall(self.worker.sock, LENGTH.pack(len(payload)) + payload)

    async def receive(self) -> bytes | None:
        """Read one frame; None when the cell is gone. Raises: TimeoutError."""
        loop = asyncio.get_running_loop()
        data = b""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while len(data) < LENGTH.size or len(data) < LENGTH.size + LENGTH.unpack_from(data)[0]:
                try:
                    more = await loop.sock_recv(self.worker.sock, 65536)
                except ConnectionResetError:
                    return None
                if not more:
                    return None
                data += more
        return data[LENGTH.size :]


def hold(omit: Iterable[str] = (), **changes: Any) -> Hold:
    """How probes are held: as workers are, but for what is left off."""
    values: dict[str, Any] = {
        "memory_bytes": MEMORY_BYTES,
        "journal_bytes": _JOURNAL_BYTES,
        "uid": _UID,
        "entry": ENTRY,
        "omit": frozenset(omit),
    }
    return Hold(**(values | changes))


def only(*layers: str) -> frozenset[str]:
    """Everything to leave off so that these layers hold alone."""
    assert set(layers) <= LAYERS
    return LAYERS - frozenset(layers)


@asynccontextmanager
async def cells(omit: Iterable[str] = (), **changes: Any) -> AsyncIterator[Cells]:
    """Start a zygote of probes. Raises: WorkerStartError."""
    zygote = Zygote(hold(omit, **changes), lambda worker, code: made.exited(worker, code))
    made = Cells(zygote)
    await zygote.start()
    try:
        yield made
    finally:
        await zygote.close()
