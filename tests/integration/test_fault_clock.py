"""A time of day that jumps by a year under a real daemon: deadlines, budgets and waits stay; actions see it."""

import mmap
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from runtime.core.model import OnError
from tests.calls import result
from tests.fixtures.daemons import served
from tests.fixtures.tenants import ADA, ALLOW, BOB, DENY, GATE, LOOP, MFA, define
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.long  # a drill

YEAR_S = 365 * 24 * 3600
TELLS = """\
import time
def on_execute_post_login(event, api):
    print(int(time.time()))
"""
SLOW = """\
def on_execute_post_login(event, api):
    total = 0
    for i in range(10_000_000):
        total += i
    api.multifactor.enable("any")
"""


@pytest.mark.parametrize("jump_s", [YEAR_S, -YEAR_S], ids=["forward", "back"])
def test_a_clock_that_jumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: int) -> None:
    """Logins in flight are neither cut nor prolonged, later ones are right, actions see the time, applies arrive."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to build a clock that can be moved")
    library, clock = tmp_path / "time_shift.so", tmp_path / "clock"
    source = Path(__file__).parent.parent / "time_shift.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source)], check=True)
    clock.write_bytes(struct.pack("q", 0))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("SHIFT_FILE", str(clock))
    flags = ("--sandbox-action-timeout-ms", "5000", "--pool-queue-wait-ms", "20000", "--pool-workers-per-tenant", "1")
    with served(tmp_path, *flags) as daemon:
        daemon.publish(
            define("acme", GATE),
            define("tells", TELLS),
            define("slow", SLOW, timeout_ms=20_000),
            define("loop", LOOP, timeout_ms=1000, on_error=OnError.DENY),
        )

        def told_s() -> int:
            return int(daemon.call("tells").executions[0].output)

        assert abs(told_s() - time.time()) < PATIENCE_S
        # One runs, one stands in the queue behind it.
        logins = [daemon.begin("slow", timeout_s=PATIENCE_S) for _ in range(2)]
        loop = daemon.begin("loop", timeout_s=PATIENCE_S)
        daemon.wait_in_flight(3)
        began_s = time.monotonic()
        with open(clock, "r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
            shared[:] = struct.pack("q", jump_s)
        assert abs(told_s() - (time.time() + jump_s)) < PATIENCE_S
        assert [(result(login).outcome, result(login).degraded) for login in logins] == [(MFA, False)] * 2
        assert (result(loop).outcome, result(loop).degraded) == (DENY, True)
        # Its budget, and a busy machine: not a year, and not at once either.
        assert time.monotonic() - began_s < PATIENCE_S
        assert result(loop).executions[0].wall_time.ToMilliseconds() >= 900
        for event, outcome in ((ADA, MFA), (BOB, ALLOW)):
            decision = daemon.call("acme", event, timeout_s=5)
            assert (decision.outcome, decision.degraded) == (outcome, False)
        daemon.publish(define("later", GATE))
        assert daemon.call("later").outcome == MFA
        until(lambda: daemon.get("/readyz")[0] == 200, "ready")
        assert daemon.metric("vestibule_catalog_healthy") == 1
        assert daemon.stop() == 0
