"""The daemon's logins: finds the flow of each, has it decided, keeps what it wrote to the cache, counts and logs it.

Knows catalog, plans, metrics and what the log says of a decision. Must not know gRPC, SQL or workers' answers.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from itertools import repeat
from typing import Any, Final

from vestibule.v1.event_pb2 import PostLoginEvent

from runtime.catalog.base import Catalog, Flow, Snapshot, unknown
from runtime.catalog.database import Database
from runtime.config.effective import Config
from runtime.core.model import CacheScope, Decision, Execution, Verdict
from runtime.errors import FlowGone, WorkerError, WorkerLost
from runtime.login import identity, tenant_info
from runtime.login import suspensions as resuming
from runtime.login.api_cache import TriggerCache
from runtime.login.ending import Decided, LoginEnd
from runtime.login.engine import Engine, LoginOutcome
from runtime.login.execution_log import ExecutionLog
from runtime.login.messages import EventReader
from runtime.login.plan import Login, Plan
from runtime.login.request import Request as Request  # what `decide` takes
from runtime.login.running import Running
from runtime.login.shared_cache import SharedCache
from runtime.login.suspensions import SPEND_S, Suspensions
from runtime.login.trials import FleetTrials, Trials
from runtime.ops.log import Log, LoginLog, clip
from runtime.ops.metrics import Metrics
from runtime.workers.pool import Pool
from runtime.workers.worker import Worker

# Flows of earlier deployments that suspended logins are resumed in.
_PINNED_MAX: Final = 16


class Logins:
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
        fleet: FleetTrials | None = None,
        execution_log: ExecutionLog | None = None,
        database: Database | None = None,
    ) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._log = log
        self._login_log = login_log
        self._execution_log = execution_log
        self._action_timeout_us = config.sandbox.action_timeout_ms * 1000
        self.engine = Engine(pool, metrics, config, log, suspensions)
        self._trials = Trials(self.engine, metrics, log, self._action_timeout_us, fleet)
        self._suspensions = self.engine.suspensions
        self._running: Running[LoginEnd] = Running()
        self._cache = TriggerCache()
        self._shared_cache = SharedCache(database, self._cache, log)
        self.plans: dict[str, Plan] = {}
        self._planned = 0
        self._pinned: OrderedDict[tuple[str, bytes], Plan] = OrderedDict()
        self._pool = pool
        self._loads: set[asyncio.Task[None]] = set()
        self._loading = asyncio.get_running_loop().create_task(self._load_successors())
        self._sweeping = asyncio.get_running_loop().create_task(self._suspensions.sweep())

    async def close(self) -> None:
        """Release what a cut drain would wait for."""
        loads = [self._loading, self._sweeping, *self._loads]
        for task in loads:
            task.cancel()
        await asyncio.gather(*loads, return_exceptions=True)
        await self._trials.close()
        await self._shared_cache.close()
        await self.engine.close()

    async def decide(self, request: Request, deadline: float) -> Decided:
        """Decide one login by an instant of `time.monotonic()`.

        A named request that comes again while it is decided waits for the same decision.

        Raises:
            InvalidContinuation, ContinuationError, InvalidRequest: it cannot be resumed.
            CatalogError: it cannot be known whether it was resumed before.
            UnknownTenant, DeadlineExceeded, CapacityError, WorkerError: there is no decision. After these and
                CatalogError a continuation can be used again.
        """
        if not request.named:
            ending = await self._decide(request, b"", deadline)
            return ending.answer(request.request_id, basic=request.basic)
        content = identity.content(request)
        ending, joined = await self._running.once(content, deadline, lambda: self._decide(request, content, deadline))
        decided = ending.answer(request.request_id, basic=request.basic)
        if joined or ending.outcome is None:
            self._repeated(request, decided.decision_id, joined)
        return decided

    def _repeated(self, request: Request, decision_id: str, joined: bool) -> None:
        """Count and log a request that came again: while it was being decided, or with a continuation that it used."""
        if joined:
            self._metrics.joined()
        if self._login_log.wants(False):
            ids = {"request_id": clip(request.request_id, 128), "decision_id": decision_id}
            self._log.info("login.repeated", tenant=request.tenant, **ids, answer="running" if joined else "stored")

    async def describe(self, request: Request, _deadline: float) -> Decided:
        """Return the serialized GetTenantResponse. Raises: UnknownTenant, NoStore."""
        snapshot = self._catalog.snapshot()
        flow = snapshot.tenants.get(request.tenant)
        if flow is None:
            raise unknown(snapshot, request.tenant)
        secret = self._suspensions.keys.identities
        return Decided(tenant_info.describe(flow, snapshot.revision, secret, ready=self._pool.serves(flow.tenant)), "")

    def serves(self, tenant: str) -> bool | None:
        """Tell whether logins of a tenant can be decided now; None for a tenant that is unknown."""
        return self._pool.serves(tenant) if tenant in self._catalog.snapshot().tenants else None

    async def _decide(self, request: Request, content: bytes, deadline: float) -> LoginEnd:
        """Decide one login; `content` is the digest of a named request, empty for another."""
        started_ns, clock_ns = time.monotonic_ns(), time.time_ns()
        tenant, event, gateway, message = request.tenant, request.event, request.gateway, request.message
        snapshot = self._catalog.snapshot()
        flow = snapshot.tenants.get(tenant)
        if flow is None:
            raise unknown(snapshot, tenant)
        if request.continuation is not None:
            return await self._resume(request, content, flow, snapshot, deadline, started_ns, clock_ns)
        read = message or PostLoginEvent.FromString(event)
        known = self._identity(content, clock_ns, read)
        now_ms = clock_ns // 1_000_000
        if flow.settings.cache is CacheScope.SHARED:
            records = await self._shared_cache.sent(tenant, now_ms)
        else:
            cached = self._cache.of.get(tenant)
            records = b"" if cached is None else cached.sent(now_ms)
        plan, deadline_ns = self._plan(flow, snapshot), int(deadline * 1e9)
        trial = snapshot.trials.get(tenant)
        if trial is not None and self._trials.takes(trial, read.user.user_id):
            plan = self._trials.plan(trial)
        login = Login(
            plan, event, gateway, deadline_ns, known.clock_ns, known.seed, records, message=message, now_ms=now_ms,
            continuation=known.continuation,
        )  # fmt: skip
        outcome = await self.engine.decide(login)
        wall_us = (time.monotonic_ns() - started_ns) // 1000
        ending = LoginEnd(outcome, known.decision_id, snapshot.revision, wall_us, tenant_version=plan.flow.version)
        self._decided(request, plan.flow, ending, 0, now_ms)
        if trial is not None:
            self._trials.decided(trial, login, outcome.answer.decision)
        return ending

    async def _resume(
        self,
        request: Request,
        content: bytes,
        flow: Flow,
        snapshot: Snapshot,
        deadline: float,
        started_ns: int,
        clock_ns: int,
    ) -> LoginEnd:
        """Decide a login from where it was suspended. A request that was answered before gets its answer again."""
        tenant, event, message, now_ms = request.tenant, request.event, request.message, clock_ns // 1_000_000
        assert request.continuation is not None
        state, completed = self._suspensions.open(
            request.continuation, tenant, EventReader(event, message), request.completed, now_ms
        )
        plan = await self._pin(flow, snapshot, state.flow_digest, deadline)
        before = resuming.executions(state, plan.flow)
        trial = snapshot.trials.get(tenant)
        rest = plan.rest(state.position, continuing=state.continuing)
        deadline_ns = int((deadline - SPEND_S) * 1e9)
        # The clock is the real one: what was answered is kept, so nothing is decided twice at different times.
        known = self._identity(content, clock_ns)
        async with self._suspensions.claimed(state, now_ms, deadline, content) as held:
            if held.earlier is not None:
                self._metrics.continuation("repeated")
                return LoginEnd(None, stored=held.earlier)
            if flow.settings.cache is CacheScope.SHARED:
                records = await self._shared_cache.sent(tenant, now_ms)
            else:
                cached = self._cache.of.get(tenant)
                records = b"" if cached is None else cached.sent(now_ms)
            login = Login(
                rest, event, request.gateway, deadline_ns, clock_ns, known.seed, records, before, completed, message,
                continuation=known.continuation,
            )  # fmt: skip
            outcome = await self.engine.decide(login)
            wall_us = (time.monotonic_ns() - started_ns) // 1000
            version = plan.flow.version
            ending = LoginEnd(outcome, known.decision_id, snapshot.revision, wall_us, tenant_version=version)
            if content:
                held.answer = ending.answer(request.request_id).response
        self._metrics.continuation("continued")
        self._decided(request, plan.flow, ending, len(before), now_ms)
        if trial is not None:
            self._trials.decided(trial, login, outcome.answer.decision)
        return ending

    def _identity(self, content: bytes, now_ns: int, event: PostLoginEvent | None = None) -> identity.Identity:
        if not content:
            return identity.random(now_ns)
        return identity.of_content(content, self._suspensions.keys.identities, now_ns, event)

    def _decided(self, request: Request, flow: Flow, ending: LoginEnd, earlier: int, now_ms: int) -> None:
        """Keep what a login wrote to the cache, count and log it; `earlier` of its executions ran in legs before."""
        outcome = ending.outcome
        assert outcome is not None
        if outcome.answer.cache:
            self._cache.apply(request.tenant, outcome.answer.cache, now_ms)
            if flow.settings.cache is CacheScope.SHARED:
                self._shared_cache.write(request.tenant, outcome.answer.cache, now_ms)
        self._count(outcome, earlier, ending.wall_us)
        decision, texts = outcome.answer.decision, None
        if self._execution_log is not None and self._execution_log.keeps(request.tenant):
            texts = self._execution_log.texts(flow, outcome)
            self._execution_log.keep(flow, outcome, request.request_id, ending.decision_id, earlier, now_ms)
        if self._login_log.wants(decision.degraded):
            self._login_log.write(
                degraded=decision.degraded,
                tenant=request.tenant,
                request_id=clip(request.request_id, 128),
                decision_id=ending.decision_id,
                **({"traceparent": request.traceparent} if request.traceparent else {}),
                **({"caller": clip(request.caller, 200)} if request.caller else {}),
                catalog_revision=ending.catalog_revision,
                **({"version": flow.version} if flow.version else {}),
                **({"served": flow.served} if flow.served else {}),
                **explained(outcome, texts),
                wall_ms=round(ending.wall_us / 1000, 3),
            )

    def _count(self, outcome: LoginOutcome, earlier: int, wall_us: int) -> None:
        """Count a login; its first `earlier` executions were counted with the legs before."""
        answer = outcome.answer
        decision, verdicts, step_us = answer.decision, answer.verdicts, outcome.wall_us
        if earlier:
            verdicts, step_us = verdicts[earlier:], step_us[earlier:]
        if decision.suspension is not None:
            self._metrics.suspended(decision.suspension.kind)
        self._metrics.login_finished(
            decision.outcome, wall_us / 1e6, decision.degraded, outcome.waited_s, verdicts, step_us
        )

    # -- plans -------------------------------------------------------------------------------------------------------

    def _plan(self, flow: Flow, snapshot: Snapshot) -> Plan:
        plan = self.plans.get(flow.tenant)
        if plan is None or plan.flow is not flow:
            if snapshot.revision != self._planned:
                # Those of tenants that are gone or have changed keep sources and secrets.
                self._planned, flows = snapshot.revision, snapshot.tenants
                self.plans = {name: kept for name, kept in self.plans.items() if flows.get(name) is kept.flow}
                for key in [key for key in self._pinned if key[0] not in flows]:
                    del self._pinned[key]
                self._trials.forget(snapshot)
                self._cache.forget(flows)
            plan = self.plans[flow.tenant] = Plan(flow, snapshot.sources, self._action_timeout_us)
        return plan

    async def _pin(self, flow: Flow, snapshot: Snapshot, digest: bytes, deadline: float) -> Plan:
        """Return the plan of the very flow that was suspended, also when another one is deployed by now."""
        if flow.digest == digest:
            return self._plan(flow, snapshot)
        trial = snapshot.trials.get(flow.tenant)
        if trial is not None and trial.definition.flow.digest == digest:
            return self._trials.plan(trial)
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

    async def _load_successors(self) -> None:
        """Load each worker that is bound ahead of its tenant's next login."""
        while True:
            task = asyncio.create_task(self._load(await self._pool.to_load()))
            self._loads.add(task)
            task.add_done_callback(self._loads.discard)

    async def _load(self, worker: Worker) -> None:
        error = None
        try:
            await self._compile_ahead(worker)
        except WorkerError as failure:
            error = failure
        self._pool.loaded(worker, error)

    async def _compile_ahead(self, worker: Worker) -> None:
        """Load a worker that was bound ahead of its tenant's next login; not if another flow was deployed meanwhile."""
        snapshot = self._catalog.snapshot()
        flow = snapshot.tenants.get(worker.tenant or "")
        if flow is None or flow.digest != worker.flow or not flow.bindings:
            return
        plan = self._plan(flow, snapshot)
        fresh = not plan.compiled and not worker.executions
        try:
            answer = await self.engine.questions.load(worker, plan, return_code=fresh)
        except WorkerError:
            plan.forget()
            raise
        if fresh and answer.codes:
            plan.keep(answer.codes)
        elif (fresh or worker.is_template) and answer.retire:
            # It gave up compiling, which the next worker need not.
            raise WorkerLost(f"worker {worker.id} could not load its flow")


_NOTHING_SAID: Final[dict[str, Any]] = {}
_NO_FAILURE: Final = (Verdict.COMPLETED, Verdict.SKIPPED)


def failed(execution: Execution) -> dict[str, Any]:
    """Return what the line says of a failed execution: its place in the source, and no text that code composed."""
    error = execution.error
    return {
        "revision": execution.revision[:12],
        **({"error": clip(error.type, 64)} if error is not None else {}),
        **({"line": error.line} if error is not None and error.line else {}),
        **({"file": error.file} if error is not None and error.file else {}),
    }


def explained(outcome: LoginOutcome, texts: Sequence[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return what the `login.decided` line says of a decision: all that explains it, and nothing of the event.

    `texts` are what is said beside each execution of a tenant whose messages and output are logged.
    """
    decision: Decision = outcome.answer.decision
    factor, denial, suspension = decision.multifactor, decision.denial, decision.suspension
    return {
        "outcome": decision.outcome,
        "provider": factor.provider if factor is not None else None,
        "origin": factor.origin if factor is not None else None,
        "factor": decision.status,
        "denied": str(denial.reason) if denial is not None else None,
        "suspended": suspension.kind if suspension is not None else None,
        "reasons": list(decision.degraded_reasons),
        "executions": [
            {"action": e.action, "verdict": e.verdict.name.lower(), "wall_us": wall_us, "cpu_us": cpu_us}
            | ({"continued": True} if e.continued else {})
            | ({"earlier": True} if e.earlier else {})
            | (failed(e) if e.verdict not in _NO_FAILURE else {})
            | said
            for e, wall_us, cpu_us, said in zip(
                decision.executions, outcome.wall_us, outcome.cpu_us, texts or repeat(_NOTHING_SAID), strict=False
            )
        ],
        "contributions": [
            f"{c.action or c.op}: {c.summary}{' (won)' if c.won else ''}" for c in decision.contributions
        ],
    }
