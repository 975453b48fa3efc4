"""Pass connections of a listening unix socket that several processes share to gRPC's own socket of this process.

gRPC for Python takes no descriptor that is there already, neither a listening one nor a connection (grpc/grpc#19133),
and a path belongs to one socket. Only unix sockets go this way: a port of TCP is shared by the kernel. Must not know
what the bytes say.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final, cast

_BACKLOG: Final = 1024
# Of one direction of one connection, before its sender is made to wait.
_BUFFER_BYTES: Final = 256 << 10


class Relay:
    """Accepts on one socket until it is closed. Connections end with either of their ends."""

    def __init__(self, listener: socket.socket, path: str) -> None:
        """Pass what comes in at `listener`, which this owns from now on, to the socket at `path`."""
        self._listener = listener
        self._path = path
        self._server: asyncio.Server | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to accept."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._accepted, sock=self._listener, backlog=_BACKLOG)

    def close(self) -> None:
        """Accept no more. Connections that are there end as gRPC ends them."""
        if self._server is not None:
            self._server.close()

    def _accepted(self) -> _End:
        outer = _End()
        connecting = asyncio.get_running_loop().create_task(self._connect(outer))
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)
        return outer

    async def _connect(self, outer: _End) -> None:
        inner = _End()
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: inner, self._path)
        except OSError:  # gRPC takes no more
            outer.abort()
            return
        await outer.made.wait()
        outer.join(inner)


class _End(asyncio.Protocol):
    """One of the two connections. It reads when there is another one to write to."""

    def __init__(self) -> None:
        self.made = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._other: asyncio.Transport | None = None
        # gRPC writes first, before it has read anything; uvloop may deliver that although reading is paused.
        self._early: list[bytes] = []
        self._gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = ours = cast(asyncio.Transport, transport)
        ours.pause_reading()
        ours.set_write_buffer_limits(_BUFFER_BYTES)
        self.made.set()

    def join(self, peer: _End) -> None:
        """Let bytes pass from now on."""
        if self._gone or peer._gone or self._transport is None or peer._transport is None:
            self.abort()
            peer.abort()
            return
        for one, other in ((self, peer), (peer, self)):
            assert one._transport is not None
            one._other = other._transport
            for data in one._early:
                one.data_received(data)
            one._early.clear()
            one._transport.resume_reading()

    def abort(self) -> None:
        """End it."""
        self._gone = True
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._other is not None:
            self._other.write(data)
        else:
            self._early.append(data)

    def eof_received(self) -> None:
        """Let the transport close: HTTP/2 has no use for half a connection."""

    def pause_writing(self) -> None:
        if self._other is not None and not self._other.is_closing():
            self._other.pause_reading()

    def resume_writing(self) -> None:
        if self._other is not None and not self._other.is_closing():
            self._other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        if self._other is not None:
            self._other.close()  # after what is still to be written
