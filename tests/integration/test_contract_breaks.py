"""The check of the contract does find what would break a caller, and lets through what would not."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROTO = Path(__file__).resolve().parents[2] / "proto"
DECISION = "vestibule/v1/decision.proto"
EVENT = "vestibule/v1/event.proto"
SERVICE = "vestibule/v1/runtime_service.proto"

# What is done -> file, pattern, replacement, the command that must object, a word of its objection.
CHANGES = {
    "a field is gone": (DECISION, r"\n  repeated string degraded_reasons = 8;", "", "breaking", "degraded_reasons"),
    "a number changes": (DECISION, r"decision_id = 9;", "decision_id = 19;", "breaking", '"9"'),
    "a type changes": (DECISION, r"string decision_id = 9;", "int64 decision_id = 9;", "breaking", "decision_id"),
    "a JSON name changes": (EVENT, r'\[json_name = "NewDevice"\]', "", "breaking", "NewDevice"),
    "a value of an enum is gone": (DECISION, r"\n  OUTCOME_DENY = 3;", "", "breaking", "OUTCOME_DENY"),
    "a method is gone": (SERVICE, r"rpc ContinuePostLogin\(.*?\);", "", "breaking", "ContinuePostLogin"),
    "a service has another name": (
        SERVICE, r"service ActionRuntimeService", "service RuntimeService", "breaking", "ActionRuntimeService"
    ),
    "a method answers otherwise": (
        SERVICE, r"returns \(ContinuePostLoginResponse\)", "returns (ExecutePostLoginResponse)", "breaking",
        "ContinuePostLogin",
    ),
    "a name against the rules": (DECISION, r"string decision_id = 9;", "string decisionId = 9;", "lint", "decisionId"),
    "a service against the rules": (SERVICE, r"service ActionRuntimeService", "service Runtime", "lint", "Runtime"),
}  # fmt: skip


def changed(tmp_path: Path, file: str, pattern: str, replacement: str) -> Path:
    """Copy the contract and change one thing in it."""
    copy = tmp_path / "proto"
    shutil.copytree(PROTO, copy, ignore=shutil.ignore_patterns("python"))
    text = (copy / file).read_text()
    assert len(re.findall(pattern, text, re.DOTALL)) == 1
    (copy / file).write_text(re.sub(pattern, replacement, text, flags=re.DOTALL))
    return copy


def buf(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Check a contract as `make lint` does."""
    program = Path(sys.executable).with_name("buf")
    against = ["--against", str(PROTO / "baseline.binpb")] if command == "breaking" else []
    return subprocess.run(
        [program, command, str(folder), *against], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_breaks_is_refused(tmp_path: Path, change: str) -> None:
    """The command fails and names what was changed."""
    file, pattern, replacement, command, word = CHANGES[change]
    refused = buf(command, changed(tmp_path, file, pattern, replacement))
    assert refused.returncode != 0
    assert word in refused.stdout + refused.stderr


def test_a_field_more_breaks_no_client(tmp_path: Path) -> None:
    """The control: what is only added for a newer gateway passes both."""
    more = "  string decision_id = 9;\n  // One thing more.\n  string one_thing_more = 99;"
    copy = changed(tmp_path, DECISION, r"  string decision_id = 9;", more)
    for command in ("lint", "breaking"):
        done = buf(command, copy)
        assert done.returncode == 0, done.stdout + done.stderr
