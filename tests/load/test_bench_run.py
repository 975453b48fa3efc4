"""The benchmark itself, end to end and quick: it measures something, and leaves nothing behind."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.load.processes import environment
from tests.load.usage import family

pytestmark = pytest.mark.load

BENCH = (sys.executable, "-P", "-m", "tests.load", "--quick", "--json")


@pytest.mark.parametrize("client", [(), ("--own-client",)], ids=["h2load", "own client"])
def test_every_measure_gives_numbers(client: tuple[str, ...]) -> None:
    """Each measure gives rows, none is refused, and nothing stays in the temporary folder."""
    done = subprocess.run(
        [*BENCH, *client, "--tenants", "50"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["not_measured"] == []
    assert {row["measure"] for row in told["rows"]} >= {"throughput", "latency", "cold", "spawn", "memory", "timeouts"}
    zero = {"logins that were refused", "without a decision", "another outcome than the tenant's"}
    for row in told["rows"]:
        # Of a peer that could not be had there is a row that says why.
        if row["value"] is None:
            assert row["note"]
        elif row["what"].rpartition(", ")[2] in zero:
            assert row["value"] == 0
        else:
            assert row["value"] > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_process(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C or SIGTERM in the middle of a load ends daemon, echo, workers and load, and removes every file."""
    bench = subprocess.Popen(
        [*BENCH, "--only", "throughput"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**environment(), "TMPDIR": str(tmp_path)},
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
    done = subprocess.run(
        [*BENCH, "--only", "trouput"], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "trouput" in done.stderr
