"""`vestibule run` of many lines in one go: in step, and by one sandbox that is started once."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.commands import clean_environment
from tests.fixtures.tenants import GATE, write_directory

pytestmark = pytest.mark.long  # a drill


def run(subject: Path, lines: list[dict[str, object]]) -> tuple[list[dict[str, object]], float]:
    """Run these lines; return the result of each, and how long all of it took."""
    began_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "runtime.cli", "run", str(subject), "--events", "-"],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=300,
        env=clean_environment(),
        check=False,
    )
    took_s = time.monotonic() - began_s
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], took_s


@pytest.mark.parametrize("kind", ["action", "tenant"])
@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.long)])
def test_many_lines_in_one_go(tmp_path: Path, kind: str, count: int) -> None:
    """Every line is answered in its place, and each costs a small part of what a run of its own would."""
    tenant = write_directory(tmp_path, "acme", GATE) / "acme"
    subject = tenant if kind == "tenant" else tenant / "actions" / "a0.py"
    wanted = [bool(number % 3) for number in range(count)]
    lines: list[dict[str, object]] = [
        {
            "event": {
                "client": {"client_id": "app"},
                "user": {"user_id": f"u{number}", "email": "ada@example.com" if asks else "bob@example.com"},
            }
        }
        for number, asks in enumerate(wanted)
    ]
    _, one_s = run(subject, lines[:1])
    answers, all_s = run(subject, lines)
    if kind == "tenant":
        assert [answer["outcome"] == "OUTCOME_MFA_REQUIRED" for answer in answers] == wanted
        assert len({answer["decisionId"] for answer in answers}) == count
    else:
        assert [bool(answer["commands"]) for answer in answers] == wanted
    assert all_s < one_s * count / 10
