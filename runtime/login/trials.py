"""Versions on trial: which logins they decide, what both sides led to, and when a trial is over.

Knows trials, plans and decisions. Must not know the store: what the daemons of a fleet share about trials is given.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from runtime.catalog.base import Snapshot, Trial
from runtime.core.trial_tally import Counts, Tally
from runtime.errors import CatalogError, VestibuleError
from runtime.login.plan import Login, Plan

if TYPE_CHECKING:
    from runtime.catalog.trial_counts import Told
    from runtime.core.model import Decision
    from runtime.login.engine import Engine
    from runtime.ops.log import Log
    from runtime.ops.metrics import Metrics


class FleetTrials(Protocol):
    """What the daemons of a fleet share about trials. Each method raises CatalogError when it cannot be done now."""

    async def tell(self, tenant: str, number: int, counts: Counts) -> Told:
        """Tell what this daemon has counted of the trial of a version, and return what the others have."""

    async def end(self, tenant: str, number: int, reason: str) -> None:
        """End the trial of a version for every daemon."""


_REPORT_S: Final = 5.0
"""How long a login that is only reported on may take."""
_REPORTS_AT_ONCE: Final = 4
# The answer is on its way by then.
_AFTER_S: Final = 0.005
_AGAIN_S: Final = 1.0


class Trials:
    """The trials of one daemon. It judges by its own counts and by what it has heard, and no login waits for either.

    It tells the others what it has counted beside the logins, and ends a trial for itself at once, then for all.
    """

    def __init__(
        self, engine: Engine, metrics: Metrics, log: Log, action_timeout_us: int, fleet: FleetTrials | None = None
    ) -> None:
        """Prepare; without a fleet the daemon judges alone."""
        self._engine, self._metrics, self._log = engine, metrics, log
        self._action_timeout_us = action_timeout_us
        self._fleet = fleet
        self._tried: dict[str, Tally] = {}
        self._telling: set[str] = set()
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
        denied = decision.outcome == "deny"
        tried.count(on_trial=on_trial, denied=denied, degraded=decision.degraded)
        result = "degraded" if decision.degraded else "denied" if denied else "other"
        self._metrics.gradual("trial" if on_trial else "own", result)
        if on_trial and not tried.over:
            self._judge(trial, tried)
            self._tell_soon(trial, tried)

    def _of(self, trial: Trial) -> Tally:
        flow = trial.definition.flow
        tried = self._tried.get(flow.tenant)
        if tried is None or tried.number != flow.version:
            tried = self._tried[flow.tenant] = Tally(flow.version)
        return tried

    def _judge(self, trial: Trial, tried: Tally) -> None:
        """Decide by the tenant's own version from now on where the band is left, whatever the store does."""
        reason = tried.leaves(trial.band.denied_points, trial.band.degraded_points)
        if not reason:
            return
        tried.over = True
        flow = trial.definition.flow
        self._metrics.gradual_returned()
        self._log.warning("gradual.returned", tenant=flow.tenant, version=flow.version, reason=reason)
        if self._fleet is not None:
            self._start(self._end_for_all(self._fleet, tried, flow.tenant, reason))

    async def _end_for_all(self, fleet: FleetTrials, tried: Tally, tenant: str, reason: str) -> None:
        while self._tried.get(tenant) is tried:
            try:
                await fleet.end(tenant, tried.number, reason)
            except CatalogError:
                # The catalog says what is wrong with the store; this daemon is back already.
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    def _tell_soon(self, trial: Trial, tried: Tally) -> None:
        tenant = trial.definition.flow.tenant
        if self._fleet is not None and not tried.over and tenant not in self._telling:
            self._telling.add(tenant)
            self._start(self._tell(self._fleet, trial, tried))

    async def _tell(self, fleet: FleetTrials, trial: Trial, tried: Tally) -> None:
        """Tell the others as long as there is something new, and judge by what they have counted."""
        tenant = trial.definition.flow.tenant
        try:
            while self._tried.get(tenant) is tried:
                wait_s = tried.wait_s(time.monotonic())
                if wait_s is None:
                    return
                if wait_s:
                    await asyncio.sleep(wait_s)
                counts = tried.here
                tried.told(counts, time.monotonic())
                try:
                    told = await fleet.tell(tenant, tried.number, counts)
                except CatalogError:
                    # Judged alone meanwhile.
                    await asyncio.sleep(_AGAIN_S)
                    continue
                if not told.running:
                    # Another daemon has ended it; the catalog says so soon.
                    tried.over = True
                    return
                tried.others = told.others
                if not tried.over:
                    self._judge(trial, tried)
        finally:
            self._telling.discard(tenant)

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
