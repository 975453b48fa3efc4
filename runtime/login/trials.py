"""Versions on trial: which logins they decide, what both sides led to, and when a trial is over.

Knows trials, plans and decisions. Must not know the store: what ends a trial for all daemons is given.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from runtime.catalog.base import Snapshot, Trial
from runtime.core.trial_band import leaves_band
from runtime.errors import CatalogError, VestibuleError
from runtime.login.plan import Login, Plan

if TYPE_CHECKING:
    from runtime.core.model import Decision
    from runtime.login.engine import Engine
    from runtime.ops.log import Log
    from runtime.ops.metrics import Metrics

GiveUp = Callable[[str, int, str], Awaitable[None]]
"""Ends the trial of a tenant's version in the store, for this reason, so that every daemon follows."""

_REPORT_S: Final = 5.0
"""How long a login that is only reported on may take."""
_REPORTS_AT_ONCE: Final = 4
# The answer is on its way by then.
_AFTER_S: Final = 0.005
_AGAIN_S: Final = 1.0


@dataclass(slots=True)
class _Side:
    count: int = 0
    denied: int = 0
    degraded: int = 0


@dataclass(slots=True)
class _Tried:
    """What a trial led to in this daemon."""

    number: int
    own: _Side = field(default_factory=_Side)
    on_trial: _Side = field(default_factory=_Side)
    over: bool = False


class Trials:
    """The trials of one daemon. By its own counts each daemon ends a trial for itself at once, and then for all."""

    def __init__(
        self, engine: Engine, metrics: Metrics, log: Log, action_timeout_us: int, give_up: GiveUp | None
    ) -> None:
        self._engine, self._metrics, self._log = engine, metrics, log
        self._action_timeout_us = action_timeout_us
        self._give_up = give_up
        self._tried: dict[str, _Tried] = {}
        self._plans: dict[str, Plan] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._reports = 0

    async def close(self) -> None:
        """End what runs beside logins."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self, snapshot: Snapshot) -> None:
        """Let go of trials that are not there any more: their plans keep sources and secrets."""
        for name in [name for name in self._plans.keys() | self._tried.keys() if name not in snapshot.trials]:
            self._plans.pop(name, None)
            self._tried.pop(name, None)

    def takes(self, trial: Trial, user_id: str) -> bool:
        """Tell whether the version on trial decides the logins of a user: by a hash, so on every daemon alike."""
        flow = trial.definition.flow
        return not self._of(trial).over and share_of(flow.tenant, flow.version, user_id) < trial.percent

    def plan(self, trial: Trial) -> Plan:
        """Return the plan of what is on trial."""
        definition = trial.definition
        plan = self._plans.get(definition.flow.tenant)
        if plan is None or plan.flow is not definition.flow:
            plan = Plan(definition.flow, definition.sources, self._action_timeout_us)
            self._plans[definition.flow.tenant] = plan
        return plan

    def decided(self, trial: Trial, login: Login, decision: Decision) -> None:
        """Take what a login of the tenant led to, by either version; with resumed ones."""
        if not trial.percent:
            if not login.before:
                self._report_later(trial, login, decision)
            return
        tried = self._of(trial)
        on_trial = login.plan.flow.digest == trial.definition.flow.digest
        side = tried.on_trial if on_trial else tried.own
        denied = decision.outcome == "deny"
        side.count += 1
        side.denied += denied
        side.degraded += decision.degraded
        result = "degraded" if decision.degraded else "denied" if denied else "other"
        self._metrics.gradual("trial" if on_trial else "own", result)
        if on_trial and not tried.over:
            self._judge(trial, tried)

    def _of(self, trial: Trial) -> _Tried:
        flow = trial.definition.flow
        tried = self._tried.get(flow.tenant)
        if tried is None or tried.number != flow.version:
            tried = self._tried[flow.tenant] = _Tried(flow.version)
        return tried

    def _judge(self, trial: Trial, tried: _Tried) -> None:
        own, on_trial, band = tried.own, tried.on_trial, trial.band
        for what, points in (("denied", band.denied_points), ("degraded", band.degraded_points)):
            bad, usual = getattr(on_trial, what), getattr(own, what)
            if leaves_band(bad, on_trial.count, usual, own.count, points):
                reason = f"{bad} of {on_trial.count} logins on trial were {what}, {usual} of {own.count} others"
                self._end(trial, tried, reason)
                return

    def _end(self, trial: Trial, tried: _Tried, reason: str) -> None:
        """Decide by the tenant's own version from now on, whatever the store does."""
        tried.over = True
        flow = trial.definition.flow
        self._metrics.gradual_returned()
        self._log.warning("gradual.returned", tenant=flow.tenant, version=flow.version, reason=reason)
        if self._give_up is not None:
            self._start(self._end_for_all(self._give_up, tried, flow.tenant, reason))

    async def _end_for_all(self, give_up: GiveUp, tried: _Tried, tenant: str, reason: str) -> None:
        while self._tried.get(tenant) is tried:
            try:
                await give_up(tenant, tried.number, reason)
            except CatalogError:
                # The catalog says what is wrong with the store; this daemon is back already.
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    # -- report only -------------------------------------------------------------------------------------------------

    def _report_later(self, trial: Trial, login: Login, decision: Decision) -> None:
        if self._reports >= _REPORTS_AT_ONCE:
            self._metrics.report_only("skipped")
            return
        self._reports += 1
        self._start(self._report(trial, login, decision))

    async def _report(self, trial: Trial, login: Login, decision: Decision) -> None:
        """Decide the same login by the version on trial, once its answer is sent, and count what would be different."""
        try:
            await asyncio.sleep(_AFTER_S)
            deadline_ns = time.monotonic_ns() + int(_REPORT_S * 1e9)
            outcome = await self._engine.decide(replace(login, plan=self.plan(trial), deadline_ns=deadline_ns))
            self._metrics.report_only(difference(decision, outcome.answer.decision))
        except VestibuleError:
            self._metrics.report_only("undecided")
        finally:
            self._reports -= 1

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def share_of(tenant: str, version: int, user_id: str) -> float:
    """Return where a user stands between 0 and 100; each version divides its tenant's users anew."""
    digest = hashlib.blake2b(f"{tenant}\0{version}\0{user_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % 10_000 / 100


def difference(decision: Decision, other: Decision) -> str:
    """Name what another decision would change: its outcome, that it is degraded, or none."""
    if other.degraded and not decision.degraded:
        return "degraded"
    return "none" if other.outcome == decision.outcome else other.outcome
