"""The daemon as a process: it starts, decides, drains, and says in one line why it does not start."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TENANT = """\
tenant: acme
login_experience: new
mfa: {policy: never, factors: [otp]}
flows:
  post_login:
    - action: gate
"""
ACTION = """\
def on_execute_post_login(event, api):
    if event.user.email == "ada@acme.example":
        api.multifactor.enable("any")
"""
SLOW = """\
def on_execute_post_login(event, api):
    for i in range(10 ** 9):
        pass
"""


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}


def vestibule(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runtime.cli", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment(),
        check=False,
    )


def write_tenant(root: Path, source: str = ACTION, tenant: str = TENANT) -> Path:
    directory = root / "tenants" / "acme"
    (directory / "actions").mkdir(parents=True, exist_ok=True)
    (directory / "tenant.yaml").write_text(tenant)
    (directory / "actions" / "gate.py").write_text(source)
    return directory


class Daemon:
    """A served daemon on ports of its own."""

    def __init__(self, root: Path, *flags: str) -> None:
        self.store = f"sqlite:{root / 'flows.db'}"
        command = [sys.executable, "-m", "runtime.cli", "serve", "--store", self.store, "--pool-blank-workers", "1"]
        command += ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--log-format", "json", *flags]
        self.lines: list[dict[str, Any]] = []
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=clean_environment())
        self.callers: list[subprocess.Popen[str]] = []
        try:
            started = self.wait_for("daemon.started")
        except BaseException:
            self.end()
            raise
        self.target: str = started["listen"]
        self.http = f"http://{started['metrics_listen']}"

    def wait_for(self, event: str) -> dict[str, Any]:
        """Read the log up to an event. A daemon that dies ends it."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(json.loads(line))
            if self.lines[-1]["event"] == event:
                return self.lines[-1]
        raise AssertionError(f"no {event} among {self.lines}")

    def execute(self, email: str, *flags: str) -> subprocess.CompletedProcess[str]:
        event = json.dumps({"user": {"user_id": "u", "email": email}})
        return vestibule("execute", "--tenant", "acme", "--event", "-", "--target", self.target, *flags, stdin=event)

    def begin_login(self) -> subprocess.Popen[str]:
        """Start a caller and return once its login is in flight."""
        command = [sys.executable, "-m", "runtime.cli", "execute", "--tenant", "acme", "--event", "-"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        caller = subprocess.Popen([*command, "--target", self.target], text=True, env=clean_environment(), **pipes)
        self.callers.append(caller)
        assert caller.stdin is not None
        caller.stdin.write("{}")
        caller.stdin.close()
        give_up = time.monotonic() + 10
        while "vestibule_logins_in_flight 1.0" not in self.get("/metrics")[1]:
            assert time.monotonic() < give_up
            time.sleep(0.02)
        return caller

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.http + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=20)
        assert self.process.stderr is not None
        self.lines += [json.loads(line) for line in self.process.stderr]
        return code

    def end(self) -> None:
        """Leave nothing behind, whatever the test did."""
        for process in (self.process, *self.callers):
            if process.poll() is None:
                process.kill()
            process.wait(timeout=20)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    started: list[Daemon] = []

    def begin(*flags: str) -> Daemon:
        started.append(Daemon(tmp_path, *flags))
        return started[-1]

    yield begin
    for each in started:
        each.end()


@pytest.fixture
def daemon(start: Callable[..., Daemon]) -> Daemon:
    return start()


def test_a_daemon_follows_its_store_decides_and_drains(daemon: Daemon, tmp_path: Path) -> None:
    """From an empty store to a decision without a restart, then SIGTERM and exit 0."""
    assert daemon.get("/readyz") == (200, "ok\n")
    refused = daemon.execute("ada@acme.example")
    assert refused.returncode == 1
    assert "NOT_FOUND" in refused.stderr
    assert "reason: UNKNOWN_TENANT" in refused.stderr

    write_tenant(tmp_path)
    applied = vestibule("apply", str(tmp_path / "tenants"), "--store", daemon.store, "--json")
    assert applied.returncode == 0, applied.stderr
    assert json.loads(applied.stdout)["created"] == ["acme"]
    reloaded = daemon.wait_for("catalog.reloaded")
    assert reloaded["revision"] == 1

    decided = daemon.execute("ada@acme.example", "--request-id", "r-7", "--json")
    assert decided.returncode == 0, decided.stderr
    assert json.loads(decided.stdout)["outcome"] == "OUTCOME_MFA_REQUIRED"
    assert json.loads(daemon.execute("bob@acme.example").stdout)["outcome"] == "OUTCOME_ALLOW"

    status, metrics = daemon.get("/metrics")
    assert status == 200
    assert 'vestibule_decisions_total{outcome="mfa_required"} 1.0' in metrics
    assert 'vestibule_executions_total{verdict="completed"} 2.0' in metrics
    assert 'vestibule_sandbox_layer_active{layer="seccomp"} 1.0' in metrics
    assert re.search(r'grpc_server_handled_total\{grpc_code="NOT_FOUND",[^}]*\} 1\.0', metrics)

    assert daemon.stop() == 0
    events = [line["event"] for line in daemon.lines]
    assert events[-2:] == ["daemon.draining", "daemon.stopped"]
    logins = [line for line in daemon.lines if line["event"] == "login.decided"]
    assert [(line["tenant"], line["outcome"]) for line in logins] == [("acme", "mfa_required"), ("acme", "allow")]
    assert logins[0]["request_id"] == "r-7"
    assert "ada@" not in json.dumps(daemon.lines)


def test_a_login_in_flight_is_finished_by_the_drain(daemon: Daemon, tmp_path: Path) -> None:
    """SIGTERM during a login: not ready any more, the login is answered, and then the daemon exits with 0."""
    write_tenant(tmp_path, SLOW)
    assert vestibule("apply", str(tmp_path / "tenants"), "--store", daemon.store).returncode == 0
    daemon.wait_for("catalog.reloaded")
    caller = daemon.begin_login()
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait_for("daemon.draining")
    assert daemon.get("/readyz") == (503, "draining\n")
    assert daemon.get("/livez")[0] == 200
    assert caller.stdout is not None
    decision = json.loads(caller.stdout.read())
    assert caller.wait(timeout=10) == 0
    assert decision["executions"][0]["verdict"] == "VERDICT_TIMED_OUT"
    assert decision["degraded"] is True
    assert daemon.process.wait(timeout=20) == 0


def test_a_second_signal_ends_it_at_once(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """Whoever sends a second signal does not wait for the drain."""
    daemon = start("--drain-s", "60")
    write_tenant(tmp_path, SLOW, TENANT.replace("action: gate", "action: gate\n      timeout_ms: 10000"))
    assert vestibule("apply", str(tmp_path / "tenants"), "--store", daemon.store).returncode == 0
    daemon.wait_for("catalog.reloaded")
    host, _, port = daemon.target.rpartition(":")
    caller = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "runtime.cli",
            "execute",
            "--tenant",
            "acme",
            "--event",
            "-",
            "--target",
            f"{host}:{port}",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env=clean_environment(),
    )
    assert caller.stdin is not None
    caller.stdin.write("{}")
    caller.stdin.close()
    give_up = time.monotonic() + 10
    while "vestibule_logins_in_flight 1.0" not in daemon.get("/metrics")[1]:
        assert time.monotonic() < give_up
        time.sleep(0.02)
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait_for("daemon.draining")
    began = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.stop() == 128 + signal.SIGTERM
    assert time.monotonic() - began < 2
    assert caller.wait(timeout=15) != 0


@pytest.mark.parametrize("flag", ["--listen", "--metrics-listen"])
def test_a_port_in_use_is_one_line(tmp_path: Path, flag: str) -> None:
    """The daemon names the address and the flag, and exits with 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        addresses = {"--listen": "127.0.0.1:0", "--metrics-listen": "127.0.0.1:0"} | {flag: address}
        store = f"sqlite:{tmp_path / 'flows.db'}"
        flags = [part for pair in addresses.items() for part in pair]
        result = vestibule("serve", "--store", store, "--log-level", "error", *flags)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert f"cannot listen on {address}: address already in use; choose another" in result.stderr
    assert flag in result.stderr


def test_a_store_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A store that is no database is told with its path, and the daemon exits with 1."""
    (tmp_path / "flows.db").write_text("this is not a database" * 100)
    store = f"sqlite:{tmp_path / 'flows.db'}"
    result = vestibule("serve", "--store", store, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    assert result.returncode == 1
    assert str(tmp_path / "flows.db") in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_layer_refuses_to_start(tmp_path: Path) -> None:
    """A required layer that this host does not offer is named, and nothing is served."""
    doctor = json.loads(vestibule("doctor", "--json").stdout)
    missing = [layer["name"] for layer in doctor["layers"] if not layer["active"]]
    if not missing:
        pytest.skip("this host offers every layer")
    flags = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--sandbox-required-layers", missing[0])
    result = vestibule("serve", "--store", f"sqlite:{tmp_path / 'flows.db'}", *flags)
    assert result.returncode == 1
    assert missing[0] in result.stderr
    assert "daemon.started" not in result.stderr
    assert vestibule("doctor", "--sandbox-required-layers", missing[0]).returncode == 3


def test_no_daemon_is_exit_5() -> None:
    """A target where nobody answers has an exit code of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        target = f"127.0.0.1:{free.getsockname()[1]}"
    result = vestibule("execute", "--tenant", "acme", "--event", "-", "--target", target, stdin="{}")
    assert result.returncode == 5
    assert result.stderr == f"vestibule: no daemon answers at {target}; is `vestibule serve` running there?\n"
