"""The standard gRPC health service: the state of the daemon, and of each tenant by the name `tenant:<id>`.

Everyone may ask about the daemon. About a tenant may ask who may call for it: its name alone is no one else's to know.

The class of grpc_health writes to a client while it holds the lock that a change of state needs: one client that reads
nothing would keep the state from all others, and the daemon from stopping.
"""

import asyncio
from collections.abc import Awaitable, Callable
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
_TENANT: Final = "tenant:"
# No name that is known is longer. A watch keeps its request as long as it likes.
_REQUEST_BYTES: Final = 256
_UNKNOWN: Final = HealthCheckRequest(service="unknown")

Context = grpc.aio.ServicerContext[object, HealthCheckResponse]

Permit = Callable[[str, Context], Awaitable[None]]
"""Ends a call about a tenant whose caller may not make it."""


class Health:
    """Answers who asks for the state, and everyone who watches it. Belongs to one event loop."""

    def __init__(self, serves: Callable[[str], bool | None], permit: Permit) -> None:
        """Ask `serves` whether a tenant's logins can be decided, None for an unknown one; `permit` refuses callers."""
        self._serves = serves
        self._permit = permit
        self._tenants_watched = 0
        self._draining = False
        self._able = True
        self._ended = False
        # Set, and replaced, at each change.
        self._changed = asyncio.Event()

    def methods(self) -> dict[str, "grpc.RpcMethodHandler[Any, Any]"]:
        """Return the handlers by method."""
        unary, answer = grpc.unary_unary_rpc_method_handler, HealthCheckResponse.SerializeToString
        return {
            "Check": unary(self._check, _request, answer),
            "List": unary(self._list, HealthListRequest.FromString, HealthListResponse.SerializeToString),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch, _request, answer),
        }

    def able(self, able: bool) -> None:
        """Note whether logins can be decided at all. Called about twice a second: tenants are looked at then."""
        if able != self._able or self._tenants_watched:
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
        serving: bool | None = service in _SERVICES or None
        if service.startswith(_TENANT):
            serving = self._serves(service.removeprefix(_TENANT))
        if serving is None:
            return HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
        if serving and self._able and not self._draining:
            return HealthCheckResponse(status=HealthCheckResponse.SERVING)
        return HealthCheckResponse(status=HealthCheckResponse.NOT_SERVING)

    async def _check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        await self._allow(request.service, context)
        state = self._state(request.service)
        if state.status == HealthCheckResponse.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return state

    async def _allow(self, service: str, context: Context) -> None:
        if service.startswith(_TENANT):
            await self._permit(service.removeprefix(_TENANT), context)

    async def _list(self, _request: HealthListRequest, _context: Context) -> HealthListResponse:
        return HealthListResponse(statuses={service: self._state(service) for service in _SERVICES})

    async def _watch(self, request: HealthCheckRequest, context: Context) -> None:
        """Stream changes of a service's state until the client gives up or `end_watches`."""
        await self._allow(request.service, context)
        of_tenant = request.service.startswith(_TENANT)
        self._tenants_watched += of_tenant
        try:
            await self._stream(request, context)
        finally:
            self._tenants_watched -= of_tenant

    async def _stream(self, request: HealthCheckRequest, context: Context) -> None:
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


def _request(data: bytes) -> HealthCheckRequest:
    return HealthCheckRequest.FromString(data) if len(data) <= _REQUEST_BYTES else _UNKNOWN
