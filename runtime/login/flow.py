"""One login: snapshot, lease, run, executions, decision; and the same again from where it was suspended.

Knows the order of things. Must not know gRPC, SQL or how a worker is made.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runtime.catalog.base import unknown
from runtime.continuation import token
from runtime.errors import DeadlineExceeded, FlowGone, WorkerError, WorkerLost
from runtime.login import leg as legs
from runtime.login import login_line
from runtime.login.api_cache import TriggerCache
from runtime.login.gateway import resolution
from runtime.login.messages import EventReader
from runtime.login.plan import Plan
from runtime.login.questions import MARGIN_US
from runtime.login.steps import StepRunner
from runtime.login.suspensions import SPEND_S, Suspensions
from sandbox.contract import wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vestibule.v1 import decision_pb2 as pb

    from runtime.catalog.base import Catalog, Flow, Snapshot
    from runtime.config.settings import Config
    from runtime.core.model import Settings
    from runtime.login.answers import Answer, Sealed
    from runtime.login.leg import Leg
    from runtime.login.questions import Asked
    from runtime.login.steps import Ran
    from runtime.ops.log import Log, LoginLog
    from runtime.ops.metrics import Metrics
    from runtime.workers.pool import Pool
    from runtime.workers.worker import Worker

# Flows of earlier deployments that suspended logins go on with.
_PINNED_MAX: Final = 16


@dataclass(slots=True)
class _Login:
    """What a login is answered, counted and logged by, besides its decision."""

    tenant: str
    request_id: str
    event: bytes
    gateway: bytes | None
    revision: int
    started_ns: int
    clock_ns: int
    decision_id: str


class FlowRunner:
    """Decides logins. One per daemon; everything it needs is given."""

    def __init__(
        self,
        catalog: Catalog,
        pool: Pool,
        metrics: Metrics,
        config: Config,
        log: Log,
        login_log: LoginLog,
        suspensions: Suspensions | None = None,
    ) -> None:
        self._catalog = catalog
        self._pool = pool
        self._metrics = metrics
        self._login_log = login_log
        self._action_timeout_us = config.sandbox.action_timeout_ms * 1000
        self._suspensions = suspensions or Suspensions()
        self._cache = TriggerCache()
        self._plans: dict[str, Plan] = {}
        self._planned = 0
        self._pinned: OrderedDict[tuple[str, bytes], Plan] = OrderedDict()
        self.steps = StepRunner(pool, metrics, config, log)
        self._flow_timeout_us = self.steps.flow_timeout_us
        self._ask = self.steps.questions.ask
        self._unwatch = self.steps.watchdog.unwatch
        pool.prime = self._prime
        pool.current = self._digest_of

    async def close(self) -> None:
        """Forget answers that nobody waits for any more, so that a cut drain ends; the pool kills their workers."""
        await self.steps.close()
        await self._suspensions.close()

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
            raise unknown(snapshot, tenant_id)
        plan = self._plans.get(tenant_id)
        if plan is None or plan.flow is not flow:
            plan = self._plan(flow, snapshot)
        noise = os.urandom(32)
        deadline_ns = int(deadline * 1e9)
        # The usual login first, in a straight line, because every call costs: a warm worker is free, or comes free, it
        # answers, and an earlier login ended with the same reports. Whatever is unusual goes on in `run`, from where it
        # stands.
        clock_ns = time.time_ns()
        left_us = (deadline_ns - started_ns) // 1000 - MARGIN_US
        if left_us <= 0:
            raise DeadlineExceeded
        budget_us = self._flow_timeout_us
        cached = self._cache.of.get(tenant_id)
        records = b"" if cached is None else cached.sent(clock_ns // 1_000_000)
        worker = self._pool.lease_nowait(tenant_id, flow.digest) if plan.bindings else None
        began_ns, waited_s = started_ns, 0.0
        if worker is None and plan.bindings:
            worker = await self.steps.wait(flow, left_us)
            began_ns = time.monotonic_ns()
            waited_s = (began_ns - started_ns) / 1e9
        first: Asked | None = None
        answer: Answer | None = None
        if worker is not None and worker.plan is not plan and not worker.revisions and not plan.compiled:
            first = await self.steps.compile(worker, plan, budget_us, deadline_ns)
            began_ns = time.monotonic_ns()
            if first is None and (deadline_ns - began_ns) // 1000 <= MARGIN_US:
                self._pool.release(worker)
                raise DeadlineExceeded
        if worker is not None and first is None:
            first = self._ask(worker, plan, 0, event, budget_us, deadline_ns, clock_ns, noise[:16], began_ns, records)
            try:
                data = await first.future
            except (asyncio.CancelledError, DeadlineExceeded):
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
        ran: Ran | None = None
        leg: Leg | None = None
        if answer is None:
            leg = self._suspensions.leg(flow, EventReader(event), gateway, clock_ns)
            ran = await self.steps.run(
                plan, event, deadline_ns, clock_ns, noise[:16], first, leg.judge, records=records
            )
            answer = plan.answers.decide(ran.steps, ran.count, ran.executions, event, suspension=ran.suspension)
            wall, cpu = ran.wall_us, ran.cpu_us
        if ran is not None:
            waited_s += ran.waited_s
        login = _Login(tenant_id, request_id, event, gateway, snapshot.revision, started_ns, clock_ns, noise[16:].hex())
        return self._answered(login, answer, flow.settings, leg, wall, cpu, waited_s)

    async def resume(
        self,
        tenant_id: str,
        request_id: str,
        event: bytes,
        deadline: float,
        gateway: bytes | None,
        continuation: bytes,
        completed: Sequence[int],
    ) -> bytes:
        """Go on with a suspended login. Arguments as `execute` has them, and:

        Args:
            continuation: the token; hostile.
            completed: numbers of FactorType: what satisfied each step that was waited for; hostile.

        Returns:
            A serialized ContinuePostLoginResponse.

        Raises:
            InvalidContinuation, ContinuationError, InvalidRequest: it cannot be gone on with.
            CatalogError: it cannot be known whether it was gone on with before.
            UnknownTenant, DeadlineExceeded, CapacityError, WorkerError: there is no decision. After these and
                CatalogError the continuation can be used again.
        """
        started_ns = time.monotonic_ns()
        clock_ns = time.time_ns()
        now_ms = clock_ns // 1_000_000
        snapshot = self._catalog.snapshot()
        flow = snapshot.tenants.get(tenant_id)
        if flow is None:
            raise unknown(snapshot, tenant_id)
        state = token.unseal(self._suspensions.keys, continuation, now_ms)
        reader = EventReader(event)
        legs.match(state, tenant_id, reader)
        presented = legs.completed(state, completed, now_ms)
        plan = await self._pin(flow, snapshot, state.flow_digest, deadline)
        before = legs.executions(state, plan.flow)
        leg = self._suspensions.leg(plan.flow, reader, gateway, clock_ns)
        leg.position, leg.before, leg.completed = state.position, before, presented
        rest = plan.resumed(state.position, continuing=state.continuing)
        cached = self._cache.of.get(tenant_id)
        noise = os.urandom(32)
        async with self._suspensions.claimed(state, now_ms, deadline):
            ran = await self.steps.run(
                rest,
                presented.shown(event),
                int((deadline - SPEND_S) * 1e9),
                clock_ns,
                noise[:16],
                judge=leg.judge,
                before=before,
                records=b"" if cached is None else cached.sent(now_ms),
            )
            answer = rest.answers.decide(
                None, 0, [*before, *ran.executions], event, suspension=ran.suspension, completed=presented.types
            )
        none = (0,) * len(before)
        wall, cpu = (*none, *ran.wall_us), (*none, *ran.cpu_us)
        login = _Login(tenant_id, request_id, event, gateway, snapshot.revision, started_ns, clock_ns, noise[16:].hex())
        response = self._answered(login, answer, plan.flow.settings, leg, wall, cpu, ran.waited_s)
        self._metrics.continuation("continued")
        return response

    def _answered(
        self,
        login: _Login,
        answer: Answer,
        settings: Settings,
        leg: Leg | None,
        wall: Sequence[int],
        cpu: Sequence[int],
        waited_s: float,
    ) -> bytes:
        """Return the response to a decided login; count it, write its line and keep what it wrote to the cache.

        `leg` is None when the answer was remembered: nothing is suspended then. `wall` and `cpu`, in microseconds,
        begin with those of the legs before, which were counted then.
        """
        decision = answer.decision
        now_ms = login.clock_ns // 1_000_000
        if answer.cache:
            self._cache.apply(login.tenant, answer.cache, now_ms)
        found: pb.Resolution | None = None
        if login.gateway is not None:
            event = EventReader(login.event) if leg is None else leg.event
            found = resolution(decision.multifactor, settings, event, login.gateway, now_ms)
        sealed: Sealed | None = None
        if leg is not None and decision.suspension is not None:
            sealed = leg.token, leg.expires_at_ms
            self._metrics.suspended(decision.suspension.kind)
        wall_us = (time.monotonic_ns() - login.started_ns) // 1000
        response = answer.fill(
            login.request_id, login.decision_id, login.revision, wall_us, wall, cpu, resolution=found, sealed=sealed
        )
        verdicts, ours = answer.verdicts, wall
        if leg is not None and leg.before:
            verdicts, ours = verdicts[len(leg.before) :], wall[len(leg.before) :]
        self._metrics.login_finished(decision.outcome, wall_us / 1e6, decision.degraded, waited_s, verdicts, ours)
        if self._login_log.wants(decision.degraded):
            line = login_line.values(
                decision, wall, cpu, login.tenant, login.request_id, login.decision_id, login.revision, wall_us
            )
            self._login_log.write(degraded=decision.degraded, **line)
        return response

    async def _pin(self, flow: Flow, snapshot: Snapshot, digest: bytes, deadline: float) -> Plan:
        """Return the plan of the very flow that was suspended, also when another one is deployed by now."""
        if flow.digest == digest:
            return self._plan(flow, snapshot)
        key = flow.tenant, digest
        plan = self._pinned.get(key)
        if plan is None:
            found = await self._suspensions.find(flow.tenant, digest, deadline)
            if found is None:
                raise FlowGone(flow.tenant)
            plan = self._pinned[key] = Plan(found.flow, found.sources, self._action_timeout_us)
            if len(self._pinned) > _PINNED_MAX:
                self._pinned.popitem(last=False)
        self._pinned.move_to_end(key)
        return plan

    def _plan(self, flow: Flow, snapshot: Snapshot) -> Plan:
        plan = self._plans.get(flow.tenant)
        if plan is None or plan.flow is not flow:
            if snapshot.revision != self._planned:
                # Those of tenants that are gone or have changed keep sources and secrets.
                self._planned, flows = snapshot.revision, snapshot.tenants
                self._plans = {name: kept for name, kept in self._plans.items() if flows.get(name) is kept.flow}
                for key in [key for key in self._pinned if key[0] not in flows]:
                    del self._pinned[key]
            plan = self._plans[flow.tenant] = Plan(flow, snapshot.sources, self._action_timeout_us)
        return plan

    def _digest_of(self, tenant: str) -> bytes | None:
        flow = self._catalog.snapshot().tenants.get(tenant)
        return None if flow is None else flow.digest

    async def _prime(self, worker: Worker) -> None:
        """Load a worker that was bound ahead of its tenant's next login; not if another flow was deployed meanwhile."""
        snapshot = self._catalog.snapshot()
        flow = snapshot.tenants.get(worker.tenant or "")
        if flow is None or flow.digest != worker.flow or not flow.bindings:
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
        elif fresh and answer.retire:
            # It gave up compiling, which the next worker need not.
            raise WorkerLost(f"worker {worker.id} could not load its flow")
