"""Runs cases by the login engine, and says where a decision is not what its case wants.

Knows what a gateway does between two requests of a login. Must not know files, reports or terminals.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from vestibule.v1 import decision_pb2 as pb

from runtime.core.model import Execution
from runtime.errors import Fault, RequestError
from runtime.login.api_cache import Records
from runtime.login.engine import Engine
from runtime.offline.event_line import Line
from runtime.offline.run import Runner, Suspended, decision_of
from runtime.suites import decisions, values
from runtime.suites.reading import Case, Leg
from sandbox.contract.tokens import TokenError

# Of cases at a time: with two, the other processor prepares an event while a worker runs.
_AT_ONCE: Final = 4


class NotContinued(Exception):
    """A request cannot be made of what was decided before it."""


@dataclass(slots=True)
class CaseResult:
    """How a case went: nothing in `misses` when every decision is the wanted one."""

    case: Case
    misses: list[Fault] = field(default_factory=list)
    decisions: list[pb.Decision] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    took_s: float = 0.0


class CaseRunner:
    """Runs cases, those of one tenant by one runner."""

    def __init__(self, engine: Engine, timeout_ms: int, *, measured: bool = False) -> None:
        self._engine = engine
        self._timeout_ms = timeout_ms
        self._measured = measured
        self._runners: dict[str, Runner] = {}

    def _runner(self, case: Case) -> Runner:
        name = case.tenant.flow.tenant
        runner = self._runners.get(name)
        if runner is None:
            runner = self._runners[name] = Runner(
                self._engine, case.tenant.flow, case.tenant.sources, self._timeout_ms, measured=self._measured
            )
        return runner

    async def all(self, cases: Sequence[Case]) -> AsyncIterator[CaseResult]:
        """Run cases, some at a time; yield their results in order. Raises: WorkerError, CapacityError."""
        places = asyncio.Semaphore(_AT_ONCE)

        async def run(case: Case) -> CaseResult:
            async with places:
                return await self.one(case)

        tasks = [asyncio.create_task(run(case)) for case in cases]
        try:
            for task in tasks:
                yield await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def one(self, case: Case) -> CaseResult:
        """Run a case up to the first request whose decision is not the wanted one. Raises: as `all`."""
        began_s, result = time.perf_counter(), CaseResult(case)
        records, runner = Records(), self._runner(case)
        suspended: Suspended | None = None
        for leg in case.legs:
            try:
                line = request(case, leg, result.decisions[-1] if suspended is not None else None)
                started_ns = time.monotonic_ns()
                if len(result.decisions) == 0 or leg.begins:
                    outcome, suspended = await runner.begin(line, records)
                elif suspended is None:
                    raise NotContinued("continues a login that is not suspended; write `begins: true` for another one")
                else:
                    outcome, suspended = await runner.resume(line, suspended, records)
            except (NotContinued, RequestError) as error:
                result.misses.append(case.document.fault(leg.path, str(error)))
                break
            decision = decision_of(outcome, line, started_ns)
            done = outcome.answer.decision.executions
            result.decisions.append(decision)
            result.executions += done
            result.misses += missed(case, leg, decisions.view(decision, done))
            if result.misses:
                break
        result.took_s = time.perf_counter() - began_s
        return result


def clock_of(case: Case, leg: Leg) -> datetime:
    """Return the instant of a request."""
    return case.clock if leg.now is None else values.moment(leg.now, case.clock)


def request(case: Case, leg: Leg, before: pb.Decision | None) -> Line:
    """Make the line of a request. `before` is the decision that it continues. Raises: NotContinued, RequestError."""
    now = clock_of(case, leg)
    said: dict[str, Any] = {"event": event_of(case, leg, before, now), "now": now.isoformat(), "seed": case.seed}
    if leg.gateway is not None:
        said["gateway"] = values.gateway(leg.gateway, now)
    if before is not None and not leg.begins:
        said["completed"] = list(leg.completed)
    return Line(said, secrets_of=None)


def event_of(case: Case, leg: Leg, before: pb.Decision | None, now: datetime) -> dict[str, Any]:
    """Return the event of a request, with what a page or a form added to it. Raises: NotContinued."""
    event: dict[str, Any] = values.rendered(dict(leg.event), now)
    if leg.page is not None:
        if before is None or not before.suspension.HasField("redirect"):
            raise NotContinued("`page`: the user was not sent to a page")
        action, name = before.suspension.action, leg.page["secret"]
        secret = case.tenant.flow.secrets.get(action, {}).get(name)
        if secret is None:
            raise NotContinued(f"`page`: {action} has no secret {name!r}; give it one in `secrets`")
        try:
            event = values.from_page(leg.page, event, before.suspension.redirect.url, secret, now)
        except TokenError as error:
            raise NotContinued(f"`page`: the action's own token is not signed by its secret {name}: {error}") from None
    if leg.form is not None:
        if before is None or not before.suspension.HasField("prompt"):
            raise NotContinued("`form`: the user was shown no form")
        event = values.from_form(values.rendered(leg.form, now), event, before.suspension.prompt)
    return event


def missed(case: Case, leg: Leg, got: dict[str, Any]) -> list[Fault]:
    """Say where a decision is not what a request wants, at the place of what it wants."""
    expected = (*leg.path, "expect")
    found = decisions.differences(got, leg.expect, exact=case.exact)
    return [Fault(case.document.where((*expected, *path)), message) for path, message in found]
