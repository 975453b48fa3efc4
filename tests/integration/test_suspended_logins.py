"""Suspended logins, whole: what resumes where, with a real daemon, real actions and a gateway that comes back."""

from __future__ import annotations

import json
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from google.protobuf import json_format
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.runtime_service_pb2 import GatewayContext

from tests.fixtures.commands import vestibule
from tests.fixtures.daemons import Daemon, Login, Tenant
from tests.fixtures.suspensions import (
    AFTER,
    CHALLENGE,
    EMAIL,
    OTP,
    PHONE,
    PLAIN,
    PROMPT,
    REDIRECT,
    SECRET,
    SUSPEND,
    all_factors,
    claims,
    event,
    event_data,
    refusal,
    returned,
    suspended,
    verdicts,
)
from tests.fixtures.tenants import ALLOW, DENY, define


class TestWhatResumesWhere:
    def test_a_challenge_continues_with_the_next_action(
        self, daemon: Daemon, name: str, tenant: Tenant, login: Login
    ) -> None:
        """The action that asked is not run again; the next one sees the factor, and metadata set before."""
        tenant(CHALLENGE, AFTER)
        first = login(event())
        assert first.outcome == SUSPEND
        assert verdicts(first) == [("a0", "completed", False, False)]
        assert not first.HasField("on_any_outcome")
        assert not first.HasField("on_success")
        (step,) = first.suspension.mfa.steps
        assert [f.factor for f in step.factors] == [OTP]
        left_s = first.suspension.expires_at.ToMilliseconds() / 1000 - time.time()
        assert 850 < left_s <= 900
        last = daemon.resume(name, event("otp"), first.suspension.continuation, [OTP])
        assert last.outcome == ALLOW
        assert verdicts(last) == [("a0", "completed", False, True), ("a1", "completed", False, False)]
        assert claims(last) == {"asked": True, "methods": ["otp"], "seen": "yes"}
        assert json_format.MessageToDict(last.on_any_outcome.transaction_metadata) == {"challenged": "yes"}

    def test_a_redirect_continues_in_its_own_action(
        self, daemon: Daemon, name: str, tenant: Tenant, login: Login
    ) -> None:
        """The page gets a token it can verify, the same action reads the one it answers, then the next one runs."""
        tenant(REDIRECT, PLAIN.format("next"), secrets={"KEY": SECRET})
        first = login(event())
        assert first.outcome == SUSPEND
        url = urlsplit(first.suspension.redirect.url)
        assert (url.netloc, url.path) == ("a.example", "/terms")
        assert parse_qs(url.query).keys() == {"lang", "session_token"}
        last = daemon.resume(name, returned(), first.suspension.continuation)
        assert last.outcome == ALLOW
        assert verdicts(last) == [
            ("a0", "completed", False, True),
            ("a0", "completed", True, False),
            ("a1", "completed", False, False),
        ]
        assert claims(last) == {"accepted": True, "next": "next"}
        assert list(last.on_success.recorded_methods) == ["https://a.example/terms"]

    def test_a_form_continues_in_its_own_action(self, daemon: Daemon, name: str, tenant: Tenant, login: Login) -> None:
        """What the form collected is read where it was asked for."""
        tenant(PROMPT)
        first = login(event())
        assert first.suspension.prompt.id == "ap_1"
        assert json_format.MessageToDict(first.suspension.prompt.vars) == {"n": 1}
        other = event(prompt={"id": "ap_2", "fields": {"phone": "+49 30"}})
        for sent in (event(), other):
            error = refusal(daemon, name, sent, first.suspension.continuation)
            assert (error.code, error.reason) == ("FAILED_PRECONDITION", "CONTINUATION_MISMATCH")
            assert error.details["ErrorInfo"].metadata == {"mismatch": "prompt"}
        back = event(prompt={"id": "ap_1", "fields": {"phone": "+49 30"}})
        last = daemon.resume(name, back, first.suspension.continuation)
        assert json_format.MessageToDict(last.on_any_outcome.user_metadata) == {"phone": "+49 30"}

    def test_two_suspensions_in_one_flow(self, daemon: Daemon, name: str, tenant: Tenant, login: Login) -> None:
        """Challenge, then redirect, then the end: the last decision has what all parts asked for, and each report."""
        tenant(CHALLENGE, REDIRECT, PLAIN.format("end"), secrets={"KEY": SECRET})
        first = login(event())
        second = daemon.resume(name, event("otp"), first.suspension.continuation, [OTP])
        assert second.outcome == SUSPEND
        assert second.suspension.WhichOneof("step") == "redirect"
        assert verdicts(second) == [("a0", "completed", False, True), ("a1", "completed", False, False)]
        last = daemon.resume(name, returned(), second.suspension.continuation)
        assert claims(last) == {"asked": True, "accepted": True, "end": "end"}
        assert [row[2:] for row in verdicts(last)] == [(False, True), (False, True), (True, False), (False, False)]

    def test_a_continue_handler_can_send_the_user_away_again(
        self, daemon: Daemon, name: str, tenant: Tenant, login: Login
    ) -> None:
        """A second redirect from the continue handler comes back to the continue handler."""
        source = (
            "def on_execute_post_login(event, api):\n    api.redirect.send_user_to('https://a.example/1')\n\n"
            "def on_continue_post_login(event, api):\n"
            "    if event.request.query.get('done') != 'yes':\n        api.redirect.send_user_to('https://a.example/2')\n"
        )
        tenant(source, PLAIN.format("end"))
        decision = login(event())
        for page in ("1", "2", "2"):
            assert decision.suspension.redirect.url == f"https://a.example/{page}"
            decision = daemon.resume(name, event(), decision.suspension.continuation)
        decision = daemon.resume(name, event(request__query={"done": "yes"}), decision.suspension.continuation)
        assert decision.outcome == ALLOW
        assert claims(decision) == {"end": "end"}
        assert [row[2] for row in verdicts(decision)] == [False, True, True, True, True, False]

    def test_a_challenge_of_the_last_action_ends_with_its_factor(
        self, daemon: Daemon, name: str, tenant: Tenant
    ) -> None:
        """When nothing is left to run, the factor itself decides."""
        tenant(CHALLENGE)
        last = daemon.resume(name, event("otp"), suspended(daemon, name), [OTP])
        assert last.outcome == ALLOW
        assert claims(last) == {"asked": True}

    def test_a_queue_asks_for_a_factor_for_each_step(self, daemon: Daemon, name: str) -> None:
        """Two challenges of one action are two steps of one suspension."""
        source = (
            "def on_execute_post_login(event, api):\n    api.authentication.challenge_with({'type': 'otp'})\n"
            "    api.authentication.challenge_with_any([{'type': 'phone'}, {'type': 'email'}])\n"
        )
        daemon.publish(all_factors(define(name, source)))
        continuation = suspended(daemon, name)
        assert refusal(daemon, name, event("otp"), continuation, [OTP]).reason == "INVALID_REQUEST"
        last = daemon.resume(name, event("otp", "email"), continuation, [OTP, EMAIL])
        assert last.outcome == ALLOW

    def test_a_factor_that_was_presented_is_not_asked_for_again(
        self, daemon: Daemon, name: str, tenant: Tenant
    ) -> None:
        """A later challenge for the same factor lets the flow continue, in the same call."""
        tenant(CHALLENGE, CHALLENGE, AFTER)
        last = daemon.resume(name, event("otp"), suspended(daemon, name), [OTP])
        assert last.outcome == ALLOW
        assert [row[1] for row in verdicts(last)] == ["completed"] * 3

    def test_the_fifth_command_of_a_flow_is_refused(self, daemon: Daemon, name: str, login: Login) -> None:
        """Four challenges and enrolments a flow, over all of its legs; the next one denies."""
        kinds = ["otp", "phone", "email", "recovery-code"]
        sources = [
            f"def on_execute_post_login(event, api):\n    api.authentication.challenge_with({{'type': {kind!r}}})\n"
            for kind in (*kinds, "webauthn-roaming")
        ]
        factors = [{"type": kind} for kind in (*kinds, "webauthn-roaming")]
        daemon.publish(all_factors(define(name, *sources)))
        numbers = [OTP, PHONE, EMAIL, pb.FACTOR_RECOVERY_CODE]
        now = event(user__enrolledFactors=factors)
        decision = login(now)
        for number in numbers:
            assert decision.outcome == SUSPEND
            decision = daemon.resume(name, now, decision.suspension.continuation, [number])
        assert decision.outcome == DENY
        assert decision.denial.reason == pb.Denial.REASON_TOO_MANY_COMMANDS

    def test_a_back_channel_gets_requirements_and_no_page(
        self, daemon: Daemon, name: str, tenant: Tenant, login: Login
    ) -> None:
        """A password grant answers mfa_required; the MFA API's success continues the flow."""
        tenant(CHALLENGE, AFTER)
        sent = event(transaction__protocol="oauth2-password")
        first = login(sent)
        assert first.outcome == pb.OUTCOME_SUSPEND_BY_TOKEN
        done = event("otp", transaction__protocol="oauth2-password")
        last = daemon.resume(
            name, done, first.suspension.continuation, [OTP], gateway=GatewayContext(mfa_grant_allowed=True)
        )
        assert last.outcome == ALLOW

    def test_without_a_page_a_redirect_is_refused(self, tenant: Tenant, login: Login) -> None:
        """Silent authentication gets interaction_required, and no continuation."""
        tenant(PROMPT, AFTER)
        decision = login(event(transaction__prompt=["none"]))
        assert decision.outcome == DENY
        assert decision.denial.reason == pb.Denial.REASON_INTERACTION_REQUIRED
        assert not decision.HasField("suspension")
        assert [row[1] for row in verdicts(decision)] == ["completed", "skipped"]


EFFECTS = (
    "api.id_token.set_custom_claim('https://a.example/x', 'first')\n    api.transaction.set_metadata('n', 1)",
    "api.user.set_app_metadata('seen', event.transaction.metadata.get('n'))\n    api.access_token.add_scope('read')",
    "api.id_token.set_custom_claim('https://a.example/x', event.transaction.metadata.get('n'))\n"
    "    api.transaction.set_metadata('n', 2)\n    api.access_token.remove_scope('read')",
    "api.user.set_app_metadata('last', event.transaction.metadata.get('n'))\n    api.access_token.add_scope('write')",
)
PAUSES = {
    "challenge": "def on_execute_post_login(event, api):\n    api.authentication.challenge_with({'type': 'otp'})\n",
    "redirect": (
        "def on_execute_post_login(event, api):\n    api.redirect.send_user_to('https://a.example/')\n\n"
        "def on_continue_post_login(event, api):\n    pass\n"
    ),
    "form": (
        "def on_execute_post_login(event, api):\n    api.prompt.render('ap_1')\n\n"
        "def on_continue_post_login(event, api):\n    pass\n"
    ),
}


@pytest.mark.parametrize("pause", PAUSES)
def test_a_flow_in_pieces_does_what_it_does_in_one(daemon: Daemon, pause: str) -> None:
    """Wherever a flow waits, and if it waits everywhere, its side effects are those of the flow that never waits."""
    sources = [f"def on_execute_post_login(event, api):\n    {body}\n" for body in EFFECTS]
    places = [(at,) for at in range(len(sources) + 1)] + [(0, 2, 4)]
    names = [f"{pause}-{number}" for number in range(len(places))]
    tenants = [define(f"{pause}-whole", *sources)]
    for split, places_of in zip(names, places, strict=True):
        pieces = list(sources)
        for at in sorted(places_of, reverse=True):
            pieces.insert(at, PAUSES[pause])
        tenants.append(define(split, *pieces))
    daemon.publish(*tenants)
    whole = daemon.call(tenants[0].flow.tenant, event())
    assert whole.outcome == ALLOW
    assert claims(whole) == {"x": 1}
    for split, places_of in zip(names, places, strict=True):
        decision = daemon.call(split, event())
        waits = 0
        while decision.outcome == SUSPEND:
            waits += 1
            assert not decision.HasField("on_any_outcome")
            assert not decision.HasField("on_success")
            completed = [OTP] if pause == "challenge" else []
            back = event("otp", prompt={"id": "ap_1"})
            decision = daemon.resume(split, back, decision.suspension.continuation, completed)
        assert decision.outcome == ALLOW
        assert decision.on_any_outcome == whole.on_any_outcome
        assert decision.on_success == whole.on_success
        # A factor that was presented once satisfies the later challenges.
        assert waits == (1 if pause == "challenge" else len(places_of))


def test_the_command_line_continues_with_its_own_answer(
    daemon: Daemon, name: str, tmp_path: Path, tenant: Tenant
) -> None:
    """`execute` saves an answer, and `execute --continuation` continues it: from the file, and from its token."""
    tenant(CHALLENGE, AFTER)
    (tmp_path / "login").write_text(json.dumps(event_data()))
    (tmp_path / "back").write_text(json.dumps(event_data("otp")))
    gateway = tmp_path / "gateway.json"
    gateway.write_text('{"mfaGrantAllowed": true}')
    common = ("--tenant", name, "--target", daemon.target, "--gateway", str(gateway), "--event")
    for as_token in (False, True):
        first = vestibule("execute", *common, str(tmp_path / "login"))
        assert first.returncode == 0, first.stderr
        answer = tmp_path / "answer.json"
        answer.write_text(first.stdout)
        given = json.loads(first.stdout)["suspension"]["continuation"] if as_token else str(answer)
        back = (*common, str(tmp_path / "back"), "--continuation", given)
        missing = vestibule("execute", *back)
        assert (missing.returncode, "field completed: has 0, and the flow waits for 1" in missing.stderr) == (1, True)
        last = vestibule("execute", *back, "--completed", "otp")
        assert json.loads(last.stdout)["outcome"] == "OUTCOME_ALLOW"
        again = vestibule("execute", *back, "--completed", "otp")
        assert (again.returncode, "reason: CONTINUATION_USED" in again.stderr) == (1, True)
