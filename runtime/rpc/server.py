"""The gRPC server: what it listens on, which services it has, how it stops."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import grpc
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from grpc_status import rpc_status
from vestibule.v1 import admin_service_pb2, runtime_service_pb2

from runtime.callers.callers import Callers
from runtime.callers.errors import CallerError
from runtime.calls.calls import Calls, longest_login_s
from runtime.calls.codec import ENVELOPE_BYTES
from runtime.calls.streams import Streams
from runtime.config.addresses import unix_path
from runtime.config.effective import Config
from runtime.config.listeners import credentials_required
from runtime.errors import Draining
from runtime.ops import unix_socket
from runtime.ops.labels import GRPC_SERVICE, GRPC_STREAM
from runtime.ops.listening import check_free, refusal
from runtime.ops.log import Log
from runtime.ops.metrics import Metrics
from runtime.ops.shared import Shared
from runtime.rpc import front
from runtime.rpc.credentials import caller_of
from runtime.rpc.health import Health
from runtime.rpc.listener import HANDSHAKE_MS, GrpcListener, Tls
from runtime.rpc.own_call import call_back
from runtime.rpc.relay import Relay
from runtime.rpc.services import ActionRuntime, StreamMethod, UnaryMethod, handler, stream_handler
from runtime.rpc.streaming import PostLoginStreams

_REFLECTION_V1: Final = "grpc.reflection.v1.ServerReflection"
# Far above what is decided: gRPC's own refusal has another status and no details. No limit at all would let one message
# take 4 GiB.
_RECEIVE_BYTES: Final = 128 << 20
# Where callers need credentials: a message is here before we see whose it is. gRPC's own limit.
_RECEIVE_OF_STRANGERS_BYTES: Final = 4 << 20
# Health watches and reflection are streams too.
_STREAMS_MIN: Final = 64
# Longer than any caller waits: a call leaves the core by our answer, or because its caller gave up.
_UNREQUESTED_S: Final = 3600
# gRPC closes the connections of clients that ping more often. Clients of Go and C ping every ten seconds at most.
PING_INTERVAL_MS: Final = 5_000
# What gRPC takes for no limit.
_NEVER_MS: Final = (1 << 31) - 1


NO_METHODS: Final[Mapping[str, Mapping[str, UnaryMethod]]] = MappingProxyType({})
NO_STREAMS: Final[Mapping[str, Mapping[str, StreamMethod]]] = MappingProxyType({})


class Server:
    """One listening gRPC server. Belongs to one event loop."""

    def __init__(
        self,
        calls: Calls,
        config: Config,
        metrics: Metrics,
        log: Log,
        *,
        callers: Callers | None = None,
        tls: Tls | None = None,
        others: Mapping[str, Mapping[str, UnaryMethod]] = NO_METHODS,
        guarded: Mapping[str, Mapping[str, UnaryMethod]] = NO_METHODS,
        guarded_streams: Mapping[str, Mapping[str, StreamMethod]] = NO_STREAMS,
        shared: Shared | None = None,
    ) -> None:
        """Take calls of `callers`; without them everyone may call. A unix socket has no TLS.

        `others` are methods of other services, by service and name; `guarded` are those that always need credentials,
        `guarded_streams` those of them that answer again and again.
        `shared` is what several processes have in common.
        """
        self._config = config
        self._metrics = metrics
        self._log = log
        self._calls = calls
        self._callers = callers or Callers(required=False)
        self._runtime = ActionRuntime(calls, self._callers)
        self._streams = Streams(calls, config, metrics)
        self._others = {
            service: {name: handler(answer, known) for name, answer in named.items()}
            for services, known in ((others, self._callers), (guarded, self._callers.demanding()))
            for service, named in services.items()
        }
        for service, streams in guarded_streams.items():
            known = self._callers.demanding()
            self._others[service] |= {name: stream_handler(answer, known) for name, answer in streams.items()}
        self._health = Health(calls.serves, self._runtime.permit)
        path = unix_path(config.listen)
        own = shared.own_address if shared is not None else ""
        self._listener = GrpcListener(config.listen, int(config.listen_mode, 8), tls if path is None else None, own)
        self._shares_port = shared is not None and path is None
        self._relay = Relay(shared.grpc, own.removeprefix("unix:")) if shared is not None and shared.grpc else None
        self._path, self._made = path if shared is None else None, (0, 0)
        self._front: front.Front | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen and serve. Raises: StartError when the address cannot be used."""
        config = self._config
        methods = {
            GRPC_SERVICE: {**self._runtime.methods(), GRPC_STREAM: self._stream_method()},
            health.SERVICE_NAME: self._health.methods(),
            **self._reflection(),
            **self._others,
        }
        # With a plain socket first: gRPC's own answer does not say why, and prints lines of its own.
        if not self._listener.own:
            check_free("listen", config.listen)
        settings = options(config, shared=self._shares_port)
        try:
            self._front, self.port = await front.start(
                methods, settings, config, self._listener, longest_login_s(config), self._metrics, self._log
            )
            if self._relay is not None:
                await self._relay.start()
            if self._path is not None:
                self._made = unix_socket.identity(self._path)
        except (RuntimeError, OSError):
            raise refusal("listen", config.listen, "it cannot be bound") from None

    def _stream_method(self) -> "grpc.RpcMethodHandler[bytes, bytes]":
        # So that it ends in good order before the grace of a connection that is too old cuts it off.
        ages = self._config.grpc.max_connection_age_s > 0
        life_s = max(1.0, grace_s(self._config) - longest_login_s(self._config)) if ages else None
        return PostLoginStreams(self._calls, self._streams, self._callers, self._metrics, life_s).method()

    async def call_ourselves(self) -> str:
        """Call the port as a client does; return why that failed."""
        return await call_back(self._listener, self.port)

    def _reflection(self) -> dict[str, dict[str, "grpc.RpcMethodHandler[Any, Any]"]]:
        """Return the handlers of reflection, for callers that are known: with whatever scope, of whatever tenant."""
        services = _services()

        async def info(
            requests: AsyncIterator[ServerReflectionRequest], context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncIterator[ServerReflectionResponse]:
            if self._callers.required:
                try:
                    caller_of(context, self._callers)
                except CallerError as error:
                    await context.abort_with_status(rpc_status.to_status(self._calls.refuse(error).status))
            async for answer in services.ServerReflectionInfo(requests, context):
                yield answer

        method = grpc.stream_stream_rpc_method_handler(
            info,
            request_deserializer=ServerReflectionRequest.FromString,
            response_serializer=ServerReflectionResponse.SerializeToString,
        )
        # v1 is v1alpha under another name, message for message; newer clients ask for it first.
        return {name: {"ServerReflectionInfo": method} for name in (reflection.SERVICE_NAME, _REFLECTION_V1)}

    @property
    def running(self) -> bool:
        """Does it take in calls?"""
        return self._front is not None and self._front.running

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
        if self._front is None:
            return 0
        self._calls.draining = True
        self._health.drain()
        if self._relay is not None:
            self._relay.close()
        self._streams.finish(Draining())
        stopping = asyncio.ensure_future(self._front.stop(drain_s))
        given_up = 0
        try:
            await asyncio.wait_for(self._calls.wait_idle(), drain_s)
        except TimeoutError:
            given_up = self._calls.in_flight
        # gRPC waits for every open stream: a load balancer that watches our health would hold the drain to its end.
        self._health.end_watches()
        await stopping
        if self._path is not None:
            unix_socket.remove(self._path, self._made)
        return given_up


def _services() -> Any:
    # The descriptor, not the text: reflection answers from the pool that importing it fills.
    ours = runtime_service_pb2.DESCRIPTOR.services_by_name["ActionRuntimeService"].full_name
    admin = admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name
    return reflection.aio.ReflectionServicer((ours, admin, health.SERVICE_NAME, reflection.SERVICE_NAME))


def concurrent_streams(limit: int) -> list[tuple[str, int]]:
    """Return the options that let a connection have `limit` calls open at a time.

    A call that was answered counts for gRPC's core until this process has let go of it. Without room for as many of
    those again, a caller that keeps to the limit and begins its next calls at once gets UNAVAILABLE for them.
    """
    return [("grpc.max_concurrent_streams", limit), ("grpc.http2.max_deallocating_streams", limit)]


def unrequested(seconds: int) -> tuple[str, int]:
    """Return the option that says how long a call may wait in gRPC's core until our loop takes it in.

    After that the core drops the call, and its caller gets CANCELLED with no reason and no time to try again. The
    core's own 30 s are not enough where a burst meets a machine that others keep busy.
    """
    return ("grpc.server_max_unrequested_time_in_server", seconds)


def grace_s(config: Config) -> float:
    """Return how long streams of a connection that has reached its age are kept: no login is cut off for that."""
    return max(config.grpc.max_connection_age_grace_s, longest_login_s(config) + 1)


def options(config: Config, *, shared: bool = False) -> list[tuple[str, int]]:
    """Return gRPC's options for a port of our own, or for one that is `shared` with other processes of a supervisor."""
    grpc_ = config.grpc
    receive_bytes = _RECEIVE_OF_STRANGERS_BYTES if credentials_required(config) else _RECEIVE_BYTES
    return [
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
        # Off, or a second daemon on the same port would start and silently take half of the logins. A supervisor holds
        # the port that its processes share.
        ("grpc.so_reuseport", int(shared)),
        # Above our own limit, so that an event that is too large is refused by us, in words and as the caller's fault:
        # gRPC's own RESOURCE_EXHAUSTED reads as if the daemon were busy.
        ("grpc.max_receive_message_length", max(config.limits.event_bytes + ENVELOPE_BYTES, receive_bytes)),
        ("grpc.max_metadata_size", 16 * 1024),
        # Each takes a descriptor, which workers and the store need too.
        ("grpc.max_allowed_incoming_connections", grpc_.max_connections),
        # A call that is not whole yet takes 16 KiB and more, and a connection may hold any number of them. Above our
        # own limit as well, so that a caller gets our refusal and does not wait in its client's queue.
        *concurrent_streams(2 * max(config.limits.max_in_flight, _STREAMS_MIN)),
        unrequested(_UNREQUESTED_S),
        # A gateway keeps its connection for days: find out when it is gone, and let it find out about us, by pings with
        # a call or without. Left alone gRPC permits one in five minutes, and closes connections that ping more often.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", PING_INTERVAL_MS),
        # The core adds or takes off a tenth by itself, so that they do not all come back at once.
        ("grpc.max_connection_age_ms", int(grpc_.max_connection_age_s * 1000) or _NEVER_MS),
        ("grpc.max_connection_age_grace_ms", int(grace_s(config) * 1000)),
    ]
