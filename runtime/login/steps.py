"""The steps of one flow on workers: lease, question, and an execution for each step, however its worker ends.

Knows what each failure of a worker means for an execution. Must not know decisions, settings or gRPC. An action fails
for what it does, within its budget of processor time. Time that the caller, a queue or the machine did not give is no
failure of an action: the login ends without a decision.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from runtime.core.aggregate import ends_flow
from runtime.core.model import Refused
from runtime.core.suspension import suspends
from runtime.errors import DeadlineExceeded, PoolExhausted, ProtocolViolation, WorkerError, WorkerLost
from runtime.login import replay
from runtime.login.failures import Aftermath, End
from runtime.login.questions import COMPILE_BUDGET_NS, MARGIN_US, Questions
from runtime.ops.labels import KillReason
from runtime.workers import loss, reply
from runtime.workers.watchdog import START_NS, Watchdog
from runtime.workers.worker import WorkerKilled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runtime.catalog.base import Binding, Flow
    from runtime.config.settings import Config
    from runtime.core.model import Execution, Suspension
    from runtime.login.plan import Plan
    from runtime.login.questions import Asked
    from runtime.ops.log import Log
    from runtime.ops.metrics import Metrics
    from runtime.workers.pool import Pool
    from runtime.workers.worker import Worker

    Judge = Callable[[list[Execution]], Suspension | Refused | None]

_TEARDOWN_BUDGET_NS: Final = 200_000_000
# More than a tenant's idle workers and the blank ones together. Beyond it, dying early is what workers do on this host.
_UNBEGUN_MAX: Final = 32
# A smaller reply is read in less time than it takes to let others go first.
_LARGE_BYTES: Final = 4096


class Ran:
    """What a flow did: one execution for each binding up to where it was suspended, and their times.

    `steps` holds the `count` reports when all were read from one reply. `waited_s` is the time it stood in a queue.
    """

    __slots__ = ("count", "cpu_us", "executions", "steps", "suspension", "waited_s", "wall_us")

    def __init__(self) -> None:
        self.waited_s = 0.0
        self.executions: list[Execution] = []
        self.steps: bytes | None = None
        self.count = 0
        self.wall_us: Sequence[int] = ()
        self.cpu_us: Sequence[int] = ()
        self.suspension: Suspension | Refused | None = None


class StepRunner:
    """Runs steps. One per flow runner."""

    def __init__(self, pool: Pool, metrics: Metrics, config: Config, log: Log) -> None:
        sandbox = config.sandbox
        self._pool = pool
        self._metrics = metrics
        self.flow_timeout_us = sandbox.flow_timeout_ms * 1000
        self._grace_ns = sandbox.kill_grace_ms * 1_000_000
        self._output_bytes = sandbox.output_bytes
        self._queue_wait_s = config.pool.queue_wait_ms / 1000
        self.watchdog = Watchdog(
            asyncio.get_running_loop(), self._grace_ns, COMPILE_BUDGET_NS, _TEARDOWN_BUDGET_NS, pool.runs_long
        )
        self.questions = Questions(sandbox, self.watchdog)
        self._large = asyncio.Lock()
        self._orphans: set[asyncio.Task[None]] = set()
        self._aftermath = Aftermath(log, sandbox.output_bytes)

    async def close(self) -> None:
        """Forget answers that nobody waits for any more, so that a cut drain ends; the pool kills their workers."""
        for orphan in self._orphans:
            orphan.cancel()
        await asyncio.gather(*self._orphans, return_exceptions=True)
        self.watchdog.close()

    async def run(
        self,
        plan: Plan,
        event: bytes,
        deadline_ns: int,
        clock_ns: int,
        seed: bytes,
        first: Asked | None = None,
        judge: Judge | None = None,
        before: Sequence[Execution] = (),
        records: bytes = b"",
    ) -> Ran:
        """Run the steps of a flow in order, to its end or to where it is suspended.

        Args:
            plan: the flow.
            event: serialized PostLoginEvent.
            deadline_ns: CLOCK_MONOTONIC instant by which the answer must be sent.
            clock_ns: the executions' clock, nanoseconds since the epoch.
            seed: 16 bytes for the executions' randomness.
            first: a question that was answered, or failed, already.
            judge: says whether the flow stops after an execution that suspends; None lets none stop.
            before: executions of the flow before it was suspended.
            records: the trigger's cache as this part of the flow found it, serialized as the part of a RunFlow it is.

        Raises:
            CapacityError, WorkerError, DeadlineExceeded: nothing was run, or nothing can be said about it.
        """
        bindings = plan.bindings
        ran = Ran()
        if not bindings:
            ran.steps = b""
        done = ran.executions
        spent_us = 0
        lost = unbegun = 0
        while len(done) < len(bindings):
            asked, first = first, None
            if asked is None:
                left_us = (deadline_ns - time.monotonic_ns()) // 1000 - MARGIN_US
                if left_us <= 0:
                    raise DeadlineExceeded
                budget_us = self.flow_timeout_us - spent_us
                if budget_us <= 0:
                    loss.fill(done, bindings, loss.budget_spent(spent_us, self.flow_timeout_us))
                    break
                # No worker to be had is no decision, also when some actions have run: the others did not fail.
                worker = await self._lease(plan.flow, left_us, ran)
                asked = self.questions.ask(
                    worker,
                    plan,
                    len(done),
                    event,
                    budget_us,
                    deadline_ns,
                    clock_ns,
                    seed,
                    time.monotonic_ns(),
                    records + replay.earlier((*before, *done)),
                )
            had = len(done)
            end = await self._settle(asked, plan, ran)
            if ran.steps is not None:
                return ran
            if end is not End.RAN:
                # Executions are pure, so a worker that died through no fault of the tenant's code costs one retry. One
                # that never began costs half a second at most: another is tried while there is time.
                self._metrics.flow_retried()
                plan.forget()
                lost += end is End.LOST
                unbegun += end is End.UNBEGUN
                # Two are no fault of the actions either: they did not fail, so that nothing is decided without them.
                if lost > 1 or unbegun > _UNBEGUN_MAX:
                    raise WorkerLost(f"{lost + unbegun} workers died before the login could be decided")
            if plan.continuing and done and not done[0].continued:
                # Of a worker that died or lied, which could not say so.
                done[0] = replace(done[0], continued=True)
            spent_us += sum(execution.cpu_us for execution in done[had:])
            if judge is not None and len(done) > had and suspends(done[-1]):
                ran.suspension = judge(done)
                if ran.suspension is not None:
                    if isinstance(ran.suspension, Refused):
                        loss.skip(done, bindings)
                    break
            if done and ends_flow(done[-1]):
                loss.skip(done, bindings)
        ran.wall_us = [execution.wall_us for execution in done]
        ran.cpu_us = [execution.cpu_us for execution in done]
        return ran

    async def _lease(self, flow: Flow, left_us: int, ran: Ran) -> Worker:
        worker = self._pool.lease_nowait(flow.tenant, flow.digest)
        if worker is None:
            started_s = time.monotonic()
            worker = await self.wait(flow, left_us)
            ran.waited_s += time.monotonic() - started_s
        return worker

    async def wait(self, flow: Flow, left_us: int) -> Worker:
        """Stand in a tenant's queue for a worker. Raises: CapacityError, DeadlineExceeded, WorkerStartError."""
        left_s = left_us / 1e6
        try:
            return await self._pool.lease(flow.tenant, min(left_s, self._queue_wait_s), flow.digest)
        except PoolExhausted:
            if left_s < self._queue_wait_s:
                raise DeadlineExceeded from None
            raise

    async def compile(self, worker: Worker, plan: Plan, budget_us: int, deadline_ns: int) -> Asked | None:
        """Let a worker that has seen no event compile a flow, and keep the code for the workers that come after it.

        Returns: None, or the question that the worker failed over, for `run` to settle.
        """
        steps, _ = plan.steps(0, worker.revisions)
        hard_ns = budget_us * 1000 + 2 * self._grace_ns + COMPILE_BUDGET_NS
        asked = self.questions.ask_for_code(
            worker, steps, plan.budgets_ns, START_NS, hard_ns, deadline_ns, return_code=True
        )
        try:
            answer = await self._checked(asked, len(plan.bindings))
        except (asyncio.CancelledError, DeadlineExceeded):
            self.watchdog.watch(worker)
            self.abandon(worker)
            raise
        except WorkerError as error:
            entry = error.entry if isinstance(error, WorkerKilled) else worker.last_entry
            # What it notes of a step that it compiled is no execution. Who asks this worker again finds it dead.
            return None if entry is not None and entry.reports else asked
        if answer.codes:
            plan.keep(answer.codes)
        return None

    async def _checked(self, asked: Asked, count: int) -> reply.Reply:
        try:
            return reply.parse(await asked.future, asked.nonce, count)
        finally:
            self.watchdog.unwatch(asked.worker)

    async def _settle(self, asked: Asked, plan: Plan, ran: Ran) -> End:
        """Append what came of a question: an execution for every step that its worker began.

        Returns: how it ended; unless it RAN, the same step may be tried again.
        """
        done = ran.executions
        worker = asked.worker
        try:
            data = await asked.future
        except (asyncio.CancelledError, DeadlineExceeded):
            self.abandon(worker)
            raise
        except WorkerKilled as killed:
            self.watchdog.unwatch(worker)
            return self._aftermath.of_kill(killed, worker, plan, done, asked.nonce)
        except ProtocolViolation as violation:
            self.watchdog.unwatch(worker)
            self._aftermath.of_violation(worker, plan.bindings, done, violation)
            return End.RAN
        except WorkerLost:
            self.watchdog.unwatch(worker)
            return await self._aftermath.of_loss(worker, plan, done, asked.nonce)
        self.watchdog.unwatch(worker)
        came_ns = time.monotonic_ns()
        try:
            answer = reply.parse(data, asked.nonce, len(plan.bindings) - asked.start)
            continuing = plan.continuing - asked.start
            bindings = plan.bindings[asked.start :]
            if len(data) > _LARGE_BYTES:
                reported = await self._read_large(answer, bindings, continuing)
            else:
                reported = reply.executions(answer, bindings, self._output_bytes, continuing)
            if any(ends_flow(execution) or suspends(execution) for execution in reported[:-1]):
                raise ProtocolViolation("a worker ran on after the flow had ended")
            stopped = not reported or not (ends_flow(reported[-1]) or suspends(reported[-1]))
            stopped = stopped and len(reported) < len(plan.bindings) - asked.start
            late = stopped and came_ns >= asked.late_ns
            if not reported and not late:
                raise ProtocolViolation("a worker reports no step at all")
        except asyncio.CancelledError:
            self.abandon(worker)
            raise
        except ProtocolViolation as violation:
            worker.kill(KillReason.VIOLATION)
            self._aftermath.of_violation(worker, plan.bindings, done, violation)
            return End.RAN
        done.extend(reported)
        self._pool.release(worker, retire=answer.retire)
        if late:
            raise DeadlineExceeded
        if ends_flow(done[-1]):
            loss.skip(done, plan.bindings)
        elif suspends(done[-1]):
            # Not the end of it: whether the flow stops here depends on more than its reports.
            return End.RAN
        elif stopped:
            # The worker stops early for one other reason only: the flow's budget is used up.
            had_us = sum(execution.cpu_us for execution in done)
            loss.fill(done, plan.bindings, loss.budget_spent(had_us, self.flow_timeout_us))
            return End.RAN
        if asked.start == 0:
            ran.steps = answer.key
            ran.count = len(answer.steps)
            ran.wall_us = [execution.wall_us for execution in done]
            ran.cpu_us = [execution.cpu_us for execution in done]
        return End.RAN

    async def _read_large(self, answer: reply.Reply, bindings: Sequence[Binding], continuing: int) -> list[Execution]:
        """Read a reply in parts, one of all large replies at a time, so that other logins are answered in between.

        Raises: ProtocolViolation.
        """
        async with self._large:
            reading = reply.in_parts(answer, bindings, self._output_bytes, continuing)
            while True:
                try:
                    next(reading)
                except StopIteration as end:
                    found: list[Execution] = end.value
                    break
                await asyncio.sleep(0)
            # What follows, the decision and its message, takes as long as a few parts.
            await asyncio.sleep(0)
            return found

    def abandon(self, worker: Worker) -> None:
        """The caller went away. The worker finishes, within its budgets, and goes back to the pool."""
        future = worker.adopt()
        if future is None:
            self.watchdog.unwatch(worker)
            self._pool.release(worker, retire=True)
            return
        task = asyncio.get_running_loop().create_task(self._finish(worker, future))
        self._orphans.add(task)
        task.add_done_callback(self._orphans.discard)

    async def _finish(self, worker: Worker, future: asyncio.Future[bytes]) -> None:
        retire = False
        with contextlib.suppress(WorkerError):
            data = await future
            try:
                # Nobody waits for it, but whether it lies, or has grown, concerns the next login that it is given.
                retire = reply.parse(data, worker.nonce, len(worker.step_budgets_ns)).retire
            except ProtocolViolation:
                worker.kill(KillReason.VIOLATION)
        self.watchdog.unwatch(worker)
        self._pool.release(worker, retire=retire)

    async def check(self, worker: Worker, flow: bytes, count: int, *, return_code: bool = False) -> reply.Reply:
        """Let a worker compile the steps of serialized FlowSteps and run none of them.

        Raises: WorkerError: the worker did not survive it, or lies.
        """
        limit_ns = COMPILE_BUDGET_NS * max(count, 1)
        asked = self.questions.ask_for_code(worker, flow, (), COMPILE_BUDGET_NS, limit_ns, return_code=return_code)
        return await self._checked(asked, count)
