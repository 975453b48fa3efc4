"""The demo keeps serving on the addresses it printed, and holds its hostile tenants to how they should end."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from tests.fixtures.commands import TIED, clean_environment, vestibule
from tests.fixtures.waiting import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "deploy" / "demo"
PORTS = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")


def begin(place: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the demo in a directory of its own."""
    return subprocess.Popen(
        [*TIED, sys.executable, "-m", "runtime.cli", "demo", *arguments, *PORTS],
        cwd=place,
        env=clean_environment() | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "proto" / "python")))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def smaller(tmp_path: Path) -> tuple[Path, list[dict[str, object]]]:
    """A copy of the demo's directory, with the logins that matter here: one of ours, and the hostile ones."""
    copy = tmp_path / "demo"
    shutil.copytree(DEMO, copy)
    logins = yaml.safe_load((copy / "logins.yaml").read_text())["logins"]
    few = [login for login in logins if login["tenant"].startswith("mallory")]
    few.append(next(login for login in logins if login["event"] == "admin-application.json"))
    return copy, few


def test_it_keeps_serving_where_it_says(tmp_path: Path, smaller: tuple[Path, list[dict[str, object]]]) -> None:
    """After its table both addresses answer, the command that it recommends works, and Ctrl-C ends it with 0."""
    copy, logins = smaller
    (copy / "logins.yaml").write_text(yaml.safe_dump({"logins": logins}))
    demo = begin(tmp_path, "--from", str(copy))
    assert demo.stdout is not None
    watch = threading.Timer(4 * PATIENCE_S, demo.kill)
    watch.start()
    try:
        said = []
        for line in demo.stdout:
            said.append(line)
            if "execute --tenant" in line:
                break
        text = "".join(said)
        assert f"{len(logins)} of {len(logins)} logins decided as expected" in text, text
        for ended in ("TIMED_OUT after", "EXHAUSTED after", "read_a_file: RAISED after"):
            assert ended in text
        addresses = re.search(r"still serving: gRPC on (\S+), HTTP on \S+, metrics on (\S+),", text)
        assert addresses is not None, text
        event = DEMO / "events" / "admin-application.json"
        decided = vestibule("execute", "--tenant", "acme", "--event", str(event), "--target", addresses[1], "--json")
        assert '"OUTCOME_MFA_REQUIRED"' in decided.stdout, decided.stderr
        scraped = subprocess.run(
            [sys.executable, "-c", f"import urllib.request as r; print(r.urlopen({addresses[2]!r}).read().decode())"],
            capture_output=True, text=True, timeout=PATIENCE_S, check=True,
        )  # fmt: skip
        assert 'vestibule_decisions_total{outcome="mfa_required"}' in scraped.stdout
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(PATIENCE_S) == 0
    finally:
        watch.cancel()
        demo.kill()
        demo.wait()
        demo.stdout.close()


@pytest.mark.parametrize("wrong", [pytest.param("outcome", marks=pytest.mark.long), "verdicts"])
def test_what_is_not_as_announced_is_exit_4(
    tmp_path: Path, smaller: tuple[Path, list[dict[str, object]]], wrong: str
) -> None:
    """A list that expects another outcome, or another end of a hostile action, fails, and the login is named."""
    copy, logins = smaller
    loop = next(login for login in logins if login["tenant"] == "mallory-loop")
    loop[wrong] = "allow" if wrong == "outcome" else {"loop_forever": "crashed"}
    (copy / "logins.yaml").write_text(yaml.safe_dump({"logins": logins}))
    demo = begin(tmp_path, "--from", str(copy), "--once")
    text, _ = demo.communicate(timeout=4 * PATIENCE_S)
    assert demo.returncode == 4, text
    assert text.count("NOT WHAT IT SHOULD BE") == 1
    assert f"{len(logins) - 1} of {len(logins)} logins decided as expected" in text
