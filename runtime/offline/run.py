"""The offline run: the daemon's zygote, pool and login engine without gRPC, for commands that check and run actions.

Knows how a line of input becomes a login, and a login a line of output. Must not know JSON of events, argparse or
terminals.
"""

import contextlib
import dataclasses
import hashlib
import io
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from google.protobuf import json_format
from vestibule.v1 import decision_pb2 as pb
from vestibule.worker.v1 import worker_pb2

from runtime.catalog.base import Binding, Definition, Flow
from runtime.config.effective import Config
from runtime.config.sections import LogConfig
from runtime.core.model import Execution, Settings, Verdict
from runtime.errors import InvalidRequest, RequestError
from runtime.login.api_cache import Records
from runtime.login.engine import Engine, LoginOutcome
from runtime.login.messages import EventReader
from runtime.login.plan import Login, Plan
from runtime.login.suspensions import Sealed, executions
from runtime.offline.event_line import Line
from runtime.ops import log
from runtime.ops.metrics import Metrics
from runtime.workers.launch import Launched
from runtime.workers.pool import Pool
from runtime.workers.zygote import zygotes
from sandbox.contract.surface import CONTINUE

# A command has no caller with a deadline; the flow's own budgets hold.
_PATIENCE_NS: Final = 300_000_000_000
_MEASURE: Final = worker_pb2.RunFlow(measure=True).SerializeToString()


@contextlib.asynccontextmanager
async def open_pool(config: Config, metrics: Metrics, ahead: Launched | None = None) -> AsyncIterator[Pool]:
    """Start a zygote, unless one was started ahead, and a pool, and stop both. Raises: WorkerStartError."""
    pool = Pool(config, zygotes(config, ahead), metrics, log.build(LogConfig(level="error"), io.StringIO()))
    try:
        await pool.start()
        yield pool
    finally:
        await pool.close()


@contextlib.asynccontextmanager
async def open_engine(
    config: Config | None = None, ahead: Launched | None = None
) -> AsyncIterator[tuple[Engine, Pool]]:
    """Start a pool and a login engine for one command, and stop both. Raises: WorkerStartError."""
    config = config or Config()
    # One command is one caller: it waits for its worker, and needs no further blank ones.
    config = replace(config, pool=replace(config.pool, blank_workers=1, queue_wait_ms=60_000))
    metrics = Metrics("")
    async with open_pool(config, metrics, ahead) as pool:
        engine = Engine(pool, metrics, config, log.build(LogConfig(level="error"), io.StringIO()))
        try:
            yield engine, pool
        finally:
            await engine.close()


@dataclass(frozen=True, slots=True)
class Suspended:
    """A flow that waits for its user."""

    plan: Plan
    sealed: Sealed


class Runner:
    """Runs one action, or one tenant's flow, on event after event."""

    def __init__(
        self,
        engine: Engine,
        flow: Flow,
        sources: Mapping[str, str],
        action_timeout_ms: int,
        *,
        codes: dict[str, bytes] | None = None,
        measured: bool = False,
    ) -> None:
        self._engine = engine
        self._flow = flow
        self._sources = sources
        self._timeout_us = action_timeout_ms * 1000
        self._codes = codes
        self._measured = measured
        # Plans by secrets and handler: a thousand lines mostly share one.
        self._plans: dict[tuple[str, str], Plan] = {}
        # Of the flow that the last line suspended. Its cache stays with it; every other line begins with an empty one,
        # so that what a line leads to does not depend on those before it.
        self._suspended: tuple[Suspended, Records] | None = None

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
            plan = self._plans[key] = Plan(
                replace(self._flow, secrets=secrets), self._sources, self._timeout_us, continuing=continuing,
                codes=self._codes, measured=self._measured,
            )  # fmt: skip
        return plan

    async def begin(self, line: Line, records: Records) -> tuple[LoginOutcome, Suspended | None]:
        """Run the flow up to its end or to where it is suspended, with the trigger's cache as it is.

        Raises: WorkerError, CapacityError.
        """
        plan = self._plan(line)
        sent = records.sent(line.now_ns // 1_000_000)
        login = Login(plan, line.event, line.gateway, _deadline_ns(), line.now_ns, line.seed, self._rest(sent))
        return await self._decided(login, plan, records)

    async def resume(self, line: Line, suspended: Suspended, records: Records) -> tuple[LoginOutcome, Suspended | None]:
        """Run what is left of a suspended flow. Raises: as `begin`; RequestError: not like this."""
        plan, now_ms = suspended.plan, line.now_ns // 1_000_000
        state, completed = self._engine.suspensions.open(
            suspended.sealed.token, self.tenant, EventReader(line.event), line.completed or (), now_ms
        )
        rest, before = plan.rest(state.position, continuing=state.continuing), executions(state, plan.flow)
        login = Login(
            rest, line.event, line.gateway, _deadline_ns(), line.now_ns, line.seed, self._rest(records.sent(now_ms)),
            before, completed,
        )  # fmt: skip
        return await self._decided(login, plan, records)

    def _rest(self, sent: bytes) -> bytes:
        return sent + _MEASURE if self._measured else sent

    async def _decided(self, login: Login, plan: Plan, records: Records) -> tuple[LoginOutcome, Suspended | None]:
        outcome = await self._engine.decide(login)
        records.apply(outcome.answer.cache, login.clock_ns // 1_000_000)
        return outcome, None if outcome.sealed is None else Suspended(plan, outcome.sealed)

    async def run(self, line: Line) -> LoginOutcome:
        """Run the flow up to its end or to where it is suspended.

        A line with `completed` resumes the flow that the line before it suspended.

        Raises: WorkerError, CapacityError; RequestError: there is nothing to resume, or not like this.
        """
        suspended, self._suspended = self._suspended, None
        records = Records()
        if line.completed is None:
            outcome, stopped = await self.begin(line, records)
        elif suspended is None:
            raise InvalidRequest("completed", "resumes a flow, and the line before this one suspended none")
        else:
            records = suspended[1]
            outcome, stopped = await self.resume(line, suspended[0], records)
        if stopped is not None:
            self._suspended = stopped, records
        return outcome

    async def decision(self, line: Line) -> dict[str, Any]:
        """Return what a flow decided on a line; ProtoJSON as a dictionary. Raises: as `run`."""
        started_ns = time.monotonic_ns()
        outcome = await self.run(line)
        shown: dict[str, Any] = json_format.MessageToDict(decision_of(outcome, line, started_ns))
        return shown

    async def execution(self, line: Line) -> Execution:
        """Run the only action of a flow on a line. Raises: as `run`."""
        outcome = await self.run(line)
        (execution,) = outcome.answer.decision.executions
        output, truncated = outcome.printed[0] if outcome.printed else ("", False)
        return replace(execution, output=output, output_truncated=truncated)


@contextlib.asynccontextmanager
async def open_action(
    name: str, source: str, config: Config | None = None, ahead: Launched | None = None
) -> AsyncIterator[Runner]:
    """Make a runner for one action's source."""
    revision = hashlib.sha256(source.encode()).hexdigest()
    flow = Flow("local", Settings(), (Binding(name, revision),))
    async with open_tenant(Definition(flow, {revision: source}), config, ahead) as runner:
        yield runner


@contextlib.asynccontextmanager
async def open_tenant(
    definition: Definition, config: Config | None = None, ahead: Launched | None = None
) -> AsyncIterator[Runner]:
    """Make a runner for a tenant's whole flow."""
    async with open_tenants([definition], config, ahead) as (runner,):
        yield runner


@contextlib.asynccontextmanager
async def open_tenants(
    definitions: Sequence[Definition], config: Config | None = None, ahead: Launched | None = None
) -> AsyncIterator[list[Runner]]:
    """Make a runner for each tenant's whole flow; each has workers of its own, as in the daemon."""
    timeout_ms = (config or Config()).sandbox.action_timeout_ms
    async with open_engine(config, ahead) as (engine, _):
        yield [Runner(engine, found.flow, found.sources, timeout_ms) for found in definitions]


def decision_of(outcome: LoginOutcome, line: Line, started_ns: int) -> pb.Decision:
    """Return what was decided on a line, as a gateway would read it."""
    decision_id = hashlib.sha256(line.seed + line.event).hexdigest()[:32]
    message = outcome.decision(decision_id, (time.monotonic_ns() - started_ns) // 1000)
    if message.HasField("suspension"):
        # It is no bearer's: this command keeps it for the next line.
        for name in ("continuation", "expires_at"):
            message.suspension.ClearField(name)
    return message


def _deadline_ns() -> int:
    return time.monotonic_ns() + _PATIENCE_NS


def report(execution: Execution) -> dict[str, Any]:
    """Return what `run` prints for one execution."""
    return {
        "verdict": execution.verdict.name.lower(),
        "commands": [{"op": command.op, "args": command.args} for command in execution.commands],
        "output": execution.output,
        "error": dataclasses.asdict(execution.error) if execution.error is not None else None,
    }


def invalid(error: RequestError) -> dict[str, Any]:
    """Return what `run` prints for a line that is not an event, so that lines of input and output stay in step."""
    fault = {"type": type(error).__name__, "message": str(error), "line": 0}
    return {"verdict": "invalid_input", "commands": [], "output": "", "error": fault}


async def run_lines(
    runner: Runner, lines: Iterable[str], *, action: str | None, defaults: Mapping[str, Any] = MappingProxyType({})
) -> AsyncIterator[tuple[dict[str, Any], bool]]:
    """Run line after line.

    Args:
        runner: from `open_action` or `open_tenants`.
        lines: JSON texts; blank ones are passed over.
        action: name of the single action; None for a tenant's flow, whose lines answer with the decision.
        defaults: of every line, as `Line` has them.

    Yields: the answer, and whether it is free of failures.
    """
    for text in lines:
        if not text.strip():
            continue
        try:
            tenant = runner.tenant if action is None else None
            line = Line(text, secrets_of=action, tenant=tenant, defaults=defaults)
            if action is None:
                answer = await runner.decision(line)
                fine = not answer.get("degraded", False)
            else:
                execution = await runner.execution(line)
                answer, fine = report(execution), execution.verdict is Verdict.COMPLETED
        except RequestError as error:
            answer, fine = invalid(error), False
        yield answer, fine
