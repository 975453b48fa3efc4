"""Clients that are slow, that stop half-way, that never read their answer and that leave at any moment.

None of them holds a worker, a place among the logins in flight or the drain; everybody else is served.
"""

import contextlib
import random
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from vestibule.v1 import runtime_service_pb2

from tests.calls import METHOD, health, result, unary
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.states import beyond_workers, right
from tests.fixtures.tenants import ADA, GATE, LOOP, MFA, define
from tests.fixtures.waiting import PATIENCE_S, until
from tests.security.fuzz import http2
from tests.security.fuzz.http2 import Frame

pytestmark = pytest.mark.long  # a drill

CLIENTS = 40
# So few logins may be in flight that a client which held a place would be noticed.
MAX_IN_FLIGHT = 4
NAMES = tuple(f"t{at}" for at in range(10))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with few places."""
    flags = ("--limits-max-in-flight", str(MAX_IN_FLIGHT), "--limits-tenant-share", "1")
    with served(tmp_path, *flags, "--pool-queue-wait-ms", "20000") as daemon:
        daemon.publish(define("acme", GATE), define("slow", LOOP, timeout_ms=300), *(define(n, GATE) for n in NAMES))
        right(daemon)
        yield daemon


def call_frames(daemon: Daemon) -> list[Frame]:
    """Return what a client says that makes one call."""
    request = runtime_service_pb2.ExecutePostLoginRequest(tenant_id="acme", event=ADA).SerializeToString()

    def call(target: str) -> None:
        with grpc.insecure_channel(target) as channel:
            unary(channel, METHOD)(request, timeout=PATIENCE_S)

    return http2.record(daemon.target, call)


def connect(daemon: Daemon) -> socket.socket:
    """Open a connection of our own."""
    host, port = daemon.target.rsplit(":", 1)
    sock = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def own(daemon: Daemon) -> int:
    """Count the daemon's descriptors apart from workers', of which each takes four."""
    return daemon.descriptors() - 4 * len(daemon.workers())


def free(daemon: Daemon) -> None:
    """No login is in flight and no worker is busy."""
    daemon.wait_in_flight(0)
    until(lambda: daemon.metric("vestibule_workers", state="busy") == 0, "every worker is free")


def test_a_client_that_sends_byte_by_byte_is_decided(daemon: Daemon) -> None:
    """Its login is none until it is whole, others are decided meanwhile, and then it is decided like any other."""
    said = http2.PREFACE + b"".join(frame.encode() for frame in call_frames(daemon))
    with connect(daemon) as sock:
        for at in range(len(said)):
            if at % 100 == 0:
                assert daemon.metric("vestibule_logins_in_flight") == 0
                right(daemon)
            sock.sendall(said[at : at + 1])
        answer = bytearray()
        while http2.message(bytes(answer)) is None:
            more = sock.recv(1 << 16)
            assert more
            answer += more
    response = runtime_service_pb2.ExecutePostLoginResponse.FromString(http2.message(bytes(answer)) or b"")
    assert (response.decision.outcome, response.decision.degraded) == (MFA, False)


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_clients_that_stop_half_way_hold_nothing(daemon: Daemon, share: float) -> None:
    """Many times as many as there are places, for as long as they like; once they leave, so do their descriptors."""
    frames = call_frames(daemon)
    (last,) = (at for at, frame in enumerate(frames) if frame.kind == http2.DATA and frame.payload)
    said = http2.PREFACE + b"".join(frame.encode() for frame in frames[: last + 1])
    right(daemon)
    before, _ = beyond_workers(daemon, blank=1)
    with contextlib.ExitStack() as open_ones:
        for _ in range(CLIENTS):
            open_ones.enter_context(connect(daemon)).sendall(said[: int(len(said) * share)])
        until(lambda: own(daemon) >= before + CLIENTS, "all are connected")
        for _ in range(10):
            right(daemon)
        free(daemon)
    until(lambda: beyond_workers(daemon, blank=1)[0] <= before, "their descriptors are gone")
    right(daemon)


def silent(daemon: Daemon, frames: list[Frame]) -> socket.socket:
    """Make a call whose answer the server may not send: the client opens no window for it."""
    sock = connect(daemon)
    no_window = Frame(http2.SETTINGS, 0, 0, b"\0\4\0\0\0\0")
    ours = [frame for frame in frames if frame.kind != http2.WINDOW_UPDATE]
    sock.sendall(http2.PREFACE + b"".join(frame.encode() for frame in (no_window, *ours)))
    return sock


def test_clients_that_never_read_their_answer_hold_nothing(daemon: Daemon) -> None:
    """Their logins are decided and their workers free; others are served; once they leave, nothing is left of them."""
    frames = [frame for frame in call_frames(daemon) if frame.kind != http2.SETTINGS]
    right(daemon)
    before, _ = beyond_workers(daemon, blank=1)
    decided = daemon.metric("vestibule_decisions_total", outcome="mfa_required")
    with contextlib.ExitStack() as open_ones:
        for at in range(CLIENTS):
            open_ones.enter_context(silent(daemon, frames))
            until(
                lambda: daemon.metric("vestibule_decisions_total", outcome="mfa_required") == decided + at + 1,  # noqa: B023  called within this turn of the loop
                "it is decided",
            )
        for _ in range(10):
            right(daemon)
        free(daemon)
        assert daemon.metric("vestibule_sheds_total", reason="in_flight") == 0
    until(lambda: beyond_workers(daemon, blank=1)[0] <= before, "their descriptors are gone")
    right(daemon)


def test_a_client_that_never_reads_does_not_hold_the_drain(tmp_path: Path) -> None:
    """The drain waits for it no longer than it waits for anybody, and the exit code is 0."""
    with served(tmp_path, "--drain-s", "2") as daemon:
        daemon.publish(define("acme", GATE))
        frames = [frame for frame in call_frames(daemon) if frame.kind != http2.SETTINGS]
        decided = daemon.metric("vestibule_decisions_total", outcome="mfa_required")
        with silent(daemon, frames):
            until(lambda: daemon.metric("vestibule_decisions_total", outcome="mfa_required") == decided + 1, "decided")
            began_s = time.monotonic()
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.wait() == 0
            assert time.monotonic() - began_s < 2.0 + 10.0


def test_one_connection_cannot_hold_any_number_of_calls(daemon: Daemon) -> None:
    """Calls that never become whole are refused beyond twice what may be in flight; others are served all the while."""
    (head,) = (frame for frame in call_frames(daemon) if frame.kind == http2.HEADERS)
    allowed = 128
    refused: list[Frame] = []
    with connect(daemon) as sock:
        sock.sendall(http2.PREFACE + Frame(http2.SETTINGS, 0, 0, b"").encode())
        heard = sock.recv(1 << 16)
        sock.sendall(Frame(http2.SETTINGS, 1, 0, b"").encode())
        for at in range(allowed + 40):
            sock.sendall(head.on(2 * at + 1).encode())
        while len(refused) < 40:
            heard += sock.recv(1 << 16)
            refused = [frame for frame in http2.frames(heard)[0] if frame.kind == http2.RST_STREAM]
        right(daemon)
        free(daemon)
    assert {frame.stream for frame in refused} == {2 * at + 1 for at in range(allowed, allowed + 40)}
    right(daemon)


def test_a_health_watch_that_is_never_read_holds_neither_other_watches_nor_the_drain(tmp_path: Path) -> None:
    """A load balancer still hears of the daemon's state at once, also that it drains, and the exit code is 0."""

    def watch(channel: grpc.Channel) -> Iterator[health_pb2.HealthCheckResponse]:
        stream: Iterator[health_pb2.HealthCheckResponse] = health(channel).Watch(
            health_pb2.HealthCheckRequest(), timeout=PATIENCE_S
        )
        return stream

    def call(target: str) -> None:
        with grpc.insecure_channel(target) as channel:
            next(watch(channel))

    with served(tmp_path, "--drain-s", "2") as daemon:
        said = http2.record(daemon.target, call)
        frames = [frame for frame in said if frame.kind in (http2.HEADERS, http2.DATA)]
        assert frames
        with silent(daemon, frames) as sock, grpc.insecure_channel(daemon.target) as channel:
            heard = b""
            while not any(frame.kind == http2.HEADERS for frame in http2.frames(heard)[0]):
                heard += sock.recv(1 << 16)
            other = watch(channel)
            assert next(other).status == health_pb2.HealthCheckResponse.SERVING
            daemon.process.send_signal(signal.SIGTERM)
            assert next(other).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert list(other) == []
            assert daemon.wait() == 0


def test_clients_that_leave_at_any_moment(daemon: Daemon) -> None:
    """After hundreds of logins cancelled before, while and after they run, cold, warm and looping, no worker is lost,
    none died, and every tenant is right.
    """
    chance = random.Random(11)
    died = daemon.metric("vestibule_worker_exits_total", reason="died")
    for at in range(300):
        call = daemon.begin(chance.choice((*NAMES, "acme", "slow")))
        if at % 3:
            time.sleep(chance.uniform(0.0, 0.006))
        call.cancel()
        if at % 60 == 0:
            # Who left a moment ago has a place, of which there are few here, until the daemon hears of it.
            daemon.wait_in_flight(0)
            right(daemon)
    free(daemon)
    assert daemon.metric("vestibule_worker_exits_total", reason="died") == died
    for name in NAMES:
        right(daemon, name)
    assert result(daemon.begin("slow")).degraded
    beyond_workers(daemon, blank=1)
