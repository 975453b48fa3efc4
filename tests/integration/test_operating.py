"""What an operator and a cluster do to a real daemon: variables, signals, probes, connections that stay for days."""

from __future__ import annotations

import base64
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from runtime.continuation import keys
from tests.calls import Refused, health, result
from tests.fixtures.commands import TIED, clean_environment, vestibule
from tests.fixtures.daemons import Daemon, Serve, served
from tests.fixtures.states import right
from tests.fixtures.suspensions import CHALLENGE, OTP, event, refusal, suspended
from tests.fixtures.tenants import ALLOW, GATE, MFA, define
from tests.fixtures.waiting import until

pytestmark = pytest.mark.long

# What Kubernetes puts into a container beside Services called vestibule and vestibule-listen, and a misspelt setting.
CLUSTER = {
    "VESTIBULE_PORT": "tcp://10.0.0.1:50051",
    "VESTIBULE_SERVICE_PORT_GRPC": "50051",
    "VESTIBULE_LISTEN_SERVICE_HOST": "10.0.0.2",
    "VESTIBULE_LISTEN_PORT_50051_TCP_ADDR": "10.0.0.2",
}
MISSPELT = {"VESTIBULE_LOG_SAMPEL": "0.5"}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon among a cluster's variables, whose tests leave it as it was."""
    with served(tmp_path_factory.mktemp("operating"), environment=CLUSTER | MISSPELT) as daemon:
        daemon.publish(define("acme", GATE))
        yield daemon


def test_variables_of_a_cluster_stop_no_daemon(daemon: Daemon) -> None:
    """Injected variables are not mentioned; one that nothing reads is a warning with its remedy."""
    right(daemon)
    (line,) = daemon.events("config.ignored")
    assert line["level"] == "warning"
    assert line["where"] == "environment VESTIBULE_LOG_SAMPEL"
    assert "did you mean VESTIBULE_LOG_SAMPLE?" in line["problem"]


def test_check_config_refuses_what_nothing_reads(tmp_path: Path) -> None:
    """`check-config` lets through what a cluster injects, and exits with 2 for a variable that nothing reads."""
    assert vestibule("check-config", environment=CLUSTER).returncode == 0
    refused = vestibule("check-config", environment=CLUSTER | MISSPELT)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "VESTIBULE_LOG_SAMPEL: is not a setting; did you mean VESTIBULE_LOG_SAMPLE?" in refused.stderr
    warned = vestibule("apply", str(tmp_path), "--store", f"sqlite:{tmp_path / 'x.db'}", environment=MISSPELT)
    assert "vestibule: warning: environment VESTIBULE_LOG_SAMPEL: is not a setting" in warned.stderr


def test_refused_logins_are_visible_at_info(tmp_path: Path) -> None:
    """NOT_FOUND and INVALID_ARGUMENT have a line at once, hostile names escaped; the end writes the other counts."""
    with served(tmp_path) as daemon:
        for _ in range(30):
            with pytest.raises(Refused):
                daemon.call("nobody-here")
        with pytest.raises(Refused):
            result(daemon.send(b"\xff\xff"))
        with pytest.raises(Refused):
            daemon.call("x\x1b[2J\u202e")
        first = daemon.wait_for("login.refused", reason="UNKNOWN_TENANT", tenant="nobody-here")
        assert (first["level"], first["count"], first["code"]) == ("info", 1, "NOT_FOUND")
        assert daemon.stop() == 0
        refused = daemon.events("login.refused")
    assert sum(line["count"] for line in refused if line["tenant"] == "nobody-here") == 30
    assert len(refused) <= 4
    assert sum(line["count"] for line in refused) == 32
    assert "\x1b" not in "".join(str(line) for line in refused)


def hang_up(daemon: Daemon, level: str | None = None) -> dict[str, object]:
    """Send SIGHUP and return the line that ends the reload."""
    before = len(daemon.lines)
    daemon.process.send_signal(signal.SIGHUP)
    return daemon.wait_for("config.reloaded", after=before)


def write_keys(file: Path, *made: bytes) -> None:
    """Write a keys file as an operator does: another file in its place."""
    new = file.with_suffix(".new")
    new.write_text(keys.text(made))
    new.chmod(0o600)
    new.replace(file)


def test_a_hangup_reloads_what_can_be_and_keeps_the_rest(serve: Serve, tmp_path: Path) -> None:
    """SIGHUP rotates the sealing key, changes the level and says what needs a restart.

    Bad keys and bad settings are errors with every fault; the keys and the level in effect stay, and logins go through.
    """
    old, new = keys.generate(), keys.generate()
    sealing = keys.key_id(new).hex()
    file, settings = tmp_path / "keys", tmp_path / "vestibule.toml"
    write_keys(file, old)
    settings.write_text('[log]\nlevel = "info"\n')
    daemon = serve("--config", str(settings), "--continuation-keys-file", str(file))
    daemon.publish(define("acme", GATE), define("beta", CHALLENGE))
    waiting, lost = suspended(daemon, "beta"), suspended(daemon, "beta")
    write_keys(file, new, old)
    settings.write_text('[log]\nlevel = "debug"\n[pool]\nidle_s = 7\n')
    reloaded = hang_up(daemon)
    assert (reloaded["sealing_key_id"], reloaded["log_level"]) == (sealing, "debug")
    assert daemon.events("config.restart_needed")[0]["settings"] == ["pool.idle_s"]
    right(daemon)
    # What the old key sealed is opened by the second line.
    assert daemon.resume("beta", event("otp"), waiting, [OTP]).outcome == ALLOW

    for content in (b"", b"not a key\n", base64.b64encode(b"short") + b"\n"):
        file.write_bytes(content)
        assert hang_up(daemon)["sealing_key_id"] == sealing
    file.unlink()
    settings.write_text('[log]\nlevel = "loud"\n')
    assert hang_up(daemon)["sealing_key_id"] == sealing
    failed = daemon.events("continuation.keys_failed")
    assert [line["level"] for line in failed] == ["error"] * 4
    assert all(str(file) in line["faults"][0] for line in failed)
    (refused,) = daemon.events("config.reload_failed")
    assert "is not a choice" in refused["faults"][0]
    right(daemon)

    write_keys(file, new)
    settings.write_text("")
    assert hang_up(daemon)["log_level"] == "info"
    # The control: without the old key nothing opens what it sealed.
    assert refusal(daemon, "beta", event("otp"), lost, [OTP]).reason == "CONTINUATION_INVALID"
    settings.write_text('[log]\nlevel = "warning"\n')
    daemon.process.send_signal(signal.SIGHUP)

    def quiet() -> bool:
        decided = len(daemon.events("login.decided"))
        right(daemon)
        time.sleep(0.05)
        return len(daemon.events("login.decided")) == decided

    until(quiet, "no line of level info")


def test_no_hangup_ends_a_daemon_while_it_starts_drains_or_ends(tmp_path: Path) -> None:
    """SIGHUP every few milliseconds, from its first line to its last: it starts, drains, and exits with 0.

    The keys file is broken from the moment it was read first.
    """
    file, store = tmp_path / "keys", tmp_path / "flows.db"
    write_keys(file, keys.generate())
    command = [*TIED, sys.executable, "-c", RELAY, str(file), "-m", "serve", "--store", f"sqlite:{store}"]
    command += ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--continuation-keys-file", str(file)]
    command += ["--drain-delay-s", "0.3", "--log-format", "json"]
    daemon = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=clean_environment())
    lines = []
    with daemon:
        assert daemon.stderr is not None
        for line in daemon.stderr:
            lines.append(line)
            if "daemon.started" in line:
                daemon.terminate()
        assert daemon.wait(timeout=30) == 0, lines
    assert any("continuation.keys_failed" in line for line in lines)
    assert "daemon.stopped" in "".join(lines)


# Runs the command line in a process to which another one sends SIGHUP all the time from here on.
RELAY = """\
import os, runpy, signal, sys, threading, time
from pathlib import Path
file = Path(sys.argv[1])
sys.argv = ["vestibule", *sys.argv[3:]]
parent = os.getpid()
signal.signal(signal.SIGHUP, lambda *_: None)
if os.fork() == 0:
    os.close(2)
    while os.getppid() == parent:
        os.kill(parent, signal.SIGHUP)
        time.sleep(0.003)
    os._exit(0)
from runtime.continuation import keys
read = keys.read
def once(path):
    found = read(path)
    path.write_text("broken")
    return found
keys.read = lambda path: once(path) if path.read_text() != "broken" else read(path)
from runtime.cli import main as cli
sys.exit(cli.main())
"""


def test_a_hangup_ends_a_process_that_does_not_listen() -> None:
    """The control: the same signal ends a command that is no daemon."""
    waiting = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"], stdout=subprocess.PIPE
    )
    assert waiting.stdout is not None
    waiting.stdout.readline()
    waiting.send_signal(signal.SIGHUP)
    assert waiting.wait(timeout=30) == -signal.SIGHUP
    waiting.stdout.close()


def test_a_terminated_daemon_serves_on_until_others_have_heard(serve: Serve) -> None:
    """For drain.delay_s after SIGTERM health and /readyz say no, and logins of new connections are still decided."""
    daemon = serve("--drain-delay-s", "600")
    daemon.publish(define("acme", GATE))
    with grpc.insecure_channel(daemon.target) as channel:
        watch = health(channel).Watch(health_pb2.HealthCheckRequest(), timeout=30)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        daemon.process.send_signal(signal.SIGTERM)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert daemon.get("/readyz") == (503, "draining\n")
    assert daemon.wait_for("daemon.ending")["delay_s"] == 600
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(daemon.target, options) as another:
        answer = health(another).Check(health_pb2.HealthCheckRequest(), timeout=30)
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert daemon.call("acme").outcome == MFA
    # The second one does not wait.
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.wait() == 128 + signal.SIGTERM


def test_the_delay_ends_in_a_drain(serve: Serve) -> None:
    """After the delay a terminated daemon drains and exits with 0; Ctrl-C has no delay."""
    daemon = serve("--drain-delay-s", "0.2")
    assert daemon.stop() == 0
    assert [line["event"] for line in daemon.lines if line["event"].startswith("daemon.")] == [
        "daemon.started",
        "daemon.ending",
        "daemon.draining",
        "daemon.stopped",
    ]
    interrupted = serve("--drain-delay-s", "600")
    interrupted.process.send_signal(signal.SIGINT)
    assert interrupted.wait() == 0


def test_health_lists_every_service(daemon: Daemon) -> None:
    """`List` of the standard health service has what `Check` knows, each with its state."""
    with grpc.insecure_channel(daemon.target) as channel:
        stub = health(channel)
        list_request = health_pb2.HealthListRequest()  # type: ignore[attr-defined]  # newer than the stubs
        listed = stub.List(list_request, timeout=30).statuses
        assert set(listed) == {"", "vestibule.v1.ActionRuntimeService"}
        for service, found in listed.items():
            assert found.status == health_pb2.HealthCheckResponse.SERVING
            assert stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=30) == found


def test_a_connection_that_reaches_its_age_loses_no_login(serve: Serve) -> None:
    """Connections end in good order and the client makes others: every login meanwhile is decided."""
    daemon = serve("--grpc-max-connection-age-s", "0.5")
    daemon.publish(define("acme", GATE))
    seen: set[str] = set()

    def aged() -> bool:
        assert daemon.call("acme").outcome == MFA
        seen.update(connections(daemon))
        return len(seen) > 2

    until(aged, "a third connection", every_s=0.001)


def connections(daemon: Daemon) -> set[str]:
    """Return the remote ports that are connected to the daemon's gRPC port now."""
    port = f":{int(daemon.target.rpartition(':')[2]):04X}"
    tables = [Path("/proc/net", name).read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [row.split() for table in tables for row in table]
    return {row[2] for row in rows if row[1].endswith(port) and row[3] == "01"}
