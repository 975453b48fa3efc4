"""The handlers of ActionRuntimeService: one call in, one serialized answer or one status out.

Requests and answers pass as bytes: gRPC is given no serializer, so the event is never turned into Python objects.
"""

from functools import partial

import grpc
from grpc_status import rpc_status

from runtime.callers.callers import Callers
from runtime.calls.calls import Calls, Identify, Method, anyone
from runtime.rpc.credentials import caller_of
from runtime.rpc.own_call import OWN_CALL


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

    async def _handle(self, method: Method, data: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        if data == OWN_CALL:
            return b""
        identify: Identify = partial(caller_of, context, self._callers) if self._callers.required else anyone
        answer = await self._calls.answer(method, data, context.time_remaining, identify)
        if not isinstance(answer, bytes):
            await context.abort_with_status(rpc_status.to_status(answer.status))
        return answer
