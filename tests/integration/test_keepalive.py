"""Which keepalive pings of idle clients are permitted, held against a client that speaks HTTP/2 by hand."""

from __future__ import annotations

import asyncio
import io
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Literal

import pytest

from runtime.calls.calls import Calls, longest_login_s
from runtime.config.effective import Config
from runtime.config.listeners import AuthConfig
from runtime.config.sections import GrpcConfig, RpcConfig
from runtime.login.ending import Decided
from runtime.ops.log import build
from runtime.ops.metrics import Metrics
from runtime.rpc import server
from tests.fronts import BOTH

Front = Literal["fast", "stock"]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7
ACK = 1
PINGS = 5
# How many times as fast as a client's clock.
FASTER = 100


def frame(kind: int, flags: int = 0, payload: bytes = b"") -> bytes:
    """Write a frame of the connection itself. Source: RFC 9113, section 4.1."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, 0) + payload


class NoFlows:
    """Decides nothing: no call is made here."""

    async def decide(self, *_: Any) -> Decided:
        raise NotImplementedError

    describe = decide

    def serves(self, _: str) -> bool | None:
        return None


@pytest.fixture(params=BOTH)
def front(request: pytest.FixtureRequest) -> Front:
    """Name a front."""
    name: Front = request.param
    return name


@asynccontextmanager
async def serving(front: Front, connections: GrpcConfig | None = None) -> AsyncIterator[int]:
    """Serve, and give the port."""
    config = replace(Config(), listen="127.0.0.1:0", rpc=RpcConfig(front=front), grpc=connections or GrpcConfig())
    metrics, log = Metrics("test"), build(config.log, io.StringIO())
    serving = server.Server(Calls(NoFlows(), config, metrics, log), config, metrics, log)
    await serving.start()
    try:
        yield serving.port
    finally:
        await serving.stop(0)


async def ping(port: int, every_s: float) -> bytes | None:
    """Ping some times on an idle connection; return why the server closed it, None when it answered every ping."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(PREFACE + frame(SETTINGS))
        answered = 0
        while answered < PINGS:
            head = await asyncio.wait_for(reader.readexactly(9), 30)
            payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
            kind, flags = head[3], head[4]
            if kind == GOAWAY:
                return payload[8:]
            if kind == SETTINGS and not flags & ACK:
                writer.write(frame(SETTINGS, ACK))
                writer.write(frame(PING, payload=b"keep it!"))
            if kind == PING and flags & ACK:
                answered += 1
                await asyncio.sleep(every_s)
                writer.write(frame(PING, payload=b"keep it!"))
        return None
    finally:
        writer.close()


async def test_pings_that_keep_to_the_interval_are_permitted_without_a_call(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle client may ping for ever, at the interval that is permitted; here all is faster."""
    assert server.PING_INTERVAL_MS <= 15_000
    monkeypatch.setattr(server, "PING_INTERVAL_MS", server.PING_INTERVAL_MS // FASTER)
    async with serving(front) as port:
        # A client's twenty seconds.
        assert await ping(port, 20 / FASTER) is None


async def test_pings_beyond_the_interval_are_not(front: Front) -> None:
    """The control: gRPC closes the connection of a client that pings all the time, and says why."""
    async with serving(front) as port:
        assert await ping(port, 0.0) == b"too_many_pings"


async def test_grpc_left_alone_permits_no_such_pings(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without our options the very pings of the first test end the connection."""
    ours = server.options

    def without(config: Config, *, shared: bool = False) -> list[tuple[str, int]]:
        found = ours(config, shared=shared)
        return [(name, value) for name, value in found if "ping" not in name and "permit" not in name]

    monkeypatch.setattr(server, "options", without)
    async with serving(front) as port:
        assert await ping(port, 20 / FASTER) == b"too_many_pings"


async def greeted(port: int) -> asyncio.StreamWriter | None:
    """Open a connection that does nothing; None when it is hung up on before the server's settings."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(PREFACE + frame(SETTINGS))
        await asyncio.wait_for(reader.readexactly(9), 30)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
        return None
    return writer


async def until_greeted(port: int) -> asyncio.StreamWriter:
    """Open a connection as soon as there is room: the server learns a little later of one that was closed."""
    async with asyncio.timeout(30):
        while (writer := await greeted(port)) is None:
            await asyncio.sleep(0.01)
    return writer


async def test_connections_that_do_nothing_take_so_many_descriptors(front: Front) -> None:
    """One more than `grpc.max_connections` is hung up on; when one of them is over, the next is served."""
    async with serving(front, GrpcConfig(max_connections=8)) as port:
        idle = [await until_greeted(port) for _ in range(8)]
        assert await greeted(port) is None
        idle.pop().close()
        idle.append(await until_greeted(port))
        for writer in idle:
            writer.close()


async def test_the_control_without_that_limit_one_more_is_served(front: Front) -> None:
    """So many connections are nothing to the server itself."""
    async with serving(front) as port:
        for writer in [await until_greeted(port) for _ in range(9)]:
            writer.close()


def test_a_port_for_strangers_holds_small_messages() -> None:
    """Where credentials are asked for, a message of a caller who has none takes 4 MiB at most; an event has room."""
    open_, name = dict(server.options(Config())), "grpc.max_receive_message_length"
    asking = replace(Config(), auth=AuthConfig(mode="required"))
    large = replace(asking, limits=replace(asking.limits, event_bytes=8 << 20))
    assert [open_[name], dict(server.options(asking))[name]] == [128 << 20, 4 << 20]
    assert dict(server.options(large))[name] > 8 << 20


def test_no_login_is_cut_off_for_the_age_of_its_connection() -> None:
    """However short the grace and however long a flow may take, a connection outlasts its logins; 0 is no age."""
    long = replace(Config().sandbox, flow_timeout_ms=120_000)
    config = replace(Config(), sandbox=long, grpc=GrpcConfig(max_connection_age_s=0, max_connection_age_grace_s=0))
    options = dict(server.options(config))
    assert options["grpc.max_connection_age_grace_ms"] > longest_login_s(config) * 1000
    assert options["grpc.max_connection_age_ms"] == 2**31 - 1
    assert dict(server.options(Config()))["grpc.max_connection_age_ms"] == 1_800_000
