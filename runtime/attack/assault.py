"""Runs the attacks on this host: hostile actions through the whole stack, and plain Python against single OS layers.

Knows what shows that an attack succeeded, and which layer stopped it. Must not know terminals or exit codes. Called by
`vestibule doctor --attack`.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from vestibule.v1 import decision_pb2, event_pb2, runtime_service_pb2

from runtime import local, log
from runtime.catalog.base import Binding, Flow, Snapshot
from runtime.config import LAYERS, Config, LogConfig
from runtime.core.model import OnError, Settings
from runtime.errors import VestibuleError
from runtime.flow import FlowRunner
from runtime.metrics import Metrics
from runtime.workers.launch import Hold
from runtime.workers.survey import ATTEMPTS, survey

if TYPE_CHECKING:
    from runtime.attack.corpus import Attack
    from runtime.workers.survey import AttemptSurvey

    Login = Callable[[str], Awaitable[decision_pb2.Decision]]

_ACTION_MS: Final = 300
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

# What each OS layer holds all by itself, the language and every other layer left off.
ALONE: Final[dict[str, tuple[str, ...]]] = {
    "seccomp": ATTEMPTS,
    "landlock": ("read a file", "read its environment", "execute a program"),
}


@dataclass(slots=True)
class Assault:
    """What the corpus came to against the whole stack."""

    attacks: int = 0
    stopped_by: Counter[str] = field(default_factory=Counter)
    escapes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Alone:
    """One attempt of unrestricted Python against one layer by itself; `control` is the same with no layer at all."""

    layer: str
    attempt: str
    held: bool
    detail: str
    control: bool
    """The attempt succeeds where nothing stops it: without this, that it was held would prove nothing."""


class _Tenants:
    """A catalog of tenants that are replaced between logins."""

    healthy = True
    reason = ""

    def __init__(self) -> None:
        self._flows: dict[str, Flow] = {}
        self._sources: dict[str, str] = {}

    def put(self, tenant: str, source: str) -> None:
        sha = hashlib.sha256(source.encode()).hexdigest()
        self._sources = {**self._sources, sha: source}
        self._flows = {**self._flows, tenant: Flow(tenant, Settings(), (Binding("attack", sha, OnError.REQUIRE_MFA),))}

    def snapshot(self) -> Snapshot:
        return Snapshot(1, MappingProxyType(self._flows), self._sources)

    async def start(self) -> None:
        """Nothing to read."""

    async def close(self) -> None:
        """Nothing to release."""


def _event() -> bytes:
    login = event_pb2.PostLoginEvent()
    login.user.user_id = "auth0|1"
    login.user.email = "ada@example.com"
    login.user.app_metadata.update({"groups": ["staff"]})
    login.user.user_metadata.update({"use_mfa": True})
    login.authorization.roles.append("staff")
    login.client.client_id = "app"
    login.client.name = "App"
    login.request.ip = "192.0.2.1"
    login.request.method = "POST"
    login.request.query.update({"x": "n"})
    login.transaction.protocol = "oidc-basic-profile"
    return login.SerializeToString()


async def attack(config: Config, attacks: Sequence[Attack], progress: Callable[[str], None]) -> Assault:
    """Let a tenant run each attack, and after each let others log in and see whether they are decided rightly.

    Raises: WorkerStartError: this host cannot run workers at all.
    """
    config = replace(
        config,
        sandbox=replace(config.sandbox, action_timeout_ms=_ACTION_MS, flow_timeout_ms=2 * _ACTION_MS),
        pool=replace(config.pool, blank_workers=2, workers_per_tenant=1, queue_wait_ms=5000),
    )
    logger = log.build(LogConfig(), io.StringIO())
    tenants = _Tenants()
    tenants.put("canary", CANARY)
    event = _event()
    found = Assault()
    async with local.open_pool(config, Metrics("")) as pool:
        runner = FlowRunner(tenants, pool, Metrics(""), config, logger, log.LoginLog(logger, 0.0))

        async def login(tenant: str) -> decision_pb2.Decision:
            data = await runner.execute(tenant, "attack", event, time.monotonic() + _ANSWER_S)
            return runtime_service_pb2.ExecutePostLoginResponse.FromString(data).decision

        try:
            for place, each in enumerate(attacks, 1):
                progress(f"attack {place} of {len(attacks)}: {each.family}")
                found.attacks += 1
                escape = await _one(each, tenants, login, found)
                if escape:
                    found.escapes.append(f"{each.id} ({each.goal}): {escape}")
        finally:
            await runner.close()
    return found


async def _one(each: Attack, tenants: _Tenants, login: Login, found: Assault) -> str:
    """Run one attack; return what went wrong, or nothing."""
    marker = Path(tempfile.gettempdir()) / each.mark
    stale = marker.exists()
    tenants.put("mallory", each.code)
    try:
        decision = await login("mallory")
        verdict = decision_pb2.Verdict.Name(decision.executions[0].verdict).removeprefix("VERDICT_").lower()
        found.stopped_by[verdict] += 1
        if each.mark in str(decision) or (marker.exists() and not stale):
            return "it succeeded"
        if verdict != "completed" and decision.outcome != decision_pb2.OUTCOME_MFA_REQUIRED:
            return "its failure weakened the decision"
        for tenant in ("mallory", "bystander") if each.followup is not None else ():
            tenants.put(tenant, each.followup or "")
            if each.mark in str(await login(tenant)):
                return f"the next login of {tenant} sees its trace"
        canary = await login("canary")
        if canary.outcome != decision_pb2.OUTCOME_MFA_REQUIRED or canary.degraded:
            return "another tenant was decided wrongly afterwards"
    except VestibuleError as error:
        return f"a login could not be decided: {error}"
    return ""


async def alone(config: Config, active: Sequence[str]) -> list[Alone]:
    """Let unrestricted Python make each attempt against one layer by itself, for each layer that this host has.

    Raises: WorkerStartError.
    """
    control = {attempt.name: not attempt.contained for attempt in await _against(config, frozenset())}
    rows = []
    for layer, claims in ALONE.items():
        if layer not in active:
            continue
        # Both filters of the kernel need it, and it stops nothing by itself.
        for attempt in await _against(config, frozenset({layer, "no_new_privs"})):
            if attempt.name not in claims:
                continue
            rows.append(Alone(layer, attempt.name, attempt.contained, attempt.detail, control[attempt.name]))
    return rows


async def _against(config: Config, layers: frozenset[str]) -> Sequence[AttemptSurvey]:
    hold = Hold.of(config)
    return (await survey(config, replace(hold, omit=hold.omit | (frozenset(LAYERS) - layers)))).attempts
