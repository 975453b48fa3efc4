"""Turns a worker failure (killed, died, protocol violation) into execution verdicts.

Knows the journal, exit codes and what each of them means for the executions of a flow. Must not know leases, budgets
or decisions.
"""

import asyncio
import enum
import signal
import time
from typing import Final, NamedTuple

from runtime.core.aggregate import ends_flow
from runtime.core.model import Execution, ExecutionError, Verdict
from runtime.core.suspension import suspends
from runtime.errors import ProtocolViolation, WorkerError
from runtime.login.plan import Plan
from runtime.login.questions import Asked
from runtime.ops.labels import KillReason
from runtime.ops.log import Log, clip
from runtime.workers import reply
from runtime.workers.inflight import NotBegun, WorkerKilled
from runtime.workers.spawned import CRASH_SIGNALS
from sandbox.contract import exit_codes, journal


class WorkerEnd(enum.Enum):
    """How a worker's part of a flow ended."""

    RAN = "ran"
    """There is an execution for every step it began."""
    LOST = "lost"
    """It died through no fault of the tenant's code."""
    UNBEGUN = "unbegun"
    """It never began, or did not continue: it was dead or dying when it was asked, or stood still and was killed."""


class Settled(NamedTuple):
    """What a question led to: an execution for each step that its worker began. Unless it RAN, ask for the next again.

    `key` holds the reports when they are those of the whole flow, from one reply. `stopped`: the worker ended early.
    """

    end: WorkerEnd
    executions: list[Execution]
    key: bytes | None = None
    stopped: bool = False


ExecutionFailure = tuple[Verdict, ExecutionError]
"""How an execution failed, for its report."""

LIED: Final = Verdict.VIOLATED, ExecutionError("ProtocolViolation", "the worker broke its protocol")


def failed(plan: Plan, at: int, failure: ExecutionFailure, wall_us: int = 0, cpu_us: int = 0) -> Execution:
    """Return the failed execution of the binding at this place of a plan."""
    binding, (verdict, error) = plan.bindings[at], failure
    continued = at < plan.continuing
    return Execution(
        binding.action, binding.revision, binding.on_error, verdict, (), wall_us, cpu_us, error, continued=continued
    )


def all_failed(plan: Plan, start: int, failure: ExecutionFailure) -> list[Execution]:
    """Return failed executions of every binding from a place on."""
    return [failed(plan, at, failure) for at in range(start, len(plan.bindings))]


def skipped(plan: Plan, start: int) -> list[Execution]:
    """Return skipped executions of every binding from a place on: the flow had ended."""
    return [Execution(b.action, b.revision, b.on_error, Verdict.SKIPPED) for b in plan.bindings[start:]]


def budget_spent(had_us: int, budget_us: int) -> ExecutionFailure:
    """Say that an action could not run, because those before it used up what all of them may take."""
    message = (
        f"the flow's budget of {budget_us / 1000:.0f} ms of processor time was used up before this action could run: "
        f"the actions before it had {had_us / 1000:.0f} ms"
    )
    return Verdict.TIMED_OUT, ExecutionError("BudgetExceeded", message)


def of_kill(phase: int, wall_us: int, cpu_us: int | None) -> ExecutionFailure:
    """Say how the step failed in which the watchdog killed its worker. `cpu_us` is None where it is not known."""
    had = f"{wall_us / 1000:.0f} ms"
    if cpu_us is not None:
        had += f", with {cpu_us / 1000:.0f} ms of processor time"
    if phase == journal.Phase.COMPILING:
        message = f"compiling the action took too long, it was killed after {had}: simplify it"
    else:
        message = (
            f"the action was killed after {had}: it did not return within its budget and could not be interrupted "
            "(a single long operation, such as a huge power or a loop inside a built-in function, or a million values "
            "and more to give back)"
        )
    return Verdict.TIMED_OUT, ExecutionError("BudgetExceeded", message)


def of_death(code: int, cpu_us: int) -> ExecutionFailure | None:
    """Say how the step failed in which its worker died, from the exit code or negated signal.

    None: another process killed it, an operator's or the kernel's OOM killer, so perhaps it is not the action's fault.
    `cpu_us` is the processor time that the step had, as far as it was seen.
    """
    if code == -signal.SIGSYS:
        error = ExecutionError("ForbiddenSystemCall", "the action caused a forbidden system call")
        return Verdict.VIOLATED, error
    if code == -signal.SIGXCPU:
        had = f"the action used up its processor time: it had {cpu_us / 1000:.0f} ms"
        return Verdict.TIMED_OUT, ExecutionError("CpuLimitExceeded", had)
    if -code in CRASH_SIGNALS:
        name = signal.Signals(-code).name
        return Verdict.CRASHED, ExecutionError("InterpreterCrashed", f"the action crashed its interpreter ({name})")
    if code == exit_codes.MEMORY:
        return Verdict.EXHAUSTED, ExecutionError("MemoryLimitExceeded", "the action used up its memory limit")
    return None


class Failures:
    """Settles questions that a worker did not answer as it should. One per engine."""

    def __init__(self, log: Log, output_bytes: int) -> None:
        self._log = log
        self._output_bytes = output_bytes

    async def settle(self, error: WorkerError, asked: Asked, plan: Plan) -> Settled:
        """Say what the steps came to whose worker failed with this error."""
        if isinstance(error, ProtocolViolation):
            return self._violation(error, asked, plan)
        if isinstance(error, WorkerKilled):
            return self._kill(error, asked, plan)
        if isinstance(error, NotBegun):
            # The loop turns once and sees which others are dead: when a zygote dies, every idle worker is.
            await asyncio.sleep(0)
            return Settled(WorkerEnd.UNBEGUN, [])
        return await self._death(asked, plan)

    def _violation(self, violation: ProtocolViolation, asked: Asked, plan: Plan) -> Settled:
        """Believe nothing that the worker said of this question: every remaining execution is violated."""
        worker = asked.worker
        worker.kill(KillReason.VIOLATION)
        self._log.warning("worker.violated", worker=worker.id, tenant=worker.tenant, error=clip(str(violation)))
        return Settled(WorkerEnd.RAN, all_failed(plan, asked.start, LIED))

    def _kill(self, killed: WorkerKilled, asked: Asked, plan: Plan) -> Settled:
        entry, worker = killed.entry, asked.worker
        # It never began: stopped, or starved by the machine.
        begun = entry.nonce == asked.nonce and entry.phase != journal.Phase.IDLE
        done = self._finished(entry, asked, plan) if begun else []
        if begun and _settled(entry, done, asked, plan):
            return Settled(WorkerEnd.RAN, done)
        if killed.stalled or not begun:
            self._log.error("worker.stalled", worker=worker.id, tenant=worker.tenant)
            return Settled(WorkerEnd.UNBEGUN, done)
        cpu_us = None if killed.cpu_ns is None else killed.cpu_ns // 1000
        wall_us = _since_us(entry)
        failure = of_kill(entry.phase, wall_us, cpu_us)
        at = asked.start + len(done)
        return Settled(
            WorkerEnd.RAN, [*done, failed(plan, at, failure, wall_us, wall_us if cpu_us is None else cpu_us)]
        )

    async def _death(self, asked: Asked, plan: Plan) -> Settled:
        worker = asked.worker
        entry = worker.last_entry
        if entry is None or entry.nonce != asked.nonce:
            # The loop turns once and sees which others are dead: when a zygote dies, every idle worker is.
            await asyncio.sleep(0)
            return Settled(WorkerEnd.UNBEGUN, [])
        code = await worker.exit_code()
        done = self._finished(entry, asked, plan)
        if _settled(entry, done, asked, plan):
            return Settled(WorkerEnd.RAN, done)
        seen_ns = 0 if worker.meter is None else int(worker.meter.answering_s * 1e9)
        cpu_us = min(max(0, seen_ns - entry.cpu_ns), seen_ns) // 1000
        failure = of_death(code, cpu_us) if code is not None and entry.phase != journal.Phase.IDLE else None
        if failure is None:
            return Settled(WorkerEnd.LOST, done)
        verdict = failure[0].name.lower()
        self._log.warning("worker.died", worker=worker.id, tenant=worker.tenant, code=code, verdict=verdict)
        return Settled(WorkerEnd.RAN, [*done, failed(plan, asked.start + len(done), failure, _since_us(entry), cpu_us)])

    def _finished(self, entry: journal.JournalEntry, asked: Asked, plan: Plan) -> list[Execution]:
        """Return the executions that a dead worker had finished, from the copy of its journal."""
        if not entry.reports:
            return []
        try:
            bindings = plan.bindings[asked.start :]
            found = reply.parse(entry.reports, None, len(bindings))
            continuing = plan.continuing - asked.start
            return reply.executions(found, bindings, self._output_bytes, continuing, measured=plan.measured)
        except ProtocolViolation as violation:
            self._log.warning("worker.journal_unreadable", error=clip(str(violation)))
            return []


def _settled(entry: journal.JournalEntry, done: list[Execution], asked: Asked, plan: Plan) -> bool:
    """Was no step under way, or is none left?"""
    if not done:
        return False
    between = entry.phase == journal.Phase.TEARDOWN
    return between or asked.start + len(done) == len(plan.bindings) or ends_flow(done[-1]) or suspends(done[-1])


def _since_us(entry: journal.JournalEntry) -> int:
    return max(0, time.monotonic_ns() - entry.started_ns) // 1000
