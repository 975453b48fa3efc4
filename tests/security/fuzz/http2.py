"""Raw HTTP/2: a real call's bytes taken from the wire, taken apart into frames, and said again to a server.

Not a test module. Knows frames, not what is in them.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
HEAD_BYTES = 9
GRPC_PREFIX_BYTES = 5
# How long to look for an answer before the client goes away; that one came is asserted of good calls only.
LOOK_S = 0.05
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Frame:
    """One frame. Source: RFC 9113, 4.1."""

    kind: int
    flags: int
    stream: int
    payload: bytes
    length: int | None = None
    """What it says of its length, when that is a lie."""

    def encode(self) -> bytes:
        """Write it as it stands, sense or not."""
        length = len(self.payload) if self.length is None else self.length
        head = length.to_bytes(3, "big") + bytes((self.kind & 255, self.flags & 255))
        return head + (self.stream & 0xFFFFFFFF).to_bytes(4, "big") + self.payload

    def on(self, stream: int) -> Frame:
        """Return it on another stream, unless it belongs to the connection."""
        return replace(self, stream=stream) if self.stream else self


# RFC 7541: POST, http, an :authority, a :path that is not UTF-8, and what gRPC wants besides.
NOT_TEXT = Frame(
    HEADERS, END_HEADERS, 1, b"\x83\x86\x41\1a\x44\4/\xff\xfe/\x5f\x10application/grpc\x40\2te\x08trailers"
)
NOT_TEXT_CALL = PREFACE + Frame(SETTINGS, 0, 0, b"").encode() + NOT_TEXT.encode()
"""A whole connection with one such call."""


def frames(data: bytes) -> tuple[list[Frame], bytes]:
    """Take a stream apart; what is not a whole frame is left over."""
    found = []
    while len(data) >= HEAD_BYTES:
        end = HEAD_BYTES + int.from_bytes(data[:3], "big")
        if len(data) < end:
            break
        stream = int.from_bytes(data[5:9], "big") & 0x7FFFFFFF
        found.append(Frame(data[3], data[4], stream, data[HEAD_BYTES:end]))
        data = data[end:]
    return found, data


def record(target: str, call: Callable[[str], object]) -> list[Frame]:
    """Let a client make a call through us; return what it said, without the preface."""
    host, port = target.rsplit(":", 1)
    said = bytearray()

    def pump(source: socket.socket, sink: socket.socket, note: bytearray | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if note is not None:
                    note += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client, socket.create_connection((host, int(port))) as server:
                back = threading.Thread(target=pump, args=(server, client, None))
                back.start()
                pump(client, server, said)
                back.join()

        thread = threading.Thread(target=serve)
        thread.start()
        call(f"127.0.0.1:{listener.getsockname()[1]}")
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    data = bytes(said)
    assert data.startswith(PREFACE)
    found, rest = frames(data[len(PREFACE) :])
    assert not rest
    return found


def _read(sock: socket.socket, said: bytearray, ended: Callable[[bytes], bool]) -> None:
    while not ended(bytes(said)):
        more = sock.recv(1 << 16)
        if not more:
            return
        said += more


def _answered(said: bytes) -> bool:
    return any((f.kind in (DATA, HEADERS) and f.flags & END_STREAM) or f.kind == GOAWAY for f in frames(said)[0])


def say(target: str, chunks: list[bytes], *, patient: bool = False) -> bytes:
    """Say bytes to a server and go away; return all that it says until it closes its side, which it must.

    Args:
        patient: wait for an answer as long as it takes, and not only a little.
    """
    host, port = target.rsplit(":", 1)
    said = bytearray()
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for chunk in chunks:
                sock.sendall(chunk)
            sock.settimeout(PATIENCE_S if patient else LOOK_S)
            with contextlib.suppress(TimeoutError):
                _read(sock, said, _answered)
            sock.settimeout(PATIENCE_S)
            sock.shutdown(socket.SHUT_WR)
            _read(sock, said, lambda _: False)
        except OSError as error:
            # It may hang up on a client that makes no sense; it may not keep one that has gone.
            if error.errno not in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN):
                raise
    return bytes(said)


def message(said: bytes, stream: int = 1) -> bytes | None:
    """Return the gRPC message that a server said on a stream, when it is whole."""
    data = b"".join(f.payload for f in frames(said)[0] if f.kind == DATA and f.stream == stream)
    if len(data) < GRPC_PREFIX_BYTES:
        return None
    length = int.from_bytes(data[1:GRPC_PREFIX_BYTES], "big")
    return data[GRPC_PREFIX_BYTES:] if len(data) == GRPC_PREFIX_BYTES + length else None
