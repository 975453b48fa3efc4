"""Commands that need a sandbox but no daemon: check, run, apply, doctor, as processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.commands import vestibule

CLIENT = {"client": {"client_id": "app"}}
ACTION = """\
def on_execute_post_login(event, api):
    print("hello", event.user.user_id)
    if event.user.user_metadata.get("use_mfa"):
        api.multifactor.enable("any", allow_remember_browser=False)
"""
TENANT = """\
tenant: acme
login_experience: new
mfa: {policy: never, factors: [otp]}
flows:
  post_login: [{action: gate}]
"""


@pytest.fixture
def action(tmp_path: Path) -> Path:
    file = tmp_path / "gate.py"
    file.write_text(ACTION)
    return file


@pytest.fixture
def tenant(tmp_path: Path) -> Path:
    directory = tmp_path / "tenants" / "acme"
    (directory / "actions").mkdir(parents=True)
    (directory / "tenant.yaml").write_text(TENANT)
    (directory / "actions" / "gate.py").write_text(ACTION)
    return directory


def test_run_prints_a_line_for_each_event(action: Path) -> None:
    """An action gives verdict, commands, output and error for each line, in order, blank lines passed over."""
    lines = [
        CLIENT | {"user": {"user_id": "a", "user_metadata": {"use_mfa": True}}},
        {"event": CLIENT | {"user": {"user_id": "b"}}, "now": "2026-01-31T12:00:00Z", "seed": 1},
    ]
    text = "\n\n".join(json.dumps(line) for line in lines) + "\n"
    result = vestibule("run", str(action), "--events", "-", stdin=text)
    assert result.returncode == 0, result.stderr
    first, second = map(json.loads, result.stdout.splitlines())
    assert first == {
        "verdict": "completed",
        "commands": [{"op": "multifactor.enable", "args": {"provider": "any", "allow_remember_browser": False}}],
        "output": "hello a\n",
        "error": None,
    }
    assert (second["commands"], second["output"]) == ([], "hello b\n")


def test_run_continues_after_a_line_that_is_no_event(action: Path) -> None:
    """Lines of input and output stay in step; the exit code says that something was wrong with the input."""
    result = vestibule(
        "run",
        str(action),
        "--events",
        "-",
        stdin='{"user": 3}\n{"user": {"user_id": "b"}, "client": {"client_id": "app"}}\n',
    )
    assert result.returncode == 2
    first, second = map(json.loads, result.stdout.splitlines())
    assert first["verdict"] == "invalid_input"
    assert "user" in first["error"]["message"]
    assert second["verdict"] == "completed"


def test_run_decides_with_a_tenants_whole_flow(tenant: Path, tmp_path: Path) -> None:
    """A tenant's directory gives the decision as ProtoJSON."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps(CLIENT | {"user": {"user_id": "a", "user_metadata": {"use_mfa": True}}}))
    result = vestibule("run", str(tenant), "--event", str(event))
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["outcome"] == "OUTCOME_MFA_REQUIRED"


def test_how_an_action_ends_is_a_result(tmp_path: Path) -> None:
    """An action that raises is reported with its line, and the command exits with 0."""
    file = tmp_path / "bad.py"
    file.write_text("def on_execute_post_login(event, api):\n    return {}['x']\n")
    result = vestibule("run", str(file), "--event", "-", stdin=json.dumps(CLIENT | {"user": {"user_id": "a"}}))
    assert result.returncode == 0
    answer = json.loads(result.stdout)
    assert (answer["verdict"], answer["error"]["type"], answer["error"]["line"]) == ("raised", "KeyError", 2)


def test_check_names_place_and_remedy(tmp_path: Path, action: Path) -> None:
    """Faults are file:line:column, exit 3; a good file is exit 0."""
    bad = tmp_path / "bad.py"
    bad.write_text("import os\n\ndef on_execute_post_login(event, api):\n    pass\n")
    result = vestibule("check", str(bad), str(action))
    assert result.returncode == 3
    assert result.stdout.startswith(f"{bad}:1:1: ")
    assert vestibule("check", str(action)).returncode == 0
    faults = json.loads(vestibule("check", "--json", str(bad)).stdout)
    assert faults["ok"] is False
    assert faults["faults"][0]["where"] == f"{bad}:1:1"


def test_check_takes_whole_tenants(tenant: Path) -> None:
    """A directory is checked as apply would, tenant.yaml included."""
    assert vestibule("check", str(tenant)).returncode == 0
    (tenant / "tenant.yaml").write_text(TENANT.replace("never", "sometimes"))
    result = vestibule("check", str(tenant))
    assert result.returncode == 3
    assert "tenant.yaml" in result.stdout


def test_apply_refuses_a_directory_whole(tenant: Path, tmp_path: Path) -> None:
    """Any fault refuses everything, with every fault listed, and leaves the store as it was."""
    store = f"sqlite:{tmp_path / 'flows.db'}"
    assert vestibule("apply", str(tenant), "--store", store).stdout.endswith("is at revision 1\n")
    (tenant / "actions" / "gate.py").write_text("import os\nimport sys\ndef on_execute_post_login(event, api): pass\n")
    result = vestibule("apply", str(tenant), "--store", store)
    assert result.returncode == 3
    assert "gate.py:1:1" in result.stderr
    assert "gate.py:2:1" in result.stderr
    assert "nothing was done" in result.stderr
    (tenant / "actions" / "gate.py").write_text(ACTION)
    again = json.loads(vestibule("apply", str(tenant), "--store", store, "--json").stdout)
    assert (again["revision"], again["unchanged"]) == (1, ["acme"])


def test_doctor_reports_layers() -> None:
    """Every layer is there with its state, as a table and as JSON."""
    report = json.loads(vestibule("doctor", "--json").stdout)
    names = {layer["name"] for layer in report["layers"]}
    assert {"seccomp", "landlock", "rlimits", "no_new_privs"} <= names
    table = vestibule("doctor").stdout
    assert all(name in table for name in names)


def test_a_closed_pipe_is_no_error(action: Path) -> None:
    """`vestibule … | head -1` ends quietly."""
    events = '{"user": {"user_id": "a"}, "client": {"client_id": "app"}}\n' * 2000
    code = f"{sys.executable} -m runtime.cli run {action} --events - | head -c 1 >/dev/null"
    result = subprocess.run(["sh", "-c", code], input=events, capture_output=True, text=True, timeout=60, check=False)
    assert result.stderr == ""
