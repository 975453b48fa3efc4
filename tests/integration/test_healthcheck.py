"""`vestibule healthcheck` against a real daemon: ready, draining, gone, behind TLS, and one that does not answer."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.certificates import issue
from tests.fixtures.commands import vestibule
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.waiting import until

OK, UNEXPECTED, USAGE, UNREACHABLE = 0, 1, 2, 5


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    authority = issue("an authority", authority=True)
    (tmp_path / "authority.pem").write_bytes(authority.pem)
    cert, key = issue("server", by=authority).write(tmp_path, "server")
    tls = ("--tls-cert-file", str(cert), "--tls-key-file", str(key), "--tls-metrics")
    with served(tmp_path, *tls, "--drain-delay-s", "60") as daemon:
        yield daemon


def test_it_says_ready_draining_and_gone(daemon: Daemon, tmp_path: Path) -> None:
    """0 while it takes logins, 1 with the reason while it drains, 5 once it is gone; by its own file of settings."""
    address = daemon.wait_for("daemon.started")["metrics_listen"]
    file = tmp_path / "vestibule.toml"
    file.write_text(f'metrics_listen = "{address}"\n[tls]\nmetrics = true\n')
    probe = ("healthcheck", "--config", str(file))
    grpc = ("healthcheck", "--target", daemon.target, "--tls-ca", str(tmp_path / "authority.pem"))

    until(lambda: vestibule(*probe).returncode == OK, "a daemon that is ready")
    done = vestibule(*probe)
    assert (done.stdout, done.stderr) == (f"{address}/readyz: ok\n", "")
    done = vestibule(*grpc)
    assert (done.returncode, done.stdout) == (OK, f"{daemon.target}: SERVING\n")
    assert vestibule("healthcheck", "--target", daemon.target).returncode == UNREACHABLE  # without TLS

    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait_for("daemon.ending")
    done = vestibule(*probe)
    assert (done.returncode, done.stderr) == (UNEXPECTED, f"vestibule: {address}/readyz: draining\n")
    assert vestibule(*probe, "--live").returncode == OK
    done = vestibule(*grpc)
    assert (done.returncode, done.stdout) == (UNEXPECTED, f"{daemon.target}: NOT_SERVING\n")

    daemon.process.send_signal(signal.SIGTERM)
    daemon.process.wait(60)
    done = vestibule(*probe)
    assert done.returncode == UNREACHABLE
    assert done.stderr.startswith(
        f"vestibule: no daemon answers at {address}: connection refused; is `vestibule serve`"
    )
    assert vestibule(*grpc).returncode == UNREACHABLE


def test_one_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    """A port that takes the connection and says nothing is no daemon: it ends in its time, with 5, by either way."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        for way in ("--metrics-listen", "--target"):
            done = vestibule("healthcheck", way, address, "--timeout", "0.2")
            assert done.returncode == UNREACHABLE
            assert f"no daemon answers at {address}" in done.stderr


def test_a_wrong_command_line_is_refused() -> None:
    """Liveness is asked of the port of metrics alone; a time is seconds."""
    done = vestibule("healthcheck", "--live", "--target", "127.0.0.1:1")
    assert (done.returncode, "leave the flags for a connection out" in done.stderr) == (USAGE, True)
    assert vestibule("healthcheck", "--timeout", "soon").returncode == USAGE
