"""What a real daemon does when its log's reader stalls, leaves, or has no room: it decides, counts and ends."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import grpc
import pytest
from vestibule.v1 import decision_pb2, runtime_service_pb2

from runtime.catalog import applies
from runtime.catalog.sqlite import SqliteDatabase
from tests.calls import METHOD, unary
from tests.fixtures.commands import TIED, clean_environment, quiet_port, serve_command
from tests.fixtures.tenants import ADA, GATE, LOOP, define
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.long  # a drill

# Their lines do not fit into the log's queue and a pipe together: each tells of eight actions.
LOGINS = 801
ACTIONS = 8


class Served:
    """A daemon on ports that were chosen beforehand, for its log says nothing here."""

    def __init__(self, store: Path, stderr: int | None) -> None:
        loop = define("loop", LOOP, timeout_ms=20_000)
        applies.apply(SqliteDatabase(store), [define("acme", *([GATE] * ACTIONS)), loop])
        self.target, self.http = f"127.0.0.1:{quiet_port()}", f"127.0.0.1:{quiet_port()}"
        command = serve_command(store, "--log-format", "json", listen=self.target, metrics=self.http)
        if stderr is None:
            command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
        command = [*TIED, *command]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr, env=clean_environment())

    def decide(self, logins: int) -> None:
        """Decide so many logins, twenty at a time after the first, each rightly."""
        request = runtime_service_pb2.ExecutePostLoginRequest(tenant_id="acme", event=ADA).SerializeToString()
        with grpc.insecure_channel(self.target) as channel:
            method = unary(channel, METHOD, runtime_service_pb2.ExecutePostLoginResponse.FromString)
            method(request, timeout=PATIENCE_S, wait_for_ready=True)
            for _ in range(0, logins - 1, 20):
                for call in [method.future(request, timeout=PATIENCE_S) for _ in range(20)]:
                    assert call.result().decision.outcome == decision_pb2.OUTCOME_MFA_REQUIRED

    def metric(self, name: str) -> int:
        """Return a metric without labels."""
        with urlopen(f"http://{self.http}/metrics", timeout=PATIENCE_S) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f"{name} "):
                    return int(float(line.split()[1]))
        raise AssertionError("not counted")

    def lost(self) -> int:
        """Return how many lines the daemon says that it lost."""
        return self.metric("vestibule_log_lines_dropped_total")

    def draining(self) -> bool:
        """Does /readyz say so?"""
        try:
            urlopen(f"http://{self.http}/readyz", timeout=PATIENCE_S)
        except HTTPError as error:
            with error:
                return b"draining" in error.read()
        return False

    def terminate(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_S)


@contextmanager
def served(store: Path, stderr: int | None) -> Iterator[Served]:
    daemon = Served(store, stderr)
    try:
        yield daemon
    finally:
        daemon.process.kill()
        daemon.process.wait()


def test_a_stalled_reader_stops_neither_logins_nor_the_end(tmp_path: Path) -> None:
    """The reader never reads: all is decided, what does not fit is counted, SIGTERM ends it with 0."""
    reader, end = os.pipe()
    with served(tmp_path / "flows.db", end) as daemon:
        os.close(end)
        daemon.decide(LOGINS)
        assert daemon.lost() > 0
        assert urlopen(f"http://{daemon.http}/livez", timeout=PATIENCE_S).status == 200
        assert daemon.terminate() == 0
    os.close(reader)


def test_every_line_is_written_or_counted_when_the_reader_comes_back(tmp_path: Path) -> None:
    """A reader that stalls and reads on finds whole lines, and one that says how many are missing."""
    reader, end = os.pipe()
    with served(tmp_path / "flows.db", end) as daemon:
        os.close(end)
        daemon.decide(LOGINS)
        assert daemon.lost() > 0
        lines: list[dict[str, object]] = []
        told = threading.Event()

        def read() -> None:
            with open(reader, encoding="utf-8") as file:
                for line in file:
                    lines.append(json.loads(line))
                    if lines[-1]["event"] == "log.lines_dropped":
                        told.set()

        thread = threading.Thread(target=read)
        thread.start()
        assert told.wait(PATIENCE_S)
        lost = daemon.lost()
        assert daemon.terminate() == 0
        thread.join()
    (said,) = [line["lines"] for line in lines if line["event"] == "log.lines_dropped"]
    assert said == lost
    # Only login.decided lines were lost: the others came before.
    assert len([line for line in lines if line["event"] == "login.decided"]) + lost == LOGINS
    assert lines[-1]["event"] == "daemon.stopped"


def test_a_reader_that_left_stops_nothing(tmp_path: Path) -> None:
    """EPIPE: logins are decided, lines are counted, SIGTERM ends it with 0."""
    reader, end = os.pipe()
    os.close(reader)
    with served(tmp_path / "flows.db", end) as daemon:
        os.close(end)
        daemon.decide(21)
        assert daemon.terminate() == 0


def test_a_non_blocking_pipe_gets_every_line(tmp_path: Path) -> None:
    """EAGAIN, as of a terminal or pipe that another process made non-blocking, loses nothing while it is read."""
    reader, end = os.pipe()
    fcntl.fcntl(end, fcntl.F_SETFL, os.O_NONBLOCK | fcntl.fcntl(end, fcntl.F_GETFL))
    fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 4096)
    with served(tmp_path / "flows.db", end) as daemon, open(reader, encoding="utf-8") as file:
        os.close(end)
        lines: list[dict[str, object]] = []
        thread = threading.Thread(target=lambda: lines.extend(map(json.loads, file)))
        thread.start()
        daemon.decide(101)
        assert daemon.lost() == 0
        assert daemon.terminate() == 0
        thread.join()
    assert len([line for line in lines if line["event"] == "login.decided"]) == 101


def test_a_full_disk_changes_no_exit_code(tmp_path: Path) -> None:
    """Standard error is a full device: logins are decided, lines are counted, and the exit code is 0."""
    full = os.open("/dev/full", os.O_WRONLY)
    with served(tmp_path / "flows.db", full) as daemon:
        os.close(full)
        daemon.decide(21)
        until(lambda: daemon.lost() >= 21, "each line is counted")
        assert daemon.terminate() == 0


def test_no_file_of_ours_becomes_a_missing_standard_error(tmp_path: Path) -> None:
    """Started with a closed standard error, no store and no socket takes its number, which libraries write to."""
    with served(tmp_path / "flows.db", None) as daemon:
        daemon.decide(21)
        assert os.readlink(f"/proc/{daemon.process.pid}/fd/2") == os.devnull
        assert daemon.terminate() == 0


def test_a_second_signal_ends_it_beside_a_stalled_reader(tmp_path: Path) -> None:
    """With a login in flight that outlasts everything, the second SIGTERM goes at once."""
    reader, end = os.pipe()
    fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 4096)
    with served(tmp_path / "flows.db", end) as daemon:
        os.close(end)
        daemon.decide(21)
        request = runtime_service_pb2.ExecutePostLoginRequest(tenant_id="loop", event=ADA).SerializeToString()
        with grpc.insecure_channel(daemon.target) as channel:
            login = unary(channel, METHOD).future(request, timeout=PATIENCE_S)
            until(lambda: daemon.metric("vestibule_logins_in_flight") == 1, "it is in flight")
            daemon.process.send_signal(signal.SIGTERM)
            until(lambda: daemon.draining(), "it drains")
            assert daemon.terminate() == 128 + signal.SIGTERM
            assert login.code() is grpc.StatusCode.UNAVAILABLE
    os.close(reader)


def test_a_command_that_fails_beside_a_stalled_reader_ends() -> None:
    """A refused start cannot write its line: the exit code tells it, and the command ends."""
    reader, end = os.pipe()
    fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 4096)
    os.write(end, b"x" * 4096)
    command = [sys.executable, "-m", "runtime.cli", "serve", "--listen", "nowhere"]
    failed = subprocess.run(command, stderr=end, env=clean_environment(), timeout=PATIENCE_S, check=False)
    assert failed.returncode == 2
    os.close(end)
    os.close(reader)
