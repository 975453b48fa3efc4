"""The handlers of ActionRuntimeService: one call in, one serialized answer or one status out.

Requests and answers pass as bytes: gRPC is given no serializer, so the event is never turned into Python objects.
"""

import contextlib
import random
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import Any, Final

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from runtime.callers.caller import Scope
from runtime.callers.callers import Callers
from runtime.callers.errors import CallerError
from runtime.calls import metadata
from runtime.calls.calls import Calls, Identify, Method, NoAnswer, Remaining, anyone
from runtime.rpc.credentials import caller_of
from runtime.rpc.own_call import OWN_CALL

# Source: gRPC's proposal A6, client retries.
_PUSHBACK: Final = "grpc-retry-pushback-ms"
_ATTEMPTS: Final = "grpc-previous-rpc-attempts"
_FEW: Final = re.compile("[0-4]").fullmatch
_LONGEST_MS: Final = 3000


UnaryMethod = Callable[[bytes, Remaining, Identify], Awaitable[bytes | NoAnswer]]
"""Answers a serialized request with a serialized response, or says why there is none."""


StreamMethod = Callable[[bytes, Remaining, Identify], AsyncGenerator[bytes | NoAnswer, None]]
"""Answers a serialized request with serialized responses; why there are no more comes last."""


def handler(answer: UnaryMethod, callers: Callers) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """Return the handler of a method that is not of ActionRuntimeService. It has no serializers either."""

    async def handle(data: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        identify: Identify = partial(caller_of, context, callers) if callers.required else anyone
        found = await answer(data, context.time_remaining, identify)
        if not isinstance(found, bytes):
            await context.abort_with_status(rpc_status.to_status(found.status))
        return found

    return grpc.unary_unary_rpc_method_handler(handle)


def stream_handler(answer: StreamMethod, callers: Callers) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """Return the handler of such a method that answers again and again."""

    async def handle(data: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        identify: Identify = partial(caller_of, context, callers) if callers.required else anyone
        async with contextlib.aclosing(answer(data, context.time_remaining, identify)) as answers:
            async for found in answers:
                if not isinstance(found, bytes):
                    await context.abort_with_status(rpc_status.to_status(found.status))
                    return
                await context.write(found)

    return grpc.unary_stream_rpc_method_handler(handle)


class ActionRuntime:
    """Takes calls in by gRPC."""

    def __init__(self, calls: Calls, callers: Callers) -> None:
        self._calls = calls
        self._callers = callers

    def methods(self) -> "dict[str, grpc.RpcMethodHandler[bytes, bytes]]":
        """Return the handlers by method. They have no serializers: requests and answers are bytes."""
        return {
            name: grpc.unary_unary_rpc_method_handler(partial(self._handle, method))
            for name, method in self._calls.methods.items()
        }

    async def permit(self, tenant: str, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        """End a call that is about a tenant, unless its caller may make it."""
        if not self._callers.required:
            return
        try:
            caller_of(context, self._callers).require(tenant, *Scope)
        except CallerError as error:
            status = rpc_status.to_status(self._calls.refuse(error).status)
            await context.abort_with_status(status)

    async def _handle(self, method: Method, data: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        if data == OWN_CALL:
            return b""
        identify: Identify = partial(caller_of, context, self._callers) if self._callers.required else anyone
        traceparent = _traceparent(context)
        answer = await self._calls.answer(method, data, context.time_remaining, identify, traceparent)
        if isinstance(answer, NoAnswer):
            status = rpc_status.to_status(answer.status)
            beside = metadata.beside(answer.request_id, "", traceparent) + _pushback(answer, context)
            await context.abort(status.code, status.details, (*(status.trailing_metadata or ()), *beside))
        context.set_trailing_metadata(metadata.beside(answer.request_id, answer.decision_id, traceparent))
        return answer.data


def _traceparent(context: "grpc.aio.ServicerContext[bytes, bytes]") -> str:
    """Return the caller's trace; empty for none."""
    for key, value in context.invocation_metadata() or ():
        if key == metadata.TRACEPARENT and isinstance(value, str):
            return metadata.taken(value)
    return ""


def _pushback(answer: NoAnswer, context: "grpc.aio.ServicerContext[bytes, bytes]") -> metadata.Pairs:
    """Return what makes gRPC's own retries wait as RetryInfo asks: longer each time, and not all until one instant."""
    info = error_details_pb2.RetryInfo()
    if not any(detail.Unpack(info) for detail in answer.status.details):
        return ()
    before = [str(value) for key, value in context.invocation_metadata() or () if key == _ATTEMPTS]
    attempts = int(before[0]) if before and _FEW(before[0]) else 0
    delay_ms = min(info.retry_delay.ToMilliseconds() * 3**attempts, _LONGEST_MS)
    return ((_PUSHBACK, str(delay_ms + random.randrange(delay_ms + 1))),)
