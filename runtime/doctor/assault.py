"""Runs the hostile actions on this host through the whole stack: login engine, pool, locked workers, decision.

Knows what shows that an attack succeeded, and which layer stopped it. Must not know terminals or exit codes.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vestibule.v1 import decision_pb2

from runtime.catalog.base import Binding, Flow
from runtime.config.effective import Config
from runtime.core.model import OnError, Settings
from runtime.doctor.desk import EVENT
from runtime.errors import VestibuleError
from runtime.login.engine import Engine
from runtime.login.plan import Login, Plan
from runtime.offline.run import open_engine

if TYPE_CHECKING:
    from runtime.doctor.corpus import Attack

ACTION_MS: Final = 300
_ANSWER_S: Final = 20.0

CANARY: Final = """\
def on_execute_post_login(event, api):
    if event.user.user_metadata.get("use_mfa"):
        api.multifactor.enable("any", allow_remember_browser=False)
"""

STOPPED_BY: Final = {
    "rejected": "language, before it ran",
    "raised": "language and guards, as it ran",
    "timed_out": "time limit",
    "exhausted": "memory and output limits",
    "crashed": "process layers: the worker died",
    "violated": "process layers and distrust: killed for what it did or said",
    "completed": "nothing to stop: it did what any action may",
}
"""What each verdict says of who stopped an attack."""


@dataclass(frozen=True, slots=True)
class Assault:
    """What the corpus came to against the whole stack."""

    attacks: int
    ended: Mapping[str, str]
    """How each attack's action ended, by the attack's id."""
    escapes: Sequence[str]


class Stack:
    """All that decides a login in a daemon, but for its catalog and its ports."""

    def __init__(self, engine: Engine, action_ms: int) -> None:
        self._engine = engine
        self._action_us = action_ms * 1000
        self._plans: dict[str, Plan] = {}
        self.put("canary", CANARY)

    def put(self, tenant: str, source: str) -> None:
        """Give a tenant a flow of one action, as of its next login."""
        revision = hashlib.sha256(source.encode()).hexdigest()
        flow = Flow(tenant, Settings(), (Binding("attack", revision, OnError.REQUIRE_MFA),))
        self._plans[tenant] = Plan(flow, {revision: source}, self._action_us)

    async def login(self, tenant: str, answer_s: float = _ANSWER_S) -> decision_pb2.Decision:
        """Decide one login. Raises: VestibuleError."""
        started_ns = time.monotonic_ns()
        deadline_ns = started_ns + int(answer_s * 1e9)
        login = Login(self._plans[tenant], EVENT, None, deadline_ns, time.time_ns(), os.urandom(16))
        outcome = await self._engine.decide(login)
        return outcome.decision("attack", (time.monotonic_ns() - started_ns) // 1000)


@asynccontextmanager
async def stack(config: Config, action_ms: int = ACTION_MS) -> AsyncIterator[Stack]:
    """Start a pool and a login engine, and stop both. Raises: WorkerStartError: this host cannot run workers at all."""
    config = replace(
        config,
        sandbox=replace(config.sandbox, action_timeout_ms=action_ms, flow_timeout_ms=2 * action_ms),
        pool=replace(config.pool, workers_per_tenant=1),
    )
    async with open_engine(config) as (engine, _):
        yield Stack(engine, action_ms)


async def attack(config: Config, attacks: Sequence[Attack], progress: Callable[[str], None]) -> Assault:
    """Let a tenant run each attack, and after each let others log in and see whether they are decided rightly.

    Raises: WorkerStartError: this host cannot run workers at all.
    """
    ended: dict[str, str] = {}
    escapes: list[str] = []
    async with stack(config) as made:
        for place, each in enumerate(attacks, 1):
            progress(f"attack {place} of {len(attacks)}: {each.family}")
            try:
                ended[each.id], escape = await _one(each, made)
            except VestibuleError as error:
                escape = f"a login could not be decided: {error}"
            if escape:
                escapes.append(f"{each.id} ({each.goal}): {escape}")
    return Assault(len(attacks), ended, escapes)


def verdict(decision: decision_pb2.Decision) -> str:
    """Name how the only action of a flow ended, as `STOPPED_BY` does."""
    return decision_pb2.Verdict.Name(decision.executions[0].verdict).removeprefix("VERDICT_").lower()


async def _one(each: Attack, made: Stack) -> tuple[str, str]:
    """Run one attack; return how its action ended, and what went wrong, or nothing. Raises: VestibuleError."""
    marker = Path(tempfile.gettempdir()) / each.mark
    stale = marker.exists()
    made.put("mallory", each.code)
    decision = await made.login("mallory")
    ended = verdict(decision)
    if each.mark in str(decision) or (marker.exists() and not stale):
        return ended, "it succeeded"
    if ended != "completed" and decision.outcome != decision_pb2.OUTCOME_MFA_REQUIRED:
        return ended, "its failure weakened the decision"
    for tenant in ("mallory", "bystander") if each.followup is not None else ():
        made.put(tenant, each.followup or "")
        if each.mark in str(await made.login(tenant)):
            return ended, f"the next login of {tenant} sees its trace"
    canary = await made.login("canary")
    if canary.outcome != decision_pb2.OUTCOME_MFA_REQUIRED or canary.degraded:
        return ended, "another tenant was decided wrongly afterwards"
    return ended, ""
