"""A tenant's source is compiled once: its later workers load the code that one of its own workers made."""

from __future__ import annotations

import asyncio
import hashlib
import io
import time
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import pytest
from vestibule.v1 import decision_pb2, runtime_service_pb2
from vestibule.worker.v1 import worker_pb2

from runtime.catalog.base import Binding, Flow, Snapshot
from runtime.config.effective import Config
from runtime.config.sections import LogConfig
from runtime.core.model import OnError, Settings
from runtime.login.logins import Logins, Request
from runtime.ops import log
from runtime.ops.metrics import Metrics
from runtime.workers.pool import Pool
from runtime.workers.worker import Worker
from runtime.workers.zygote import zygotes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GOOD = """
seen = []

def helper(event):
    return event.user.user_metadata.get("use_mfa")

def on_execute_post_login(event, api):
    seen.append(1)
    if len(seen) > 1:
        api.access.deny("something was left behind")
    if not helper(event):
        api.multifactor.enable("any")
"""
RAISES = "def on_execute_post_login(event, api):\n    x = 1\n    return x / 0\n"
REFUSED = "import os\ndef on_execute_post_login(event, api):\n    pass\n"
TENANT = "acme"


class Catalog:
    """One tenant."""

    healthy = True
    reason = ""

    def __init__(self, *sources: str) -> None:
        self.sources = {hashlib.sha256(source.encode()).hexdigest(): source for source in sources}
        bindings = tuple(Binding(f"a{i}", sha, OnError.REQUIRE_MFA) for i, sha in enumerate(self.sources))
        self.flow = Flow(TENANT, Settings(), bindings)

    def snapshot(self) -> Snapshot:
        return Snapshot(1, MappingProxyType({TENANT: self.flow}), self.sources)

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class Stack:
    """Pool and logins over real workers, each used for one login unless `isolation` says otherwise."""

    def __init__(self, *sources: str, isolation: Literal["tenant", "login"] = "login") -> None:
        base = Config()
        config = replace(
            base,
            sandbox=replace(base.sandbox, isolation=isolation),
            pool=replace(base.pool, blank_workers=2, queue_wait_ms=5000),
        )
        logger = log.build(LogConfig(level="error", format="json"), io.StringIO())
        self.pool = Pool(config, zygotes(config), Metrics(""), logger)
        self.logins = Logins(Catalog(*sources), self.pool, Metrics(""), config, logger, log.LoginLog(logger, 0.0))

    async def login(self) -> decision_pb2.Decision:
        """Decide one login, without what differs between any two."""
        data, _ = await self.logins.decide(Request(TENANT, "r", b""), time.monotonic() + 10)
        decision = runtime_service_pb2.ExecutePostLoginResponse.FromString(data).decision
        for member in ("decision_id", "wall_time"):
            decision.ClearField(member)
        for report in decision.executions:
            report.ClearField("wall_time")
            report.ClearField("cpu_time")
        return decision

    async def until_compiled(self) -> bool:
        """Wait for the successor of the first worker; tell whether it gave its code."""
        plan = self.logins.plans[TENANT]
        for _ in range(200):
            if plan.compiled:
                return True
            await asyncio.sleep(0.01)
        return False


@pytest.fixture
async def stacks() -> AsyncIterator[list[Stack]]:
    """Close what a test opened."""
    opened: list[Stack] = []
    yield opened
    for stack in opened:
        await stack.pool.close()
        await stack.logins.close()


async def _start(stacks: list[Stack], *sources: str) -> Stack:
    stack = Stack(*sources)
    stacks.append(stack)
    await stack.pool.start()
    return stack


async def test_loaded_code_decides_as_compiled_code_does(stacks: list[Stack]) -> None:
    """Decision, line of an error and fresh module globals are the same whether a worker compiled or loaded."""
    stack = await _start(stacks, GOOD, RAISES)
    compiled = await stack.login()
    assert await stack.until_compiled()
    for _ in range(4):
        assert await stack.login() == compiled
    assert [report.error.line for report in compiled.executions] == [0, 3]
    steps, news = stack.logins.plans[TENANT].steps(0, set())
    assert news
    sent = worker_pb2.FlowSteps.FromString(steps).steps
    assert all(step.HasField("code") and not step.HasField("source") for step in sent)


async def test_who_compiled_serves_one_login(stacks: list[Stack]) -> None:
    """The first worker of a flow gives its code before its login; one that loads the code serves all later logins."""
    stack = Stack(GOOD, isolation="tenant")
    stacks.append(stack)
    await stack.pool.start()
    first = await stack.login()
    assert stack.logins.plans[TENANT].compiled
    for _ in range(200):
        if stack.pool.counts()["idle"]:
            break
        await asyncio.sleep(0.01)
    second = idle(stack)
    assert second.executions == 0
    for _ in range(3):
        assert await stack.login() == first
    assert idle(stack) is second
    assert second.executions == 3


def idle(stack: Stack) -> Worker:
    """Return the only idle worker, by taking and giving it back."""
    assert stack.pool.counts()["idle"] == 1
    worker = stack.pool.lease_nowait(TENANT, stack.logins.plans[TENANT].flow.digest)
    assert worker is not None
    stack.pool.release(worker)
    return worker


async def test_a_refused_source_is_never_given_as_code(stacks: list[Stack]) -> None:
    """What the language policy refuses has no code, so every worker refuses it again, in the same words."""
    stack = await _start(stacks, GOOD, REFUSED)
    first = await stack.login()
    assert not await stack.until_compiled()
    assert first.executions[1].verdict == decision_pb2.VERDICT_REJECTED
    assert await stack.login() == first


async def test_code_that_does_not_load_costs_its_worker_and_is_compiled_again(stacks: list[Stack]) -> None:
    """A tenant that forged its own code has a dead worker and, at the next one, its source back."""
    stack = await _start(stacks, GOOD)
    good = await stack.login()
    assert await stack.until_compiled()
    plan = stack.logins.plans[TENANT]
    plan.keep([b"not code"])
    for _ in range(4):
        assert await stack.login() == good
    assert await stack.until_compiled()
    assert plan.steps(0, set())[0].find(b"not code") < 0
