"""The login engine and suspended logins: what a worker is asked after a suspension, and what its failures mean then."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1 import event_pb2
from vestibule.v1.runtime_service_pb2 import ContinuePostLoginResponse
from vestibule.worker.v1 import worker_pb2

from runtime.catalog.base import Binding, Definition, Flow, Snapshot
from runtime.config.effective import Config
from runtime.config.sections import LogConfig
from runtime.continuation.process import ProcessSuspendedFlows
from runtime.core.model import OnError, Settings
from runtime.errors import ContinuationUsed, FlowGone, WorkerLost
from runtime.login.logins import Logins, Request
from runtime.login.suspensions import Suspensions
from runtime.ops import log
from runtime.ops.metrics import Metrics
from runtime.workers.pool import Pool
from sandbox.contract import journal
from tests import strict_reader
from tests.fakes import FakeSpawned, FakeZygote, reached

NAMES = ("one", "two", "three")
OTP = pb.FACTOR_OTP
CHALLENGE = ("authentication.challenge_with", '{"factor":{"type":"otp"}}')
REDIRECT = ("redirect.send_user_to", '{"url":"https://a.example/"}')
METADATA = ("transaction.set_metadata", '{"key":"k","value":"v"}')
RECORD = ("authentication.record_method", '{"provider_url":"https://a.example/m"}')
CACHE = ("cache.set", '{"key":"k","value":"v","expires_at":4102444800000}')
SOURCE = "def on_execute_post_login(event, api): pass"


def flow(digest: bytes, *names: str) -> Flow:
    bindings = tuple(Binding(name, f"{at:064x}", OnError.REQUIRE_MFA) for at, name in enumerate(names, 1))
    return Flow("acme", Settings(), bindings, digest=digest)


class Catalog:
    """One tenant, whose flow can change."""

    healthy = True
    reason = ""

    def __init__(self) -> None:
        self.flow = flow(b"first", *NAMES)

    def snapshot(self) -> Snapshot:
        sources = {binding.revision: SOURCE for binding in self.flow.bindings}
        return Snapshot(7, MappingProxyType({"acme": self.flow}), sources)

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class Deployed(ProcessSuspendedFlows):
    """A store that knows what a test says was deployed before."""

    def __init__(self) -> None:
        super().__init__()
        self.flows: dict[bytes, Flow] = {}
        self.asked = 0

    async def find(self, tenant: str, digest: bytes) -> Definition | None:
        self.asked += 1
        found = self.flows.get(digest)
        return None if found is None else Definition(found, {b.revision: SOURCE for b in found.bindings})


class Rig:
    """The daemon's logins over scripted workers, and a user's login."""

    def __init__(self) -> None:
        config = Config()
        config = replace(
            config,
            sandbox=replace(config.sandbox, action_timeout_ms=500, flow_timeout_ms=2000),
            pool=replace(config.pool, blank_workers=0),
        )
        logger = log.build(LogConfig(level="error"), io.StringIO())
        self.catalog = Catalog()
        self.store = Deployed()
        self.zygote = FakeZygote()
        self.pool = Pool(config, self.zygote.make, Metrics(""), logger)  # type: ignore[arg-type]  # a stand-in for a zygote
        self.logins = Logins(
            self.catalog,
            self.pool,
            Metrics(""),
            config,
            logger,
            log.LoginLog(logger, 0.0),
            Suspensions(store=self.store),
        )
        message = event_pb2.PostLoginEvent()
        message.user.user_id = "auth0|1"
        message.user.enrolled_factors.values.add(type="otp")
        self.event: bytes = message.SerializeToString()

    async def hear(self, worker: int) -> tuple[FakeSpawned, worker_pb2.RunFlow, list[worker_pb2.Step]]:
        """Wait until a worker has been asked."""
        await reached(lambda: len(self.zygote.spawned) > worker)
        spawned = self.zygote.spawned[worker]
        asked = await spawned.asked()
        return spawned, asked, list(worker_pb2.FlowSteps.FromString(asked.flow).steps)

    def answer(self, spawned: FakeSpawned, asked: worker_pb2.RunFlow, *commands: list[tuple[str, str]]) -> None:
        """Answer with a completed report for each list of commands."""
        steps = [
            worker_pb2.StepReport(verdict=1, commands=[worker_pb2.Command(op=op, args_json=args) for op, args in some])
            for some in commands
        ]
        times = [5] * len(steps)
        reply = worker_pb2.FlowReply(nonce=asked.nonce, steps=steps, wall_us=times, cpu_us=times)
        spawned.say(reply.SerializeToString())

    def execute(self) -> asyncio.Task[bytes]:
        """Begin the login."""
        return asyncio.create_task(self._decide(Request("acme", "r", self.event)))

    async def _decide(self, request: Request) -> bytes:
        return (await self.logins.decide(request, time.monotonic() + 5)).response

    def resume(self, continuation: bytes, *completed: int) -> asyncio.Task[bytes]:
        """Resume it."""
        request = Request("acme", "r", self.event, None, continuation, completed)
        return asyncio.create_task(self._decide(request))

    async def suspended(self, *commands: list[tuple[str, str]]) -> bytes:
        """Have the first worker answer such that the login is suspended; return the continuation."""
        task = self.execute()
        spawned, asked, _ = await self.hear(0)
        self.answer(spawned, asked, *commands)
        decision = read(await task)
        assert decision.outcome == pb.OUTCOME_SUSPEND
        return decision.suspension.continuation


def read(data: bytes) -> pb.Decision:
    return strict_reader.read(data, ContinuePostLoginResponse).decision


def verdicts(decision: pb.Decision) -> list[tuple[str, str, bool]]:
    names = [pb.Verdict.Name(e.verdict).removeprefix("VERDICT_") for e in decision.executions]
    return [(e.action, name, e.continued) for e, name in zip(decision.executions, names, strict=True)]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """Make a rig and close it."""
    rig = Rig()
    await rig.pool.start()
    yield rig
    await rig.pool.close()
    await rig.logins.close()


async def test_after_factors_only_what_is_left_is_asked_for(rig: Rig) -> None:
    """The next leg begins behind the challenge, with what earlier actions changed in the event and not in the cache."""
    continuation = await rig.suspended([METADATA, CACHE, CHALLENGE])
    task = rig.resume(continuation, OTP)
    spawned, asked, steps = await rig.hear(0)
    assert [(step.action, step.handler) for step in steps] == [("two", ""), ("three", "")]
    assert [(command.op, command.args_json) for command in asked.earlier] == [METADATA]
    assert [(record.key, record.value) for record in asked.cache] == [("k", "v")]
    rig.answer(spawned, asked, [], [])
    decision = read(await task)
    assert decision.outcome == pb.OUTCOME_ALLOW
    assert verdicts(decision) == [(name, "COMPLETED", False) for name in NAMES]
    assert [e.earlier for e in decision.executions] == [True, False, False]
    assert [e.wall_time.nanos for e in decision.executions] == [0, 5000, 5000]


async def test_after_a_page_the_same_action_is_asked_first(rig: Rig) -> None:
    """Its continue function runs, may record a method, and the others begin as usual."""
    continuation = await rig.suspended([], [REDIRECT])
    task = rig.resume(continuation)
    spawned, asked, steps = await rig.hear(0)
    assert [(s.action, s.handler) for s in steps] == [("two", "on_continue_post_login"), ("three", "")]
    rig.answer(spawned, asked, [RECORD], [])
    decision = read(await task)
    assert verdicts(decision)[2:] == [("two", "COMPLETED", True), ("three", "COMPLETED", False)]
    assert list(decision.on_success.recorded_methods) == ["https://a.example/m"]


async def test_a_method_recorded_elsewhere_is_a_lie(rig: Rig) -> None:
    """A worker cannot record a method outside of the continue function: the daemon knows which function ran."""
    continuation = await rig.suspended([REDIRECT])
    task = rig.resume(continuation)
    spawned, asked, _ = await rig.hear(0)
    rig.answer(spawned, asked, [], [RECORD], [])
    decision = read(await task)
    assert verdicts(decision)[1:] == [
        ("one", "VIOLATED", True),
        ("two", "VIOLATED", False),
        ("three", "VIOLATED", False),
    ]
    assert decision.outcome == pb.OUTCOME_MFA_REQUIRED
    assert spawned.closed


async def test_a_suspension_that_was_satisfied_lets_the_steps_continue(rig: Rig) -> None:
    """The worker stops, as it cannot know; the daemon asks for the rest of it at once."""
    continuation = await rig.suspended([CHALLENGE])
    task = rig.resume(continuation, OTP)
    spawned, asked, _ = await rig.hear(0)
    rig.answer(spawned, asked, [CHALLENGE])
    spawned, asked, steps = await rig.hear(0)
    assert [step.action for step in steps] == ["three"]
    rig.answer(spawned, asked, [])
    assert read(await task).outcome == pb.OUTCOME_ALLOW


async def test_running_on_after_a_suspension_is_a_lie(rig: Rig) -> None:
    """A worker that reports a step behind a suspension is believed in nothing."""
    task = rig.execute()
    spawned, asked, _ = await rig.hear(0)
    rig.answer(spawned, asked, [CHALLENGE], [])
    assert verdicts(read(await task)) == [(name, "VIOLATED", False) for name in NAMES]


async def test_two_deaths_are_no_decision_and_use_nothing_up(rig: Rig) -> None:
    """When the workers of a leg die there is an error; the continuation decides the next time, and then no more."""
    continuation = await rig.suspended([CHALLENGE])
    task = rig.resume(continuation, OTP)
    for worker in range(2):
        spawned, asked, _ = await rig.hear(worker)
        begin(spawned, asked)
        spawned.peer.close()
        rig.zygote.on_exit(spawned.id, -9)
    with pytest.raises(WorkerLost):
        await task
    task = rig.resume(continuation, OTP)
    spawned, asked, _ = await rig.hear(2)
    rig.answer(spawned, asked, [], [])
    assert read(await task).outcome == pb.OUTCOME_ALLOW
    with pytest.raises(ContinuationUsed):
        await rig.resume(continuation, OTP)


def begin(spawned: FakeSpawned, asked: worker_pb2.RunFlow) -> None:
    """Write into the journal that a step has begun."""
    view = memoryview(spawned.journal)
    journal.write_phase(view, asked.nonce, time.monotonic_ns(), 0, journal.Phase.RUNNING, 0)
    view.release()


async def test_the_flow_that_was_suspended_continues(rig: Rig) -> None:
    """After another deployment the store is asked once for what the login began with; then it is known. Each part has a
    worker of its own, since none of the old flow is kept for the new one."""
    first = await rig.suspended([CHALLENGE])
    rig.store.flows[b"first"] = rig.catalog.flow
    rig.catalog.flow = flow(b"second", "other")
    task = rig.resume(first, OTP)
    spawned, asked, steps = await rig.hear(0)
    assert [step.action for step in steps] == ["two", "three"]
    rig.answer(spawned, asked, [CHALLENGE])
    spawned, asked, _ = await rig.hear(1)
    rig.answer(spawned, asked, [REDIRECT])
    second = read(await task).suspension.continuation
    task = rig.resume(second)
    spawned, asked, steps = await rig.hear(2)
    assert [step.handler for step in steps] == ["on_continue_post_login"]
    rig.answer(spawned, asked, [])
    assert read(await task).outcome == pb.OUTCOME_ALLOW
    assert rig.store.asked == 1


async def test_a_flow_that_the_store_has_not_is_gone(rig: Rig) -> None:
    """What was deployed since is not run in its place, and the continuation is not used up by asking."""
    continuation = await rig.suspended([CHALLENGE])
    before, rig.catalog.flow = rig.catalog.flow, flow(b"second", "other")
    with pytest.raises(FlowGone):
        await rig.resume(continuation, OTP)
    rig.catalog.flow = before
    task: Any = rig.resume(continuation, OTP)
    spawned, asked, _ = await rig.hear(0)
    rig.answer(spawned, asked, [], [])
    assert read(await task).outcome == pb.OUTCOME_ALLOW
