"""Time that the caller or a busy machine did not give is no failure of an action: right decisions, or none.

Nothing here measures time. Deadlines are short, so that many of them pass; which ones do depends on the machine.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from vestibule.v1 import decision_pb2

from runtime.core.model import OnError
from tests.calls import Refused, result
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.tenants import ALLOW, BOB, DENY, define
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.long

LOGINS = 1_000
DEADLINES_MS = range(3, 21)
ENTRY = "def on_execute_post_login(event, api):\n"
WORK = ENTRY + "    total = 0\n    for at in range({}):\n        total += at\n"
# Some milliseconds of work in each, so that deadlines pass in the middle of any of them.
SOME, DENIES = WORK.format(20_000), WORK.format(20_000) + "    api.access.deny('no')\n"
LONG = WORK.format(3_000_000) + "    api.access.deny('no')\n"
CHALLENGES = ENTRY + "    api.authentication.challenge_with({'type': 'otp'})\n"
# What a caller whose time is short may get instead of a decision.
NONE = {"DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose tenants let a login pass when an action fails."""
    with served(tmp_path_factory.mktemp("deadline"), "--pool-queue-wait-ms", "20000", blank=2) as daemon:
        forgiving = OnError.CONTINUE
        daemon.publish(
            define("denies", SOME, SOME, DENIES, on_error=forgiving),
            define("denies-late", CHALLENGES, SOME, DENIES, on_error=forgiving),
            define("control", SOME, SOME, LONG, on_error=forgiving, timeout_ms=1),
            define("long", LONG, on_error=forgiving, timeout_ms=10_000),
        )
        yield daemon


def verdicts(daemon: Daemon, verdict: str) -> float:
    """Count executions that ended so."""
    return daemon.metric("vestibule_executions_total", verdict=verdict)


def test_an_honest_denial_is_a_denial_or_no_decision(daemon: Daemon) -> None:
    """1,000 logins with deadlines of 3 to 20 ms, eight at a time: DENY or a status, and no worker is blamed."""

    def login(at: int) -> str:
        deadline_s = DEADLINES_MS[at % len(DEADLINES_MS)] / 1000
        try:
            decision = daemon.call("denies", BOB, timeout_s=deadline_s)
        except Refused as refused:
            return refused.code
        assert not decision.degraded, decision
        return decision_pb2.Outcome.Name(decision.outcome)

    assert daemon.call("denies", BOB).outcome == DENY
    kills = {reason: daemon.metric("vestibule_worker_kills_total", reason=reason) for reason in ("violation",)}
    failed = {verdict: verdicts(daemon, verdict) for verdict in ("timed_out", "violated", "crashed")}
    with ThreadPoolExecutor(8) as callers:
        answers = Counter(callers.map(login, range(LOGINS)))
    assert answers.keys() <= {"OUTCOME_DENY", *NONE}, answers
    assert answers["DEADLINE_EXCEEDED"] > 0
    assert daemon.call("denies", BOB).outcome == DENY
    assert {reason: daemon.metric("vestibule_worker_kills_total", reason=reason) for reason in kills} == kills
    assert {verdict: verdicts(daemon, verdict) for verdict in failed} == failed


def test_the_control_an_action_over_its_own_budget_follows_on_error(daemon: Daemon) -> None:
    """An action that really uses up its budget has failed, and its report says how much of the processor it had."""
    decision = daemon.call("control", BOB)
    assert (decision.outcome, decision.degraded) == (ALLOW, True)
    error = decision.executions[2].error
    assert error.type == "BudgetExceeded"
    assert "budget of 1 ms of processor time: it had " in error.message


def test_a_continued_login_is_denied_or_can_be_tried_again(daemon: Daemon) -> None:
    """A second leg with 6 to 40 ms: DENY or a status; where there was no answer, the same continuation is good."""
    answers: Counter[str] = Counter()

    def resume(continuation: bytes, timeout_s: float) -> str:
        otp = [decision_pb2.FACTOR_OTP]
        try:
            decision = daemon.resume("denies-late", BOB, continuation, otp, timeout_s=timeout_s)
        except Refused as refused:
            return refused.reason if refused.code == "FAILED_PRECONDITION" else refused.code
        assert (decision.outcome, decision.degraded) == (DENY, False)
        return "DENY"

    for deadline_ms in range(6, 41, 2):
        suspended = daemon.call("denies-late", BOB)
        assert suspended.outcome == decision_pb2.OUTCOME_SUSPEND
        continuation = suspended.suspension.continuation
        told = resume(continuation, deadline_ms / 1000)
        answers[told] += 1
        assert told == "DENY" or told in NONE
        if told in NONE:
            # Or the answer was reached, and was too late for its caller.
            assert resume(continuation, PATIENCE_S) in ("DENY", "CONTINUATION_USED")
    assert answers["DEADLINE_EXCEEDED"] > 0


def test_a_worker_that_the_machine_does_not_run_is_not_out_of_budget(daemon: Daemon) -> None:
    """An action that was stopped beyond its budget continues, or runs on another worker, and its denial counts."""
    daemon.publish(define("starved", LONG, on_error=OnError.CONTINUE, timeout_ms=600))
    assert daemon.call("starved", BOB).outcome == DENY
    timed_out = verdicts(daemon, "timed_out")
    for stopped_s in (0.8, 1.8):
        login = daemon.begin("starved", BOB)
        worker = daemon.running_worker()
        worker.kill(signal.SIGSTOP)
        time.sleep(stopped_s)
        worker.kill(signal.SIGCONT)
        decision = result(login)
        assert (decision.outcome, decision.degraded) == (DENY, False), stopped_s
    assert verdicts(daemon, "timed_out") == timed_out


def test_a_caller_that_leaves_early_costs_no_worker(daemon: Daemon) -> None:
    """Its worker stops at the deadline, and serves the next login."""
    assert daemon.call("long", BOB).outcome == DENY
    recycled = {
        reason: daemon.metric("vestibule_worker_kills_total", reason=reason) for reason in ("deadline", "recycled")
    }
    for _ in range(5):
        with pytest.raises(Refused) as refused:
            daemon.call("long", BOB, timeout_s=0.02)
        assert refused.value.code == "DEADLINE_EXCEEDED"
    until(lambda: daemon.metric("vestibule_workers", state="busy") == 0, "every worker is free again")
    assert daemon.call("long", BOB).outcome == DENY
    assert {reason: daemon.metric("vestibule_worker_kills_total", reason=reason) for reason in recycled} == recycled
