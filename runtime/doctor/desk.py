"""Real workers under any choice of layers, asked by hand: one action in, the bytes of its reply out.

For what is looked at without the daemon: the language alone, and what one login leaves for the next.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from vestibule.v1 import decision_pb2
from vestibule.worker.v1 import worker_pb2

from runtime.doctor.cells import MIB, Cell, Cells, cells
from runtime.login import event_json
from sandbox.contract import journal, wire

NOW_NS: Final = 1_700_000_000_123_456_789
SEED: Final = bytes(range(16))
OUTPUT_BYTES: Final = 16 * 1024
BUDGET_MS: Final = 400
_REPLY_BYTES: Final = 4 * MIB
# Compiling has a budget of its own, and a busy machine needs more grace than the daemon gives.
_ON_TOP_S: Final = 3.0 + 1.0

EVENT: Final[bytes] = event_json.from_json(
    {
        "user": {
            "user_id": "auth0|1",
            "email": "a@example.com",
            "app_metadata": {"groups": ["staff"]},
            "user_metadata": {"use_mfa": True},
            "groups": ["staff"],
        },
        "facts": {"device": "known"},
        "authorization": {"roles": ["staff"]},
        "client": {"client_id": "app", "name": "App", "metadata": {}},
        "request": {"ip": "192.0.2.1", "method": "POST", "query": {"x": "n"}, "body": {}},
        "transaction": {"protocol": "oidc-basic-profile"},
    }
).SerializeToString()
"""A login with something in each place that the corpora look at."""


class WorkerAnswer:
    """What a worker said, or that it is gone."""

    def __init__(self, frame: bytes | None) -> None:
        self.gone = frame is None
        reply = worker_pb2.FlowReplyEnvelope.FromString(frame or b"")
        self.retire = reply.retire
        self.steps = tuple(reply.steps)
        """The serialized reports: all of the reply but nonce and times."""
        self.report = worker_pb2.StepReport.FromString(self.steps[0] if self.steps else b"")

    @property
    def verdict(self) -> str:
        """Name of the only step's verdict."""
        return decision_pb2.Verdict.Name(self.report.verdict).removeprefix("VERDICT_")

    @property
    def text(self) -> str:
        """Everything in the reply, for a mark to be looked for."""
        return str(self.report)


class Desk:
    """One tenant's worker at a time, replaced when it is gone or asks to retire."""

    def __init__(self, made: Cells, budget_ms: int) -> None:
        self._made = made
        self._budget_us = budget_ms * 1000
        self._cell: Cell | None = None
        self._nonce = 0
        self._stack = AsyncExitStack()
        self.workers = 0

    async def login(self, source: str, budget_us: int = 0) -> WorkerAnswer:
        """Run one action as the only step of a flow."""
        budget_us = budget_us or self._budget_us
        if self._cell is None:
            self._cell = await self._stack.enter_async_context(self._made.cell())
            self.workers += 1
        self._nonce += 1
        revision = hashlib.sha256(source.encode()).digest()
        step = worker_pb2.Step(action="action", revision=revision, source=source, budget_us=budget_us)
        flow = worker_pb2.FlowSteps(steps=[step]).SerializeToString()
        await self._cell.send(wire.run_flow(self._nonce, NOW_NS, SEED, budget_us, OUTPUT_BYTES, EVENT, flow))
        try:
            async with asyncio.timeout(budget_us / 1e6 + _ON_TOP_S):
                answer = WorkerAnswer(await self._cell.receive())
        except TimeoutError:
            answer = WorkerAnswer(None)
        if answer.gone or answer.retire:
            await self.leave()
        return answer

    async def leave(self) -> None:
        """End the worker; the next login meets a fresh one."""
        self._cell = None
        await self._stack.aclose()
        self._stack = AsyncExitStack()


@asynccontextmanager
async def desk(
    omit: Iterable[str] = (),
    budget_ms: int = BUDGET_MS,
    entry: str = "sandbox.process.worker",
    path: tuple[str, ...] = (),
) -> AsyncIterator[Desk]:
    """Start a zygote of real workers; a worker lives until it is gone, retires or is left.

    Raises: WorkerStartError.
    """
    async with cells(omit, entry=entry, path=path, journal_bytes=journal.size_for(_REPLY_BYTES)) as made:
        sat = Desk(made, budget_ms)
        try:
            yield sat
        finally:
            await sat.leave()
