"""A stream of logins without gRPC: each login has one answer, in any order, and no end holds more than it may."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1 import event_pb2
from vestibule.v1.runtime_service_pb2 import (
    ContinuePostLoginResponse,
    ExecutePostLoginRequest,
    ExecutePostLoginResponse,
    StreamPostLoginRequest,
    StreamPostLoginResponse,
)

from runtime.callers.caller import ANYONE, Caller, Scope
from runtime.callers.errors import KeyRevoked
from runtime.calls import stream_codec
from runtime.calls.calls import Calls, Identify, anyone
from runtime.calls.streams import LoginStream, Streams
from runtime.config.effective import Config
from runtime.config.sections import LimitsConfig
from runtime.errors import Draining, InvalidRequest, StreamEnded, TooManyStreams, UnknownTenant
from runtime.login.ending import Decided
from runtime.login.request import Request
from runtime.ops.log import build
from runtime.ops.metrics import Metrics
from tests.effort import effort

EVENT = event_pb2.PostLoginEvent(user={"user_id": "u"}, client={"client_id": "c"})
Answer = tuple[int, str, str]
"""The id of a login, the field of its answer, and what is in it: the request id, or the reason of the error."""


class Decider:
    """Decides a login when a test says so, or at once; knows the tenants acme and bank."""

    def __init__(self, *, at_once: bool = False) -> None:
        self.at_once = at_once
        self.open: dict[str, asyncio.Future[None]] = {}
        self.deadlines: dict[str, float] = {}
        self.cancelled: list[str] = []
        self.traces: dict[str, str] = {}

    def serves(self, tenant: str) -> bool | None:
        return tenant in ("acme", "bank") or None

    async def decide(self, request: Request, deadline: float) -> Decided:
        if request.tenant not in ("acme", "bank"):
            raise UnknownTenant(request.tenant)
        self.deadlines[request.request_id] = deadline
        self.traces[request.request_id] = request.traceparent
        if not self.at_once:
            self.open[request.request_id] = asyncio.get_running_loop().create_future()
            try:
                await self.open[request.request_id]
            except asyncio.CancelledError:
                self.cancelled.append(request.request_id)
                raise
        return Decided(ExecutePostLoginResponse(request_id=request.request_id).SerializeToString(), "d")

    describe = decide


class Rig:
    """Streams of a daemon whose logins a test decides."""

    def __init__(self, *, at_once: bool = False, **limits: Any) -> None:
        self.decider = Decider(at_once=at_once)
        config = Config(limits=LimitsConfig(**({"tenant_share": 1, **limits})))
        self.metrics = Metrics("test")
        self.calls = Calls(self.decider, config, self.metrics, build(config.log, io.StringIO()))
        self.streams = Streams(self.calls, config, self.metrics)

    def open(self, identify: Identify = anyone, ends: float | None = None) -> LoginStream:
        return self.streams.open(identify, ends)


def item(login: int, request_id: str = "", tenant: str = "acme", **others: Any) -> StreamPostLoginRequest.Item:
    request = ExecutePostLoginRequest(tenant_id=tenant, request_id=request_id or f"r{login}", event=EVENT)
    return StreamPostLoginRequest.Item(id=login, execute=request, **others)


def message(*items: StreamPostLoginRequest.Item, cancel: tuple[int, ...] = ()) -> bytes:
    return StreamPostLoginRequest(items=items, cancel=cancel).SerializeToString()


def reason_of(status: status_pb2.Status) -> str:
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    raise AssertionError("no ErrorInfo")


def read(data: bytes) -> list[Answer]:
    """Return the answers of a message, which must be canonical."""
    found = StreamPostLoginResponse.FromString(data)
    assert found.SerializeToString() == data
    answers = []
    for one in found.items:
        kind = one.WhichOneof("answer")
        assert kind
        said = reason_of(one.error) if kind == "error" else getattr(one, kind).request_id
        answers.append((one.id, kind, said))
    return answers


async def reached(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("never reached")


async def rest(stream: LoginStream) -> list[Answer]:
    """Return every answer until the stream ends."""
    found = []
    while data := await stream.answers():
        found += read(data)
    return found


async def test_answers_come_as_they_are_ready() -> None:
    """Out of order, several a message when several are ready, each with the id that its caller chose."""
    rig = Rig()
    stream = rig.open()
    await stream.read(message(item(7), item(8, tenant="bank")))
    await stream.read(message(item(9)))
    await reached(lambda: len(rig.decider.open) == 3)
    rig.decider.open["r9"].set_result(None)
    assert read(await stream.answers()) == [(9, "execute", "r9")]
    for request in ("r8", "r7"):
        rig.decider.open[request].set_result(None)
    assert sorted(read(await stream.answers())) == [(7, "execute", "r7"), (8, "execute", "r8")]
    stream.finish()
    assert await stream.answers() == b""
    assert stream.why is None


async def test_a_continued_login_is_answered_as_one() -> None:
    """`resume` takes the way of ContinuePostLogin."""
    rig = Rig(at_once=True)
    stream = rig.open()
    asked = StreamPostLoginRequest.Item(
        id=1, resume={"tenant_id": "acme", "request_id": "q", "event": EVENT, "continuation": b"t", "completed": [1]}
    )
    await stream.read(message(asked))
    data = await stream.answers()
    assert read(data) == [(1, "resume", "q")]
    assert isinstance(StreamPostLoginResponse.FromString(data).items[0].resume, ContinuePostLoginResponse)
    counts = rig.metrics.stream["ContinuePostLogin"]
    assert (counts.started, counts.codes["OK"]) == (1, 1)


async def test_each_fault_is_the_answer_to_its_login() -> None:
    """An id that is open, no login, a time of nothing, a malformed login, an unknown tenant: the others are decided."""
    rig = Rig(at_once=True)
    stream = rig.open()
    late, malformed = item(4), StreamPostLoginRequest.Item(id=5, execute={"tenant_id": "Not One", "event": EVENT})
    late.timeout.SetInParent()
    await stream.read(
        message(item(1), item(1), item(2), StreamPostLoginRequest.Item(id=3), late, malformed, item(6, tenant="gone"))
    )
    stream.finish()
    assert sorted(await rest(stream)) == [
        (1, "error", "DUPLICATE_ID"),
        (1, "execute", "r1"),
        (2, "execute", "r2"),
        (3, "error", "INVALID_REQUEST"),
        (4, "error", "INVALID_REQUEST"),
        (5, "error", "INVALID_REQUEST"),
        (6, "error", "UNKNOWN_TENANT"),
    ]


async def test_an_id_may_be_used_again_once_it_is_answered() -> None:
    """Only open logins keep their ids."""
    rig = Rig(at_once=True)
    stream = rig.open()
    for request in ("first", "second"):
        await stream.read(message(item(1, request)))
        assert read(await stream.answers()) == [(1, "execute", request)]


async def test_a_login_has_the_shorter_of_two_deadlines() -> None:
    """Its own time, from when it was read, and the stream's end."""
    rig = Rig()
    now = asyncio.get_running_loop().time()
    stream = rig.open(ends=now + 5)
    await stream.read(message(item(1), item(2, timeout={"seconds": 1}), item(3, timeout={"seconds": 1 << 40})))
    await reached(lambda: len(rig.decider.deadlines) == 3)
    left = [round(rig.decider.deadlines[request] - now) for request in ("r1", "r2", "r3")]
    assert left == [5, 1, 5]
    stream.close()


async def test_a_login_has_its_own_trace() -> None:
    """For its log line; what is none is passed over, as W3C asks."""
    rig = Rig(at_once=True)
    stream = rig.open()
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    await stream.read(message(item(1, traceparent=trace), item(2, traceparent="none"), item(3)))
    stream.finish()
    assert len(await rest(stream)) == 3
    assert rig.decider.traces == {"r1": trace, "r2": "", "r3": ""}


async def test_a_cancelled_login_is_answered_at_once() -> None:
    """With CANCELLED, whether it has begun or not; what is not open is passed over, and the login itself ends."""
    rig = Rig()
    stream = rig.open()
    await stream.read(message(item(1), item(2), item(3)))
    await reached(lambda: len(rig.decider.open) == 3)
    await stream.read(message(item(4), cancel=(2, 4, 99, 2)))
    assert read(await stream.answers()) == [(2, "error", "CANCELLED"), (4, "error", "CANCELLED")]
    await reached(lambda: rig.decider.cancelled == ["r2"])
    assert rig.metrics.stream["ExecutePostLogin"].codes["CANCELLED"] == 1
    for request in ("r1", "r3"):
        rig.decider.open[request].set_result(None)
    stream.finish()
    assert [login for login, *_ in await rest(stream)] == [1, 3]
    assert rig.calls.in_flight == 0


async def test_what_waits_to_be_read_has_an_end() -> None:
    """A reader waits while the stream has as many logins as it may; one that is answered and sent makes room."""
    rig = Rig(stream_in_flight=2)
    stream = rig.open()
    await stream.read(message(item(1), item(2)))
    await reached(lambda: len(rig.decider.open) == 2)
    waiting = asyncio.create_task(stream.room())
    await asyncio.sleep(0)
    rig.decider.open["r1"].set_result(None)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()  # it is answered, and its answer still held
    await stream.answers()
    assert await waiting
    stream.finish()
    assert not await stream.room()
    stream.close()


async def test_a_message_beyond_the_limit_is_refused_in_part() -> None:
    """10,000 logins in one message: as many as the stream may have are decided, each other one has its status."""
    rig = Rig(at_once=True, stream_in_flight=50, max_in_flight=50)
    stream = rig.open()
    reading = asyncio.create_task(stream.read(message(*[item(at) for at in range(10_000)])))
    turns = 0
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 500, "the others had their turns meanwhile"
    stream.finish()
    found = Counter(said if kind == "error" else kind for _, kind, said in await rest(stream))
    assert found == {"execute": 50, "STREAM_FULL": 9950}
    sheds = {sample.labels["reason"]: sample.value for sample in rig.metrics.shed.collect().samples}
    assert sheds["stream"] == 9950


async def test_the_daemons_own_limits_refuse_a_login() -> None:
    """A tenant's share holds for streams too."""
    rig = Rig(max_in_flight=10, tenant_share=0.2)
    stream = rig.open()
    await stream.read(message(item(1), item(2), item(3)))
    assert read(await stream.answers()) == [(3, "error", "TENANT_TOO_MANY_IN_FLIGHT")]
    stream.close()


async def test_a_message_of_answers_is_no_larger_than_clients_take() -> None:
    """Answers that are ready are spread over messages when they are large."""
    rig = Rig(at_once=True)
    stream = rig.open()
    ids = ["x" * 120 + str(at) for at in range(200)]
    for start in range(0, 200, 100):
        await stream.read(message(*[item(at, ids[at]) for at in range(start, start + 100)]))
    await reached(lambda: rig.calls.in_flight == 0)
    stream.finish()
    assert len(await rest(stream)) == 200


async def test_a_stream_that_closes_gives_its_logins_up() -> None:
    """As a call whose caller has gone; nothing of them is counted as in flight afterwards."""
    rig = Rig()
    stream = rig.open()
    await stream.read(message(item(1), item(2)))
    await reached(lambda: len(rig.decider.open) == 2)
    rig.streams.close(stream)
    await reached(lambda: rig.calls.in_flight == 0)
    assert sorted(rig.decider.cancelled) == ["r1", "r2"]


async def test_a_finished_stream_answers_what_it_has_read() -> None:
    """A drain reads no more, and the end says why; what was read has its answer before."""
    rig = Rig()
    stream = rig.open()
    await stream.read(message(item(1)))
    await reached(lambda: bool(rig.decider.open))
    rig.streams.finish(Draining())
    stream.finish(StreamEnded())
    assert not await stream.room()
    ending = asyncio.create_task(rest(stream))
    await asyncio.sleep(0)
    rig.decider.open["r1"].set_result(None)
    assert await ending == [(1, "execute", "r1")]
    assert type(stream.why) is Draining


async def test_streams_have_a_limit() -> None:
    """One more is refused, and one that is closed makes room."""
    rig = Rig(max_streams=1)
    stream = rig.open()
    with pytest.raises(TooManyStreams, match=r"limits\.max_streams"):
        rig.open()
    rig.streams.close(stream)
    rig.streams.close(rig.open())


async def test_credentials_are_looked_at_with_each_message() -> None:
    """A key that is revoked ends the stream at its next message; scopes and tenant refuse a login alone."""
    rig = Rig(at_once=True)
    callers: list[Caller] = [Caller("key k", frozenset({Scope.EXECUTE}), "acme")]

    def identify() -> Caller:
        if not callers:
            raise KeyRevoked("key k")
        return callers[0]

    stream = rig.open(identify)
    await stream.read(message(item(1), item(2, tenant="bank")))
    await reached(lambda: rig.calls.in_flight == 0)
    callers.clear()
    with pytest.raises(KeyRevoked):
        await stream.read(message(item(3)))
    stream.finish()
    assert sorted(await rest(stream)) == [(1, "execute", "r1"), (2, "error", "TENANT_NOT_ALLOWED")]
    with pytest.raises(KeyRevoked):
        rig.open(identify)
    assert ANYONE.may("acme", Scope.EXECUTE)


MALFORMED = {
    "no message": b"\x0a",
    "cut": message(item(1))[:-1],
    "too many logins": b"\x0a\x00" * (stream_codec.ITEMS + 1),
    "too many logins, and few bytes": b"\x0a\x00" * 32_000,
    "too many logins, in a large message": b"\x0a\x02\x08\x01" * 40_000,
    "too many ids": b"\x12" + bytes([0xA0, 0x9C, 0x01]) + b"\x01" * 20_000,
    "too many fields of a later version": b"\x18\x01" * 40_000,
    "a group": b"\x0b" * 70_000,
    "too large": bytes(stream_codec.MESSAGE_BYTES + 1),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_no_message_ends_the_stream(data: bytes) -> None:
    """In words; nothing of it is decided."""
    rig = Rig()
    stream = rig.open()
    with pytest.raises(InvalidRequest, match=r"^message: "):
        await stream.read(data)
    assert not rig.decider.open


async def test_a_login_in_pieces_is_read_as_protobuf_reads_it() -> None:
    """What comes twice is joined, as for a call of its own."""
    rig = Rig(at_once=True)
    stream = rig.open()
    half = StreamPostLoginRequest.Item(id=1, execute={"tenant_id": "acme", "request_id": "r"}).SerializeToString()
    other = StreamPostLoginRequest.Item(execute={"event": EVENT}).SerializeToString()
    joined = half + other
    await stream.read(b"\x0a" + bytes([len(joined)]) + joined)
    assert read(await stream.answers()) == [(1, "execute", "r")]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.lists(st.integers(0, 5), min_size=1, max_size=6)),
        st.tuples(st.just("cancel"), st.lists(st.integers(0, 5), min_size=1, max_size=3)),
        st.tuples(st.just("decide"), st.lists(st.integers(0, 20), min_size=1, max_size=4)),
        st.tuples(st.just("take"), st.just([])),
        st.tuples(st.just("turn"), st.just([])),
    ),
    max_size=25,
)


@effort(200)
@given(steps, st.booleans())
def test_every_login_has_one_answer_or_the_end_says_there_is_none(
    script: list[tuple[str, list[int]]], cut: bool
) -> None:
    """Whatever is sent, cancelled and decided in whatever order: as many answers to an id as logins with it."""

    async def run() -> None:
        rig = Rig(stream_in_flight=4, max_in_flight=6)
        stream = rig.open()
        sent: Counter[int] = Counter()
        found: list[Answer] = []
        number = 0
        for step, values in script:
            if step == "send" and not stream.is_full():
                items = []
                for login in values:
                    number += 1
                    items.append(item(login, f"n{number}"))
                sent.update(values)
                await stream.read(message(*items))
            elif step == "cancel":
                await stream.read(message(cancel=tuple(values)))
            elif step == "decide":
                for at in values:
                    future = rig.decider.open.get(f"n{at}")
                    if future is not None and not future.done():
                        future.set_result(None)
            elif step == "take" and stream.unsent:
                found += read(await stream.answers())
            await asyncio.sleep(0)
            assert rig.calls.in_flight <= 6
        if cut:
            rig.streams.close(stream)
            await reached(lambda: rig.calls.in_flight == 0)
        else:
            stream.finish()
            ending = asyncio.create_task(rest(stream))
            while not ending.done():
                for future in rig.decider.open.values():
                    if not future.done():
                        future.set_result(None)
                await asyncio.sleep(0)
            found += ending.result()
        answered = Counter(login for login, *_ in found)
        assert answered == sent if not cut else answered <= sent
        assert rig.calls.in_flight == 0

    asyncio.run(run())
