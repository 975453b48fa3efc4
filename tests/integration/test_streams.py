"""StreamPostLogin by grpcio's own client against a real daemon, on both fronts: what is good, and what is not."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from vestibule.v1 import event_pb2
from vestibule.v1.runtime_service_pb2 import StreamPostLoginRequest, StreamPostLoginResponse

from runtime.callers import key_text
from runtime.catalog import api_keys
from runtime.catalog.api_keys import ApiKey
from runtime.catalog.sqlite import SqliteDatabase
from runtime.core.model import OnError
from runtime.rpc import streaming
from tests import strict_reader
from tests.calls import Refused
from tests.fixtures.daemons import Daemon, Serve, served
from tests.fixtures.states import right
from tests.fixtures.suspensions import CHALLENGE, OTP, event, suspended
from tests.fixtures.tenants import ADA, ALLOW, BOB, DENY, GATE, LOOP, MFA, define
from tests.fixtures.waiting import PATIENCE_S, until
from tests.fronts import BOTH, STOCK_LATER

PATH = "/vestibule.v1.ActionRuntimeService/StreamPostLogin"
FLAGS = ("--limits-tenant-share", "1", "--limits-stream-in-flight", "64")
TALK = """\
def on_execute_post_login(event, api):
    api.id_token.set_custom_claim("https://a.example/text", "x" * 4000)
"""


@pytest.fixture(scope="module", params=STOCK_LATER)
def daemon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for the tests of a front."""
    with served(tmp_path_factory.mktemp("daemon"), "--rpc-front", request.param, *FLAGS) as daemon:
        daemon.publish(
            define("acme", GATE),
            define("bank", GATE),
            define("talks", TALK),
            define("loops", LOOP, timeout_ms=60_000),
            define("waits", CHALLENGE),
        )
        yield daemon


class Stream:
    """A stream as a gateway has it."""

    def __init__(
        self, channel: grpc.aio.Channel, metadata: Sequence[tuple[str, str]] = (), timeout_s: Any = None
    ) -> None:
        reader = strict_reader.reader(StreamPostLoginResponse)
        method: Any = channel.stream_stream(PATH, None, reader)
        self.call = method(metadata=tuple(metadata), timeout=timeout_s)

    async def send(self, *items: StreamPostLoginRequest.Item, cancel: Sequence[int] = ()) -> None:
        """Send a message. On a stream that has ended nothing is sent; `end` says why."""
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self.call.write(StreamPostLoginRequest(items=items, cancel=cancel).SerializeToString())

    async def close(self) -> None:
        """Half-close."""
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self.call.done_writing()

    async def take(self, count: int) -> dict[int, str]:
        """Return what the next answers say: the outcome's number as text, or the reason of the error."""
        found: dict[int, str] = {}
        while len(found) < count:
            async with asyncio.timeout(PATIENCE_S):
                answer = await self.call.read()
            assert answer is not grpc.aio.EOF, (found, self.call)
            found |= {one.id: said(one) for one in answer.items}
        return found

    async def end(self) -> tuple[list[str], str, str]:
        """Return what is still said, the status of the end, and its reason."""
        found: list[str] = []
        async with asyncio.timeout(PATIENCE_S):
            try:
                while (answer := await self.call.read()) is not grpc.aio.EOF:
                    found += [said(one) for one in answer.items]
            except grpc.aio.AioRpcError:
                pass
            code = await self.call.code()
            status = await rpc_status.aio.from_call(self.call)
        return found, code.name, reason_of(status) if status is not None else ""


def reason_of(status: status_pb2.Status) -> str:
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            assert info.domain == "vestibule"
            return info.reason
    return ""


def said(one: StreamPostLoginResponse.Item) -> str:
    if one.WhichOneof("answer") == "error":
        return f"{code_pb2.Code.Name(one.error.code)} {reason_of(one.error)}"
    answer = one.execute if one.HasField("execute") else one.resume
    return str(answer.decision.outcome)


def item(
    login: int, tenant: str = "acme", event: event_pb2.PostLoginEvent = ADA, request_id: str = "", **others: Any
) -> StreamPostLoginRequest.Item:
    asked = {"tenant_id": tenant, "event": event, "request_id": request_id}
    return StreamPostLoginRequest.Item(id=login, execute=asked, **others)


@asynccontextmanager
async def opened(daemon: Daemon, *metadata: tuple[str, str], timeout_s: float | None = None) -> AsyncIterator[Stream]:
    async with grpc.aio.insecure_channel(daemon.target) as channel:
        stream = Stream(channel, metadata, timeout_s)
        yield stream
        stream.call.cancel()


async def test_many_logins_of_many_tenants(daemon: Daemon) -> None:
    """Several in a message, tenants mixed; each has its own decision, and the stream ends with OK."""
    before = decided(daemon)
    async with opened(daemon) as stream:
        for start in range(0, 96, 8):
            tenant = ("acme", "bank")[start // 8 % 2]
            await stream.send(*[item(at, tenant, (ADA, BOB)[at % 2]) for at in range(start, start + 8)])
        found = await stream.take(96)
        assert found == {at: str((MFA, ALLOW)[at % 2]) for at in range(96)}
        await stream.close()
        assert await stream.end() == ([], "OK", "")
    assert decided(daemon) - before == 96
    until(lambda: daemon.metric("vestibule_streams") == 0, "no stream")
    assert daemon.metric("vestibule_streams_ended_total", grpc_code="OK") >= 1


async def test_a_suspended_login_is_continued(daemon: Daemon) -> None:
    """`resume` continues a login that was begun by a call of its own."""
    token = suspended(daemon, "waits")
    async with opened(daemon) as stream:
        asked = {"tenant_id": "waits", "event": event("otp"), "continuation": token, "completed": [OTP]}
        await stream.send(StreamPostLoginRequest.Item(id=4_294_967_295, resume=asked))
        assert await stream.take(1) == {4_294_967_295: str(ALLOW)}


async def test_every_fault_has_its_login(daemon: Daemon) -> None:
    """Statuses with details for those at fault; the others, on the stream and beside it, are decided."""
    async with opened(daemon) as stream:
        nothing = StreamPostLoginRequest.Item(id=1)
        await stream.send(item(0), nothing, item(2, "gone"), item(3, event=event_pb2.PostLoginEvent()), item(4))
        assert await stream.take(5) == {
            0: str(MFA),
            1: "INVALID_ARGUMENT INVALID_REQUEST",
            2: "NOT_FOUND UNKNOWN_TENANT",
            3: "INVALID_ARGUMENT INVALID_EVENT",
            4: str(MFA),
        }
        await stream.send(item(7, "loops"), item(7, "acme"))
        assert await stream.take(1) == {7: "INVALID_ARGUMENT DUPLICATE_ID"}
        await stream.send(item(8), cancel=[7])
        assert await stream.take(2) == {7: "CANCELLED CANCELLED", 8: str(MFA)}
    daemon.wait_in_flight(0)


async def test_a_login_has_its_own_deadline(daemon: Daemon) -> None:
    """One that takes too long for its caller ends alone."""
    async with opened(daemon) as stream:
        await stream.send(item(1, "loops", timeout={"nanos": 200_000_000}), item(2))
        assert await stream.take(2) == {1: "DEADLINE_EXCEEDED DEADLINE_EXCEEDED", 2: str(MFA)}


async def test_the_same_request_on_a_new_stream_has_the_same_decision(daemon: Daemon) -> None:
    """A stream that breaks costs no decision: what had no answer is sent again."""
    ids = set()
    for _ in range(2):
        async with opened(daemon) as stream:
            await stream.send(item(1, request_id="again"))
            answer = await stream.call.read()
            ids.add(answer.items[0].execute.decision.decision_id)
    assert len(ids) == 1


async def test_a_stream_that_breaks_gives_its_logins_up(daemon: Daemon) -> None:
    """The caller cancels, or its deadline passes: nothing is left in flight."""
    async with opened(daemon) as stream:
        await stream.send(item(1, "loops"), item(2))
        assert await stream.take(1) == {2: str(MFA)}
    daemon.wait_in_flight(0)
    async with opened(daemon, timeout_s=0.5) as stream:
        await stream.send(item(1, "loops"))
        _, code, _ = await stream.end()
        assert code == "DEADLINE_EXCEEDED"
    daemon.wait_in_flight(0)
    until(lambda: daemon.metric("vestibule_streams") == 0, "no stream")
    right(daemon, "acme")


async def test_a_half_closed_stream_is_answered(daemon: Daemon) -> None:
    """At once, and with nothing sent at all."""
    async with opened(daemon) as stream:
        await stream.send(*[item(at) for at in range(20)])
        await stream.close()
        assert await stream.end() == ([str(MFA)] * 20, "OK", "")
    async with opened(daemon) as stream:
        await stream.close()
        assert await stream.end() == ([], "OK", "")


@pytest.mark.parametrize("data", [b"\x0a", item(1).SerializeToString()[:-3], b"\xff" * 100, b"\x0a\x00" * 40_000])
async def test_what_is_no_message_ends_the_stream(daemon: Daemon, data: bytes) -> None:
    """What was read before is answered, and the end has a reason."""
    async with opened(daemon) as stream:
        await stream.send(item(1))
        await stream.call.write(b"\x0a" + data if data.startswith(b"\x08") else data)
        assert await stream.end() == ([str(MFA)], "INVALID_ARGUMENT", "INVALID_REQUEST")


async def test_a_message_of_ten_thousand_logins(daemon: Daemon) -> None:
    """As many as a stream may have are decided, each other has its status; a neighbour is decided meanwhile."""
    async with opened(daemon) as stream:
        await stream.send(*[item(at) for at in range(10_000)])
        await asyncio.to_thread(right, daemon, "bank")
        found = Counter((await stream.take(10_000)).values())
    assert found == {str(MFA): 64, "RESOURCE_EXHAUSTED STREAM_FULL": 9936}


@pytest.mark.long
async def test_a_caller_that_reads_nothing_holds_what_is_bounded(daemon: Daemon) -> None:
    """It is read no further: its writes stop, the daemon holds little, and a neighbour is decided."""
    sent, before_kb, before = 0, resident_kb(daemon), decided(daemon)

    async def flood(stream: Stream) -> None:
        nonlocal sent
        while True:
            await stream.send(*[item(sent * 8 + at, "talks") for at in range(8)])
            sent += 1

    async with opened(daemon) as stream:
        flooding = asyncio.create_task(flood(stream))
        seen = -1
        while seen != sent:
            seen = sent
            await asyncio.sleep(0.5)
        # What is sent and not read is in the window of HTTP/2, which is gRPC's own: some megabytes.
        assert decided(daemon) - before < sent * 8 / 2
        # A message is taken whole by a stream that has room for a login.
        assert daemon.metric("vestibule_logins_in_flight") < 64 + 8
        await asyncio.to_thread(right, daemon, "bank")
        assert resident_kb(daemon) - before_kb < 60_000
        flooding.cancel()
    daemon.wait_in_flight(0)


def decided(daemon: Daemon) -> float:
    labels = {"grpc_method": "ExecutePostLogin", "transport": "stream", "grpc_code": "OK"}
    return daemon.metric("grpc_server_handled_total", **labels)


def resident_kb(daemon: Daemon) -> int:
    text = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS")))


async def test_a_thousand_idle_streams(daemon: Daemon) -> None:
    """They cost little, do not disturb, and the one beyond the limit is refused with its reason."""
    before_kb = resident_kb(daemon)
    async with grpc.aio.insecure_channel(daemon.target) as channel:
        streams = [Stream(channel) for _ in range(1000)]
        await asyncio.gather(*[stream.call.initial_metadata() for stream in streams])
        until(lambda: daemon.metric("vestibule_streams") == 1000, "a thousand streams")
        held_kb = resident_kb(daemon) - before_kb
        assert held_kb < 100_000, held_kb
        await asyncio.to_thread(right, daemon, "bank")
        await streams[999].send(item(1))
        assert await streams[999].take(1) == {1: str(MFA)}
        async with opened(daemon) as other:
            await other.send(item(1))
            assert await other.take(1) == {1: str(MFA)}
        for stream in streams:
            stream.call.cancel()
    until(lambda: daemon.metric("vestibule_streams") == 0, "no stream")


@pytest.mark.long
@pytest.mark.parametrize("front", STOCK_LATER)
def test_a_drain_answers_what_was_read(serve: Serve, front: str) -> None:
    """After SIGTERM the login in flight is answered, then the stream ends with DRAINING."""
    daemon = serve("--rpc-front", front)
    daemon.publish(define("slow", LOOP, timeout_ms=1000, on_error=OnError.DENY), define("acme", GATE))

    async def run() -> None:
        async with opened(daemon) as idle, opened(daemon) as stream:
            await stream.send(item(1, "slow"))
            await asyncio.to_thread(daemon.wait_in_flight, 1)
            await idle.call.initial_metadata()
            daemon.process.send_signal(signal.SIGTERM)
            assert await stream.end() == ([str(DENY)], "UNAVAILABLE", "DRAINING")
            assert await idle.end() == ([], "UNAVAILABLE", "DRAINING")

    asyncio.run(run())
    assert daemon.wait() == 0


@pytest.mark.parametrize("front", STOCK_LATER)
def test_a_stream_too_many_is_refused(serve: Serve, front: str) -> None:
    """The one that is there answers as before."""
    daemon = serve("--rpc-front", front, "--limits-max-streams", "1")
    daemon.publish(define("acme", GATE))

    async def run() -> None:
        async with opened(daemon) as first:
            await first.call.initial_metadata()
            async with opened(daemon) as second:
                assert await second.end() == ([], "RESOURCE_EXHAUSTED", "TOO_MANY_STREAMS")
            await first.send(item(1))
            assert await first.take(1) == {1: str(MFA)}

    asyncio.run(run())


@pytest.mark.parametrize("front", STOCK_LATER)
def test_a_stream_ends_at_its_age(serve: Serve, front: str) -> None:
    """In good order, as old as it may get."""
    daemon = serve(
        "--rpc-front", front, "--grpc-max-connection-age-grace-s", "1",
        "--sandbox-flow-timeout-ms", "100", "--sandbox-action-timeout-ms", "100", "--pool-queue-wait-ms", "0",
    )  # fmt: skip
    daemon.publish(define("acme", GATE))

    async def run() -> None:
        async with opened(daemon) as stream:
            assert await stream.end() == ([], "UNAVAILABLE", "STREAM_ENDED")

    asyncio.run(run())


@pytest.mark.long
@pytest.mark.parametrize("front", BOTH)
def test_a_stream_whose_answers_are_not_taken_ends(serve: Serve, front: str) -> None:
    """After ten seconds: its logins are given up and its answers let go; a caller that reads then learns why."""
    daemon = serve("--rpc-front", front, "--limits-tenant-share", "1")
    daemon.publish(define("talks", TALK))

    async def run() -> None:
        async with opened(daemon) as stream:
            for start in range(0, 20_000, 50):
                await stream.send(*[item(at, "talks") for at in range(start, start + 50)])
            seen = -1.0
            while seen != (seen := decided(daemon)) or not seen:
                await asyncio.sleep(1)
            assert seen < 10_000
            await asyncio.sleep(streaming.TAKEN_S + 1)
            _, code, reason = await stream.end()
            assert (code, reason) == ("RESOURCE_EXHAUSTED", "ANSWERS_NOT_TAKEN")

    asyncio.run(run())
    daemon.wait_in_flight(0)


@pytest.mark.parametrize("front", STOCK_LATER)
def test_a_key_that_is_revoked_ends_its_stream(serve: Serve, front: str) -> None:
    """At its next message; without a key there is no stream, and of another tenant no decision."""
    daemon = serve("--rpc-front", front, "--auth-mode", "required")
    daemon.publish(define("acme", GATE), define("bank", GATE))
    made = key_text.generate()
    api_keys.add(
        SqliteDatabase(daemon.path),
        ApiKey(made.key_id, key_text.digest(made.secret), "", ("execute",), "acme", 0, None),
    )
    credentials = ("authorization", f"Bearer {made}")

    def refused() -> bool:
        try:
            daemon.call("acme")
        except Refused as error:
            return error.reason == "NO_CREDENTIALS"
        return False

    async def run() -> None:
        async with opened(daemon) as stream:
            assert await stream.end() == ([], "UNAUTHENTICATED", "NO_CREDENTIALS")

        async def taken() -> bool:
            async with opened(daemon, credentials) as stream:
                await stream.send(item(1))
                await stream.close()
                return (await stream.end())[0] == [str(MFA)]

        async with asyncio.timeout(PATIENCE_S):
            while not await taken():  # until the daemon has read the key
                await asyncio.sleep(0.05)
        async with opened(daemon, credentials) as stream:
            await stream.send(item(1), item(2, "bank"))
            assert await stream.take(2) == {1: str(MFA), 2: "PERMISSION_DENIED TENANT_NOT_ALLOWED"}
            api_keys.revoke(SqliteDatabase(daemon.path), made.key_id)
            ending, login = asyncio.create_task(stream.end()), 10
            while not ending.done():
                login += 1
                await stream.send(item(login))
                await asyncio.wait([ending], timeout=0.2)
            _, code, reason = await ending
            assert (code, reason) == ("UNAUTHENTICATED", "KEY_REVOKED")

    assert refused()
    asyncio.run(run())


async def test_a_stream_is_not_offered_by_http(serve: Serve) -> None:
    """The HTTP port has no such path."""
    daemon = serve("--http-listen", "127.0.0.1:0")
    reader, writer = await asyncio.open_connection(*daemon.doors.rsplit(":", 1))
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    assert (await reader.readline()).split()[1] == b"404"
    writer.close()
