"""Replies of a worker that an attacker owns: the strict reader, and the real pool and login engine over a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule.worker.v1 import worker_pb2

from runtime.catalog.base import Binding
from runtime.core.model import Command, OnError, Settings, Verdict
from runtime.errors import ProtocolViolation
from runtime.login.answers import Answers
from runtime.login.messages import EventReader
from runtime.workers import reply
from sandbox.contract import frames, journal, surface, wire
from tests.effort import effort
from tests.fakes import FakeSpawned
from tests.fixtures.waiting import PATIENCE_S
from tests.security.fuzz.damage import Edit, damaged, edits, pieces
from tests.security.fuzz.findings import seeds
from tests.unit.test_flow import COMPLETED, DENY, REQUIRE, Rig, step, whole

NONCE = 0x1122334455667788
OUTPUT_BYTES = 64
BINDINGS = tuple(Binding(name, name * 64, OnError.DENY) for name in "abc")

steps = st.lists(
    st.builds(
        lambda verdict, commands, fields: step(verdict, *commands, **fields),
        st.one_of(st.sampled_from([int(v) for v in Verdict]), st.integers(0, 99)),
        st.lists(
            st.one_of(
                st.sampled_from([REQUIRE, DENY]),
                st.tuples(
                    st.sampled_from([*surface.CALLS, "", "api", "access.deny.x", "__class__"]),
                    st.sampled_from(
                        ["", "{}", "[]", "null", '{"reason":1}', '{"reason":"a","reason":"b"}', '{"x":NaN}']
                    ),
                ),
            ),
            max_size=4,
        ),
        st.fixed_dictionaries(
            {},
            optional={
                "output": st.text(max_size=100),
                "error_type": st.text(max_size=100),
                "error_message": st.text(max_size=600),
                "error_line": st.integers(-(1 << 31), (1 << 31) - 1),
                "output_truncated": st.booleans(),
            },
        ),
    ),
    max_size=5,
)


def judged(data: bytes) -> bool:
    """Read a reply; tell whether it was taken, in which case nothing hostile may be left in it."""
    try:
        answer = reply.parse(data, NONCE, len(BINDINGS))
        executions = reply.executions(answer, BINDINGS, OUTPUT_BYTES)
    except ProtocolViolation:
        return False
    assert len(executions) == len(answer.steps) <= len(BINDINGS)
    for execution in executions:
        assert execution.verdict in (
            Verdict.COMPLETED, Verdict.RAISED, Verdict.REJECTED, Verdict.TIMED_OUT, Verdict.EXHAUSTED
        )  # fmt: skip
        assert len(execution.output.encode()) <= OUTPUT_BYTES + 4
        assert execution.wall_us >= 0
        assert (execution.error is None) is (execution.verdict is Verdict.COMPLETED)
        assert not execution.commands or execution.verdict is Verdict.COMPLETED
        for command in execution.commands:
            assert command.op in surface.CALLS
        if execution.error is not None:
            assert (execution.error.type + execution.error.message).isprintable()
            assert 0 <= execution.error.line <= 1_000_000
    return True


def test_control_good_replies_are_taken() -> None:
    """Control: what is damaged below is taken as it is, and the quick reader agrees with the strict one."""
    for reports in ([step()], [step(COMPLETED, REQUIRE), step(), step(COMPLETED, DENY)]):
        assert judged(whole(NONCE, *reports))
    assert not judged(whole(NONCE + 1, step()))


@pytest.mark.parametrize("line", seeds("replies.txt"))
def test_seeds_of_replies(line: str) -> None:
    """Replies that were of interest once are read or refused, and nothing else."""
    taken, _, data = line.partition(" ")
    assert judged(bytes.fromhex(data)) is (taken == "taken")


@effort(500)
@given(steps, edits, st.booleans())
def test_any_reply_is_clean_or_refused(reports: list[worker_pb2.StepReport], harm: list[Edit], retire: bool) -> None:
    """A damaged reply is a protocol violation, or means something that our own worker could have said."""
    judged(damaged(whole(NONCE, *reports, retire=retire), harm))


@effort(200)
@given(st.integers(1, 3), edits)
@example(count=3, harm=[(1, 1 << 16, 0, b"\x28\x01")])
@example(count=1, harm=[(1, 1 << 16, 0, b"\x1d\x01\x00\x00\x00")])
def test_quick_reader_agrees(count: int, harm: list[Edit]) -> None:
    """Where the quick reader recognises remembered steps, the strict one reads the same steps and the same times."""
    reports = [step(COMPLETED, REQUIRE).SerializeToString()] * count
    good = wire.flow_reply(NONCE, [7] * count, [5] * count, [wire.step(report) for report in reports], False)
    key = reply.parse(good, NONCE, count).key
    data = damaged(good, harm)
    quick = wire.usual_reply(data, NONCE)
    if quick is None or quick[2] != key or len(quick[0]) != count:
        return
    strict = reply.parse(data, NONCE, count)
    assert (strict.key, list(strict.wall_us), list(strict.cpu_us), strict.retire) == (
        key, list(quick[0]), list(quick[1]), False
    )  # fmt: skip


@effort(300)
@given(st.lists(st.text(max_size=8), min_size=1, max_size=3), edits)
def test_recalled_output_agrees(outputs: list[str], harm: list[Edit]) -> None:
    """Where a reply of actions that print is recalled, the strict reader believes it and reads the same output."""
    bindings = BINDINGS[: len(outputs)]
    answers = Answers(Settings())
    known = reply.parse(whole(NONCE, *[step(COMPLETED, REQUIRE, output="known") for _ in outputs]), NONCE, len(outputs))
    answers.decide(known.key, len(outputs), reply.executions(known, bindings, OUTPUT_BYTES), EventReader(b""))
    assert len(answers) == 1
    good = [step(COMPLETED, REQUIRE, output=output).SerializeToString() for output in outputs]
    times = [5] * len(outputs)
    data = damaged(wire.flow_reply(NONCE, times, times, [wire.step(report) for report in good], False), harm)
    quick = wire.usual_reply(data, NONCE)
    recalled = None if quick is None else answers.recall(quick[2], len(quick[0]), PostLoginEvent(), OUTPUT_BYTES)
    if recalled is None:
        assert harm
        return
    strict = reply.executions(reply.parse(data, NONCE, len(outputs)), bindings, OUTPUT_BYTES)
    wanted = (Command("multifactor.enable", {"provider": "any"}),)
    assert all(execution.commands == wanted for execution in strict)
    assert list(recalled[1] or [("", False)] * len(outputs)) == [(e.output, e.output_truncated) for e in strict]


async def serve(rig: Rig, spawned: FakeSpawned) -> None:
    """Be an honest worker."""
    while True:
        question = await spawned.hear()
        rig.answer(spawned, question.nonce, *[step()] * len(question.steps))


async def serve_all_but_first(rig: Rig) -> None:
    """Let every worker be honest but the one that an attacker owns."""
    async with asyncio.TaskGroup() as group:
        served = 1
        while True:
            for spawned in rig.zygote.spawned[served:]:
                group.create_task(serve(rig, spawned))
            served = max(served, len(rig.zygote.spawned))
            await asyncio.sleep(0.001)


# Where no answer times out, a busy machine has the time that it needs; where one does, a test of many has not.
ROOMY_MS, SHORT_MS = (5_000, 10_000), (150, 500)


async def flow(
    frame: bytes, nonce_at: int, seed: int, close: bool, timeouts_ms: tuple[int, int]
) -> tuple[list[str], list[str]]:
    """Run a login whose worker says these bytes in pieces, then another one; answer the verdicts of both."""
    rig = Rig(timeouts_ms=timeouts_ms)
    await rig.pool.start()
    others = asyncio.create_task(serve_all_but_first(rig))
    try:
        task = rig.run(left_s=PATIENCE_S)
        spawned, question = await rig.question()
        rig.note(spawned, question.nonce, 0, journal.Phase.RUNNING)
        nonce = question.nonce.to_bytes(8, "little")
        data = frame[:nonce_at] + nonce + frame[nonce_at + 8 :] if nonce_at >= 0 else frame
        for piece in pieces(data, seed):
            try:
                spawned.peer.sendall(piece)
            except OSError:  # killed in the middle of its speech
                break
            await asyncio.sleep(0)
        if close and not spawned.closed:
            spawned.peer.close()
            rig.zygote.on_exit(spawned.id, -9)
        first = [e.verdict.name for e in await asyncio.wait_for(task, PATIENCE_S)]
        second = rig.run(left_s=PATIENCE_S)
        if not (spawned.closed or spawned.id in rig.zygote.killed):
            question = await spawned.hear()
            rig.answer(spawned, question.nonce, *[step()] * len(question.steps))
        return first, [e.verdict.name for e in await asyncio.wait_for(second, PATIENCE_S)]
    finally:
        others.cancel()
        await asyncio.gather(others, return_exceptions=True)
        await rig.pool.close()
        await rig.logins.close()


def framed(payload: bytes) -> bytes:
    return frames.encode(payload)


NONCE_AT = frames.LENGTH_BYTES + 1
GOOD = framed(whole(NONCE, step(), step(COMPLETED, REQUIRE), step()))


def test_the_nonce_is_where_it_is_put() -> None:
    """Control: the place in the frame where the fuzzer writes a question's nonce is the nonce's."""
    assert GOOD[NONCE_AT : NONCE_AT + 8] == NONCE.to_bytes(8, "little")


@effort(40)
@given(st.integers(0, 1 << 32))
def test_a_reply_cut_anywhere_is_read(seed: int) -> None:
    """However a good reply is cut into pieces, it is read as one, and the worker lives."""
    assert asyncio.run(flow(GOOD, NONCE_AT, seed, False, ROOMY_MS)) == (["COMPLETED"] * 3, ["COMPLETED"] * 3)


@effort(40)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 1 << 32))
def test_a_stream_that_ends_anywhere_costs_a_retry(length: int, seed: int) -> None:
    """Nothing of a reply is believed whose stream ends before it does: an honest worker runs the steps again."""
    frame = GOOD[:length]
    nonce_at = NONCE_AT if length >= NONCE_AT + 8 else -1
    assert asyncio.run(flow(frame, nonce_at, seed, True, ROOMY_MS)) == (["COMPLETED"] * 3, ["COMPLETED"] * 3)


@effort(60)
@given(steps, edits, st.integers(0, 1 << 32), st.booleans())
def test_any_frame_gets_an_answer(reports: list[Any], harm: list[Edit], seed: int, reframe: bool) -> None:
    """Whatever a worker says, the login has an answer for each action in time, and the next login is right."""
    payload = whole(NONCE, *reports)
    frame = framed(damaged(payload, harm)) if reframe else damaged(framed(payload), harm)
    nonce_at = NONCE_AT if len(frame) >= NONCE_AT + 8 else -1
    first, second = asyncio.run(flow(frame, nonce_at, seed, False, SHORT_MS))
    assert len(first) == 3
    assert second == ["COMPLETED"] * 3
