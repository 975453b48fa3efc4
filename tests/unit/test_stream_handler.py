"""The handler of a stream with a context that is not gRPC's: ends that a client cannot bring about at will."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2

from runtime.callers.callers import Callers
from runtime.rpc.streaming import PostLoginStreams
from tests.unit.test_streams import Rig, item, message, read, reason_of


class Aborted(Exception):
    """What gRPC raises after an end with a status."""


class Context:
    """A call: what it receives, what it is sent, and how it ends."""

    def __init__(self, *received: bytes, takes: bool = True) -> None:
        self.received = [*received]
        self.takes = takes
        self.written: list[bytes] = []
        self.reason = ""

    def time_remaining(self) -> float | None:
        return None

    async def send_initial_metadata(self, _: Any) -> None:
        return None

    async def read(self) -> Any:
        return self.received.pop(0) if self.received else grpc.aio.EOF

    async def write(self, data: bytes) -> None:
        if not self.takes:
            await asyncio.get_running_loop().create_future()
        self.written.append(data)

    async def abort_with_status(self, status: grpc.Status) -> None:
        details: Any = dict(status.trailing_metadata)["grpc-status-details-bin"]
        self.reason = reason_of(status_pb2.Status.FromString(details))
        raise Aborted


async def handled(rig: Rig, context: Context, **options: Any) -> Context:
    streams = PostLoginStreams(
        rig.calls, rig.streams, Callers(required=False), rig.metrics, options.pop("life_s", None), **options
    )
    method: Any = streams.method()
    try:
        await method.stream_stream(None, context)
    except Aborted:
        assert context.reason
    return context


def ended(rig: Rig) -> dict[str, float]:
    """Return how streams ended, by status."""
    return {s.labels["grpc_code"]: s.value for s in rig.metrics.stream_ended.collect().samples if s.value}


async def test_a_stream_to_its_end() -> None:
    """The control: everything is answered, and the end needs no status of ours."""
    rig = Rig(at_once=True)
    context = await handled(rig, Context(message(item(1)), message(item(2))))
    assert sorted(one for data in context.written for one in read(data)) == [(1, "execute", "r1"), (2, "execute", "r2")]
    assert (context.reason, ended(rig)) == ("", {"OK": 1})


async def test_answers_that_are_not_taken_end_the_stream() -> None:
    """The logins that are in flight are given up, and nothing is held any more."""
    rig = Rig()
    handling = asyncio.create_task(handled(rig, Context(message(item(1), item(2)), takes=False), taken_s=0.001))
    while len(rig.decider.open) < 2:
        await asyncio.sleep(0)
    rig.decider.open["r1"].set_result(None)
    assert (await handling).reason == "ANSWERS_NOT_TAKEN"
    while rig.calls.in_flight:
        await asyncio.sleep(0)
    assert rig.decider.cancelled == ["r2"]
    assert ended(rig) == {"RESOURCE_EXHAUSTED": 1}


async def test_a_fault_of_ours_ends_the_stream_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is unforeseen in the reader leaves no caller waiting."""
    rig = Rig()

    def fails(*_: object) -> None:
        raise ZeroDivisionError("only-inside")

    monkeypatch.setattr("runtime.calls.stream_codec.read", fails)
    assert (await handled(rig, Context(message(item(1))))).reason == "INTERNAL"
    assert ended(rig) == {"INTERNAL": 1}


async def test_a_stream_of_a_draining_daemon_is_refused() -> None:
    """As a call is."""
    rig = Rig()
    rig.calls.draining = True
    assert (await handled(rig, Context(message(item(1))))).reason == "DRAINING"
    assert ended(rig) == {"UNAVAILABLE": 1}


async def test_a_stream_whose_caller_goes_is_let_go() -> None:
    """gRPC cancels its task: the logins are given up, and the stream no longer counts."""
    rig = Rig()
    handling = asyncio.create_task(handled(rig, Context(message(item(1)))))
    while not rig.decider.open:
        await asyncio.sleep(0)
    handling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handling
    while rig.calls.in_flight:
        await asyncio.sleep(0)
    assert rig.decider.cancelled == ["r1"]
    assert ended(rig) == {"CANCELLED": 1}
    (open_now,) = rig.metrics.streams.collect().samples
    assert open_now.value == 0
