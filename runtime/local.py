"""The same zygote, pool and flow as the daemon's, without gRPC: for the commands that check and run actions.

Knows how to compose the parts for one command and how a line of input becomes a line of output. Must not know argparse
or terminals. Called by `runtime.commands`.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import hashlib
import io
import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format
from vestibule.worker.v1 import worker_pb2

from runtime import codec, event_json, log
from runtime.catalog.base import Binding, Flow, Snapshot
from runtime.config import Config, LogConfig
from runtime.core.aggregate import aggregate
from runtime.core.model import Execution, Settings, Verdict
from runtime.errors import Fault, InvalidEvent, InvalidRequest, WorkerError
from runtime.flow import FlowRunner
from runtime.metrics import Metrics
from runtime.plan import CONTINUE, Plan
from runtime.workers import reply
from runtime.workers.pool import Pool
from runtime.workers.zygote import zygotes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from runtime.catalog.base import Definition

_LINE_KEYS: Final = frozenset({"event", "now", "seed", "secrets", "handler"})
HANDLERS: Final = ("on_execute_post_login", CONTINUE)
_QUIET: Final = LogConfig(level="error", sample=0.0)


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
        runner = _runner(pool, config, Snapshot(0, MappingProxyType({}), MappingProxyType({})))
        for label, source in sources:
            faults += await _check_one(pool, runner, label, source)
    return faults


async def _check_one(pool: Pool, runner: FlowRunner, label: str, source: str) -> list[Fault]:
    try:
        step = worker_pb2.Step(action="check", revision=hashlib.sha256(source.encode()).digest(), source=source)
    except UnicodeEncodeError as error:
        line = source.count("\n", 0, error.start) + 1
        return [Fault(f"{label}:{line}:1", "holds a lone surrogate, which is not text: remove it")]
    worker = await pool.lease("check", 10.0)
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

    async def executions(self, line: Line) -> list[Execution]:
        """Run the flow on one line. Raises: WorkerError, CapacityError."""
        key = (json.dumps(line.secrets, sort_keys=True), line.handler)
        plan = self._plans.get(key)
        if plan is None:
            secrets = {**self._flow.secrets, **line.secrets}
            continuing = len(self._flow.bindings) if line.handler == CONTINUE else 0
            plan = Plan(replace(self._flow, secrets=secrets), self._sources, self._timeout_us, continuing=continuing)
            self._plans[key] = plan
        deadline_ns = time.monotonic_ns() + 300_000_000_000
        ran = await self._runner.steps.run(plan, line.event, deadline_ns, line.now_ns, line.seed)
        return ran.executions

    async def decision(self, line: Line) -> dict[str, Any]:
        """Run the flow and fold it; ProtoJSON as a dictionary."""
        started_ns = time.monotonic_ns()
        executions = await self.executions(line) if self._flow.bindings else []
        folded = aggregate(executions, self._flow.settings, lambda: codec.EventReader(line.event))
        wall_us = (time.monotonic_ns() - started_ns) // 1000
        decision_id = hashlib.sha256(line.seed + line.event).hexdigest()[:32]
        answer: dict[str, Any] = json_format.MessageToDict(codec.encode(folded, decision_id, 0, wall_us))
        return answer


@contextlib.asynccontextmanager
async def open_action(name: str, source: str, config: Config | None = None) -> AsyncIterator[Runner]:
    """Make a runner for one action's source."""
    revision = hashlib.sha256(source.encode()).hexdigest()
    flow = Flow("local", Settings(), (Binding(name, revision),))
    async with _open(flow, {revision: source}, config) as runner:
        yield runner


@contextlib.asynccontextmanager
async def open_tenant(definition: Definition, config: Config | None = None) -> AsyncIterator[Runner]:
    """Make a runner for a tenant's whole flow."""
    async with _open(definition.flow, definition.sources, config) as runner:
        yield runner


@contextlib.asynccontextmanager
async def _open(flow: Flow, sources: Mapping[str, str], config: Config | None) -> AsyncIterator[Runner]:
    config = _command_config(config)
    async with open_pool(config, Metrics("")) as pool:
        snapshot = Snapshot(0, MappingProxyType({flow.tenant: flow}), sources)
        yield Runner(_runner(pool, config, snapshot), flow, sources, config)


def _runner(pool: Pool, config: Config, snapshot: Snapshot) -> FlowRunner:
    logger = log.build(_QUIET, io.StringIO())
    return FlowRunner(_Fixed(snapshot), pool, Metrics(""), config, logger, log.LoginLog(logger, 0.0))


def _command_config(config: Config | None) -> Config:
    config = config or Config()
    # One command is one caller: it waits for its worker, and needs no spare ones.
    return replace(config, pool=replace(config.pool, blank_workers=1, queue_wait_ms=60_000))


class Line:
    """One line of input: an event, and what makes its executions repeatable."""

    __slots__ = ("event", "handler", "message", "now_ns", "secrets", "seed")

    def __init__(self, text: str, *, secrets_of: str | None) -> None:
        """Parse a line.

        Args:
            text: JSON: an event, or an object with `event` and perhaps `now`, `seed`, `secrets`, `handler`.
            secrets_of: the action that plain `secrets` belong to; None when they are given by action.

        Raises: InvalidEvent, InvalidRequest.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidEvent(f"is not JSON: {error}") from None
        extra: dict[str, Any] = {}
        if isinstance(data, dict) and "event" in data:  # no event of Auth0's has such a member
            extra = data
            data = data["event"]
            _no_typo(extra)
        self.message = event_json.from_json(data)
        self.event = self.message.SerializeToString()
        self.now_ns = _now(extra.get("now"))
        self.seed = _seed(extra.get("seed"))
        handler = extra.get("handler", HANDLERS[0])
        if handler not in HANDLERS:
            raise InvalidRequest("handler", f"must be one of {', '.join(HANDLERS)}; got {handler!r}")
        self.handler: str = handler
        secrets = extra.get("secrets")
        if secrets is None and secrets_of is not None and isinstance(data, dict):
            secrets = data.get("secrets")
        self.secrets = _secrets(secrets, secrets_of)


def _no_typo(extra: Mapping[str, Any]) -> None:
    """Let a line carry members of its own, such as an id, but none that was meant to be one of ours."""
    for key in extra:
        near = difflib.get_close_matches(key.lower()[:60], _LINE_KEYS, 1, 0.75) if key not in _LINE_KEYS else []
        if near:
            raise InvalidRequest(log.clip(key, 60), f"is not a member of a line; did you mean {near[0]}?")


def _now(value: Any) -> int:
    if value is None:
        return time.time_ns()
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidRequest(
                "now", f"must be an ISO 8601 instant such as 2026-01-31T12:00:00Z; got {value!r}"
            ) from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1_000_000) * 1000
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise InvalidRequest("now", "must be an ISO 8601 instant or seconds since the epoch")
    return int(value * 1_000_000) * 1000


def _seed(value: Any) -> bytes:
    if value is None:
        return os.urandom(16)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidRequest("seed", "must be a number or a string")
    return hashlib.sha256(str(value).encode("utf-8", "surrogatepass")).digest()[:16]


def _secrets(value: Any, secrets_of: str | None) -> dict[str, dict[str, str]]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidRequest("secrets", "must be an object")
    by_action = value if secrets_of is None else {secrets_of: value}
    for action, names in by_action.items():
        if not isinstance(names, dict):
            raise InvalidRequest("secrets", f"must hold an object of strings for each action; {action!r} is none")
        for name, secret in names.items():
            if not isinstance(secret, str):
                place = name if secrets_of is not None else f"{action}.{name}"
                raise InvalidRequest(f"secrets.{log.clip(place, 80)}", "must be a string; put it in quotes")
    return {action: dict(names) for action, names in by_action.items()}


def report(execution: Execution) -> dict[str, Any]:
    """Return what `run` prints for one execution."""
    error = execution.error
    return {
        "verdict": execution.verdict.name.lower(),
        "commands": [{"op": command.op, "args": command.args} for command in execution.commands],
        "output": execution.output,
        "error": {"type": error.type, "message": error.message, "line": error.line} if error is not None else None,
    }


def invalid(error: InvalidRequest) -> dict[str, Any]:
    """Return what `run` prints for a line that is not an event, so that lines of input and output stay in step."""
    fault = {"type": type(error).__name__, "message": str(error), "line": 0}
    return {"verdict": "invalid_input", "commands": [], "output": "", "error": fault}


async def run_lines(
    runner: Runner, lines: Iterable[str], *, action: str | None
) -> AsyncIterator[tuple[dict[str, Any], bool]]:
    """Run line after line.

    Args:
        runner: from `open_action` or `open_tenant`.
        lines: JSON texts; blank ones are passed over.
        action: name of the single action; None for a tenant's flow, whose lines answer with the decision.

    Yields: the answer, and whether it is free of failures.
    """
    for text in lines:
        if not text.strip():
            continue
        try:
            line = Line(text, secrets_of=action)
        except InvalidRequest as error:
            yield invalid(error), False
            continue
        if action is None:
            answer = await runner.decision(line)
            yield answer, not answer.get("degraded", False)
        else:
            (execution,) = await runner.executions(line)
            yield report(execution), execution.verdict is Verdict.COMPLETED


def run_sync_check(sources: Sequence[tuple[str, str]]) -> list[Fault]:
    """`check_sources` for callers without an event loop."""
    return asyncio.run(check_sources(sources))
