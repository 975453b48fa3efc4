"""Every attack of the corpus against the whole stack, each followed by a canary login of another tenant."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from vestibule.v1 import decision_pb2, runtime_service_pb2

from runtime import log
from runtime.catalog.base import Binding, Flow, Snapshot
from runtime.config import Config, LogConfig
from runtime.core.model import OnError, Settings
from runtime.flow import FlowRunner
from runtime.metrics import Metrics
from runtime.workers.pool import Pool
from runtime.workers.zygote import zygotes
from tests.security.corpus import Entry, load
from tests.security.workers_rig import EVENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ENTRIES = load()
ACTION_MS = 400
# What an answer may take on a busy machine: the point is that it comes, the benchmark says how fast.
ANSWER_S = 8.0

CANARY = """
def on_execute_post_login(event, api):
    if event.user.user_metadata.get("use_mfa"):
        api.multifactor.enable("any", allow_remember_browser=False)
"""

CONTAINED_BY_LIMIT = {"REJECTED", "RAISED", "TIMED_OUT", "EXHAUSTED", "CRASHED", "VIOLATED"}


class Catalog:
    """Tenants set by the tests."""

    healthy = True
    reason = ""

    def __init__(self) -> None:
        self.flows: dict[str, Flow] = {}
        self.sources: dict[str, str] = {}

    def put(self, tenant: str, source: str) -> None:
        """Give a tenant a flow of one action."""
        sha = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
        self.sources[sha] = source
        self.flows[tenant] = Flow(tenant, Settings(), (Binding("action", sha, OnError.REQUIRE_MFA),))

    def snapshot(self) -> Snapshot:
        return Snapshot(1, MappingProxyType(dict(self.flows)), self.sources)

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class Stack:
    """Pool and flow runner over real, locked-down workers."""

    def __init__(self, action_ms: int = ACTION_MS) -> None:
        base = Config()
        config = replace(
            base,
            sandbox=replace(base.sandbox, action_timeout_ms=action_ms, flow_timeout_ms=2 * action_ms),
            pool=replace(base.pool, blank_workers=2, workers_per_tenant=1, queue_wait_ms=5000),
        )
        logger = log.build(LogConfig(level="error", format="json"))
        self.catalog = Catalog()
        self.catalog.put("canary", CANARY)
        self.pool = Pool(config, zygotes(config), Metrics(""), logger)
        self.runner = FlowRunner(self.catalog, self.pool, Metrics(""), config, logger, log.LoginLog(logger, 0.0))

    async def login(self, tenant: str) -> decision_pb2.Decision:
        """Decide one login."""
        deadline = asyncio.get_running_loop().time() + ANSWER_S
        data = await self.runner.execute(tenant, "r", EVENT, deadline)
        return runtime_service_pb2.ExecutePostLoginResponse.FromString(data).decision


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    """One stack for all attacks: what one leaves behind, the next ones would meet."""
    made = Stack()
    await made.pool.start()
    yield made
    await made.pool.close()
    await made.runner.close()


def storable(source: str) -> bool:
    """Can this source reach a worker at all? The catalog stores text."""
    try:
        source.encode()
    except UnicodeEncodeError:
        return False
    return True


def verdict(decision: decision_pb2.Decision) -> str:
    return decision_pb2.Verdict.Name(decision.executions[0].verdict).removeprefix("VERDICT_")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.id for entry in ENTRIES])
async def test_attack_is_contained(stack: Stack, entry: Entry) -> None:
    """The attack does not succeed, leaves nothing for the next login, and another tenant is decided rightly."""
    marker = Path("/tmp") / entry.mark
    assert not marker.exists()
    if not storable(entry.code):
        # Text with lone surrogates is refused when it is read; `vestibule check` has its own test for it.
        return
    stack.catalog.put("mallory", entry.code)
    started_s = time.monotonic()
    decision = await stack.login("mallory")
    took_s = time.monotonic() - started_s
    ended = verdict(decision)
    text = str(decision)

    assert took_s < ANSWER_S
    assert entry.mark not in text, f"{entry.goal}: {text}"
    assert not marker.exists(), entry.goal
    if entry.expect == "rejected_at_deploy":
        assert ended == "REJECTED", text
    elif entry.expect in ("error_at_run", "killed"):
        assert ended in CONTAINED_BY_LIMIT, text
    if ended == "COMPLETED":
        # It ran to its end: then what it asked for is all that happened.
        assert not decision.degraded
        if entry.id in ("prt01", "prt08", "api17"):
            assert decision.access.reason == "real"
    else:
        assert decision.degraded
        assert decision.outcome == decision_pb2.OUTCOME_MFA_REQUIRED, text
        assert decision.executions[0].error.message
        # A failed action has asked for nothing.
        assert not decision.HasField("side_effects"), text

    for tenant in ("mallory", "bystander"):
        if entry.followup is not None:
            stack.catalog.put(tenant, entry.followup)
            after = await stack.login(tenant)
            assert entry.mark not in str(after), entry.goal
    canary = await stack.login("canary")
    assert canary.outcome == decision_pb2.OUTCOME_MFA_REQUIRED
    assert not canary.degraded, str(canary)
    assert canary.multifactor.provider == decision_pb2.PROVIDER_ANY


def test_the_corpus_is_whole() -> None:
    """No entry got lost, and every family of attack is there."""
    assert len(ENTRIES) >= 144
    assert len({entry.id for entry in ENTRIES}) == len(ENTRIES)
    assert len({entry.family for entry in ENTRIES}) >= 35


def test_the_shared_corpus_is_the_one_we_have() -> None:
    """Where a newer corpus lies beside the checkout, ours holds every one of its entries."""
    shared = Path(__file__).resolve().parents[3] / "shared" / "security" / "hostile_actions.jsonl"
    if not shared.exists():
        return
    ours = {entry.id for entry in ENTRIES}
    assert {json.loads(line)["id"] for line in shared.read_text().splitlines()} <= ours
