"""Workers that are asked by hand, with any of their layers left off."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError
from vestibule.worker.v1 import worker_pb2

from runtime.errors import WorkerStartError
from runtime.workers.launch import Hold
from runtime.workers.spawned import SpawnedWorker
from runtime.workers.zygote import Zygote
from sandbox.contract import frames, layers
from sandbox.contract.layers import Layer

LAYERS: Final = frozenset(layers.LAYERS)
MIB: Final = 1024 * 1024
ANSWER_TIMEOUT_S: Final = 20.0
_FRAME_BYTES_MAX: Final = 16 * MIB
_READ_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """How a probe ended: a value, an error, or the end of its process."""

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


class Cell:
    """One worker."""

    def __init__(self, worker: SpawnedWorker, exit_code: asyncio.Future[int]) -> None:
        self.worker = worker
        self.exit = exit_code
        self.layers: dict[str, Layer] = {}
        self._reader = frames.Reader()

    async def ready(self) -> None:
        """Wait until it is locked, and note its layers. Raises: WorkerStartError, TimeoutError."""
        frame = await self.receive()
        if frame is None:
            raise WorkerStartError("a worker died before it was ready")
        try:
            self.layers = {each.name: Layer.of(each) for each in worker_pb2.Ready.FromString(frame).layers}
        except DecodeError:
            raise WorkerStartError("a worker's ready frame cannot be parsed") from None

    async def run(self, source: str) -> ProbeOutcome:
        """Run Python in it; the value of `result` comes back. Raises: TimeoutError."""
        await self.send(source.encode())
        answer = await self.receive()
        if answer is None:
            return ProbeOutcome(exit_code=await self.ended())
        return ProbeOutcome(**json.loads(answer))

    async def ended(self) -> int:
        """Wait for its end and return the exit code. Raises: TimeoutError."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await asyncio.shield(self.exit)

    async def send(self, payload: bytes) -> None:
        """Write one frame."""
        await self.write(frames.encode(payload))

    async def write(self, data: bytes) -> None:
        """Write bytes, whatever they are. Raises: BrokenPipeError."""
        loop, pipes = asyncio.get_running_loop(), self.worker.pipes
        while data:
            try:
                data = data[pipes.ask(data) :]
            except BlockingIOError:
                await _turn(loop.add_writer, loop.remove_writer, pipes.question_fd)

    async def read(self) -> bytes:
        """Read what there is, or comes next; nothing when the cell is gone."""
        loop, pipes = asyncio.get_running_loop(), self.worker.pipes
        while True:
            try:
                return pipes.hear(_READ_BYTES)
            except BlockingIOError:
                await _turn(loop.add_reader, loop.remove_reader, pipes.answer_fd)

    async def receive(self) -> bytes | None:
        """Read one frame; None when the cell is gone. Raises: TimeoutError, FrameError."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while data := await self.read():
                frame = self._reader.feed(data, _FRAME_BYTES_MAX)
                if frame is not None:
                    return frame
        return None


async def _turn(add: Callable[..., None], remove: Callable[[int], bool], fd: int) -> None:
    """Wait until a descriptor can be used."""
    ready = asyncio.Event()
    add(fd, ready.set)
    try:
        await ready.wait()
    finally:
        remove(fd)


class Cells:
    """A zygote whose workers are cells."""

    def __init__(self, hold: Hold) -> None:
        self.zygote = Zygote(hold, lambda worker_id, code: self.exit_of(worker_id).set_result(code))
        self._exits: dict[int, asyncio.Future[int]] = {}

    def exit_of(self, worker_id: int) -> asyncio.Future[int]:
        """Return the exit code to come of a worker, or the one that came before this was asked."""
        return self._exits.setdefault(worker_id, asyncio.get_running_loop().create_future())

    async def probe(self, source: str) -> ProbeOutcome:
        """Run Python in a fresh cell."""
        async with self.cell() as cell:
            return await cell.run(source)

    async def self_test(self, attempt: str) -> int:
        """Let a fresh worker try one of `sandbox.contract.attempts`; return its exit code."""
        worker = await self.zygote.spawn(self_test=attempt)
        try:
            return await self.exit_of(worker.id)
        finally:
            worker.close()

    @asynccontextmanager
    async def cell(self) -> AsyncIterator[Cell]:
        """Spawn one cell and wait until it is locked."""
        worker = await self.zygote.spawn()
        try:
            cell = Cell(worker, self.exit_of(worker.id))
            await cell.ready()
            yield cell
        finally:
            worker.kill()
            worker.close()


def hold(omit: Iterable[str] = (), **changes: Any) -> Hold:
    """Say how probes are held: as workers are, but for what is left off."""
    values: dict[str, Any] = {
        "memory_bytes": 64 * MIB,
        "journal_bytes": 4096,
        "uid": 65534,
        "entry": "sandbox.process.probe",
        "omit": frozenset(omit),
    }
    return Hold(**(values | changes))


def only(*names: str) -> frozenset[str]:
    """Return everything to leave off so that these layers hold alone."""
    assert set(names) <= LAYERS
    return LAYERS - frozenset(names)


@asynccontextmanager
async def held(hold: Hold) -> AsyncIterator[Cells]:
    """Start a zygote. Raises: WorkerStartError."""
    made = Cells(hold)
    await made.zygote.start()
    try:
        yield made
    finally:
        await made.zygote.close()


@asynccontextmanager
async def cells(omit: Iterable[str] = (), **changes: Any) -> AsyncIterator[Cells]:
    """Start a zygote of probes. Raises: WorkerStartError."""
    async with held(hold(omit, **changes)) as made:
        yield made
