"""Whatever a client sends to either port is no error of ours: a real daemon logs none, and decides logins as before."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from tests.calls import METHOD
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.states import right
from tests.fixtures.tenants import GATE, define
from tests.fronts import STOCK_LATER
from tests.integration.test_keepalive import PREFACE, SETTINGS, frame

DATA, HEADERS, RST_STREAM, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
BEGIN = PREFACE + frame(SETTINGS)
GARBAGE = b"\0\0\0\0\x04\xff\xff\xff\xff"
STREAM = "/vestibule.v1.ActionRuntimeService/StreamPostLogin"
HEALTH, REFLECTION = "/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
TIMES = 8


def on_stream(stream: int, kind: int, flags: int, payload: bytes) -> bytes:
    """Write a frame of a stream. Source: RFC 9113, section 4.1."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def call(path: str | bytes = METHOD, body: bytes = b"\0\0\0\0\0", **headers: bytes) -> bytes:
    """Write a whole call, with headers as literals."""
    given = {":method": b"POST", ":scheme": b"http", ":path": path if isinstance(path, bytes) else path.encode()}
    given |= {":authority": b"x", "te": b"trailers", "content-type": b"application/grpc"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    block = b"".join(b"\0" + text(name.encode()) + text(value) for name, value in given.items())
    return BEGIN + on_stream(1, HEADERS, END_HEADERS, block) + on_stream(1, DATA, END_STREAM, body)


def text(value: bytes) -> bytes:
    """Write a string as HPACK does. Source: RFC 7541, sections 5.1 and 5.2."""
    if len(value) < 127:
        return bytes([len(value)]) + value
    rest, tail = len(value) - 127, b""
    while rest >= 128:
        rest, tail = rest // 128, tail + bytes([rest % 128 + 128])
    return b"\x7f" + tail + bytes([rest]) + value


NOT_TEXT = "a path that is not text"
GRPC = {
    "garbage": os.urandom(2000),
    "HTTP/1.1": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a TLS handshake": bytes.fromhex("1603010200010001fc0303") + os.urandom(500),
    "garbage after the preface": PREFACE + os.urandom(500),
    "a header block that is none": BEGIN + on_stream(1, HEADERS, END_HEADERS, b"\xff" * 8),
    NOT_TEXT: call(b"/\xff\xfe"),
    "no path": call(b""),
    "an unknown method": call("/a.b/C"),
    "no message": call(body=b""),
    "two messages": call(body=b"\0\0\0\0\0" * 2),
    "a message that is none": call(body=GARBAGE),
    "a compressed one that is none": call(body=b"\x01" + GARBAGE[1:], grpc_encoding=b"gzip"),
    "an unknown compression": call(body=b"\x01" + GARBAGE[1:], grpc_encoding=b"zstd"),
    "four gigabytes announced": call(body=b"\0\xff\xff\xff\xff"),
    "a deadline that is none": call(grpc_timeout=b"banana"),
    "a deadline that has passed": call(grpc_timeout=b"0n"),
    "another content type": call(content_type=b"text/plain"),
    "a header that is no base64": call(x_bin=b"!!!"),
    "headers of 16 KiB": call(x_y=b"a" * 16_000),
    "health: a message that is none": call(HEALTH + "Check", GARBAGE),
    "health: an unknown service": call(HEALTH + "Check", b"\0\0\0\0\x05\x0a\x03abc"),
    "health: no message": call(HEALTH + "Check", b""),
    "health: a watch that is left": call(HEALTH + "Watch"),
    "health: a watch of what is none": call(HEALTH + "Watch", GARBAGE),
    "reflection: a message that is none": call(REFLECTION, GARBAGE),
    "a stream that is half a message": call(STREAM, b"\0\0\0\0\x64\x0a\x10"),
    "a stream of no message": call(STREAM, b""),
    "a stream whose message is none": call(STREAM, GARBAGE),
    "a stream with a compressed message that is none": call(STREAM, b"\x01" + GARBAGE[1:], grpc_encoding=b"gzip"),
    "a stream that is left": call(STREAM, b"\0\0\0\0\x04\x0a\x02\x08\x01")[: -len("0123")],
    "calls that are reset": BEGIN
    + b"".join(
        call()[len(BEGIN) :].replace(b"\0\0\0\1", struct.pack(">I", stream))
        + on_stream(stream, RST_STREAM, 0, b"\0" * 4)
        for stream in range(1, 101, 2)
    ),
    "continuations without end": call()[:-14] + on_stream(1, CONTINUATION, 0, text(b"x") + text(b"y")) * 200,
    "a window beyond all": BEGIN + on_stream(0, WINDOW_UPDATE, 0, b"\x7f\xff\xff\xff") * 2,
    "settings without end": BEGIN + frame(SETTINGS) * 500,
    "a farewell": BEGIN + on_stream(0, GOAWAY, 0, b"\0" * 8 + b"\xff" * 100),
}
HTTP = {
    "a version that is none": b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text; version=\xff\r\n\r\n",
    "separators only": b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version;,;=\r\n\r\n",
    "another version that is none": b"GET /metrics HTTP/1.1\r\nAccept: text/plain;version=x.y;escaping=z\r\n\r\n",
    "a method that is none": b"\xff\0 / HTTP/1.1\r\n\r\n",
    "a version of HTTP that is none": b"GET / HTTP/99999999999999999999.1\r\n\r\n",
    "garbage": os.urandom(500) + b"\r\n\r\n",
    "too many headers": b"GET /livez HTTP/1.1\r\n" + b"a: b\r\n" * 300 + b"\r\n",
    "headers that are none": b"GET /livez HTTP/1.1\r\n\xff: x\r\n:\r\n \r\n\r\n",
    "an address that is none": b"GET http://[::1/ HTTP/1.1\r\n\r\n",
}


@pytest.fixture(scope="module", params=STOCK_LATER)
def daemon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that says all it could say."""
    flags = ("--log-level", "debug", "--rpc-front", request.param)
    with served(tmp_path_factory.mktemp("hostile"), *flags) as daemon:
        daemon.publish(define("acme", GATE))
        # Complaints at level debug are for developers; the tests hold the levels.
        daemon.tolerated.add("library.complained")
        yield daemon


def send(address: str, data: bytes) -> None:
    """Send bytes on a connection of their own, and read until the peer says no more."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        try:
            connection.sendall(data)
            connection.settimeout(0.05)
            while connection.recv(65_536):
                continue
        except OSError:
            return


def flood(address: str, inputs: dict[str, bytes]) -> None:
    """Send each input some times, from several threads."""

    def some() -> None:
        for data in inputs.values():
            for _ in range(TIMES // 4):
                send(address, data)

    threads = [threading.Thread(target=some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_no_input_of_a_client_is_an_error_of_ours(daemon: Daemon) -> None:
    """Whatever bytes come, no line is a warning or an error, libraries write nothing, and logins are right.

    A path that is not text ends a server of the stock front: see test_fronts.py.
    """
    before = len(daemon.lines)
    stock = daemon.metric("vestibule_rpc_front", front="stock") == 1
    flood(daemon.target, {name: data for name, data in GRPC.items() if not (stock and name == NOT_TEXT)})
    flood(daemon.http.removeprefix("http://"), HTTP)
    right(daemon)
    daemon.wait_for("login.decided", after=before)
    lines = daemon.lines[before:]
    assert [line for line in lines if line["level"] in ("warning", "error")] == []
    assert daemon.stray == []
    # The control: the inputs arrived. Some are refused logins, of some gRPC complains where developers see it.
    assert daemon.events("login.refused")
    assert {line["error"] for line in daemon.events("library.complained")} >= {"DecodeError"}
