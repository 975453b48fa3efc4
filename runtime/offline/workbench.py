"""The same zygote, pool and flow as the daemon's, without gRPC: for the commands that check and run actions.

Knows how to compose the parts for one command and how a line of input becomes a line of output. Must not know JSON of
events, argparse or terminals.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import time
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format
from vestibule.worker.v1 import worker_pb2

from runtime.catalog.base import Binding, Definition, Flow, Snapshot
from runtime.config.settings import Config, LogConfig
from runtime.continuation import token
from runtime.core.model import Execution, Settings, Verdict
from runtime.errors import Fault, InvalidRequest, RequestError, WorkerError
from runtime.login import leg as legs
from runtime.login import messages
from runtime.login.api_cache import Records
from runtime.login.flow import FlowRunner
from runtime.login.gateway import resolution
from runtime.login.plan import Plan
from runtime.login.suspensions import Suspensions
from runtime.offline.event_line import Line
from runtime.ops import log
from runtime.ops.metrics import Metrics
from runtime.workers import reply
from runtime.workers.pool import Pool
from runtime.workers.zygote import zygotes
from sandbox.contract.surface import CONTINUE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from runtime.login.leg import Leg

_QUIET: Final = LogConfig(level="error", sample=0.0)
# A command has no caller with a deadline; the flow's own budgets hold.
_CHECK: Final = "check"
_PATIENCE_NS: Final = 300_000_000_000


class _Fixed:
    """A catalog of exactly what the command was given."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.healthy = True
        self.reason = ""

    async def start(self) -> None:
        """Nothing to load."""

    def snapshot(self) -> Snapshot:
        """Return the one snapshot."""
        return self._snapshot

    async def close(self) -> None:
        """Nothing to release."""


@contextlib.asynccontextmanager
async def open_pool(config: Config, metrics: Metrics) -> AsyncIterator[Pool]:
    """Start a zygote and a pool, and stop both. Raises: WorkerStartError."""
    pool = Pool(config, zygotes(config), metrics, log.build(_QUIET, io.StringIO()))
    try:
        await pool.start()
        yield pool
    finally:
        await pool.close()


async def check_sources(sources: Sequence[tuple[str, str]], config: Config | None = None) -> list[Fault]:
    """Compile sources in locked-down workers and return every fault, `label:line:column` as its place.

    Args:
        sources: (label, source) pairs; the label is what the author knows the file by.
        config: limits; the defaults when not given.

    Raises: WorkerStartError: this host cannot run workers.
    """
    config = _command_config(config)
    faults: list[Fault] = []
    async with open_pool(config, Metrics("")) as pool:
        # The worker that checks is of a flow that is deployed, so that it is kept for the next source.
        flows = MappingProxyType({_CHECK: Flow(_CHECK, Settings())})
        runner = _runner(pool, config, Snapshot(0, flows, MappingProxyType({})))
        for label, source in sources:
            faults += await _check_one(pool, runner, label, source)
    return faults


async def _check_one(pool: Pool, runner: FlowRunner, label: str, source: str) -> list[Fault]:
    try:
        step = worker_pb2.Step(action="check", revision=hashlib.sha256(source.encode()).digest(), source=source)
    except UnicodeEncodeError as error:
        line = source.count("\n", 0, error.start) + 1
        return [Fault(f"{label}:{line}:1", "holds a lone surrogate, which is not text: remove it")]
    worker = await pool.lease(_CHECK, 10.0)
    try:
        answer = await runner.steps.check(worker, worker_pb2.FlowSteps(steps=[step]).SerializeToString(), 1)
    except WorkerError:
        return [Fault(f"{label}:1:1", "compiling this action killed its worker: it nests too deeply or is too large")]
    pool.release(worker, retire=answer.retire)
    return [
        Fault(f"{label}:{fault.line}:{fault.column}", fault.message)
        for step in answer.steps
        for fault in reply.faults(step)
    ]


class Runner:
    """Runs one action, or one tenant's flow, on event after event."""

    def __init__(self, runner: FlowRunner, flow: Flow, sources: Mapping[str, str], config: Config) -> None:
        self._runner = runner
        self._flow = flow
        self._sources = sources
        self._timeout_us = config.sandbox.action_timeout_ms * 1000
        # Plans by secrets and handler: a thousand lines mostly share one.
        self._plans: dict[tuple[str, str], Plan] = {}
        self._suspensions = Suspensions()
        # Of the flow that the last line suspended. Its cache goes on with it; every other line begins with an empty
        # one, so that what a line leads to does not depend on those before it.
        self._suspended: tuple[Plan, bytes, Records] | None = None

    @property
    def tenant(self) -> str:
        """Whose flow it runs."""
        return self._flow.tenant

    def _plan(self, line: Line) -> Plan:
        key = (json.dumps(line.secrets, sort_keys=True), line.handler)
        plan = self._plans.get(key)
        if plan is None:
            secrets = {**self._flow.secrets, **line.secrets}
            continuing = len(self._flow.bindings) if line.handler == CONTINUE else 0
            plan = Plan(replace(self._flow, secrets=secrets), self._sources, self._timeout_us, continuing=continuing)
            self._plans[key] = plan
        return plan

    async def executions(self, line: Line) -> list[Execution]:
        """Run the flow on one line, whatever it asks for. Raises: WorkerError, CapacityError."""
        deadline_ns = time.monotonic_ns() + _PATIENCE_NS
        ran = await self._runner.steps.run(self._plan(line), line.event, deadline_ns, line.now_ns, line.seed)
        return ran.executions

    async def decision(self, line: Line) -> dict[str, Any]:
        """Run the flow up to its end or to where it is suspended, and fold it; ProtoJSON as a dictionary.

        A line with `completed` goes on with the flow that the line before it suspended.

        Raises: WorkerError, CapacityError; RequestError: there is nothing to go on with, or not like this.
        """
        started_ns = time.monotonic_ns()
        now_ms = line.now_ns // 1_000_000
        whole, plan, leg, records = self._leg(line, now_ms)
        ran = await self._runner.steps.run(
            plan,
            leg.completed.shown(line.event),
            started_ns + _PATIENCE_NS,
            line.now_ns,
            line.seed,
            judge=leg.judge,
            before=leg.before,
            records=records.sent(now_ms),
        )
        executions = [*leg.before, *ran.executions]
        answer = plan.answers.decide(
            None, 0, executions, line.event, suspension=ran.suspension, completed=leg.completed.types
        )
        decision = answer.decision
        records.apply(answer.cache, now_ms)
        if decision.suspension is not None:
            self._suspended = whole, leg.token, records
        decision_id = hashlib.sha256(line.seed + line.event).hexdigest()[:32]
        message = messages.encode(decision, decision_id, 0, (time.monotonic_ns() - started_ns) // 1000)
        if line.gateway is not None:
            found = resolution(decision.multifactor, whole.flow.settings, leg.event, line.gateway, now_ms)
            if found is not None:
                message.multifactor.resolution.CopyFrom(found)
        shown: dict[str, Any] = json_format.MessageToDict(message)
        return shown

    def _leg(self, line: Line, now_ms: int) -> tuple[Plan, Plan, Leg, Records]:
        """Return the flow of a line, what is run of it, how that is judged, and the trigger's cache."""
        suspended, self._suspended = self._suspended, None
        event = messages.EventReader(line.event)
        if line.completed is None:
            plan = self._plan(line)
            return plan, plan, self._suspensions.leg(plan.flow, event, line.gateway, line.now_ns), Records()
        if suspended is None:
            raise InvalidRequest("completed", "goes on with a flow, and the line before this one suspended none")
        plan, sealed, records = suspended
        state = token.unseal(self._suspensions.keys, sealed, now_ms)
        legs.match(state, plan.flow.tenant, event)
        leg = self._suspensions.leg(plan.flow, event, line.gateway, line.now_ns)
        leg.position, leg.before = state.position, legs.executions(state, plan.flow)
        leg.completed = legs.completed(state, line.completed, now_ms)
        return plan, plan.resumed(state.position, continuing=state.continuing), leg, records


@contextlib.asynccontextmanager
async def open_action(name: str, source: str, config: Config | None = None) -> AsyncIterator[Runner]:
    """Make a runner for one action's source."""
    revision = hashlib.sha256(source.encode()).hexdigest()
    flow = Flow("local", Settings(), (Binding(name, revision),))
    async with open_tenants([Definition(flow, {revision: source})], config) as (runner,):
        yield runner


@contextlib.asynccontextmanager
async def open_tenant(definition: Definition, config: Config | None = None) -> AsyncIterator[Runner]:
    """Make a runner for a tenant's whole flow."""
    async with open_tenants([definition], config) as (runner,):
        yield runner


@contextlib.asynccontextmanager
async def open_tenants(definitions: Sequence[Definition], config: Config | None = None) -> AsyncIterator[list[Runner]]:
    """Make a runner for each tenant's whole flow; each has workers of its own, as in the daemon."""
    config = _command_config(config)
    flows = {found.flow.tenant: found.flow for found in definitions}
    sources = {revision: source for found in definitions for revision, source in found.sources.items()}
    async with open_pool(config, Metrics("")) as pool:
        runner = _runner(pool, config, Snapshot(0, MappingProxyType(flows), sources))
        yield [Runner(runner, found.flow, found.sources, config) for found in definitions]


def _runner(pool: Pool, config: Config, snapshot: Snapshot) -> FlowRunner:
    logger = log.build(_QUIET, io.StringIO())
    return FlowRunner(_Fixed(snapshot), pool, Metrics(""), config, logger, log.LoginLog(logger, 0.0))


def _command_config(config: Config | None) -> Config:
    config = config or Config()
    # One command is one caller: it waits for its worker, and needs no spare ones.
    return replace(config, pool=replace(config.pool, blank_workers=1, queue_wait_ms=60_000))


def report(execution: Execution) -> dict[str, Any]:
    """Return what `run` prints for one execution."""
    error = execution.error
    return {
        "verdict": execution.verdict.name.lower(),
        "commands": [{"op": command.op, "args": command.args} for command in execution.commands],
        "output": execution.output,
        "error": {"type": error.type, "message": error.message, "line": error.line} if error is not None else None,
    }


def invalid(error: RequestError) -> dict[str, Any]:
    """Return what `run` prints for a line that is not an event, so that lines of input and output stay in step."""
    fault = {"type": type(error).__name__, "message": str(error), "line": 0}
    return {"verdict": "invalid_input", "commands": [], "output": "", "error": fault}


async def run_lines(
    runner: Runner, lines: Iterable[str], *, action: str | None
) -> AsyncIterator[tuple[dict[str, Any], bool]]:
    """Run line after line.

    Args:
        runner: from `open_action` or `open_tenants`.
        lines: JSON texts; blank ones are passed over.
        action: name of the single action; None for a tenant's flow, whose lines answer with the decision.

    Yields: the answer, and whether it is free of failures.
    """
    for text in lines:
        if not text.strip():
            continue
        try:
            line = Line(text, secrets_of=action, tenant=runner.tenant if action is None else None)
            answer = await runner.decision(line) if action is None else {}
        except RequestError as error:
            yield invalid(error), False
            continue
        if action is None:
            yield answer, not answer.get("degraded", False)
        else:
            (execution,) = await runner.executions(line)
            yield report(execution), execution.verdict is Verdict.COMPLETED


def run_sync_check(sources: Sequence[tuple[str, str]]) -> list[Fault]:
    """`check_sources` for callers without an event loop."""
    return asyncio.run(check_sources(sources))
