"""The daemon with the commands around it: serve, apply and execute as an operator uses them, without a restart."""

import json
import re

import pytest

from tests.fixtures.commands import vestibule
from tests.fixtures.daemons import Daemon, Serve
from tests.fixtures.tenants import GATE, write_directory


def execute(daemon: Daemon, email: str, *flags: str) -> tuple[int, str, str]:
    """Send a login with the command."""
    event = daemon.path.parent / "event.json"
    event.write_text(json.dumps({"client": {"client_id": "app"}, "user": {"user_id": "u", "email": email}}))
    done = vestibule("execute", "--tenant", "acme", "--event", str(event), "--target", daemon.target, *flags)
    return done.returncode, done.stdout, done.stderr


def test_a_daemon_follows_its_store_decides_and_drains(serve: Serve) -> None:
    """From an empty store to a decision without a restart, then SIGTERM and exit 0."""
    daemon = serve()
    assert daemon.get("/readyz") == (200, "ok\n")
    code, _, error = execute(daemon, "ada@example.com")
    assert code == 1
    assert "NOT_FOUND" in error
    assert "reason: UNKNOWN_TENANT" in error

    directory = write_directory(daemon.path.parent, "acme", GATE)
    applied = vestibule("apply", str(directory), "--store", f"sqlite:{daemon.path}", "--json")
    assert applied.returncode == 0, applied.stderr
    assert json.loads(applied.stdout)["created"] == ["acme"]
    daemon.wait_for("catalog.reloaded", revision=1)

    code, decision, error = execute(daemon, "ada@example.com", "--request-id", "r-7", "--json")
    assert code == 0, error
    assert json.loads(decision)["outcome"] == "OUTCOME_MFA_REQUIRED"
    assert json.loads(execute(daemon, "bob@example.com")[1])["outcome"] == "OUTCOME_ALLOW"

    assert daemon.metric("vestibule_decisions_total", outcome="mfa_required") == 1
    assert daemon.metric("vestibule_executions_total", verdict="completed") == 2
    assert daemon.metric("vestibule_sandbox_layer_active", layer="seccomp") == 1
    assert daemon.metric("grpc_server_handled_total", grpc_code="NOT_FOUND") == 1

    assert daemon.stop() == 0
    assert [line["event"] for line in daemon.lines][-2:] == ["daemon.draining", "daemon.stopped"]
    logins = daemon.events("login.decided")
    assert [(line["tenant"], line["outcome"]) for line in logins] == [("acme", "mfa_required"), ("acme", "allow")]
    assert logins[0]["request_id"] == "r-7"
    assert not re.search("ada@|bob@", json.dumps(daemon.lines))


def test_a_missing_layer_refuses_to_start(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A required layer that this host does not offer is named by serve and by doctor, and nothing is served."""
    doctor = json.loads(vestibule("doctor", "--json").stdout)
    missing = [layer["name"] for layer in doctor["layers"] if not layer["active"]]
    if not missing:
        pytest.skip("this host offers every layer")
    store = tmp_path_factory.mktemp("store") / "flows.db"
    flags = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--sandbox-required-layers", missing[0])
    result = vestibule("serve", "--store", f"sqlite:{store}", *flags)
    assert result.returncode == 1
    assert missing[0] in result.stderr
    assert "daemon.started" not in result.stderr
    assert vestibule("doctor", "--sandbox-required-layers", missing[0]).returncode == 3
