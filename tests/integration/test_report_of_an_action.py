"""What a decision tells of each execution, and of itself: all that the contract promises, from a real daemon."""

import hashlib

import pytest
from vestibule.v1 import decision_pb2

from tests.fixtures.daemons import Daemon, Login, Tenant
from tests.fixtures.tenants import ADA, DENY, MFA, define

ASKS = """\
def on_execute_post_login(event, api):
    print("seen", event.user.user_id)
    total = sum(range(200_000))
    api.multifactor.enable("any", allow_remember_browser=False)
    api.id_token.set_custom_claim("https://example.com/total", total)
"""
FAILS = """\
def on_execute_post_login(event, api):
    api.multifactor.enable("none")
    print("before")
    event.user.no_such_member
"""
REFUSES = """\
def on_execute_post_login(event, api):
    api.access.deny("Not today.")
"""


def sha256(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


def test_a_report_names_its_revision_its_end_its_times_and_its_output(tenant: Tenant, login: Login) -> None:
    """One report for each binding in flow order, also of the action that failed and of the one that did not run."""
    revision = tenant(ASKS, FAILS, REFUSES, ASKS)
    decision = login()
    assert (decision.outcome, decision.denial.description) == (DENY, "Not today.")
    assert decision.catalog_revision == revision
    assert [(report.action, report.revision_sha256) for report in decision.executions] == [
        (f"a{at}", sha256(source)) for at, source in enumerate((ASKS, FAILS, REFUSES, ASKS))
    ]
    assert [decision_pb2.Verdict.Name(report.verdict) for report in decision.executions] == [
        "VERDICT_COMPLETED",
        "VERDICT_RAISED",
        "VERDICT_COMPLETED",
        "VERDICT_SKIPPED",
    ]
    ran, failed, _, skipped = decision.executions
    assert 0 < ran.cpu_time.ToMicroseconds() <= ran.wall_time.ToMicroseconds() <= decision.wall_time.ToMicroseconds()
    assert (ran.output, ran.output_truncated, ran.HasField("error")) == ("seen auth0|1\n", False, False)
    assert (failed.error.type, failed.error.line, failed.output) == ("AttributeError", 4, "before\n")
    assert "no_such_member" in failed.error.message
    assert skipped.wall_time.ToMicroseconds() == 0
    assert decision.degraded
    (reason,) = decision.degraded_reasons
    assert "a1" in reason


def test_contributions_say_who_asked_for_what_and_which_won(
    daemon: Daemon, name: str, tenant: Tenant, login: Login
) -> None:
    """Of two requirements the last one won; what a failed action asked for is none, and its on_error is one."""
    other = ASKS.replace("allow_remember_browser=False", "allow_remember_browser=True")
    tenant(ASKS, other)
    decision = login()
    asked = [row for row in decision.contributions if row.operation == "multifactor.enable"]
    assert [(row.action, row.won) for row in asked] == [("a0", False), ("a1", True)]
    assert decision.multifactor.remember == decision_pb2.Multifactor.REMEMBER_MODE_CHECKBOX
    assert decision.multifactor.origin == decision_pb2.Multifactor.ORIGIN_ACTION
    assert list(decision.multifactor.challenge) == [decision_pb2.FACTOR_OTP]

    daemon.publish(define(f"{name}-failing"[:64], FAILS))
    decision = daemon.call(f"{name}-failing"[:64])
    assert (decision.outcome, decision.multifactor.origin) == (MFA, decision_pb2.Multifactor.ORIGIN_ON_ERROR)
    assert [(row.action, row.won) for row in decision.contributions] == [("a0", True)]
    assert decision.contributions[0].operation != "multifactor.enable"


@pytest.mark.parametrize(
    ("given", "mode", "forgets"),
    [
        ("", decision_pb2.Multifactor.REMEMBER_MODE_NONE, False),
        (", allow_remember_browser=False", decision_pb2.Multifactor.REMEMBER_MODE_NONE, True),
        (", allow_remember_browser=True", decision_pb2.Multifactor.REMEMBER_MODE_CHECKBOX, False),
    ],
)
def test_remembering_has_three_states(given: str, mode: int, forgets: bool, tenant: Tenant, login: Login) -> None:
    """Not said, no, which also forgets, and yes."""
    tenant(f'def on_execute_post_login(event, api):\n    api.multifactor.enable("any"{given})\n')
    factor = login().multifactor
    assert (factor.remember, factor.forget_remembered_browser) == (mode, forgets)
    assert factor.HasField("memory") is (mode == decision_pb2.Multifactor.REMEMBER_MODE_CHECKBOX)


def test_every_decision_has_an_id_of_its_own(tenant: Tenant, login: Login) -> None:
    """The log tells logins apart by their decisions' ids, and a login that was sent again keeps its own."""
    tenant(REFUSES)
    ids = {login(ADA, request_id=name).decision_id for name in ("first", *map(str, range(20)), "first")}
    assert len(ids) == 21
    assert all(len(one) == 32 for one in ids)
