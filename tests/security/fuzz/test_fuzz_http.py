"""The bytes of a real HTTP request, cut anywhere and damaged anyhow: the daemon serves on, and loses nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import example, given
from hypothesis import strategies as st

from tests.effort import effort
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.http_client import EXECUTE, ask, say
from tests.fixtures.states import beyond_workers, right
from tests.fixtures.tenants import ADA, BOB, GATE, define
from tests.fixtures.waiting import PATIENCE_S, until
from tests.security.fuzz.damage import Edit, damaged, edits, pieces

SECRET = "hunter2-of-the-tenant"
MARK = "only-the-author-knows"
SOURCE = f"""\
# {MARK}
def on_execute_post_login(event, api):
    if event.secrets["KEY"] and event.user.email == "ada@example.com":
        api.multifactor.enable("any")
"""


class Port:
    """A daemon's HTTP port, with the bytes of a good request to it."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.login: dict[str, Any] = {"tenantId": "acme", "event": json_format.MessageToDict(ADA)}
        self.body = json.dumps(self.login).encode()
        head = (f"POST {EXECUTE} HTTP/1.1", "Host: x", "Content-Type: application/json", "Connect-Protocol-Version: 1")
        more = ("Connect-Timeout-Ms: 5000", "X-Request-ID: r", f"Content-Length: {len(self.body)}", "", "")
        self.bytes = "\r\n".join([*head, *more]).encode() + self.body
        # What the first calls leave open for good, such as the connection of gRPC, is no leak.
        right(daemon, "other")
        self.decide()
        self._descriptors, _ = beyond_workers(daemon, blank=1)

    def decide(self) -> None:
        """Hold the daemon to its next answers."""
        bob = self.login | {"event": json_format.MessageToDict(BOB)}
        found = [ask(self.daemon.doors, EXECUTE, login).json["decision"]["outcome"] for login in (self.login, bob)]
        assert found == ["OUTCOME_MFA_REQUIRED", "OUTCOME_ALLOW"]

    def hurt(self, chunks: list[bytes]) -> bytes:
        """Say something to it and leave: what it answers holds nothing private, and the next logins are right."""
        host, _, port = self.daemon.doors.rpartition(":")
        said = b""
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                for chunk in chunks:
                    raw.sendall(chunk)
                raw.shutdown(socket.SHUT_WR)
                while part := raw.recv(65536):
                    said += part
            except OSError:
                pass  # it has hung up
        for private in (SECRET, MARK, "Traceback", "/runtime/", "uvicorn"):
            assert private.encode() not in said
        right(self.daemon, "other")
        self.decide()
        return said

    def _own_descriptors(self) -> int:
        return self.daemon.descriptors() - 4 * len(self.daemon.workers())

    def check(self) -> None:
        """Hold it to what it had at first: no login in flight, no descriptor more, and healthy."""
        self.daemon.wait_in_flight(0)
        until(lambda: self._own_descriptors() <= self._descriptors, "descriptors as at first")
        assert self.daemon.get("/readyz") == (200, "ok\n")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Port]:
    """One daemon for all, so that what one example leaves behind the next ones meet."""
    with served(tmp_path_factory.mktemp("daemon"), "--http-listen", "127.0.0.1:0", "--http-idle-s", "1") as daemon:
        daemon.publish(define("acme", SOURCE, secrets={"KEY": SECRET}), define("other", GATE))
        made = Port(daemon)
        yield made
        made.check()


def test_control_the_good_request_is_decided(port: Port) -> None:
    """Control: the bytes are one whole request; said on a connection that stays open they are decided."""
    host, _, number = port.daemon.doors.rpartition(":")
    with socket.create_connection((host, int(number)), timeout=PATIENCE_S) as raw:
        raw.sendall(port.bytes)
        assert raw.recv(65536).startswith(b"HTTP/1.1 200")


@effort(60)
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 1 << 32))
@example(0.0, 0)
def test_a_request_cut_anywhere_is_let_go(port: Port, place: float, seed: int) -> None:
    """Wherever a client leaves in the middle of its request, the daemon closes, serves on and keeps nothing."""
    port.hurt(pieces(port.bytes[: int(place * len(port.bytes))], seed))
    port.daemon.wait_in_flight(0)


@effort(100)
@given(edits, st.integers(0, 1 << 32))
def test_any_damage_to_a_request_hurts_no_other_client(port: Port, harm: list[Edit], seed: int) -> None:
    """Whatever bytes a client says, other connections are served, and rightly."""
    port.hurt(pieces(damaged(port.bytes, harm), seed))


@effort(100)
@given(edits, st.booleans())
def test_any_damage_to_a_body_is_answered(port: Port, harm: list[Edit], chunked: bool) -> None:
    """A whole request always has an answer of the service: a decision, or a typed error in JSON."""
    body = damaged(port.body, harm)
    answer = ask(port.daemon.doors, EXECUTE, [body] if chunked else body, content_type="application/json")
    assert answer.headers["content-type"] == "application/json"
    if answer.status == 200:
        # The event may have been damaged into another user's; it never becomes no decision at all.
        assert answer.json["decision"]["outcome"] in ("OUTCOME_ALLOW", "OUTCOME_MFA_REQUIRED")
    else:
        assert answer.json["code"] in ("invalid_argument", "not_found")
        assert answer.json["details"]
    right(port.daemon, "other")


FLOODS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "five hundred requests at once": lambda good, _: good * 500,
    "headers without an end": lambda good, _: good.partition(b"\r\n")[0] + b"\r\n" + b"a: b\r\n" * 20_000,
    "one header without an end": lambda good, _: good.partition(b"\r\n")[0] + b"\r\na: " + b"b" * (1 << 20),
    "a path without an end": lambda _, __: b"POST /" + b"a" * (1 << 20),
    "a body that never comes": lambda _, __: b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
    "a body that is asked for": lambda _, __: (
        b"POST " + EXECUTE.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n"
    ),
    "a chunk of sixteen exabytes": lambda _, __: (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}"
    ),
    "chunks of one byte": lambda _, __: (
        b"POST " + EXECUTE.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n{\r\n" * 20_000
    ),
    "chunk extensions without an end": lambda _, __: (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"a" * (1 << 20)
    ),
    "two framings": lambda good, body: (
        good.replace(b"Host: x", b"Host: x\r\nTransfer-Encoding: chunked")[: -len(body)] + b"0\r\n\r\n" + good
    ),
    "a length with a sign": lambda good, _: good.replace(b"Content-Length: ", b"Content-Length: +"),
    "an upgrade": lambda good, _: good.replace(b"Host: x", b"Host: x\r\nConnection: upgrade\r\nUpgrade: websocket"),
    "HTTP/2": lambda _, __: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9) * 1000,
    "TLS": lambda _, __: b"\x16\x03\x01\x02\x00\x01\x00" + bytes(512),
    "bare line feeds": lambda good, _: good.replace(b"\r\n", b"\n"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_ends_with_its_connection(port: Port, name: str) -> None:
    """What has brought down other HTTP servers costs the client its connection, and no other client anything."""
    port.hurt([FLOODS[name](port.bytes, port.body)])
    port.daemon.wait_in_flight(0)


@pytest.mark.parametrize("smuggled", [False, True], ids=["control", "two framings"])
def test_two_framings_smuggle_no_request(port: Port, smuggled: bool) -> None:
    """A request that has a length and chunks is refused whole: what follows it is no second request."""
    first = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
    if smuggled:
        chunked = b"Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        first = b"POST " + EXECUTE.encode() + b" HTTP/1.1\r\n" + chunked
    said = say(port.daemon.doors, first + b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (b"HTTP/1.1 200" in said) is not smuggled
