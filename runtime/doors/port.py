"""The HTTP port: listens, bounds connections and what each may take, and drains.

Knows uvicorn's HTTP/1.1 and asyncio. Must not know what is asked or answered.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Sequence
from email.utils import formatdate
from functools import partial
from time import monotonic
from typing import Any, Final

import h11
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from runtime.config.addresses import unix_path
from runtime.config.effective import Config
from runtime.ops import unix_socket
from runtime.ops.listening import bind_each, check_free, refusal

_BACKLOG: Final = 1024
# What a request line and its headers may have. A bearer key and a traceparent are some hundreds of bytes.
_HEAD_BYTES: Final = 16 * 1024
_HANDSHAKE_S: Final = 5.0
# How long connections have that are cut off at the end of a drain.
_GONE_S: Final = 0.2


class HttpPort:
    """Serves an application on one address. Belongs to one event loop."""

    def __init__(
        self, app: ASGIApp, config: Config, tls: ssl.SSLContext | None = None, shared: Sequence[socket.socket] = ()
    ) -> None:
        """Serve `app`; on `shared` sockets, which listen, where several processes have the one address."""
        self._shared = shared
        self._address = config.http_listen
        self._settings = config.http
        # A unix socket has no TLS: its mode says who may connect.
        self._path = unix_path(config.http_listen)
        self._tls = tls if self._path is None else None
        self._mode, self._made = int(config.listen_mode, 8), (0, 0)
        # What a client sends is no complaint of ours: its lines quote requests, and errors of the application are
        # caught and logged by the application.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
        self._uvicorn = uvicorn.Config(
            app, interface="asgi3", lifespan="off", ws="none", log_config=None, access_log=False, proxy_headers=False,
            h11_max_incomplete_event_size=_HEAD_BYTES,
        )  # fmt: skip
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []
        self.port = 0

    async def start(self) -> None:
        """Listen and serve. Raises: StartError when the address cannot be used."""
        listeners = self._listeners()
        self._uvicorn.load()
        self._uvicorn.timeout_keep_alive = self._settings.idle_s  # type: ignore[assignment]  # it takes fractions too
        self._tell_the_time()
        loop = asyncio.get_running_loop()

        def connect() -> asyncio.Protocol:
            return _Connection(self._uvicorn, self._state, self._settings.max_connections)

        handshake_s = None if self._tls is None else _HANDSHAKE_S
        for listener in listeners:
            if self._path is not None:
                self._servers.append(await loop.create_unix_server(connect, sock=listener, backlog=_BACKLOG))
                continue
            server = await loop.create_server(
                connect, sock=listener, backlog=_BACKLOG, ssl=self._tls, ssl_handshake_timeout=handshake_s
            )
            self._servers.append(server)

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._state.connections)

    def look_after_connections(self) -> None:
        """Close connections whose client sends no request, or takes no answer. To be called every second or so."""
        self._tell_the_time()
        before = monotonic() - self._settings.request_s
        for connection in [*self._state.connections]:
            if isinstance(connection, _Connection) and connection.dawdles(before):
                connection.close()

    async def stop(self, drain_s: float) -> None:
        """Take in no more requests, answer those that are here, and cut off what is left after `drain_s`."""
        for server in self._servers:
            server.close()
        if self._path is not None and not self._shared:
            unix_socket.remove(self._path, self._made)
        for connection in [*self._state.connections]:
            connection.shutdown()
        ends = monotonic() + drain_s
        while self._state.connections and monotonic() < ends:
            await asyncio.sleep(0.01)
        for task in [*self._state.tasks]:
            task.cancel()
        if self._state.tasks:
            await asyncio.wait([*self._state.tasks], timeout=_GONE_S)
        for connection in [*self._state.connections]:
            if connection.transport is not None:
                connection.transport.abort()

    def _tell_the_time(self) -> None:
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]

    def _listeners(self) -> Sequence[socket.socket]:
        """Return what to accept on: sockets of several processes, or our own. Raises: StartError."""
        if self._shared:
            self.port = 0 if self._path is not None else self._shared[0].getsockname()[1]
            return self._shared
        if self._path is None:
            bound, self.port = bind_each("http_listen", self._address)
            return bound
        check_free("http_listen", self._address)
        try:
            listener = unix_socket.bind(self._path, self._mode)
        except OSError as error:
            raise refusal("http_listen", self._address, (error.strerror or str(error)).lower()) from None
        self._made = unix_socket.identity(self._path)
        return [listener]


class _Connection(H11Protocol):
    """A connection that waits only so long for a request, and ends the work for a caller that has gone."""

    def __init__(self, config: uvicorn.Config, state: ServerState, most: int) -> None:
        super().__init__(config, state, {})
        self._most = most
        self._waiting_since: float | None = monotonic()
        self._answering: asyncio.Task[Any] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
        super().connection_made(transport)
        if len(self.connections) > self._most and not self._make_room():
            transport.abort()
            return
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        chain = [ssl.DER_cert_to_PEM_cert(certificate)] if certificate else []
        app = self.app

        async def unless_refused(send: Send, message: Message) -> None:
            self._waiting_since = monotonic()  # for it to take what was sent before
            try:
                await send(message)
            except h11.LocalProtocolError:
                # The rest of a request broke the framing after its head was handed on: it has had its 400.
                transport.abort()
            self._waiting_since = None

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            self._waiting_since = None
            self._answering = asyncio.current_task()
            scope["extensions"] = {"tls": {"client_cert_chain": chain}}
            try:
                await app(scope, receive, partial(unless_refused, send))
            finally:
                self._answering = None
                self._waiting_since = monotonic()

        self.app = answer

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._answering is not None:
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        if self.timeout_keep_alive_task is not None:
            # The next request begins; the time between two is bounded by the other timer.
            self._waiting_since = monotonic()
        super().data_received(data)

    def dawdles(self, before: float) -> bool:
        """Say whether its client has been awaited since before an instant; between two requests it may be idle.

        A client is awaited that sends a request, and one that takes an answer, the last one too.
        """
        since = self._waiting_since
        idle = self.timeout_keep_alive_task is not None and not self.transport.is_closing()
        return since is not None and since < before and not idle

    def close(self) -> None:
        """Close it at once: there is nothing yet that could have an answer, or the answer is not taken."""
        self.transport.abort()

    def shutdown(self) -> None:
        with contextlib.suppress(h11.LocalProtocolError):  # it is closing already
            super().shutdown()

    def _make_room(self) -> bool:
        """Close the connection that has waited longest for a request; say whether there was one."""
        waiting = [
            (other._waiting_since, id(other), other)
            for other in self.connections
            if isinstance(other, _Connection) and other is not self and other._waiting_since is not None
        ]
        if not waiting:
            return False
        min(waiting)[2].close()
        return True
