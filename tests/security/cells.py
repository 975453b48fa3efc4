"""Locked workers that run probes, with any of their layers left off. Not a test module."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from vestibule.worker.v1 import worker_pb2

from runtime.workers.spawned import SpawnedWorker
from runtime.workers.zygote import Hold, Zygote
from sandbox import lockdown
from sandbox import zygote as sandbox_zygote

LAYERS = frozenset((*sandbox_zygote.LAYERS, *lockdown.LAYERS))
SPECULATION = lockdown.SPECULATION
MIB = 1024 * 1024
LENGTH = struct.Struct(">I")
ANSWER_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Outcome:
    """What became of a probe: a value, an error, or the end of its process."""

    value: Any = None
    error: str | None = None
    errno: int | None = None
    exit_code: int | None = None

    @property
    def succeeded(self) -> bool:
        """The probe did what it wanted."""
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
        self._exit(worker_id).set_result(code)

    def _exit(self, worker_id: int) -> asyncio.Future[int]:
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
            cell = Cell(worker, self._exit(worker.id))
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
        """Run Python in it; the value of `result` comes back."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.worker.sock, LENGTH.pack(len(source.encode())) + source.encode())
        answer = await self.receive()
        if answer is None:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return Outcome(exit_code=await asyncio.shield(self.exit))
        return Outcome(**json.loads(answer))

    async def receive(self) -> bytes | None:
        """Read one frame; None when the cell is gone."""
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
        "memory_bytes": 64 * MIB,
        "journal_bytes": 4096,
        "uid": 65534,
        "entry": "probes",
        "path": (str(Path(__file__).parent),),
        "omit": frozenset(omit),
    }
    return Hold(**(values | changes))


def only(*layers: str) -> frozenset[str]:
    """Everything to leave off so that these layers hold alone."""
    assert set(layers) <= LAYERS
    return LAYERS - frozenset(layers)


@asynccontextmanager
async def cells(omit: Iterable[str] = (), **changes: Any) -> AsyncIterator[Cells]:
    """Start a zygote of probes."""
    zygote = Zygote(hold(omit, **changes), lambda worker, code: made.exited(worker, code))
    made = Cells(zygote)
    await zygote.start()
    try:
        yield made
    finally:
        await zygote.close()


def require(condition: bool, reason: str) -> None:
    """Skip where the kernel or the host lacks something; fail instead where it must not."""
    if condition:
        return
    if os.environ.get("VESTIBULE_REQUIRE_KERNEL") == "1":
        pytest.fail(f"required of this host: {reason}")
    pytest.skip(reason)


REFUSALS = (errno.EPERM, errno.EACCES)
