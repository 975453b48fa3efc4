"""What stands beside an answer by gRPC, on both fronts: ids, the caller's trace, and when to try again."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import grpc
import pytest
from vestibule.v1.runtime_service_pb2 import ExecutePostLoginRequest

from runtime.errors import PoolExhausted
from tests.calls import unary
from tests.integration.test_rpc import EVENT, PATH, Answer, Rig, allow, rig
from tests.integration.test_rpc import each_front as each_front  # every test here runs on each front
from tests.integration.test_service_config import CONFIG

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def beside(it: Rig, request_id: str, *metadata: tuple[str, str]) -> dict[str, Any]:
    """Send a login, and return the trailing metadata of its answer or its error."""
    request = ExecutePostLoginRequest(tenant_id="acme", request_id=request_id, event=EVENT)
    call: grpc.aio.UnaryUnaryCall[bytes, bytes] = unary(it.channel, PATH)(
        request.SerializeToString(), timeout=5.0, metadata=metadata
    )
    found = await call.trailing_metadata()
    return {key: value for key, value in found or () if not key.startswith("grpc-status")}


async def test_an_answer_names_its_decision_and_its_request() -> None:
    """Also one whose id the daemon chose. Without a trace there is none."""
    async with rig() as it:
        assert await beside(it, "r-1") == {"vestibule-decision-id": "d-1", "vestibule-request-id": "r-1"}
        chosen = await beside(it, "")
        assert len(chosen["vestibule-request-id"]) == 32


async def test_an_id_beyond_ascii_is_percent_encoded() -> None:
    """Metadata is ASCII; the id in the answer is as it was sent."""
    async with rig() as it:
        assert (await beside(it, "r-\u00e4"))["vestibule-request-id"] == "r-%C3%A4"


@pytest.mark.parametrize("answer", [allow, "refuse"])
async def test_a_trace_is_passed_on(answer: Answer | str) -> None:
    """It stands beside the answer, and beside an error."""

    async def refuse(*_: Any) -> bytes:
        raise PoolExhausted("none is free")

    async with rig(refuse if isinstance(answer, str) else answer) as it:
        assert (await beside(it, "r-1", ("traceparent", TRACE)))["traceparent"] == TRACE
        assert "traceparent" not in await beside(it, "r-1", ("traceparent", TRACE.upper()))


async def test_an_error_says_when_to_try_again_to_grpcs_own_retries() -> None:
    """From the delay in RetryInfo to twice that, so that not all come back at once."""

    async def refuse(*_: Any) -> bytes:
        raise PoolExhausted("none is free")

    async with rig(refuse) as it:
        found = await asyncio.gather(*(beside(it, "r-1") for _ in range(10)))
        delays = [int(each["grpc-retry-pushback-ms"]) for each in found]
        assert all(100 <= delay <= 200 for delay in delays)
        assert len(set(delays)) > 1
        assert all(each["vestibule-request-id"] == "r-1" for each in found)


async def test_a_retry_waits_longer_each_time() -> None:
    """gRPC's own retries, by the service config: each delay is at least the one that the daemon asked for."""
    asked: list[float] = []

    async def refuse(*_: Any) -> bytes:
        asked.append(monotonic())
        raise PoolExhausted("none is free")

    config = CONFIG.read_text().replace('"maxAttempts": 5', '"maxAttempts": 3')
    async with rig(refuse) as it:
        target, options = f"127.0.0.1:{it.server.port}", [("grpc.service_config", config)]
        async with grpc.aio.insecure_channel(target, options=options) as channel:
            request = ExecutePostLoginRequest(tenant_id="acme", event=EVENT)
            with pytest.raises(grpc.aio.AioRpcError):
                await unary(channel, PATH)(request.SerializeToString())
    first, second, third = asked
    assert second - first >= 0.1
    assert third - second >= 0.3


async def test_an_error_that_stays_says_nothing_of_trying_again() -> None:
    """A request that is wrong is wrong the next time."""
    async with rig() as it:
        call = unary(it.channel, PATH)(b"\xff", timeout=5.0)
        assert not [key for key, _ in await call.trailing_metadata() or () if key == "grpc-retry-pushback-ms"]
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
