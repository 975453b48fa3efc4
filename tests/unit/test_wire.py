"""The hand-written head of a question, held against the generated class."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from vestibule.worker.v1 import worker_pb2

from runtime.workers import wire


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
    steps = worker_pb2.RunFlow(steps=[worker_pb2.Step(action="a", budget_us=7)])
    data = wire.run_flow(nonce, now_ns, seed, budget_us, output, event) + steps.SerializeToString()
    read = worker_pb2.RunFlow.FromString(data)
    assert read == worker_pb2.RunFlow(
        nonce=nonce,
        now_ns=now_ns,
        seed=seed,
        budget_us=budget_us,
        output_bytes=output,
        event=event,
        steps=steps.steps,
    )


def test_a_spent_budget_is_nothing() -> None:
    """A budget below zero is sent as none at all."""
    read = worker_pb2.RunFlow.FromString(wire.run_flow(1, 2, bytes(16), -5, 3, b""))
    assert read.budget_us == 0
