"""The first worker of a flow is asked for its code before its login: and the login when that goes wrong."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from vestibule.v1 import decision_pb2, event_pb2, runtime_service_pb2
from vestibule.worker.v1 import worker_pb2

from runtime.core.model import Verdict
from runtime.errors import DeadlineExceeded
from sandbox.contract import journal
from tests.fakes import FakeSpawned, reached
from tests.unit.test_flow import COMPLETED, REQUIRE, Rig, make, past_the_deadline, step, whole

__all__ = ["make"]  # the fixture

CODES = (b"one", b"two", b"three")


def begin(rig: Rig, within_s: float = 2.0) -> asyncio.Task[bytes]:
    """Begin a login of a tenant whose flow was never compiled."""
    event = event_pb2.PostLoginEvent().SerializeToString()
    return asyncio.ensure_future(rig.login("acme", event, within_s))


async def asked_for_code(rig: Rig, worker: int = 0) -> tuple[FakeSpawned, worker_pb2.RunFlow]:
    """Wait until a worker has been asked for code: with sources, and without an event."""
    await reached(lambda: len(rig.zygote.spawned) > worker)
    request = await rig.zygote.spawned[worker].read()
    assert (request.return_code, request.check_only, request.event) == (True, True, b"")
    assert all(sent.HasField("source") for sent in worker_pb2.FlowSteps.FromString(request.flow).steps)
    return rig.zygote.spawned[worker], request


def decided(data: bytes) -> tuple[int, list[str]]:
    """Read the outcome and the verdicts."""
    decision = runtime_service_pb2.ExecutePostLoginResponse.FromString(data).decision
    return decision.outcome, [Verdict(execution.verdict).name for execution in decision.executions]


async def test_the_code_is_kept_and_the_login_brings_no_source(make: Any) -> None:
    """The same worker decides the login without being sent anything again, and its successor gets the code."""
    rig = await make()
    task = begin(rig)
    spawned, request = await asked_for_code(rig)
    spawned.say(whole(request.nonce, step(), step(), step(), codes=CODES))
    _, question = await rig.question()
    assert not any(sent.HasField("source") or sent.HasField("code") for sent in question.steps)
    spawned.say(whole(question.nonce, step(), step(COMPLETED, REQUIRE), step(), retire=True))
    assert decided(await task) == (decision_pb2.OUTCOME_MFA_REQUIRED, ["COMPLETED"] * 3)
    assert spawned.closed
    _, question = await rig.question(1)
    assert tuple(sent.code for sent in question.steps) == CODES


async def test_what_a_worker_notes_while_it_compiles_is_no_execution(make: Any) -> None:
    """One that dies after it compiled has noted a report for every step; the login is decided by another worker."""
    rig = await make()
    task = begin(rig)
    first, request = await asked_for_code(rig)
    rig.note(first, request.nonce, 2, journal.Phase.TEARDOWN, step(), step(), step())
    first.peer.close()
    second, question = await rig.question(1)
    assert all(sent.HasField("source") for sent in question.steps)
    rig.answer(second, question.nonce, step(), step(COMPLETED, REQUIRE), step())
    assert decided(await task) == (decision_pb2.OUTCOME_MFA_REQUIRED, ["COMPLETED"] * 3)


async def test_a_crash_while_compiling_is_of_the_action_that_was_compiled(make: Any) -> None:
    """A source that crashes its interpreter is `crashed` at once, and the others run on another worker."""
    rig = await make()
    task = begin(rig)
    first, request = await asked_for_code(rig)
    rig.note(first, request.nonce, 0, journal.Phase.COMPILING)
    first.peer.close()
    rig.zygote.on_exit(first.id, -11)
    second, question = await rig.question(1)
    assert len(question.steps) == 2
    rig.answer(second, question.nonce, step(), step())
    assert decided(await task)[1] == ["CRASHED", "COMPLETED", "COMPLETED"]


@pytest.mark.parametrize("lie", ["nonce", "count"])
async def test_a_lie_about_code_is_a_lie_about_the_login(make: Any, lie: str) -> None:
    """An answer to another question, or one of another length, is believed in nothing, and its worker is killed."""
    rig = await make()
    task = begin(rig)
    spawned, request = await asked_for_code(rig)
    if lie == "nonce":
        spawned.say(whole(request.nonce + 1, step(), step(), step(), codes=CODES))
    else:
        spawned.say(whole(request.nonce, *[step()] * 4, codes=CODES))
    assert decided(await task)[1] == ["VIOLATED"] * 3
    assert spawned.closed
    assert not rig.logins.plans["acme"].compiled


async def test_a_caller_that_leaves_while_its_flow_is_compiled(make: Any) -> None:
    """The worker is still watched: one that hangs is killed, and leaves its tenant."""
    rig = await make()
    task = begin(rig)
    spawned, _ = await asked_for_code(rig)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rig.pool.busy == 1
    with pytest.MonkeyPatch.context() as later:
        now_ns = time.monotonic_ns() + 60 * 10**9
        later.setattr(time, "monotonic_ns", lambda: now_ns)
        await reached(lambda: spawned.closed)
    assert spawned.closed
    assert rig.pool.busy == 0


async def test_compiling_takes_from_the_time_that_is_left(make: Any) -> None:
    """The worker hears when the caller leaves, as if nothing had been compiled; the flow's budget is its own."""
    rig = await make()
    task = begin(rig, 0.15)
    spawned, request = await asked_for_code(rig)
    before_ns = time.monotonic_ns()
    spawned.say(whole(request.nonce, step(), step(), step(), codes=CODES))
    asked = await spawned.asked()
    assert asked.budget_us == 200_000
    assert before_ns < asked.deadline_ns < before_ns + 150_000_000
    rig.answer(spawned, asked.nonce, step(), step(), step())
    await task


async def test_no_login_begins_when_compiling_took_all_the_time(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller hears that there is no decision, and the worker, which did nothing wrong, is kept."""
    rig = await make()
    task = begin(rig, 5.0)
    spawned, request = await asked_for_code(rig)
    past_the_deadline(rig, monkeypatch)
    spawned.say(whole(request.nonce, step(), step(), step(), codes=CODES))
    with pytest.raises(DeadlineExceeded):
        await task
    assert not spawned.closed
    assert rig.pool.counts()["idle"] == 1


async def test_a_caller_that_leaves_while_a_flow_is_compiled_costs_no_worker(make: Any) -> None:
    """The deadline ends the wait: there is no decision, the worker compiles to its end and is kept."""
    rig = await make()
    task = begin(rig, 0.05)
    spawned, request = await asked_for_code(rig)
    with pytest.raises(DeadlineExceeded):
        await task
    assert not spawned.closed
    spawned.say(whole(request.nonce, step(), step(), step(), codes=CODES))
    await reached(lambda: not rig.pool.busy)
    assert not spawned.closed
    assert rig.pool.counts()["idle"] == 1
