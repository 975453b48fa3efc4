"""Exit codes of the commands, each by what really leads to it, and what a program reads beside it."""

import json
import socket
from pathlib import Path

import pytest

from runtime.ops import key_file
from tests.fixtures.commands import vestibule
from tests.fixtures.tenants import GATE, write_directory

OK, UNEXPECTED, USAGE, CHECK_FAILED, TEST_FAILED, UNREACHABLE = range(6)
BAD = "import os\nclass A: pass\n" + GATE


@pytest.fixture
def event(tmp_path: Path) -> str:
    """A login in Auth0's JSON."""
    path = tmp_path / "event.json"
    path.write_text('{"client": {"client_id": "app"}, "user": {"user_id": "u", "email": "ada@example.com"}}')
    return str(path)


def test_0_is_done(tmp_path: Path, event: str) -> None:
    """An action that is checked, applied or run; also one that raises: that is a result."""
    directory = write_directory(tmp_path, "acme", GATE)
    action = str(directory / "acme" / "actions" / "a0.py")
    keys = tmp_path / "store.keys"
    keys.write_text(key_file.text([key_file.generate()]))
    keys.chmod(0o600)
    for command in (
        ("check", action),
        ("check", str(directory)),
        ("apply", str(directory), "--store", f"sqlite:{tmp_path / 'x.db'}"),
        ("run", action, "--event", event),
        ("run", str(directory / "acme"), "--event", event),
        ("doctor",),
        ("check-config", "--catalog-keys-file", str(keys)),
    ):
        done = vestibule(*command)
        assert (done.returncode, done.stderr) == (OK, ""), command
        assert done.stdout


@pytest.mark.parametrize("place", ["no-such-directory/x.db", "."], ids=["missing directory", "a directory"])
def test_1_is_a_store_that_cannot_be_used(tmp_path: Path, place: str) -> None:
    """Nothing is wrong with the definitions, so it is no failed check: one line names the store."""
    directory = write_directory(tmp_path, "acme", GATE)
    store = tmp_path / place
    failed = vestibule("apply", str(directory), "--store", f"sqlite:{store}", "--json")
    assert failed.returncode == UNEXPECTED
    assert failed.stderr.count("\n") == 1
    assert str(store) in failed.stderr
    assert failed.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "no-such-file.py"),
        ("run", "{action}", "--event", "no-such-file.json"),
        ("run", "{action}", "--event", "{event}", "--events", "{event}"),
        ("run", "{action}"),
        ("execute", "--tenant", "acme", "--event", "{action}"),
        ("execute", "--tenant", "acme", "--event", "{event}", "--timeout", "soon"),
        ("execute", "--tenant", "acme", "--event", "{event}", "--timeout", "0"),
        ("apply", "{action}", "--store", "postgres:x"),
        ("serve", "--listen", "nowhere"),
        ("doctor", "--sandbox-required-layers", "walls"),
    ],
    ids=" ".join,
)
def test_2_is_a_command_that_makes_no_sense(tmp_path: Path, event: str, arguments: tuple[str, ...]) -> None:
    """What was given and is wrong is named on standard error."""
    action = tmp_path / "action.py"
    action.write_text(GATE)
    given = [argument.format(action=action, event=event) for argument in arguments]
    failed = vestibule(*given)
    assert failed.returncode == USAGE
    assert failed.stdout == ""
    assert failed.stderr.startswith("vestibule")
    assert "Traceback" not in failed.stderr
    assert "_seconds" not in failed.stderr


def test_3_is_a_failed_check(tmp_path: Path, event: str) -> None:
    """Faults of actions and tenants, with their places; for a program as JSON, by `check` and `apply` alike."""
    directory = write_directory(tmp_path, "acme", BAD, GATE)
    file = str(directory / "acme" / "actions" / "a0.py")
    store = ("--store", f"sqlite:{tmp_path / 'x.db'}")
    for command in (("check", file), ("apply", str(directory), *store)):
        failed = vestibule(*command)
        assert failed.returncode == CHECK_FAILED, command
        for place in (f"{file}:1:1: ", f"{file}:2:1: "):
            assert place in failed.stdout + failed.stderr, command
    told = []
    for command in (("check", str(directory)), ("apply", str(directory), *store)):
        failed = vestibule(*command, "--json")
        assert (failed.returncode, failed.stderr) == (CHECK_FAILED, ""), command
        told.append(json.loads(failed.stdout))
    assert told[0] == told[1]
    assert told[0]["ok"] is False
    assert [fault["where"] for fault in told[0]["faults"]] == [f"{file}:1:1", f"{file}:2:1"]
    assert not (tmp_path / "x.db").exists()
    # How an action ends is a result, also when it is refused; a tenant that cannot be read gives none.
    assert vestibule("run", str(directory / "acme"), "--event", event).returncode == OK
    (directory / "acme" / "tenant.yaml").write_text("tenant: acme\nmfa: {policy: sometimes}\n")
    failed = vestibule("run", str(directory / "acme"), "--event", event)
    assert (failed.returncode, failed.stdout) == (CHECK_FAILED, "")
    assert "tenant.yaml:2:" in failed.stderr


def test_5_is_no_daemon_there(event: str) -> None:
    """No daemon at the target."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        target = f"127.0.0.1:{free.getsockname()[1]}"
    failed = vestibule("execute", "--tenant", "acme", "--event", event, "--target", target, "--json")
    assert failed.returncode == UNREACHABLE
    assert target in failed.stderr
    assert failed.stdout == ""
