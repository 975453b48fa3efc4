"""`make bench ARGS='--against'`: this checkout beside another one, and never beside itself by mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.commands import TIED

ROOT = Path(__file__).parents[2]


def bench(*arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run the benchmark as `make bench` does, to its end."""
    command = [*TIED, sys.executable, "-P", "-m", "tests.load", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False)


def test_a_folder_without_our_packages_gives_no_number(tmp_path: Path) -> None:
    """Where a process would run this checkout's code after all, nothing is measured, and the reason is printed."""
    done = bench("--quick", "--json", "--against", str(tmp_path))
    assert done.returncode == 4
    told = json.loads(done.stdout)
    assert told["rows"] == []
    assert f"{tmp_path} is no checkout" in told["not_measured"][0]["reason"]


@pytest.mark.load
def test_a_checkout_is_compared_with_itself() -> None:
    """Two daemons of one code are compared: rates, their ratio, and that of the processor time."""
    done = bench("--quick", "--json", "--against", str(ROOT), timeout_s=300)
    assert done.returncode == 0, done.stderr
    rows = {row["what"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["decisions, this : the other"]["target"] == {"at_least": 0.95}
    assert all(row["value"] > 0 for row in rows.values())
    assert len(rows) == 5
