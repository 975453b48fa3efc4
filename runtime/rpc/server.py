"""The gRPC server: what it listens on, which services it has, how it stops.

Knows: grpc.aio, health, reflection. Must not know: how a login is decided.
"""

import asyncio
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from vestibule.v1 import runtime_service_pb2

from runtime.config.settings import Config
from runtime.ops.labels import GRPC_SERVICE
from runtime.ops.listening import check_free, refusal
from runtime.ops.log import Log
from runtime.ops.metrics import Metrics
from runtime.rpc import accepting
from runtime.rpc.codec import ENVELOPE_BYTES
from runtime.rpc.services import ActionRuntime, FlowRunner, longest_login_s

_REFLECTION_V1: Final = "grpc.reflection.v1.ServerReflection"
_SERVICES: Final = ("", GRPC_SERVICE)
# Far above what is decided: gRPC's own refusal has another status and no details. No limit at all would let one message
# take 4 GiB.
_RECEIVE_BYTES: Final = 128 << 20
# Health watches and reflection are streams too.
_STREAMS_MIN: Final = 64
# gRPC closes the connections of clients that ping more often. Clients of Go and C ping every ten seconds at most.
_PING_INTERVAL_MS: Final = 5_000
# What gRPC takes for no limit.
_NEVER_MS: Final = (1 << 31) - 1


class _Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # the package has no types
    """The standard health service. Every service is what the daemon is.

    The package's own writes to a client while it holds the lock that a change of state needs: one client that reads
    nothing would keep every other in the dark, and the daemon from stopping.
    """

    def __init__(self) -> None:
        self._draining = False
        self._able = True
        self._ended = False
        # Set, and replaced, at each change.
        self._changed = asyncio.Event()

    def _state(self, service: str) -> health_pb2.HealthCheckResponse:
        if service not in _SERVICES:
            return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
        if self._able and not self._draining:
            return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING)

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Any) -> health_pb2.HealthCheckResponse:
        """Answer with a service's state."""
        if request.service not in _SERVICES:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return self._state(request.service)

    async def List(self, request: health_pb2.HealthListRequest, context: Any) -> health_pb2.HealthListResponse:
        """Answer with the state of every service."""
        return health_pb2.HealthListResponse(statuses={service: self._state(service) for service in _SERVICES})

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:
        """Stream changes of a service's state until the client or we have enough."""
        told: health_pb2.HealthCheckResponse | None = None
        while True:
            changed = self._changed
            if (now := self._state(request.service)) != told:
                await context.write(now)
                told = now
            elif self._ended:
                return
            else:
                await changed.wait()

    def able(self, able: bool) -> None:
        """Say whether logins can be decided at all."""
        if able != self._able:
            self._able = able
            self._wake()

    def drain(self) -> None:
        """Say NOT_SERVING from now on."""
        self._draining = True
        self._wake()

    def end_watches(self) -> None:
        """End every watch whose client has been told; one that reads nothing ends with the server."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Server:
    """One listening gRPC server. Belongs to one event loop."""

    def __init__(self, flows: FlowRunner, config: Config, metrics: Metrics, log: Log) -> None:
        self._address = config.listen
        self._runtime = ActionRuntime(flows, config, metrics, log)
        self._health = _Health()
        self._server = accepting.Server(_options(config))
        self._server.add_unary(GRPC_SERVICE, self._runtime.methods())
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._add_reflection()
        self.port = 0

    async def start(self) -> None:
        """Listen and serve. Raises: StartError when the address cannot be used."""
        # With a plain socket first: gRPC's own answer does not say why, and prints lines of its own.
        check_free("listen", self._address)
        try:
            self.port = self._server.add_insecure_port(self._address)
        except RuntimeError:
            raise refusal("listen", self._address, "it cannot be bound") from None
        await self._server.start()

    @property
    def running(self) -> bool:
        """Does it take in calls?"""
        return self._server.running

    def look_after_calls(self) -> None:
        """Give up lost logins, and write what was counted of refused ones. To be called every second or so."""
        self._runtime.give_up_lost()
        self._runtime.report()

    def able(self, able: bool) -> None:
        """Report whether logins can be decided at all."""
        self._health.able(able)

    def announce_end(self) -> None:
        """Report NOT_SERVING from now on; calls are served as before."""
        self._health.drain()

    async def stop(self, drain_s: float) -> int:
        """Report NOT_SERVING, take no new login, let those in flight finish. Returns how many are given up.

        Call it once: grpc.aio 1.85 crashes the process when a server is stopped while it stops.
        """
        self._runtime.draining = True
        self._health.drain()
        stopping = asyncio.ensure_future(self._server.stop(drain_s))
        given_up = 0
        try:
            await asyncio.wait_for(self._runtime.wait_idle(), drain_s)
        except TimeoutError:
            given_up = self._runtime.in_flight
        # gRPC waits for every open stream: a load balancer that watches our health would hold the drain to its end.
        self._health.end_watches()
        await stopping
        self._runtime.report(everything=True)
        return given_up

    def _add_reflection(self) -> None:
        # The descriptor, not the text: reflection answers from the pool that importing it fills.
        ours = runtime_service_pb2.DESCRIPTOR.services_by_name["ActionRuntimeService"].full_name
        names = (ours, health.SERVICE_NAME, reflection.SERVICE_NAME)
        servicer = reflection.aio.ReflectionServicer(names)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, self._server)
        # v1 is v1alpha under another name, message for message; newer clients ask for it first.
        method = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        self._server.add_registered_method_handlers(_REFLECTION_V1, {"ServerReflectionInfo": method})


def _options(config: Config) -> list[tuple[str, int]]:
    grpc_ = config.grpc
    # No login is cut off for the age of its connection.
    grace_s = max(grpc_.max_connection_age_grace_s, longest_login_s(config) + 1)
    return [
        # Off, or a second daemon on the same port would start and silently take half of the logins.
        ("grpc.so_reuseport", 0),
        # Above our own limit, so that an event that is too large is refused by us, in words and as the caller's fault:
        # gRPC's own RESOURCE_EXHAUSTED reads as if the daemon were busy.
        ("grpc.max_receive_message_length", max(config.limits.event_bytes + ENVELOPE_BYTES, _RECEIVE_BYTES)),
        ("grpc.max_metadata_size", 16 * 1024),
        # A call that is not whole yet takes 16 KiB and more, and a connection may hold any number of them. Above our
        # own limit as well: a caller that would have to wait is told so, and its client's queue says nothing.
        *accepting.concurrent_streams(2 * max(config.limits.max_in_flight, _STREAMS_MIN)),
        # A gateway keeps its connection for days: find out when it is gone, and let it find out about us, by pings with
        # a call or without. Left alone gRPC permits one in five minutes, and closes connections that ping more often.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _PING_INTERVAL_MS),
        # The core adds or takes off a tenth by itself, so that they do not all come back at once.
        ("grpc.max_connection_age_ms", int(grpc_.max_connection_age_s * 1000) or _NEVER_MS),
        ("grpc.max_connection_age_grace_ms", int(grace_s * 1000)),
    ]
