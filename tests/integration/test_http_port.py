"""The operators' port over a real socket."""

import contextlib
import http.client
import io
import json
import select
import socket
import time
from collections.abc import Iterator

import pytest

from runtime.config.sections import LogConfig
from runtime.errors import StartError
from runtime.ops.http import OperatorsPort
from runtime.ops.log import build
from runtime.ops.metrics import Metrics


class Rig:
    """A port and what its probes answer."""

    def __init__(self, address: str = "127.0.0.1:0") -> None:
        self.metrics = Metrics("1.2.3")
        self.dead: list[str] = []
        self.unready: list[str] = []
        self.log = io.StringIO()
        self.http = OperatorsPort(
            address,
            self.metrics.registry,
            build(LogConfig(), self.log),
            live=lambda: self.dead,
            ready=lambda: self.unready,
        )
        self.http.start()

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http.port, timeout=5)
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response, body


@pytest.fixture
def rig() -> Iterator[Rig]:
    it = Rig()
    yield it
    it.http.close()


def test_metrics_are_served_in_both_formats(rig: Rig) -> None:
    """Prometheus gets the format it asks for."""
    plain, text = rig.ask("/metrics")
    assert plain.status == 200
    assert (plain.getheader("Content-Type") or "").startswith("text/plain")
    assert 'vestibule_build_info{version="1.2.3"} 1.0' in text
    assert "process_resident_memory_bytes" in text
    openmetrics, text = rig.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert (openmetrics.getheader("Content-Type") or "").startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_probes_answer_with_reasons(rig: Rig) -> None:
    """A probe is 200 or 503 with the reasons why not."""
    assert [rig.ask(path)[0].status for path in ("/livez", "/readyz")] == [200, 200]
    rig.unready = ["draining"]
    response, text = rig.ask("/readyz")
    assert (response.status, text) == (503, "draining\n")
    assert rig.ask("/livez?verbose=1")[0].status == 200
    rig.dead = ["the event loop has not turned for 11 s"]
    assert rig.ask("/livez")[0].status == 503


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "/favicon.ico"])
def test_other_paths_are_not_found(rig: Rig, path: str) -> None:
    """What is not served is 404."""
    assert rig.ask(path)[0].status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "FROBNICATE"])
def test_other_methods_are_not_allowed(rig: Rig, method: str) -> None:
    """Only reading is allowed, and the answer says so."""
    response, _ = rig.ask("/metrics", method)
    assert response.status == 405
    assert response.getheader("Allow") == "GET, HEAD"


def test_head_has_no_body(rig: Rig) -> None:
    """HEAD answers like GET, without the body."""
    response, body = rig.ask("/metrics", "HEAD")
    assert (response.status, body) == (200, "")


def test_no_version_is_shown(rig: Rig) -> None:
    """Strangers learn neither Python's nor the server's version."""
    server = rig.ask("/livez")[0].getheader("Server") or ""
    assert server == "vestibule"


def test_garbage_is_refused_without_an_echo(rig: Rig) -> None:
    """A request that is none is answered in plain text that quotes nothing of it."""
    with socket.create_connection(("127.0.0.1", rig.http.port), timeout=5) as raw:
        raw.sendall(b"<script>alert(1)</script> x y z\r\n\r\n")
        answer = raw.recv(4096)
    assert b"script" not in answer
    assert b" 400 " in answer.split(b"\r\n")[0]


def test_a_silent_connection_delays_no_other(rig: Rig) -> None:
    """A client that connects and says nothing does not delay the next one."""
    with socket.create_connection(("127.0.0.1", rig.http.port), timeout=5):
        assert rig.ask("/livez")[0].status == 200


def test_clients_that_send_a_byte_now_and_then_keep_no_probe_out(rig: Rig) -> None:
    """Each byte buys a connection time; as many as may be open still leave /livez answered, time and again."""
    slow = [socket.create_connection(("127.0.0.1", rig.http.port), timeout=5) for _ in range(16)]
    try:
        for each in slow:
            each.sendall(b"GET /livez HTTP/1.0\r\nX: ")
        for _ in range(3):
            assert rig.ask("/livez")[0].status == 200
            for at, each in enumerate(slow):
                with contextlib.suppress(ConnectionError):
                    each.sendall(b"x")
                    continue
                each.close()
                slow[at] = socket.create_connection(("127.0.0.1", rig.http.port), timeout=5)
    finally:
        for each in slow:
            each.close()


def test_connections_are_bounded(rig: Rig) -> None:
    """Over sixteen open connections the oldest ones are closed, and a slot that frees serves again."""
    held = [socket.create_connection(("127.0.0.1", rig.http.port), timeout=5) for _ in range(20)]
    try:
        give_up = time.monotonic() + 5
        while len(closed := select.select(held, [], [], 0.05)[0]) < 4:
            assert time.monotonic() < give_up
        assert closed == held[:4]
    finally:
        for each in held:
            each.close()
    give_up = time.monotonic() + 5
    while True:
        try:
            assert rig.ask("/livez")[0].status == 200
            return
        except (http.client.HTTPException, ConnectionError):
            assert time.monotonic() < give_up


def test_a_failing_exporter_is_our_fault_and_logged(rig: Rig) -> None:
    """When the metrics cannot be collected the log says so, and the port lives on."""

    def broken() -> dict[str, int]:
        raise KeyError("hunter2")

    rig.metrics.watch_workers(broken)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        rig.ask("/metrics")
    assert rig.ask("/livez")[0].status == 200
    (line,) = [json.loads(line) for line in rig.log.getvalue().splitlines()]
    assert (line["event"], line["error"]) == ("http.failed", "KeyError")


def test_a_port_in_use_is_one_clear_line(rig: Rig) -> None:
    """The second one on a port says which address and what to do."""
    with pytest.raises(StartError, match=r"metrics_listen: cannot listen on .* address already in use"):
        Rig(f"127.0.0.1:{rig.http.port}")


def test_closing_releases_the_port() -> None:
    """After close the port is free again at once."""
    first = Rig()
    port = first.http.port
    first.http.close()
    second = Rig(f"127.0.0.1:{port}")
    assert second.ask("/livez")[0].status == 200
    second.http.close()
