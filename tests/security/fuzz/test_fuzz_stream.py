"""The bytes of a real call, cut anywhere and damaged anyhow, against a real daemon: it serves on, and loses nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grpc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from vestibule.v1 import decision_pb2, runtime_service_pb2

from tests.calls import METHOD, unary
from tests.effort import effort
from tests.fixtures.commands import TIED
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.states import beyond_workers, right
from tests.fixtures.tenants import ADA, ALLOW, BOB, GATE, MFA, define
from tests.fixtures.waiting import PATIENCE_S, until
from tests.fronts import RESTARTS, STOCK_LATER, recovered
from tests.security.fuzz import http2
from tests.security.fuzz.damage import Edit, damaged, edits, pieces
from tests.security.fuzz.findings import seeds
from tests.security.fuzz.http2 import Frame

STREAM = "/vestibule.v1.ActionRuntimeService/StreamPostLogin"
SECRET = "hunter2-of-the-tenant"
MARK = "only-the-author-knows"
SOURCE = f"""\
# {MARK}
def on_execute_post_login(event, api):
    if event.secrets["KEY"] and event.user.email == "ada@example.com":
        api.multifactor.enable("any")
"""


class Port:
    """A daemon's gRPC port, with a good call to it in frames: of one login, or a stream with a login."""

    def __init__(self, daemon: Daemon, front: str, *, stream: bool) -> None:
        self.daemon = daemon
        self.front = front
        self._stream = stream
        request = runtime_service_pb2.ExecutePostLoginRequest(tenant_id="acme", request_id="r", event=ADA)
        self._data = request.SerializeToString()
        if stream:
            message = runtime_service_pb2.StreamPostLoginRequest(items=[{"id": 1, "execute": request}], cancel=[2])
            self._data = message.SerializeToString()
        self.good = http2.record(daemon.target, self._call)
        self.bytes = encoded(self.good)
        # What the first call leaves open for good, such as threads' wake-up descriptors, is no leak.
        self.decide()
        self._descriptors, _ = beyond_workers(daemon, blank=1)

    def _call(self, target: str) -> None:
        with grpc.insecure_channel(target) as channel:
            if self._stream:
                method: Any = channel.stream_stream(STREAM)
                assert len(list(method(iter([self._data]), timeout=PATIENCE_S))) == 1
            else:
                unary(channel, METHOD)(self._data, timeout=PATIENCE_S)

    def _read(self, answer: bytes) -> runtime_service_pb2.ExecutePostLoginResponse | None:
        """Return what a message answers; None for a login of a stream that was damaged into one without a decision."""
        if not self._stream:
            return runtime_service_pb2.ExecutePostLoginResponse.FromString(answer)
        items = runtime_service_pb2.StreamPostLoginResponse.FromString(answer).items
        assert all(item.WhichOneof("answer") for item in items)
        return next((item.execute for item in items if item.HasField("execute")), None)

    def _own_descriptors(self) -> int:
        """Count what is open apart from workers, whose number follows the load; each takes four."""
        return self.daemon.descriptors() - 4 * len(self.daemon.workers())

    def decide(self) -> None:
        """Hold the daemon to its next answers: on the connection that was there before, and on one of its own."""
        ada, bob = self.daemon.call("acme", ADA), self.daemon.call("acme", BOB)
        assert (ada.outcome, ada.degraded, bob.outcome) == (MFA, False, ALLOW)
        said = http2.say(self.daemon.target, [self.bytes], patient=True)
        response = self._read(http2.message(said) or b"")
        assert response is not None
        assert (response.decision.outcome, response.request_id) == (MFA, "r")

    def hurt(self, chunks: list[bytes]) -> None:
        """Say something to it: what it answers holds nothing of the tenant's, and the next logins are right.

        Another tenant's at once, its own when it is known to have left.
        """
        said = http2.say(self.daemon.target, chunks)
        for private in (SECRET, MARK, "Traceback", "/runtime/"):
            assert private.encode() not in said
        answer = http2.message(said)
        if answer and (response := self._read(answer)) is not None:
            # The event may have been damaged into another user's; it never becomes no decision at all.
            assert response.decision.outcome != decision_pb2.OUTCOME_UNSPECIFIED
        if self.front == "stock":
            recovered(self.daemon, "other")
        right(self.daemon, "other")
        # Until then, what it began and did not wait for may fill its tenant's queue.
        self.daemon.wait_in_flight(0)
        self.decide()

    def check(self) -> None:
        """Hold it to what it had at first: no login in flight, no descriptor more, and healthy."""
        self.daemon.wait_in_flight(0)
        until(lambda: self._own_descriptors() <= self._descriptors, "descriptors as at first")
        assert self.daemon.get("/readyz") == (200, "ok\n")


@pytest.fixture(scope="module", params=STOCK_LATER)
def front(request: pytest.FixtureRequest) -> str:
    """The front that serves."""
    name: str = request.param
    return name


@pytest.fixture(scope="module", params=["call", pytest.param("stream", marks=pytest.mark.long)])
def port(request: pytest.FixtureRequest, front: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Port]:
    """One daemon for all, so that what one example leaves behind the next ones meet."""
    with served(tmp_path_factory.mktemp("daemon"), "--rpc-front", front) as daemon:
        if front == "stock":
            daemon.tolerated |= RESTARTS
        daemon.publish(define("acme", SOURCE, secrets={"KEY": SECRET}), define("other", GATE))
        made = Port(daemon, front, stream=request.param == "stream")
        yield made
        made.check()


def encoded(parts: list[Frame]) -> bytes:
    return http2.PREFACE + b"".join(frame.encode() for frame in parts)


def test_control_the_good_call_is_decided_and_goes_through_the_flow(port: Port) -> None:
    """Control: the recorded bytes are one whole call, in more than a frame, and said again they are decided again."""
    kinds = [frame.kind for frame in port.good]
    assert {http2.SETTINGS, http2.HEADERS, http2.DATA} <= set(kinds)
    before = port.daemon.metric("vestibule_decisions_total", outcome="mfa_required")
    port.decide()
    assert port.daemon.metric("vestibule_decisions_total", outcome="mfa_required") == before + 2


@effort(60)
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 1 << 32))
@example(0.0, 0)
def test_a_stream_cut_anywhere_is_let_go(port: Port, place: float, seed: int) -> None:
    """Wherever a client leaves in the middle of its call, the daemon closes, serves on and keeps nothing."""
    port.hurt(pieces(port.bytes[: int(place * len(port.bytes))], seed))
    port.daemon.wait_in_flight(0)


@effort(100)
@given(edits, st.integers(0, 1 << 32))
def test_any_damage_to_a_stream_hurts_no_other_client(port: Port, harm: list[Edit], seed: int) -> None:
    """Whatever bytes a client says, other connections are served, and rightly."""
    port.hurt(pieces(damaged(port.bytes, harm), seed))


Change = tuple[int, int, int, bytes]
changes = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.integers(0, 1 << 16),
        st.one_of(st.integers(0, 12), st.sampled_from([0xFFFFFF, 0x7FFFFF])),
        st.binary(max_size=12),
    ),
    min_size=1,
    max_size=5,
)


def changed(good: list[Frame], wanted: list[Change]) -> list[Frame]:
    """Change whole frames: drop, repeat, move, and lie about their kind, flags, stream, length and content."""
    parts = list(good)
    for what, where, number, data in wanted:
        if not parts:
            break
        at = where % len(parts)
        frame = parts[at]
        match what:
            case 0:
                del parts[at]
            case 1:
                parts[at:at] = [frame] * (1 + number % 40)
            case 2:
                parts.insert(number % len(parts), parts.pop(at))
            case 3:
                parts[at] = replace(frame, kind=number)
            case 4:
                parts[at] = replace(frame, flags=frame.flags ^ (1 << number % 8))
            case 5:
                parts[at] = replace(frame, stream=number)
            case 6:
                parts[at] = replace(frame, length=number)
            case _:
                parts[at] = replace(frame, payload=frame.payload[: where % (len(frame.payload) + 1)] + data)
    return parts


@effort(100)
@given(changes)
def test_any_frames_hurt_no_other_client(port: Port, wanted: list[Change]) -> None:
    """So are they when a client's frames come in another order, too often, or lie about themselves."""
    port.hurt([encoded(changed(port.good, wanted))])


def _floods(good: list[Frame]) -> dict[str, list[Frame]]:
    head = [frame for frame in good if frame.stream == 0]
    (headers,) = (frame for frame in good if frame.kind == http2.HEADERS)
    (data,) = (frame for frame in good if frame.kind == http2.DATA and frame.payload)
    asked = [headers, data]
    prefixes = (b"\0\xff\xff\xff\xff", b"\1\0\0\0\4", b"\7\0\0\0\4", b"\0\0\0\0\0" * 3)
    calls = [frame.on(1 + 2 * at) for at in range(200) for frame in asked]
    reset = Frame(http2.RST_STREAM, 0, 1, b"\0\0\0\x08")
    resets = [frame.on(1 + 2 * at) for at in range(500) for frame in (*asked, reset)]
    begun = replace(headers, flags=headers.flags & ~http2.END_HEADERS)
    return {
        "two hundred calls at once": head + calls,
        "five hundred calls that are reset at once": head + resets,
        "methods that are not text": [
            *head,
            *[frame.on(1 + 2 * at) for at in range(9) for frame in (http2.NOT_TEXT, data)],
        ],
        "headers without an end": [*head, begun, *[Frame(http2.CONTINUATION, 0, 1, b"\x40\1a\1b" * 99)] * 300],
        "settings without end": head + [Frame(http2.SETTINGS, 0, 0, b"\0\4\0\1\0\0")] * 2000,
        "pings without end": head + [Frame(http2.PING, 0, 0, bytes(8))] * 2000,
        "empty data without end": [*head, headers, *[Frame(http2.DATA, 0, 1, b"")] * 2000],
        "a window beyond its end": [*head, headers, *[Frame(http2.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff")] * 3],
        "a window of nothing": [*head, Frame(http2.SETTINGS, 0, 0, b"\0\4\0\0\0\0"), *asked],
        "a table of headers of four gigabytes": [*head, Frame(http2.SETTINGS, 0, 0, b"\0\1\xff\xff\xff\xff"), *asked],
        "priorities in a ring": [*head, *[Frame(http2.PRIORITY, 0, 1, b"\0\0\0\1\0")] * 50, *asked],
        **{
            f"a message that lies: {prefix.hex()}": [*head, headers, replace(data, payload=prefix + data.payload[5:])]
            for prefix in prefixes
        },
    }


def test_control_a_method_that_is_not_text_ends_a_bare_grpc_server() -> None:
    """Control: one such call shuts grpc.aio's own server down. When this fails, both fronts can do without a guard."""
    echo = subprocess.Popen(
        [*TIED, sys.executable, "-m", "tests.load.echo"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with echo:
        assert echo.stdout is not None
        target = f"127.0.0.1:{int(echo.stdout.readline())}"
        good = http2.record(target, _call_echo)
        assert http2.message(http2.say(target, [encoded(good)], patient=True)) == b"hello"
        http2.say(target, [http2.NOT_TEXT_CALL])

        def gone() -> bool:
            try:
                return not http2.say(target, [])
            except (ConnectionRefusedError, ConnectionResetError):
                return True

        until(gone, "the end of a server")
        echo.kill()


def _call_echo(target: str) -> None:
    with grpc.insecure_channel(target) as channel:
        unary(channel, METHOD)(b"hello", timeout=PATIENCE_S)


FLOODS = list(_floods([Frame(http2.HEADERS, 0, 1, b"for the names"), Frame(http2.DATA, 0, 1, b"of the floods")]))


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_frames_ends_with_its_connection(port: Port, name: str) -> None:
    """What has brought down other HTTP/2 servers costs the client its connection, and no other client anything."""
    port.hurt([encoded(_floods(port.good)[name])])
    port.daemon.wait_in_flight(0)


@pytest.mark.parametrize("line", seeds("streams.txt"))
def test_seeds_of_streams(port: Port, line: str) -> None:
    """Bytes that were of interest once hurt no client."""
    port.hurt([bytes.fromhex(line)])
