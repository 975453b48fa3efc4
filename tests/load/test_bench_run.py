"""The benchmark itself, end to end and quick: it measures something, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.load.usage import family

pytestmark = pytest.mark.load

BENCH = (sys.executable, "-P", "-m", "tests.load", "--quick", "--json")


@pytest.mark.parametrize("client", [(), ("--own-client",)], ids=["h2load", "own client"])
def test_every_measure_gives_numbers(client: tuple[str, ...]) -> None:
    """Each measure gives rows, none is refused, and nothing stays in the temporary folder."""
    done = subprocess.run(
        [*BENCH, *client, "--tenants", "50"], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["not_measured"] == []
    assert {row["measure"] for row in told["rows"]} >= {"throughput", "latency", "cold", "spawn", "memory", "timeouts"}
    assert all(row["value"] > 0 for row in told["rows"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_process(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C or SIGTERM in the middle of a load ends daemon, echo, workers and load, and removes every file."""
    bench = subprocess.Popen(
        [*BENCH, "--only", "throughput"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        seen: set[int] = set()
        latest_s = time.monotonic() + 60
        # Bench, echo, daemon, zygote, its workers, a load: enough of them.
        while len(seen) < 6 and time.monotonic() < latest_s:
            seen |= set(family(bench.pid))
            time.sleep(0.05)
        assert len(seen) >= 6
        bench.send_signal(number)
        assert bench.wait(60) == 128 + number
    finally:
        bench.kill()
        bench.wait()
    latest_s = time.monotonic() + 5
    while (left := {pid for pid in seen if Path(f"/proc/{pid}").exists()}) and time.monotonic() < latest_s:
        time.sleep(0.05)
    assert not left
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_measure_is_named() -> None:
    """A misspelt measure is a usage error that says which."""
    done = subprocess.run([*BENCH, "--only", "trouput"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "trouput" in done.stderr
