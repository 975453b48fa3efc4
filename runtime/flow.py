"""One login: snapshot, lease, run, executions, decision.

Knows the order of things and what each failure of a worker means for the login. Must not know gRPC, SQL or how a worker
is made. Called by the rpc service, and by `runtime.local` for the commands that run actions without a daemon.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from runtime import login_line
from runtime.errors import DeadlineExceeded, UnknownTenant, WorkerError
from runtime.gateway import resolution
from runtime.plan import Plan
from runtime.steps import MARGIN_US, StepRunner
from sandbox import wire

if TYPE_CHECKING:
    from runtime.answers import Answer
    from runtime.catalog.base import Catalog, Flow, Snapshot
    from runtime.config import Config
    from runtime.log import Log, LoginLog
    from runtime.metrics import Metrics
    from runtime.steps import Asked
    from runtime.workers.pool import Pool
    from runtime.workers.worker import Worker


class FlowRunner:
    """Decides logins. One per daemon; everything it needs is given."""

    def __init__(
        self, catalog: Catalog, pool: Pool, metrics: Metrics, config: Config, log: Log, login_log: LoginLog
    ) -> None:
        self._catalog = catalog
        self._pool = pool
        self._metrics = metrics
        self._login_log = login_log
        self._action_timeout_us = config.sandbox.action_timeout_ms * 1000
        self._plans: dict[str, Plan] = {}
        self.steps = StepRunner(pool, metrics, config, log)
        self._flow_timeout_us = self.steps.flow_timeout_us
        self._unwatch = self.steps.watchdog.unwatch
        pool.prime = self._prime

    async def close(self) -> None:
        """Forget answers that nobody waits for any more, so that a cut drain ends; the pool kills their workers."""
        await self.steps.close()

    async def execute(
        self, tenant_id: str, request_id: str, event: bytes, deadline: float, gateway: bytes | None = None
    ) -> bytes:
        """Decide one login.

        Args:
            tenant_id: checked by the caller.
            request_id: not empty.
            event: a serialized PostLoginEvent that has been parsed once without error.
            deadline: instant of `time.monotonic()` by which the answer must be sent.
            gateway: a serialized GatewayContext that has been parsed once; None for no resolution.

        Returns:
            A serialized ExecutePostLoginResponse.

        Raises:
            UnknownTenant, DeadlineExceeded, CapacityError, WorkerError: there is no decision.
        """
        started_ns = time.monotonic_ns()
        snapshot = self._catalog.snapshot()
        flow = snapshot.tenants.get(tenant_id)
        if flow is None:
            raise UnknownTenant(tenant_id)
        plan = self._plans.get(tenant_id)
        if plan is None or plan.flow is not flow:
            plan = self._plan(flow, snapshot)
        noise = os.urandom(32)
        deadline_ns = int(deadline * 1e9)
        # The usual login first, in a straight line, because every call costs: a warm worker is free, it answers, and an
        # earlier login ended with the same reports. Whatever is unusual goes on in `run`, from where it stands.
        clock_ns = time.time_ns()
        budget_us = min(self._flow_timeout_us, (deadline_ns - started_ns) // 1000 - MARGIN_US)
        if budget_us <= 0:
            raise DeadlineExceeded
        worker = self._pool.lease_nowait(tenant_id) if plan.bindings else None
        first: Asked | None = None
        answer: Answer | None = None
        if worker is not None:
            first = self.steps.ask(worker, plan, 0, event, budget_us, deadline_ns, clock_ns, noise[:16], started_ns)
            try:
                data = await first.future
            except asyncio.CancelledError:
                self.steps.abandon(worker)
                raise
            except WorkerError:
                pass
            else:
                usual = wire.usual_reply(data, first.nonce)
                if usual is not None:
                    wall, cpu, steps = usual
                    answer = plan.answers.recall(steps, len(wall), event)
                    if answer is not None:
                        self._unwatch(worker)
                        self._pool.release(worker)
                        if len(wall) < len(answer.verdicts):
                            idle = (0,) * (len(answer.verdicts) - len(wall))
                            wall, cpu = (*wall, *idle), (*cpu, *idle)
        waited_s = 0.0
        if answer is None:
            ran = await self.steps.run(plan, event, deadline_ns, clock_ns, noise[:16], first)
            answer = plan.answers.decide(ran.steps, ran.count, ran.executions, event)
            wall, cpu, waited_s = ran.wall_us, ran.cpu_us, ran.waited_s
        wall_us = (time.monotonic_ns() - started_ns) // 1000
        decision_id = noise[16:].hex()
        response = answer.fill(request_id, decision_id, snapshot.revision, wall_us, wall, cpu)
        decision = answer.decision
        if gateway is not None:
            response += resolution(decision.multifactor, flow.settings, event, gateway, clock_ns // 1_000_000)
        self._metrics.login_finished(
            decision.outcome, wall_us / 1e6, decision.degraded, waited_s, answer.verdicts, wall
        )
        if self._login_log.wants(decision.degraded):
            line = login_line.values(
                decision, wall, cpu, tenant_id, request_id, decision_id, snapshot.revision, wall_us
            )
            self._login_log.write(degraded=decision.degraded, **line)
        return response

    def _plan(self, flow: Flow, snapshot: Snapshot) -> Plan:
        plan = self._plans.get(flow.tenant)
        if plan is None or plan.flow is not flow:
            plan = self._plans[flow.tenant] = Plan(flow, snapshot.sources, self._action_timeout_us)
        return plan

    async def _prime(self, worker: Worker) -> None:
        """Load a worker that was bound ahead of its tenant's next login."""
        snapshot = self._catalog.snapshot()
        flow = snapshot.tenants.get(worker.tenant or "")
        if flow is None or not flow.bindings:
            return
        plan = self._plan(flow, snapshot)
        steps, _ = plan.steps(0, worker.revisions)
        fresh = not plan.compiled and not worker.executions
        try:
            answer = await self.steps.check(worker, steps, len(plan.bindings), return_code=fresh)
        except WorkerError:
            plan.forget()
            raise
        if fresh and answer.codes:
            plan.keep(answer.codes)
