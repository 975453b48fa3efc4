"""The hand-written head of a question, held against the generated class."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from vestibule.worker.v1 import worker_pb2

from sandbox.contract import wire
from sandbox.contract.report import Verdict


@given(
    st.integers(0, 2**64 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(min_size=wire.SEED_BYTES, max_size=wire.SEED_BYTES),
    st.integers(0, 2**40),
    st.integers(0, 2**20),
    st.integers(0, 70_000),
)
def test_the_head_reads_back(nonce: int, now_ns: int, seed: bytes, budget_us: int, output: int, size: int) -> None:
    """What is written by hand is what the generated class reads, and steps may be appended."""
    event = b"e" * size
    flow = worker_pb2.FlowSteps(steps=[worker_pb2.Step(action="a", budget_us=7)] * (size % 20)).SerializeToString()
    read = worker_pb2.RunFlow.FromString(wire.run_flow(nonce, now_ns, seed, budget_us, output, event, flow))
    assert read == worker_pb2.RunFlow(
        nonce=nonce, now_ns=now_ns, seed=seed, budget_us=budget_us, output_bytes=output, event=event, flow=flow
    )


def test_a_spent_budget_is_nothing() -> None:
    """A budget below zero is sent as none at all."""
    read = worker_pb2.RunFlow.FromString(wire.run_flow(1, 2, bytes(16), -5, 3, b"", b"", b"", 2**62 + 1))
    assert read.deadline_ns == 2**62 + 1
    assert read.budget_us == 0


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5), TEXTS, st.booleans())
def test_a_completed_step_is_the_generated_one(commands: list[tuple[str, str]], output: str, truncated: bool) -> None:
    """A report that is written by hand is, to the byte, what the generated class writes."""
    report = worker_pb2.StepReport(verdict=Verdict.COMPLETED)
    for op, args in commands:
        # An empty field is written too: the reader wants both of them in each command.
        report.commands.add(op=op or "o", args_json=args or "a")
    if output:
        report.output, report.output_truncated = output, truncated
    data = wire.completed([(op or "o", args or "a") for op, args in commands], output, truncated)
    assert data == report.SerializeToString(deterministic=True)


TIMES = st.integers(0, wire.TIME_US_MAX)
REPORTS = st.lists(st.tuples(st.binary(max_size=300), TIMES, TIMES), max_size=wire.STEPS_MAX)


@given(st.integers(0, 2**64 - 1), REPORTS, st.booleans())
def test_a_reply_reads_back(nonce: int, reports: list[tuple[bytes, int, int]], retire: bool) -> None:
    """The generated class reads what is written by hand, and so does the hand where it is usual."""
    steps = [wire.step(report) for report, _, _ in reports]
    wall_us = [wall for _, wall, _ in reports]
    cpu_us = [cpu for _, _, cpu in reports]
    data = wire.flow_reply(nonce, wall_us, cpu_us, steps, retire)
    read = worker_pb2.FlowReplyEnvelope.FromString(data)
    assert read == worker_pb2.FlowReplyEnvelope(
        nonce=nonce, steps=[report for report, _, _ in reports], wall_us=wall_us, cpu_us=cpu_us, retire=retire
    )
    usual = wire.usual_reply(data, nonce)
    if reports and not retire:
        assert usual == (tuple(wall_us), tuple(cpu_us), b"".join(steps))
    assert wire.usual_reply(data, nonce ^ 1) is None


@given(REPORTS)
def test_journal_fragments_concatenate(reports: list[tuple[bytes, int, int]]) -> None:
    """What a killed worker leaves reads as one reply."""
    data = b"".join(wire.step(report) + wire.step_times(*times) for report, *times in reports)
    read = worker_pb2.FlowReplyEnvelope.FromString(data)
    assert list(zip(read.steps, read.wall_us, read.cpu_us, strict=True)) == reports


@given(st.binary(max_size=400))
def test_any_bytes_are_usual_or_not(data: bytes) -> None:
    """No bytes of a hostile worker raise."""
    wire.usual_reply(data, 7)
