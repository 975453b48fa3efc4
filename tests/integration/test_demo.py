"""The demo, as `make run` shows it: every sample login is decided, or continued to its end, as its list says."""

import os
import subprocess
import sys
from pathlib import Path

from tests.fixtures.commands import TIED, clean_environment

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_decides_as_announced(tmp_path: Path) -> None:
    """Each login ends as expected, those with a challenge, a page and a replay too; the key is for its owner only."""
    ports = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    done = subprocess.run(
        [*TIED, sys.executable, "-m", "runtime.cli", "demo", "--once", *ports],
        cwd=tmp_path,
        env=clean_environment() | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "proto" / "python")))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert "18 of 18 logins decided as expected" in done.stdout
    assert "NOT WHAT IT SHOULD BE" not in done.stdout
    assert "SUSPEND otp or email" in done.stdout
    assert "SUSPEND redirect to https://accounts.aurora.example/terms" in done.stdout
    assert "the same continuation with another request: CONTINUATION_USED" in done.stdout
    key = tmp_path / ".run" / "continuation.keys"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_text().strip() not in done.stdout
