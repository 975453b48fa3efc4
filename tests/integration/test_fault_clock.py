"""A time of day that jumps under a real daemon, or is another than its peer's: deadlines and claims stay right."""

import mmap
import shutil
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from vestibule.v1 import decision_pb2 as pb

from runtime.core.model import OnError
from tests.calls import Refused, result
from tests.fixtures.daemons import served
from tests.fixtures.suspensions import CHALLENGE, OTP, event, keys_file, refusal, suspended
from tests.fixtures.tenants import ADA, ALLOW, BOB, DENY, GATE, LOOP, MFA, define
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.long  # a drill

YEAR_S = 365 * 24 * 3600
HOUR_S = 3600
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


class Clock:
    """The time of day of daemons that are started with its environment."""

    def __init__(self, folder: Path, library: Path) -> None:
        self._path = folder / "clock"
        self._path.write_bytes(struct.pack("q", 0))
        self.environment = {"LD_PRELOAD": str(library), "SHIFT_FILE": str(self._path)}

    def set(self, shift_s: int) -> None:
        """Let it be so much ahead of the true time."""
        with open(self._path, "r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
            shared[:] = struct.pack("q", shift_s)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """A clock that can be moved; it needs a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to build a clock that can be moved")
    library = tmp_path / "time_shift.so"
    source = Path(__file__).parent.parent / "time_shift.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source)], check=True)
    return Clock(tmp_path, library)


@pytest.mark.parametrize("jump_s", [YEAR_S, -YEAR_S], ids=["forward", "back"])
def test_a_clock_that_jumps(tmp_path: Path, clock: Clock, jump_s: int) -> None:
    """Logins in flight are neither cut nor prolonged, later ones are right, actions see the time, applies arrive."""
    flags = ("--sandbox-action-timeout-ms", "5000", "--pool-queue-wait-ms", "20000", "--pool-workers-per-tenant", "1")
    with served(tmp_path, *flags, environment=clock.environment) as daemon:
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
        clock.set(jump_s)
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


def test_claims_while_the_clock_jumps(tmp_path: Path, clock: Clock) -> None:
    """While it is wrong a continuation is refused by the clock's words; when it is right again it is good, once."""
    with served(tmp_path, environment=clock.environment) as daemon:
        daemon.publish(define("acme", CHALLENGE))
        good, used = suspended(daemon), suspended(daemon, sent=event(transaction__id="u"))
        assert daemon.resume("acme", event("otp", transaction__id="u"), used, [OTP]).outcome == ALLOW
        for shift_s, told in ((YEAR_S, "the continuation expired at"), (-YEAR_S, "was sealed in the future")):
            clock.set(shift_s)
            assert told in refusal(daemon, "acme", event("otp"), good, [OTP]).message
            # What begins meanwhile lives by the clock that is.
            own = suspended(daemon, sent=event(transaction__id="own"))
            assert daemon.resume("acme", event("otp", transaction__id="own"), own, [OTP]).outcome == ALLOW
        clock.set(0)
        assert daemon.resume("acme", event("otp"), good, [OTP]).outcome == ALLOW
        for name, continuation in (("t-1", good), ("u", used)):
            error = refusal(daemon, "acme", event("otp", transaction__id=name), continuation, [OTP])
            assert error.reason == "CONTINUATION_USED"


def test_two_daemons_with_clocks_an_hour_apart(tmp_path: Path, clock: Clock) -> None:
    """One decision each: what was used stays used, a claim that the other takes for lapsed leads to one answer.

    What the one that is ahead seals is not taken by the other, which says that the clocks must be set.
    """
    flags = (*keys_file(tmp_path), "--continuation-lifetime-s", "7200", "--sandbox-flow-timeout-ms", "20000")
    with (
        served(tmp_path, *flags) as right,
        served(tmp_path, *flags, store=right.path, environment=clock.environment) as ahead,
    ):
        clock.set(HOUR_S)
        revision = right.publish(define("acme", CHALLENGE), define("slow", CHALLENGE, SLOW, timeout_ms=20_000))
        ahead.wait_for("catalog.reloaded", revision=revision)
        good = suspended(right)
        assert ahead.resume("acme", event("otp"), good, [OTP]).outcome == ALLOW
        for daemon in (right, ahead):
            assert refusal(daemon, "acme", event("otp"), good, [OTP]).reason == "CONTINUATION_USED"

        early = suspended(ahead)
        error = refusal(right, "acme", event("otp"), early, [OTP])
        assert "was sealed in the future; set the clocks of the daemons" in str(error.details["BadRequest"])
        assert ahead.resume("acme", event("otp"), early, [OTP]).outcome == ALLOW

        contested = suspended(right, "slow")
        first = right.begin_resuming("slow", event("otp"), contested, [OTP])
        right.wait_in_flight(1)
        second = ahead.begin_resuming("slow", event("otp"), contested, [OTP])
        ended = sorted(ending(call) for call in (first, second))
        assert ended in (["CONTINUATION_USED", "OUTCOME_ALLOW"], ["CONTINUATION_USED", "OUTCOME_MFA_REQUIRED"])


def ending(call: Any) -> str:
    """Return the outcome of a login, or why it has none."""
    try:
        return pb.Outcome.Name(result(call).outcome)
    except Refused as refused:
        return refused.reason
