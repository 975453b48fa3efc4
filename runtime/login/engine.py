"""Decides one login: lease a worker, ask it, and answer from memory or from what its actions report.

Knows the order of things and what ends or suspends a flow. Must not know gRPC, catalogs, or how a worker is made. An
action fails for what it does, within its budget of processor time. Time that the caller, a queue or the machine did not
give is no failure of an action: the login ends without a decision.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.runtime_service_pb2 import ExecutePostLoginResponse

from runtime.config.effective import Config
from runtime.core.aggregate import ends_flow
from runtime.core.model import Execution, Refused
from runtime.core.suspension import suspends
from runtime.errors import DeadlineExceeded, PoolExhausted, ProtocolViolation, WorkerError, WorkerLost
from runtime.login import failures
from runtime.login.answer import Answer, Printed
from runtime.login.answers import printed_by
from runtime.login.failures import Failures, Settled, WorkerEnd
from runtime.login.plan import Login, Plan
from runtime.login.questions import MARGIN_US, Asked, Questions, carried
from runtime.login.suspensions import Sealed, Stop, Suspensions
from runtime.ops.labels import KillReason
from runtime.ops.log import Log
from runtime.ops.metrics import Metrics
from runtime.workers import reply
from runtime.workers.inflight import NotBegun, Overtaken, WorkerKilled
from runtime.workers.pool import Pool
from runtime.workers.worker import Worker
from sandbox.contract import wire

# More than a tenant's idle workers and the blank ones together. Beyond it, dying early is what workers do on this host.
_UNBEGUN_MAX: Final = 32
# A smaller reply is read in less time than it takes to let others go first.
_LARGE_BYTES: Final = 4096


@dataclass(slots=True)
class LoginOutcome:
    """What a login led to. The times, in microseconds, begin with those of `before`, which are 0.

    `waited_s` is the time that it stood in queues, `remembered_until_ms` when the remembered browser that let it in is
    forgotten; 0 for none.
    """

    answer: Answer
    wall_us: Sequence[int]
    cpu_us: Sequence[int]
    printed: Printed
    waited_s: float
    remembered_until_ms: int = 0
    sealed: Sealed | None = None

    def response(
        self,
        request_id: str,
        decision_id: str,
        catalog_revision: int,
        wall_us: int,
        *,
        basic: bool = False,
        tenant_version: int = 0,
    ) -> bytes:
        """Return the serialized ExecutePostLoginResponse; a `basic` one has no contributions and executions."""
        return self.answer.fill(
            request_id,
            decision_id,
            catalog_revision,
            wall_us,
            self.wall_us,
            self.cpu_us,
            self.printed,
            self.sealed,
            self.remembered_until_ms,
            basic,
            tenant_version,
        )

    def decision(self, decision_id: str, wall_us: int) -> pb.Decision:
        """Return the decision as the gateway would read it."""
        return ExecutePostLoginResponse.FromString(self.response("", decision_id, 0, wall_us)).decision


class Engine:
    """Decides logins: those of a daemon, of `vestibule run`, and of the attacks that an operator runs."""

    def __init__(
        self, pool: Pool, metrics: Metrics, config: Config, log: Log, suspensions: Suspensions | None = None
    ) -> None:
        sandbox = config.sandbox
        self._pool = pool
        self._metrics = metrics
        self._flow_timeout_us = sandbox.flow_timeout_ms * 1000
        self._output_bytes = sandbox.output_bytes
        self._queue_wait_s = config.pool.queue_wait_ms / 1000
        self._watchdog = pool.watchdog
        self._failures = Failures(log, sandbox.output_bytes)
        self._large = asyncio.Lock()
        self._orphans: set[asyncio.Task[None]] = set()
        self.questions = Questions(sandbox, self._watchdog)
        self.suspensions = suspensions or Suspensions()

    async def close(self) -> None:
        """Forget answers that no caller waits for any more, so that a cut drain ends; the pool kills their workers."""
        for orphan in self._orphans:
            orphan.cancel()
        await asyncio.gather(*self._orphans, return_exceptions=True)
        await self.suspensions.close()

    async def decide(self, login: Login) -> LoginOutcome:
        """Decide a login.

        Raises: CapacityError, WorkerError, DeadlineExceeded: there is no decision.
        """
        plan = login.plan
        if not plan.bindings:
            self._left_s(login)
            return self._remembered(login, ((), (), b""), 0.0) or self._folded(
                login, [], Settled(WorkerEnd.RAN, [], b""), 0.0
            )
        worker, waited_s = self._pool.lease_nowait(plan.flow.tenant, plan.flow.digest), 0.0
        if worker is None:
            worker, waited_s = await self._wait(login)
        asked = None if worker.plan is plan else await self._compile(login, worker)
        if asked is None:
            asked = self._ask(login, worker, movable=True)
        said = await self._heard(asked)
        usual = None if isinstance(said, WorkerError) else wire.usual_reply(said, asked.nonce)
        remembered = None if usual is None else self._remembered(login, usual, waited_s)
        if remembered is not None:
            self._pool.release(worker, cpu_us=sum(remembered.cpu_us))
            return remembered
        return await self._run(login, asked, said, waited_s)

    # -- ask ---------------------------------------------------------------------------------------------------------

    @staticmethod
    def _left_s(login: Login) -> float:
        """Return the time that a worker may take for an answer. Raises: DeadlineExceeded."""
        left_s = (login.deadline_ns - time.monotonic_ns()) / 1e9 - MARGIN_US / 1e6
        if left_s <= 0:
            raise DeadlineExceeded
        return left_s

    async def _wait(self, login: Login, *, alone: bool = False) -> tuple[Worker, float]:
        """Lease a worker; return it and the seconds that the login stood in its tenant's queue.

        Raises: CapacityError, DeadlineExceeded, WorkerStartError.
        """
        flow, left_s, began_s = login.plan.flow, self._left_s(login), time.monotonic()
        try:
            worker = await self._pool.lease(flow.tenant, min(left_s, self._queue_wait_s), flow.digest, alone=alone)
        except PoolExhausted:
            if left_s < self._queue_wait_s:
                raise DeadlineExceeded from None
            raise
        return worker, time.monotonic() - began_s

    def _ask(self, login: Login, worker: Worker, done: Sequence[Execution] = (), *, movable: bool = False) -> Asked:
        """Ask a leased worker for the steps that are left. Raises: DeadlineExceeded."""
        if login.deadline_ns - time.monotonic_ns() <= MARGIN_US * 1000:
            self._pool.release(worker)
            raise DeadlineExceeded
        event, rest, budget_us = login.event, login.records, self._flow_timeout_us
        if done or login.before:
            event = login.completed.shown(event)
            rest += carried((*login.before, *done))
            budget_us -= sum([execution.cpu_us for execution in done])
        return self.questions.ask(worker, login, len(done), event, budget_us, rest, movable=movable)

    async def _compile(self, login: Login, worker: Worker) -> Asked | None:
        """Let a worker that has seen no event compile its flow, and keep the code for the workers that come after it.

        One that may fork loads such code, where there is some, and is a template from then on.

        Returns: the question that the worker failed over; None when the login can be asked about.
        """
        plan = login.plan
        if worker.plan is plan or worker.revisions or login.before or (plan.compiled and not worker.forks):
            return None
        ask = self.questions.ask_to_load if plan.compiled else self.questions.ask_for_code
        asked = ask(worker, plan, self._flow_timeout_us, login.deadline_ns)
        said = await self._heard(asked)
        if isinstance(said, WorkerError):
            entry = said.entry if isinstance(said, WorkerKilled) else worker.last_entry
            # What it notes of a step that it compiled is no execution. Asked again, it is found dead.
            return None if entry is not None and entry.reports else asked
        try:
            answer = reply.parse(said, asked.nonce, len(plan.bindings))
        except ProtocolViolation:
            return asked
        if answer.codes:
            plan.keep(answer.codes)
        elif worker.is_template and answer.retire:
            # It could not load the code: it is found dead, and the next worker compiles the flow.
            worker.kill(KillReason.START)
            plan.forget()
        return None

    async def _heard(self, asked: Asked) -> bytes | WorkerError:
        """Wait for the answer to a question; return it, hostile, or how its worker failed. Raises: DeadlineExceeded."""
        said: bytes | WorkerError
        try:
            said = await asked.future
        except (asyncio.CancelledError, DeadlineExceeded):
            self._abandon(asked)
            raise
        except Overtaken as error:
            self._abandon(asked)
            return error
        except WorkerError as error:
            said = error
        if asked.worker.kill_reason is KillReason.VIOLATION and not isinstance(said, WorkerError):
            # It lied about an earlier login, after which nothing that it says is believed.
            said = NotBegun(f"worker {asked.worker.id} broke its protocol")
        self._watchdog.unwatch(asked.worker)
        return said

    def _abandon(self, asked: Asked) -> None:
        """Let a worker finish with a login that does not wait for it any more, within its budgets."""
        future = asked.worker.adopt(asked.future)
        if future is None:
            self._watchdog.unwatch(asked.worker)
            self._pool.release(asked.worker, retire=True)
            return
        task = asyncio.get_running_loop().create_task(self._finish(asked, future))
        self._orphans.add(task)
        task.add_done_callback(self._orphans.discard)

    async def _finish(self, asked: Asked, future: asyncio.Future[bytes]) -> None:
        worker, retire = asked.worker, False
        with contextlib.suppress(WorkerError):
            data = await future
            try:
                # No caller waits for it, but whether it lies, or has grown, concerns the next login that it is given.
                retire = reply.parse(data, asked.nonce, asked.steps).retire
            except ProtocolViolation:
                worker.kill(KillReason.VIOLATION)
        self._watchdog.unwatch(worker)
        self._pool.release(worker, retire=retire)

    # -- answer ------------------------------------------------------------------------------------------------------

    def _remembered(self, login: Login, usual: wire.Usual, waited_s: float) -> LoginOutcome | None:
        """Return the outcome of a reply that an earlier login had too; None when there was none."""
        wall_us, cpu_us, steps = usual
        event = login.message or login.reader().message
        recalled = login.plan.answers.recall(steps, len(wall_us), event, self._output_bytes)
        if recalled is None:
            return None
        decided, printed = recalled
        answer, until_ms = decided.answer(event, login.gateway, login.clock_ns // 1_000_000)
        if len(wall_us) < len(answer.verdicts):
            skipped = (0,) * (len(answer.verdicts) - len(wall_us))
            wall_us, cpu_us = (*wall_us, *skipped), (*cpu_us, *skipped)
        return LoginOutcome(answer, wall_us, cpu_us, printed, waited_s, until_ms)

    async def _run(self, login: Login, asked: Asked, said: bytes | WorkerError, waited_s: float) -> LoginOutcome:
        """Run the steps in order, from the answer to the first question to the end or to where the login is suspended.

        Raises: CapacityError, WorkerError, DeadlineExceeded.
        """
        plan = login.plan
        done: list[Execution] = []
        lost = unbegun = 0
        while True:
            settled = await self._settle(said, asked, plan)
            done += settled.executions
            if settled.end is not WorkerEnd.RAN and not isinstance(said, Overtaken):
                # Executions are pure, so a worker that died through no fault of the tenant's code costs one retry. One
                # that never began costs half a second at most: another is tried while there is time.
                self._metrics.flow_retried()
                if not isinstance(said, NotBegun):
                    plan.forget()
                lost += settled.end is WorkerEnd.LOST
                unbegun += settled.end is WorkerEnd.UNBEGUN
                # Two are no fault of the actions either: they did not fail, so that nothing is decided without them.
                if lost > 1 or unbegun > _UNBEGUN_MAX:
                    raise WorkerLost(f"{lost + unbegun} workers died before the login could be decided")
            if settled.executions and suspends(done[-1]):
                stop = self.suspensions.judge(login, done)
                done[-1] = stop.execution
                if stop.found is not None:
                    done += failures.skipped(plan, len(done)) if isinstance(stop.found, Refused) else []
                    return self._folded(login, done, settled, waited_s, stop)
            if done and ends_flow(done[-1]):
                done += failures.skipped(plan, len(done))
            spent_us = sum([execution.cpu_us for execution in done])
            if len(done) < len(plan.bindings) and (settled.stopped or spent_us >= self._flow_timeout_us):
                spent = failures.budget_spent(spent_us, self._flow_timeout_us)
                done += failures.all_failed(plan, len(done), spent)
            if len(done) == len(plan.bindings):
                return self._folded(login, done, settled, waited_s)
            # No worker to be had is no decision, also when some actions have run: the others did not fail.
            # Behind no other login: it waits for what others do once at most.
            worker, more_s = await self._wait(login, alone=True)
            waited_s += more_s
            asked = self._ask(login, worker, done)
            said = await self._heard(asked)

    async def _settle(self, said: bytes | WorkerError, asked: Asked, plan: Plan) -> Settled:
        """Return an execution for every step that a worker began. Raises: DeadlineExceeded."""
        if isinstance(said, WorkerError):
            return await self._failures.settle(said, asked, plan)
        came_ns = time.monotonic_ns()
        try:
            answer = reply.parse(said, asked.nonce, len(plan.bindings) - asked.start)
            reported = await self._read(answer, asked, plan, len(said))
            if any(ends_flow(execution) or suspends(execution) for execution in reported[:-1]):
                raise ProtocolViolation("a worker ran on after the flow had ended")
            ended = bool(reported) and (ends_flow(reported[-1]) or suspends(reported[-1]))
            # The worker stops early for one other reason only: its time is used up, the flow's budget or the caller's.
            stopped = not ended and asked.start + len(reported) < len(plan.bindings)
            late = stopped and came_ns >= asked.late_ns
            if not reported and not late:
                raise ProtocolViolation("a worker reports no step at all")
        except asyncio.CancelledError:
            self._abandon(asked)
            raise
        except ProtocolViolation as violation:
            return await self._failures.settle(violation, asked, plan)
        self._pool.release(asked.worker, retire=answer.retire, cpu_us=sum(answer.cpu_us))
        if late:
            raise DeadlineExceeded
        whole = asked.start == 0 and not stopped and not suspends(reported[-1])
        return Settled(WorkerEnd.RAN, reported, answer.key if whole else None, stopped)

    async def _read(self, answer: reply.Reply, asked: Asked, plan: Plan, size: int) -> list[Execution]:
        """Read the reports of a reply; of a large one in parts, so that other logins are answered in between.

        One of all large replies is read at a time. Raises: ProtocolViolation.
        """
        bindings, continuing = plan.bindings[asked.start :], plan.continuing - asked.start
        if size <= _LARGE_BYTES:
            return reply.executions(answer, bindings, self._output_bytes, continuing, measured=plan.measured)
        async with self._large:
            reading = reply.in_parts(answer, bindings, self._output_bytes, continuing, measured=plan.measured)
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

    # -- decide ------------------------------------------------------------------------------------------------------

    def _folded(
        self, login: Login, done: Sequence[Execution], settled: Settled, waited_s: float, stop: Stop | None = None
    ) -> LoginOutcome:
        """Fold executions into a decision. `stop` says where the flow was suspended or refused."""
        executions = [*login.before, *done]
        decided = login.plan.answers.decide(
            settled.key,
            len(settled.executions),
            executions,
            login.reader(),
            suspension=stop.found if stop is not None else None,
            completed=login.completed.types,
        )
        event = login.message or login.reader().message
        answer, until_ms = decided.answer(event, login.gateway, login.clock_ns // 1_000_000)
        return LoginOutcome(
            answer,
            [execution.wall_us for execution in executions],
            [execution.cpu_us for execution in executions],
            printed_by(executions),
            waited_s,
            until_ms,
            stop.sealed if stop is not None else None,
        )
