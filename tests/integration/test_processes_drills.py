"""Several processes under load and attack: kill -9, restarts, hangs, a supervisor that dies, endless crashes."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.calls import Refused
from tests.fixtures.commands import vestibule
from tests.fixtures.daemons import Daemon
from tests.fixtures.several import Several, decide, several
from tests.fixtures.tenants import GATE, MFA, SLOW, define
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.long

SERVICE_CONFIG = (Path(__file__).parents[2] / "proto" / "service_config.json").read_text()
RETRIES: tuple[str, Any] = ("grpc.service_config", SERVICE_CONFIG)
NO_RETRIES: tuple[str, Any] = ("grpc.enable_retries", 0)

Start = Callable[..., Several]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start daemons of several processes with a tenant; what must be true at their end is checked."""
    with contextlib.ExitStack() as daemons:

        def begin(*flags: str, **options: Any) -> Several:
            daemon = daemons.enter_context(several(tmp_path, *flags, **options))
            daemon.publish(define("acme", GATE))
            return daemon

        yield begin


class Load:
    """Logins on connections of their own, one after the other on each, until it is stopped.

    `outages` counts failures in a row as one: without retries gRPC fails every login at once until it reconnects.
    """

    def __init__(self, daemon: Daemon, option: tuple[str, Any], connections: int = 8, every_s: float = 0.01) -> None:
        self.outcomes: Counter[str] = Counter()
        self.outages = 0
        self._daemon, self._option, self._every_s = daemon, option, every_s
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(connections)]

    def _run(self) -> None:
        options = [("grpc.use_local_subchannel_pool", 1), self._option]
        failing = False
        with grpc.insecure_channel(self._daemon.target, options=options) as channel:
            while not self._stop.is_set():
                try:
                    assert decide(channel, "acme").outcome == MFA
                    self.outcomes["decided"] += 1
                    failing = False
                except Refused as refused:
                    self.outcomes[refused.code] += 1
                    self.outages += not failing
                    failing = True
                self._stop.wait(self._every_s)

    def wait_more(self, count: int) -> None:
        """Wait until so many more logins are decided."""
        wanted = self.outcomes["decided"] + count
        until(lambda: self.outcomes["decided"] >= wanted, f"{count} more logins")

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self.wait_more(10)
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)


@pytest.mark.parametrize("option", [RETRIES, NO_RETRIES], ids=["service_config", "no_retries"])
def test_killing_one_process_loses_no_more_than_its_own_logins(start: Start, option: tuple[str, Any]) -> None:
    """kill -9 under load, each process twice: with the service config no login fails; without, few, as UNAVAILABLE."""
    daemon = start()
    with Load(daemon, option) as load:
        for number in (0, 1, 0, 1):
            killed = daemon.member(number)
            killed.kill()
            daemon.wait_for("process.exited", process_pid=killed.pid, reason="crashed")
            daemon.replaced(number, killed)
            load.wait_more(50)
    failed = {code: count for code, count in load.outcomes.items() if code != "decided"}
    if option is RETRIES:
        assert not failed
    else:
        # Eight connections, each of which can lose its process and find the next one gone as well.
        assert set(failed) <= {"UNAVAILABLE"}
        assert load.outages <= 4 * 2 * 8
    assert daemon.metric("vestibule_process_exits_total", reason="crashed") == 4


def test_a_restart_replaces_one_at_a_time_and_fails_no_login(start: Start, tmp_path: Path) -> None:
    """`vestibule restart` under load: a new process serves before the old one drains; new settings are in effect."""
    daemon = start("--pid-file", str(tmp_path / "pid"))
    before = daemon.members()
    with Load(daemon, RETRIES) as load:
        daemon.config.write_text("[limits]\nmax_in_flight = 100\n")
        ended = vestibule("restart", "--pid-file", str(tmp_path / "pid"))
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout == f"replaced the 2 processes of supervisor {daemon.process.pid}\n"
        load.wait_more(50)
    assert set(load.outcomes) == {"decided"}
    assert not [process for process in before if process.alive]
    assert len(daemon.members()) == 2
    steps = [
        (line["event"], line["process"])
        for line in daemon.lines[daemon.lines.index(daemon.wait_for("restart.begun")) :]
        if line["event"] in ("process.started", "process.serving", "daemon.draining", "process.exited")
    ]
    order = ("process.started", "process.serving", "daemon.draining", "process.exited")
    assert steps == [(event, number) for number in (0, 1) for event in order]
    # What all decided is still the sum.
    assert daemon.metric("vestibule_decisions_total", outcome="mfa_required") == load.outcomes["decided"]
    assert daemon.metric("vestibule_restarts_total", result="done") == 1


def test_a_restart_that_cannot_be_changes_nothing(start: Start, tmp_path: Path) -> None:
    """A wrong configuration refuses it; a new process that cannot start ends it. The processes stay in both cases."""
    daemon = start()
    before = daemon.members()
    daemon.config.write_text("[limits]\nmax_in_flight = 'many'\n")
    daemon.process.send_signal(signal.SIGUSR2)
    assert "limits.max_in_flight" in daemon.wait_for("config.reload_failed")["faults"][0]
    # A keys file that is not there is found by the new process.
    daemon.config.write_text(f"[continuation]\nkeys_file = '{tmp_path}/none'\n")
    ended = vestibule("restart", "--pid", str(daemon.process.pid))
    assert ended.returncode == 1
    assert "a new process did not serve; the others stay as they are" in ended.stderr
    daemon.wait_for("restart.failed")
    assert daemon.members() == before
    assert any("keys_file" in line for line in daemon.stray)
    daemon.stray.clear()
    assert daemon.get("/readyz") == (200, "ok\n")
    assert daemon.call("acme").outcome == MFA


def test_restart_ends_no_process_that_is_no_supervisor(tmp_path: Path, serve: Any) -> None:
    """SIGUSR2 would end a daemon of one process: the command refuses to send it."""
    daemon = serve()
    ended = vestibule("restart", "--pid", str(daemon.process.pid))
    assert ended.returncode == 1
    assert f"process {daemon.process.pid} is no supervisor of Vestibule" in ended.stderr
    ended = vestibule("restart", "--pid-file", str(tmp_path / "none"))
    assert (ended.returncode, "cannot be read: no such file" in ended.stderr) == (1, True)
    ended = vestibule("restart")
    assert (ended.returncode, "give --pid" in ended.stderr) == (2, True)
    assert daemon.get("/readyz")[0] == 200


def test_a_hung_process_is_noticed_and_replaced(start: Start) -> None:
    """One that is stopped sends no heartbeat: it is killed and replaced, and the other one serves meanwhile."""
    daemon = start()
    hung = daemon.member(1)
    hung.kill(signal.SIGSTOP)
    until(lambda: "process 1" in daemon.get("/readyz")[1], "a readiness that names it")
    assert daemon.get("/readyz")[0] == daemon.get("/livez")[0] == 200
    daemon.wait_for("process.hung", process=1, process_pid=hung.pid)
    assert daemon.wait_for("process.exited", process_pid=hung.pid)["reason"] == "hung"
    daemon.replaced(1, hung)
    assert daemon.metric("vestibule_process_exits_total", reason="hung") == 1
    until(lambda: daemon.get("/readyz") == (200, "ok\n"), "readiness")


def test_a_supervisor_that_is_killed_takes_its_processes_with_it(start: Start) -> None:
    """No process without a supervisor keeps the port: zygotes and workers end too, and the port is free."""
    daemon = start()
    daemon.call("acme")
    daemon.tree()
    members = daemon.members()
    daemon.process.kill()
    until(lambda: not [member for member in members if member.alive], "no process left")
    until(lambda: not daemon.family(), "no zygote and no worker left")
    host, port = daemon.target.split(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, int(port)))


def test_a_drain_finishes_what_every_process_has(start: Start) -> None:
    """SIGTERM to all, as a service manager does: logins in flight in both are decided, and the exit code is 0."""
    daemon = start("--pool-queue-wait-ms", "60000")
    daemon.publish(define("acme", GATE), define("slow", SLOW, timeout_ms=60_000))
    with daemon.channels(8, NO_RETRIES) as channels:
        outcomes: list[int] = []
        threads = [
            threading.Thread(target=lambda one=channel: outcomes.append(decide(one, "slow").outcome))
            for channel in channels
        ]
        for thread in threads:
            thread.start()
        daemon.wait_in_flight(8)
        daemon.process.send_signal(signal.SIGTERM)
        for member in daemon.members():
            member.kill(signal.SIGTERM)
        daemon.wait_for("supervisor.draining")
        status, text = daemon.get("/readyz")
        assert (status, text.splitlines()[0]) == (503, "draining")
        for thread in threads:
            thread.join(PATIENCE_S)
    assert outcomes == [MFA] * 8
    assert daemon.wait() == 0
    assert [line["event"] for line in daemon.lines][-1] == "supervisor.stopped"


def test_crashes_without_end_back_off(start: Start, tmp_path: Path) -> None:
    """A process that cannot start any more is started later each time; the other one decides, readiness names it."""
    keys = tmp_path / "keys"
    keys.write_text("q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=\n")
    keys.chmod(0o600)
    daemon = start("--continuation-keys-file", str(keys))
    keys.unlink()
    before, other = daemon.member(1), daemon.member(0)
    before.kill()
    for _ in range(3):
        daemon.wait_for("process.start_failed", after=len(daemon.lines), process=1)
    waits = [line["again_in_s"] for line in daemon.events("process.start_delayed")]
    assert waits == sorted(waits)
    assert waits[0] >= 0.5
    assert daemon.get("/readyz")[0] == 200
    assert daemon.metric("vestibule_processes", state="serving") == 1
    assert daemon.metric("vestibule_process_exits_total", reason="start_failed") >= 3
    keys.write_text("q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=\n")
    keys.chmod(0o600)
    daemon.replaced(1, before)
    assert daemon.member(0) == other
    daemon.stray.clear()


def test_unix_sockets_are_inherited(start: Start, tmp_path: Path) -> None:
    """gRPC and HTTP on unix sockets: both processes serve them, a restart keeps them, and they are gone at the end."""
    grpc_path, http_path = tmp_path / "grpc.sock", tmp_path / "http.sock"
    daemon = start("--listen", f"unix:{grpc_path}", "--http-listen", f"unix:{http_path}")
    inode = grpc_path.stat().st_ino

    def by() -> set[int]:
        return {line["process"] for line in daemon.events("login.decided")[-64:]}

    def both() -> bool:
        with daemon.channels(8) as channels:
            assert {decide(channel, "acme").outcome for channel in channels} == {MFA}
        return by() == {0, 1}

    until(both, "logins by both processes")
    with Load(daemon, RETRIES) as load:
        assert vestibule("restart", "--pid", str(daemon.process.pid)).returncode == 0
        load.wait_more(50)
    assert set(load.outcomes) == {"decided"}
    assert grpc_path.stat().st_ino == inode
    until(both, "logins by both new processes")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(http_path))
        client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
    assert daemon.stop() == 0
    assert not grpc_path.exists()
    assert not http_path.exists()
