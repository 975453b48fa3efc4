"""The standard gRPC health service. Every service has the state of the daemon.

The class of grpc_health writes to a client while it holds the lock that a change of state needs: one client that reads
nothing would keep the state from all others, and the daemon from stopping.
"""

import asyncio
from typing import Any, Final

import grpc
from grpc_health.v1.health_pb2 import (  # type: ignore[attr-defined]  # types-grpcio-health-checking lacks List
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListRequest,
    HealthListResponse,
)

from runtime.ops.labels import GRPC_SERVICE

_SERVICES: Final = ("", GRPC_SERVICE)

Context = grpc.aio.ServicerContext[object, HealthCheckResponse]


class Health:
    """Answers who asks for the state, and everyone who watches it. Belongs to one event loop."""

    def __init__(self) -> None:
        self._draining = False
        self._able = True
        self._ended = False
        # Set, and replaced, at each change.
        self._changed = asyncio.Event()

    def methods(self) -> dict[str, "grpc.RpcMethodHandler[Any, Any]"]:
        """Return the handlers by method."""
        unary, answer = grpc.unary_unary_rpc_method_handler, HealthCheckResponse.SerializeToString
        return {
            "Check": unary(self._check, HealthCheckRequest.FromString, answer),
            "List": unary(self._list, HealthListRequest.FromString, HealthListResponse.SerializeToString),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch, HealthCheckRequest.FromString, answer),
        }

    def able(self, able: bool) -> None:
        """Note whether logins can be decided at all."""
        if able != self._able:
            self._able = able
            self._wake()

    def drain(self) -> None:
        """Report NOT_SERVING from now on."""
        self._draining = True
        self._wake()

    def end_watches(self) -> None:
        """End every watch whose client has the last state; one whose client reads nothing ends with the server."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _state(self, service: str) -> HealthCheckResponse:
        if service not in _SERVICES:
            return HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
        if self._able and not self._draining:
            return HealthCheckResponse(status=HealthCheckResponse.SERVING)
        return HealthCheckResponse(status=HealthCheckResponse.NOT_SERVING)

    async def _check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        if request.service not in _SERVICES:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return self._state(request.service)

    async def _list(self, _request: HealthListRequest, _context: Context) -> HealthListResponse:
        return HealthListResponse(statuses={service: self._state(service) for service in _SERVICES})

    async def _watch(self, request: HealthCheckRequest, context: Context) -> None:
        """Stream changes of a service's state until the client gives up or `end_watches`."""
        sent: HealthCheckResponse | None = None
        while True:
            changed = self._changed
            if (now := self._state(request.service)) != sent:
                await context.write(now)
                sent = now
            elif self._ended:
                return
            else:
                await changed.wait()
