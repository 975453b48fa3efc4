"""The gRPC server over a real socket, in front of a flow that is a script."""

import asyncio
import contextlib
import dataclasses
import io
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Literal

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from vestibule.v1.decision_pb2 import OUTCOME_ALLOW
from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule.v1.runtime_service_pb2 import (
    ContinuePostLoginRequest,
    ExecutePostLoginRequest,
    ExecutePostLoginResponse,
    GatewayContext,
    GetTenantResponse,
)

from runtime.calls import calls
from runtime.calls.calls import Calls
from runtime.config.effective import Config
from runtime.config.sections import LimitsConfig, LogConfig, PoolConfig, RpcConfig, SandboxConfig
from runtime.errors import InvalidEvent, QueueFull, StartError, UnknownTenant, WorkerLost
from runtime.login.ending import Decided
from runtime.login.logins import Request
from runtime.ops.labels import GRPC_CONTINUE, GRPC_METHOD, GRPC_SERVICE
from runtime.ops.log import build
from runtime.ops.metrics import Metrics
from runtime.rpc.server import Server
from tests.calls import health, unary
from tests.fronts import BOTH

PATH = f"/{GRPC_SERVICE}/{GRPC_METHOD}"
CONTINUE_PATH = f"/{GRPC_SERVICE}/{GRPC_CONTINUE}"
EVENT = PostLoginEvent()
EVENT.user.user_id = "auth0|1"
EVENT.client.client_id = "app"

Answer = Callable[[str, str, bytes, float], Awaitable[bytes]]


async def allow(_tenant: str, request_id: str, _event: bytes, _deadline: float) -> bytes:
    response = ExecutePostLoginResponse(request_id=request_id)
    response.decision.outcome = OUTCOME_ALLOW
    return response.SerializeToString()


class Flows:
    """Answers as a test says, and remembers what it was asked."""

    def __init__(self, answer: Answer = allow) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, bytes, float]] = []
        self.resumed: list[tuple[bytes | None, bytes, Sequence[int]]] = []
        self.cancelled = 0
        self.serving: dict[str, bool] = {}

    def serves(self, tenant: str) -> bool | None:
        return self.serving.get(tenant)

    async def describe(self, request: Request, _deadline: float) -> Decided:
        return Decided(GetTenantResponse(tenant_id=request.tenant).SerializeToString(), "")

    async def decide(self, request: Request, deadline: float) -> Decided:
        asked = request.tenant, request.request_id, request.event, deadline
        self.asked.append(asked)
        if request.continuation is not None:
            self.resumed.append((request.gateway, request.continuation, request.completed))
        try:
            return Decided(await self.answer(*asked), "d-1")
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


class Rig:
    """A server on a port of its own and a channel to it."""

    front: Literal["fast", "stock"] = "fast"

    def __init__(self, flows: Flows, config: Config) -> None:
        self.flows = flows
        self.stopped = False
        self.metrics = Metrics("test")
        self.log = io.StringIO()
        self.config = dataclasses.replace(
            config, listen="127.0.0.1:0", log=LogConfig(level="debug"), rpc=RpcConfig(front=self.front)
        )
        log = build(self.config.log, self.log)
        self.calls = Calls(flows, self.config, self.metrics, log)
        self.server = Server(self.calls, self.config, self.metrics, log)

    async def __aenter__(self) -> "Rig":
        await self.server.start()
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.server.port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()
        if not self.stopped:
            await self.stop(0)

    async def stop(self, drain_s: float) -> int:
        self.stopped = True
        return await self.server.stop(drain_s)

    async def call(
        self, data: bytes | None = None, timeout: float | None = 5.0, path: str = PATH, **fields: Any
    ) -> ExecutePostLoginResponse:
        if data is None:
            kind = ExecutePostLoginRequest if path == PATH else ContinuePostLoginRequest
            given: dict[str, Any] = {"tenant_id": "acme", "event": EVENT} | fields
            data = kind(**given).SerializeToString()
        answer: bytes = await unary(self.channel, path)(data, timeout=timeout)
        return ExecutePostLoginResponse.FromString(answer)

    async def refused(self, *args: Any, **kwargs: Any) -> "Refusal":
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(*args, **kwargs)
        return Refusal(caught.value)

    def handled(self, method: str = GRPC_METHOD) -> dict[str, int]:
        return {code: count for code, count in self.metrics.rpc[method].codes.items() if count}

    def lines(self, event: str) -> list[dict[str, Any]]:
        return [line for line in map(json.loads, self.log.getvalue().splitlines()) if line["event"] == event]


class Refusal:
    """A failed call, with its details unpacked."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code()
        self.text = error.details() or ""
        self.info = error_details_pb2.ErrorInfo()
        self.bad = error_details_pb2.BadRequest()
        self.retry: error_details_pb2.RetryInfo | None = None
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an error is its call
        for detail in status.details if status else ():
            retry = error_details_pb2.RetryInfo()
            if detail.Unpack(retry):
                self.retry = retry
            else:
                assert detail.Unpack(self.info) or detail.Unpack(self.bad)


@pytest.fixture(autouse=True, params=BOTH)
def each_front(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rig, "front", request.param)


@contextlib.asynccontextmanager
async def rig(answer: Answer = allow, config: Config | None = None) -> AsyncIterator[Rig]:
    async with Rig(Flows(answer), config or Config()) as it:
        yield it


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, for five seconds at most."""
    give_up = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.005)


async def test_a_login_is_decided() -> None:
    """The flow is asked with the event's own bytes, and its answer arrives as it is."""
    async with rig() as it:
        response = await it.call(request_id="r-1")
        assert response.decision.outcome == OUTCOME_ALLOW
        assert response.request_id == "r-1"
        ((tenant, request_id, event, _),) = it.flows.asked
        assert (tenant, request_id, event) == ("acme", "r-1", EVENT.SerializeToString())
        assert it.handled() == {"OK": 1}
        assert it.metrics.rpc[GRPC_METHOD].started == 1
        assert it.metrics.logins_in_flight == 0


async def test_a_login_continues() -> None:
    """ContinuePostLogin reaches the flow with its continuation and factors, and is counted as a method of its own."""
    async with rig() as it:
        response = await it.call(
            path=CONTINUE_PATH, request_id="r-2", continuation=b"sealed", completed=[4, 1], gateway=GatewayContext()
        )
        assert response.decision.outcome == OUTCOME_ALLOW
        assert response.request_id == "r-2"
        assert it.flows.resumed == [(b"", b"sealed", [4, 1])]
        assert it.flows.asked[0][:3] == ("acme", "r-2", EVENT.SerializeToString())
        assert it.handled(GRPC_CONTINUE) == {"OK": 1}
        assert it.handled() == {}
        assert it.metrics.logins_in_flight == 0


async def test_a_bad_continuation_request_names_its_field() -> None:
    """What is checked of a login is checked of one that is continued, and the message is called by its name."""
    async with rig() as it:
        refusal = await it.refused(path=CONTINUE_PATH, tenant_id="No!")
        assert refusal.bad.field_violations[0].field == "tenant_id"
        refusal = await it.refused(b"\xff", path=CONTINUE_PATH)
        assert "vestibule.v1.ContinuePostLoginRequest" in refusal.text
        refusal = await it.refused(ContinuePostLoginRequest(tenant_id="acme").SerializeToString(), path=CONTINUE_PATH)
        assert refusal.info.reason == "INVALID_EVENT"
        assert it.handled(GRPC_CONTINUE) == {"INVALID_ARGUMENT": 3}


async def test_a_request_id_is_chosen_and_returned() -> None:
    """A caller without an id gets one to find its login in the log by."""
    async with rig() as it:
        assert len((await it.call()).request_id) == 32


async def test_the_deadline_is_the_callers_capped_by_ours() -> None:
    """The flow is given the nearer of the caller's deadline and six times the configured budget."""
    config = Config(sandbox=SandboxConfig(flow_timeout_ms=2000), pool=PoolConfig(queue_wait_ms=500))
    async with rig(config=config) as it:
        now = time.monotonic()
        await it.call(timeout=1.0)
        await it.call(timeout=60.0)
        await it.call(timeout=None)
        near, far, none = (deadline - now for *_, deadline in it.flows.asked)
        assert 0.5 < near <= 1.1
        assert 12.4 < far < 13.5
        assert 12.4 < none < 13.5


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"tenant_id": ""}, "tenant_id", "INVALID_REQUEST"),
        ({"tenant_id": "../etc"}, "tenant_id", "INVALID_REQUEST"),
        ({"request_id": "a\nb"}, "request_id", "INVALID_REQUEST"),
        ({"event": None}, "event", "INVALID_EVENT"),
        ({"data": b"\xff\xff\xff"}, "request", "INVALID_REQUEST"),
        ({"data": b"\x0a\x04acme\x1a\x02\xff\xff"}, "event", "INVALID_EVENT"),
    ],
)
async def test_a_bad_request_names_its_field(fields: dict[str, Any], field: str, reason: str) -> None:
    """INVALID_ARGUMENT names the field and the remedy, and no flow is asked."""
    async with rig() as it:
        refusal = await it.refused(**fields)
        assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
        assert (refusal.info.reason, refusal.info.domain) == (reason, "vestibule")
        assert refusal.bad.field_violations[0].field == field
        assert not it.flows.asked
        assert it.handled() == {"INVALID_ARGUMENT": 1}


async def test_an_event_that_is_too_large_is_refused_in_words() -> None:
    """Over 1 MiB one error is given, with both numbers, whatever the size; the connection survives it."""
    async with rig() as it:
        event = PostLoginEvent()
        for size in (1 << 20, 3 << 20, 5 << 20, 100 << 20):
            event.CopyFrom(EVENT)
            event.user.name = "x" * size
            refusal = await it.refused(event=event)
            assert refusal.code.name == "INVALID_ARGUMENT"
            assert "1048576 allowed" in refusal.text
            assert refusal.bad.field_violations[0].field == "event"
        event.user.name = "x" * ((1 << 20) - 64)
        await it.call(event=event)


@pytest.mark.parametrize(
    ("error", "code", "reason", "retry_ns"),
    [
        (UnknownTenant("acme"), grpc.StatusCode.NOT_FOUND, "UNKNOWN_TENANT", None),
        (InvalidEvent("is odd"), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_EVENT", None),
        (QueueFull("full", retry_after_s=0.2), grpc.StatusCode.RESOURCE_EXHAUSTED, "TENANT_QUEUE_FULL", 200_000_000),
        (WorkerLost("pid 1"), grpc.StatusCode.UNAVAILABLE, "WORKER_UNAVAILABLE", 250_000_000),
        (KeyError("hunter2"), grpc.StatusCode.INTERNAL, "INTERNAL", None),
    ],
)
async def test_errors_become_statuses(
    error: Exception, code: grpc.StatusCode, reason: str, retry_ns: int | None
) -> None:
    """Whatever a flow raises, the caller gets a code, a reason, and when to try again; our log keeps no payload."""

    async def fail(*_: object) -> bytes:
        raise error

    async with rig(fail) as it:
        refusal = await it.refused()
        assert (refusal.code, refusal.info.reason) == (code, reason)
        assert (refusal.retry.retry_delay.ToNanoseconds() if refusal.retry else None) == retry_ns
        assert it.handled() == {code.name: 1}
        assert it.metrics.logins_in_flight == 0
        assert "hunter2" not in it.log.getvalue() + refusal.text


async def test_an_unforeseen_error_is_logged_by_its_place() -> None:
    """An unforeseen error is an error line with the place where it happened, and whose login it was."""

    async def fail(*_: object) -> bytes:
        return {"": b""}["hunter2"]

    async with rig(fail) as it:
        await it.refused()
        (line,) = it.lines("login.failed")
        assert (line["level"], line["error"]) == ("error", "KeyError")
        assert line["tenant"] == "acme"
        assert len(line["request_id"]) > 0
        assert any("test_rpc.py" in place for place in line["where"])


async def test_over_the_cap_logins_are_refused_at_once() -> None:
    """With max_in_flight logins running, one more is refused and the others are decided."""
    gate = asyncio.Event()

    async def wait(*args: Any) -> bytes:
        await gate.wait()
        return await allow(*args)

    async with rig(wait, Config(limits=LimitsConfig(max_in_flight=2, tenant_share=1.0))) as it:
        running = [asyncio.create_task(it.call()) for _ in range(2)]
        await until(lambda: it.metrics.logins_in_flight == 2)
        refusal = await it.refused()
        assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refusal.info.reason == "TOO_MANY_IN_FLIGHT"
        assert refusal.retry is not None
        assert it.metrics.registry.get_sample_value("vestibule_sheds_total", {"reason": "in_flight"}) == 1
        gate.set()
        await asyncio.gather(*running)
        await it.call()


async def test_a_client_that_goes_away_is_counted_and_leaks_nothing() -> None:
    """Cancelling a call cancels the flow's work and counts as CANCELLED."""

    async def forever(*_: object) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    async with rig(forever) as it:
        call = unary(it.channel, PATH)(
            ExecutePostLoginRequest(tenant_id="acme", event=EVENT).SerializeToString(), timeout=30
        )
        await until(lambda: it.metrics.logins_in_flight == 1)
        call.cancel()
        await until(lambda: it.metrics.logins_in_flight == 0)
        assert it.flows.cancelled == 1
        await until(lambda: it.handled() == {"CANCELLED": 1})


async def test_a_deadline_that_passes_is_counted_as_such() -> None:
    """When the caller's deadline passes first, its work is cancelled and the code is DEADLINE_EXCEEDED."""

    async def forever(*_: object) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    async with rig(forever) as it:
        refusal = await it.refused(timeout=0.1)
        assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: sum(it.handled().values()) == 1)
        assert set(it.handled()) <= {"DEADLINE_EXCEEDED", "CANCELLED"}
        assert it.metrics.logins_in_flight == 0


async def test_a_flow_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login far past its deadline is answered and cancelled: nothing hangs, whatever is wrong with us."""
    monkeypatch.setattr(calls, "LOST_S", 0.05)

    async def forever(*_: object) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    config = Config(sandbox=SandboxConfig(flow_timeout_ms=50, action_timeout_ms=50), pool=PoolConfig(queue_wait_ms=0))
    async with rig(forever, config) as it:
        call = asyncio.create_task(it.refused(timeout=None))
        await until(lambda: it.metrics.logins_in_flight == 1)
        it.calls.give_up_lost()
        await asyncio.sleep(0.02)
        assert not call.done()
        await asyncio.sleep(0.4)
        it.calls.give_up_lost()
        refusal = await call
        assert (refusal.code, refusal.info.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
        assert it.flows.cancelled == 1
        assert it.lines("login.lost")
        await it.refused(timeout=0.05)


async def test_draining_finishes_what_is_in_flight() -> None:
    """While draining health says NOT_SERVING, a login in flight is answered, and the port is closed."""
    gate = asyncio.Event()

    async def wait(*args: Any) -> bytes:
        await gate.wait()
        return await allow(*args)

    async with rig(wait) as it:
        stub = health(it.channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=GRPC_SERVICE))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        running = asyncio.create_task(it.call())
        await until(lambda: it.metrics.logins_in_flight == 1)
        stopping = asyncio.create_task(it.stop(60.0))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert not stopping.done()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{it.server.port}") as late:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await unary(late, PATH)(b"", timeout=2)
            # CANCELLED is gRPC's own word for a call that crosses its GOAWAY.
            assert caught.value.code() in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
                grpc.StatusCode.CANCELLED,
            )
        began = time.monotonic()
        gate.set()
        assert (await running).decision.outcome == OUTCOME_ALLOW
        assert await stopping == 0
        # An open health watch does not hold the drain to its end.
        assert time.monotonic() - began < 30.0


async def test_draining_ends() -> None:
    """A login that does not finish in the time given is cut off, and the drain says so."""

    async def forever(*_: object) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    async with rig(forever) as it:
        running = asyncio.create_task(it.refused(timeout=30))
        await until(lambda: it.metrics.logins_in_flight == 1)
        assert await it.stop(0.1) == 1
        assert (await running).code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        await until(lambda: it.metrics.logins_in_flight == 0)


@pytest.mark.parametrize("service", ["", GRPC_SERVICE])
async def test_health_is_reported_per_service(service: str) -> None:
    """The whole server and its service answer SERVING; an unknown one is NOT_FOUND."""
    async with rig() as it:
        stub = health(it.channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(health_pb2.HealthCheckRequest(service="other"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_describes_the_service(version: str) -> None:
    """Tools find the service and its messages, under both names of the reflection service."""
    async with rig() as it:
        call = it.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        requests = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=GRPC_SERVICE),
        ]
        names, files = [answer async for answer in call(iter(requests), timeout=5)]
        assert GRPC_SERVICE in [service.name for service in names.list_services_response.service]
        assert files.file_descriptor_response.file_descriptor_proto
    assert reflection_pb2_grpc.ServerReflectionStub is not None


async def test_an_unknown_method_is_unimplemented() -> None:
    """What does not exist is UNIMPLEMENTED, and no flow is asked."""
    async with rig() as it:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unary(it.channel, f"/{GRPC_SERVICE}/Other")(b"", timeout=5)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert not it.flows.asked


async def test_a_port_in_use_is_one_clear_line() -> None:
    """A second server on the port does not start, and says which address and what to do."""
    async with rig() as it:
        config = dataclasses.replace(it.config, listen=f"127.0.0.1:{it.server.port}")
        other = Server(it.calls, config, Metrics("test"), build(LogConfig(), io.StringIO()))
        with pytest.raises(StartError, match=f"cannot listen on 127.0.0.1:{it.server.port}: address already in use"):
            await other.start()
        await other.stop(0)
        await it.call()


@pytest.mark.parametrize("address", ["nowhere.invalid:1", "192.0.2.1:0"])
async def test_an_address_that_is_not_ours_is_one_clear_line(address: str) -> None:
    """A name that does not resolve and an address of somebody else are refused in words."""
    config, metrics, log = (
        dataclasses.replace(Config(), listen=address),
        Metrics("t"),
        build(LogConfig(), io.StringIO()),
    )
    server = Server(Calls(Flows(), config, metrics, log), config, metrics, log)
    with pytest.raises(StartError, match="choose another address with --listen or VESTIBULE_LISTEN"):
        await server.start()
    await server.stop(0)


async def test_garbage_on_the_port_disturbs_no_call() -> None:
    """Bytes that are no HTTP/2 end their own connection and no other."""
    async with rig() as it:
        for junk in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\0" * 1000):
            with socket.create_connection(("127.0.0.1", it.server.port), timeout=2) as raw:
                raw.sendall(junk)
        await it.call()
