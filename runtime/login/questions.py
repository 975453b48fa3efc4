"""What a leased worker is asked: to run steps of a flow, or to compile them; with the limits of the answer.

Knows the private messages and the watchdog. Must not know what an answer means, decisions or gRPC.
"""

import asyncio
import os
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vestibule.worker.v1 import worker_pb2

from runtime.config.sections import SandboxConfig
from runtime.core.aggregate import CACHE
from runtime.core.model import Execution, Verdict
from runtime.login.plan import Login, Plan
from runtime.workers import reply
from runtime.workers.inflight import NEVER
from runtime.workers.watchdog import COMPILE_KILL_NS, START_NS, Watchdog
from runtime.workers.worker import Worker
from sandbox.contract import surface, wire

MARGIN_US: Final = 5_000
"""Time to encode and send the answer before the caller's deadline; there the worker stops."""
GIVE_UP_NS: Final = 2_500_000
"""Time to say that there is no answer, of a worker that did not stop."""
_NONCES: Final = struct.Struct("<64Q")


@dataclass(slots=True)
class Asked:
    """A question that a worker has been sent: its steps from `start` on."""

    worker: Worker
    nonce: int
    start: int
    steps: int
    future: asyncio.Future[bytes]
    late_ns: int
    """CLOCK_MONOTONIC instant from which on an unfinished answer says nothing about the action it stopped at."""


class Questions:
    """Asks workers. One per engine."""

    def __init__(self, sandbox: SandboxConfig, watchdog: Watchdog) -> None:
        self._grace_ns = sandbox.kill_grace_ms * 1_000_000
        self._output_bytes = sandbox.output_bytes
        self._watchdog = watchdog
        self._nonces: list[int] = []

    def ask(
        self, worker: Worker, login: Login, start: int, event: bytes, budget_us: int, rest: bytes, *, movable: bool
    ) -> Asked:
        """Send a leased worker the steps from `start` on, and let the watchdog see to the answer.

        Args:
            event: the login's, as its actions are to see it.
            budget_us: processor time that is left of the flow's.
            rest: what is unusual in a RunFlow, serialized.
            movable: another worker may be asked instead, should it have to wait behind a long question.
        """
        plan, deadline_ns = login.plan, login.deadline_ns
        nonce = self._next_nonce()
        if worker.plan is plan and start == 0:
            steps = plan.all_steps
            hard_ns = budget_us * 1000 + 2 * self._grace_ns
        else:
            steps, with_sources = plan.steps(start, worker.revisions)
            if not worker.is_template:  # what its children compile goes with them
                worker.learns(plan.revisions[start:], plan if start == 0 else None)
            hard_ns = budget_us * 1000 + 2 * self._grace_ns + (COMPILE_KILL_NS if with_sources else 0)
        budgets_ns = plan.budgets_ns[start:] if start else plan.budgets_ns
        first_look_ns = min(budgets_ns[0] + self._grace_ns, hard_ns, START_NS)
        late_ns = deadline_ns - MARGIN_US * 1000
        question = wire.run_flow(
            nonce, login.clock_ns, login.seed, budget_us, self._output_bytes, event, steps, rest, late_ns
        )
        give_up_ns = deadline_ns - GIVE_UP_NS
        now_ns = time.monotonic_ns()
        future = worker.ask(question, nonce, budgets_ns, now_ns, first_look_ns, hard_ns, give_up_ns, movable=movable)
        self._watchdog.watch(worker)
        return Asked(worker, nonce, start, len(budgets_ns), future, late_ns)

    def ask_for_code(self, worker: Worker, plan: Plan, budget_us: int, deadline_ns: int) -> Asked:
        """Send a leased worker the whole flow to compile, with the limits of the login that waits for its code."""
        steps, _ = plan.steps(0, worker.revisions)
        worker.learns(plan.revisions)
        hard_ns = budget_us * 1000 + 2 * self._grace_ns + COMPILE_KILL_NS
        return self._ask_to_compile(worker, steps, plan.budgets_ns, START_NS, hard_ns, deadline_ns, return_code=True)

    def ask_to_load(self, worker: Worker, plan: Plan, budget_us: int, deadline_ns: int) -> Asked:
        """Let a worker that may fork load the code of a flow, and be its template from then on."""
        steps, _ = plan.steps(0, set())
        worker.learns(plan.revisions, plan)
        hard_ns = budget_us * 1000 + 2 * self._grace_ns + COMPILE_KILL_NS
        return self._ask_to_compile(
            worker, steps, plan.budgets_ns, START_NS, hard_ns, deadline_ns, template=plan.all_steps
        )

    async def check(
        self, worker: Worker, steps: bytes, count: int, *, return_code: bool = False, body_ns: int = 0
    ) -> reply.Reply:
        """Let a worker compile the steps of serialized FlowSteps and call none of their functions.

        Args:
            worker: a leased one.
            steps: with their sources.
            count: how many they are.
            return_code: ask for the code.
            body_ns: what each may take that is to be looked over: for the code outside of its functions.

        Raises: WorkerError: the worker did not survive it, or lies.
        """
        # To compile it, and to look it over.
        hard_ns = COMPILE_KILL_NS * max(count, 1) * (2 if body_ns else 1) + body_ns * count
        budgets_ns, first_look_ns = ((body_ns,) * count, START_NS) if body_ns else ((), COMPILE_KILL_NS)
        asked = self._ask_to_compile(worker, steps, budgets_ns, first_look_ns, hard_ns, NEVER, return_code=return_code)
        try:
            return reply.parse(await asked.future, asked.nonce, count)
        finally:
            self._watchdog.unwatch(worker)

    async def load(self, worker: Worker, plan: Plan, *, return_code: bool) -> reply.Reply:
        """Let a worker compile a flow ahead of its first login, or be its template. Raises: as `check`."""
        if worker.forks and plan.compiled:
            asked = self.ask_to_load(worker, plan, 1, NEVER)
            try:
                return reply.parse(await asked.future, asked.nonce, len(plan.bindings))
            finally:
                self._watchdog.unwatch(worker)
        steps, _ = plan.steps(0, worker.revisions)
        worker.learns(plan.revisions)
        return await self.check(worker, steps, len(plan.bindings), return_code=return_code)

    def _ask_to_compile(
        self,
        worker: Worker,
        steps: bytes,
        budgets_ns: tuple[int, ...],
        first_look_ns: int,
        hard_ns: int,
        deadline_ns: int,
        *,
        return_code: bool = False,
        template: bytes = b"",
    ) -> Asked:
        nonce = self._next_nonce()
        question = worker_pb2.RunFlow(
            nonce=nonce, check_only=True, budget_us=1, flow=steps, return_code=return_code, template=template
        ).SerializeToString()
        now_ns, give_up_ns = time.monotonic_ns(), deadline_ns - GIVE_UP_NS
        future = worker.ask(
            question, nonce, budgets_ns, now_ns, first_look_ns, hard_ns, give_up_ns, compiles=True,
            template=bool(template),
        )  # fmt: skip
        self._watchdog.watch(worker)
        return Asked(worker, nonce, 0, len(budgets_ns), future, deadline_ns)

    def _next_nonce(self) -> int:
        """Return a number that no worker can foretell; the kernel is asked once for many."""
        if not self._nonces:
            self._nonces.extend(_NONCES.unpack(os.urandom(_NONCES.size)))
        return self._nonces.pop()


def carried(executions: Iterable[Execution]) -> bytes:
    """Return what a worker must know of earlier steps that another one ran, as a part of a RunFlow; empty for nothing.

    These are the commands that change what the event shows or spend a limit of the login. What an execution wrote to
    the cache before the flow was suspended is in the cache by now, unless another login has changed it since.
    """
    commands = [
        worker_pb2.Command(op=command.op, args_json=surface.encode(command.op, command.args))
        for execution in executions
        if execution.verdict is Verdict.COMPLETED
        for command in execution.commands
        if surface.CALLS[command.op].carried and not (execution.earlier and command.op in CACHE)
    ]
    return worker_pb2.RunFlow(earlier=commands).SerializeToString() if commands else b""
