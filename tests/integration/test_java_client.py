"""A gateway written for Java, with protobuf-java and grpc-java, reads every kind of answer as Python does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import json_format
from vestibule_client.conformance import cases
from vestibule_client.conformance.cases import Answer, Case
from vestibule_client.conformance.daemon import ScriptedDaemon

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.long


def maven(folder: Path, *goals: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["mvn", "--batch-mode", "--quiet", f"-Dproto.folder={ROOT / 'proto'}", *goals],
        cwd=folder, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled program; where there is no Maven, or it reaches no packages, nothing is tried, but CI has both."""
    folder = tmp_path_factory.mktemp("java") / "project"
    shutil.copytree(ROOT / "tests" / "java", folder, ignore=shutil.ignore_patterns("target"))
    reason = "" if shutil.which("mvn") else "there is no Maven"
    if not reason and (done := maven(folder, "compile")).returncode != 0:
        assert "COMPILATION ERROR" not in done.stdout, done.stdout
        reason = f"Maven could not build: {done.stdout[-500:]}"
    if reason and not os.environ.get("CI"):
        pytest.skip(f"{reason}: Java was not tried")
    assert not reason, reason
    return folder


@pytest.fixture
def daemon() -> Iterator[ScriptedDaemon]:
    daemon = ScriptedDaemon()
    yield daemon
    daemon.stop()


def test_java_reads_every_kind_of_answer(project: Path, daemon: ScriptedDaemon) -> None:
    """Each decision of the kit, values of later versions too, and an error with its details."""
    decisions = [answer.decision for case in cases.load() for answer in case.daemon if answer.decision is not None]
    for decision in decisions:
        decision.decision_id, decision.catalog_revision = "d-1", 1
    later = Answer(error={"status": "UNAVAILABLE", "reason": "DRAINING", "retry_after_s": 1})
    script = (*(Answer(decision=decision) for decision in decisions), later)
    daemon.begin(Case(name="", description="", event={}, daemon=script, turns=()), "acme")
    done = maven(project, "exec:java", f"-Dexec.args={daemon.target} {len(script)}")
    assert done.returncode == 0, done.stdout + done.stderr
    # Maven may write what resets a terminal's colours before it.
    read = [json.loads(line[line.index("{") :]) for line in done.stdout.splitlines() if "{" in line]
    assert read[:-1] == [json_format.MessageToDict(decision) for decision in decisions]
    assert read[-1] == {"status": "UNAVAILABLE", "details": 2}
    assert daemon.end() == []
