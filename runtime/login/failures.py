"""What came of a question whose worker did not answer it: killed, dead or lying.

Knows the journal, exit codes and what each of them means for the executions of a flow. Must not know leases, budgets
or decisions.
"""

from __future__ import annotations

import asyncio
import enum
import time
from typing import TYPE_CHECKING

from runtime.core.aggregate import ends_flow
from runtime.core.suspension import suspends
from runtime.errors import ProtocolViolation
from runtime.ops.log import clip
from runtime.workers import loss, reply
from sandbox.contract import journal

if TYPE_CHECKING:
    from runtime.catalog.base import Binding
    from runtime.core.model import Execution
    from runtime.login.plan import Plan
    from runtime.ops.log import Log
    from runtime.workers.worker import Worker, WorkerKilled


class End(enum.Enum):
    """How a worker's part of a flow ended."""

    RAN = "ran"
    """There is an execution for every step it began."""
    LOST = "lost"
    """It died through no fault of the tenant's code."""
    UNBEGUN = "unbegun"
    """It never began, or did not go on: it was dead or dying when it was asked, or did not move and was killed."""


class Aftermath:
    """Appends what a lost worker's journal and exit code say of its executions. One per flow runner."""

    def __init__(self, log: Log, output_bytes: int) -> None:
        self._log = log
        self._output_bytes = output_bytes

    def _recover(self, entry: journal.Entry, nonce: int, plan: Plan, done: int) -> list[Execution]:
        """Return the executions that a dead worker had finished, from the copy of its journal."""
        if entry.nonce != nonce or not entry.reports:
            return []
        try:
            bindings = plan.bindings[done:]
            found = reply.parse(entry.reports, None, len(bindings))
            return reply.executions(found, bindings, self._output_bytes, plan.continuing - done)
        except ProtocolViolation as violation:
            self._log.warning("worker.journal_unreadable", error=clip(str(violation)))
            return []

    def of_kill(self, killed: WorkerKilled, worker: Worker, plan: Plan, done: list[Execution], nonce: int) -> End:
        entry = killed.entry
        if entry.nonce != nonce or entry.phase == journal.Phase.IDLE:
            # It never began: stopped, or starved by the machine.
            self._log.error("worker.stalled", worker=worker.id, tenant=worker.tenant)
            return End.UNBEGUN
        if self._settled(entry, plan, done, nonce):
            return End.RAN
        if killed.stalled:
            self._log.error("worker.stalled", worker=worker.id, tenant=worker.tenant)
            return End.UNBEGUN
        wall_us = max(0, time.monotonic_ns() - entry.started_ns) // 1000
        cpu_us = None if killed.cpu_ns is None else killed.cpu_ns // 1000
        failure = loss.of_kill(entry.phase, wall_us, cpu_us)
        done.append(loss.failed(plan.bindings[len(done)], failure, wall_us, wall_us if cpu_us is None else cpu_us))
        return End.RAN

    async def of_loss(self, worker: Worker, plan: Plan, done: list[Execution], nonce: int) -> End:
        entry = worker.last_entry
        if entry is None or entry.nonce != nonce:
            # The loop turns once and sees who else is dead: when a zygote dies, every idle worker is.
            await asyncio.sleep(0)
            return End.UNBEGUN
        code = await worker.exit_code()
        if self._settled(entry, plan, done, nonce):
            return End.RAN
        seen_ns = 0 if worker.meter is None else int(worker.meter.seen_s * 1e9)
        cpu_us = min(max(0, seen_ns - entry.cpu_ns), seen_ns) // 1000
        failure = loss.of_death(code, cpu_us) if code is not None and entry.phase != journal.Phase.IDLE else None
        if failure is None:
            return End.LOST
        verdict = failure.verdict.name.lower()
        self._log.warning("worker.died", worker=worker.id, tenant=worker.tenant, code=code, verdict=verdict)
        wall_us = max(0, time.monotonic_ns() - entry.started_ns) // 1000
        done.append(loss.failed(plan.bindings[len(done)], failure, wall_us, cpu_us))
        return End.RAN

    def _settled(self, entry: journal.Entry, plan: Plan, done: list[Execution], nonce: int) -> bool:
        """Take what the journal says was finished; True when no step was under way."""
        done.extend(self._recover(entry, nonce, plan, len(done)))
        return (
            entry.phase == journal.Phase.TEARDOWN
            or len(done) == len(plan.bindings)
            or bool(done and (ends_flow(done[-1]) or suspends(done[-1])))
        )

    def of_violation(
        self, worker: Worker, bindings: tuple[Binding, ...], done: list[Execution], violation: ProtocolViolation
    ) -> None:
        """Nothing the worker said about this leg is believed: every remaining execution is violated."""
        self._log.warning("worker.violated", worker=worker.id, tenant=worker.tenant, error=clip(str(violation)))
        loss.fill(done, bindings, loss.LIED)
