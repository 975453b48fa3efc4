"""Rows of the post-login reference, sections 2.3 to 2.7, 2.16 and 3: what ends a flow, what suspends it and resumes.

Each row is a flow, walked part by part: what each action records, and the answers in a word each.
"""

from dataclasses import replace
from typing import Any

import pytest

from runtime.core.aggregate import aggregate, ends_flow
from runtime.core.model import (
    FACTOR_NAMES,
    Contribution,
    Denial,
    Execution,
    Experience,
    Failure,
    Merge,
    Multifactor,
    OnError,
    Policy,
    Refused,
    Settings,
    Suspension,
    Verdict,
)
from runtime.core.suspension import OPS, pending, suspends
from sandbox.contract import surface
from tests.event_facts import EventFacts
from tests.flow_walk import (
    GATEWAY,
    REVISION,
    Action,
    Ran,
    action,
    challenge,
    challenge_any,
    claim,
    command,
    deny,
    enable,
    enroll,
    enroll_any,
    fails,
    form,
    metadata,
    outline,
    redirect,
    walk,
)

EVERY = Settings(factors=FACTOR_NAMES)
ALWAYS = replace(EVERY, policy=Policy.ALWAYS)
EVENT = EventFacts("oidc-basic-profile", enrolled=("otp", "phone"), email_verified=True)
NOVICE = replace(EVENT, enrolled=())
FAILED = [verdict for verdict in Verdict if verdict is not Verdict.COMPLETED]


def ran(*commands: Any, verdict: Verdict = Verdict.COMPLETED) -> Execution:
    return Execution("a", REVISION, OnError.REQUIRE_MFA, verdict, commands)


LATER = action("later")

ROWS: list[Any] = [
    # 2.16, what ends or suspends the flow.
    pytest.param([action("a", challenge("otp")), LATER], {}, ["mfa", "allow"], id="2.16 challenge: next action"),
    pytest.param([action("a", enroll("otp")), LATER], {"event": NOVICE}, ["mfa", "allow"], id="2.16 enrol"),
    pytest.param([action("a", redirect(), back=[[deny()]])], {}, ["redirect", "denied"], id="2.16 redirect: same one"),
    pytest.param([action("a", form(), back=[[deny()]])], {}, ["prompt", "denied"], id="2.16 form: same action"),
    pytest.param([action("a", enable()), action("b", deny())], {}, ["denied"], id="2.16 enable waits for the end"),
    pytest.param([action("a", metadata("k", 1), claim("n", 1))], {}, ["allow"], id="2.16 everything else runs on"),
    # 2.3, challenges.
    pytest.param([action("a", challenge("otp")), action("b", challenge("otp"))], {}, ["mfa", "allow"], id="2.3.1 once"),
    pytest.param(
        [action("a", challenge("otp")), action("b", challenge("phone"))],
        {},
        ["mfa", "mfa", "allow"],
        id="2.3.1 another",
    ),
    pytest.param([action("a", challenge("webauthn-roaming"))], {}, ["no_usable_factor"], id="2.3.3 nothing usable"),
    pytest.param(
        [action("a", challenge("webauthn-roaming", "otp"))], {}, ["mfa", "allow"], id="2.3.4 an additional factor does"
    ),
    pytest.param(
        [action("a", challenge("phone", "otp")), action("b", challenge_any("phone"))],
        {},
        ["mfa", "allow"],
        id="2.3.6 satisfied: the flow continues",
    ),
    pytest.param([action("a", challenge("otp"), challenge("phone"))], {}, ["mfa", "allow"], id="2.3.7 two in a queue"),
    pytest.param(
        [action("a", *[challenge("otp")] * 2), action("b", *[challenge("phone")] * 2), LATER],
        {},
        ["mfa", "mfa", "allow"],
        id="2.3.7 four in a flow",
    ),
    pytest.param(
        [action(name, challenge("otp")) for name in "abcde"],
        {},
        ["mfa", "too_many_commands"],
        id="2.3.7 five actions with one each",
    ),
    pytest.param(
        [action("a", *[challenge("otp")] * 2), action("b", *[challenge("otp")] * 3)],
        {},
        ["mfa", "too_many_commands"],
        id="2.3.7 the fifth is an error, although satisfied",
    ),
    pytest.param(
        [action("a", *[challenge("otp")] * 2), action("b", redirect(), back=[[challenge("phone")] * 3])],
        {},
        ["mfa", "redirect", "too_many_commands"],
        id="2.3.7 over all parts of the flow",
    ),
    pytest.param(
        [action("a", challenge("otp"))],
        {"settings": replace(EVERY, experience=Experience.CLASSIC)},
        ["experience_not_supported"],
        id="2.3.8 classic",
    ),
    pytest.param(
        [action("a", challenge("otp"))],
        {"gateway": replace(GATEWAY, customize_mfa=False)},
        ["customization_off"],
        id="2.3.8 switched off",
    ),
    pytest.param(
        [action("a", challenge("otp")), action("b", enable("duo"))], {}, ["mfa", "allow"], id="2.3.9 beats enable after"
    ),
    pytest.param(
        [action("a", enable("duo")), action("b", challenge("otp"))], {}, ["mfa", "allow"], id="2.3.9 and before"
    ),
    pytest.param([action("a", challenge("otp"))], {"settings": ALWAYS}, ["mfa", "allow"], id="2.3.9 beats the policy"),
    pytest.param(
        [action("a", challenge("otp"))],
        {"settings": replace(EVERY, policy=Policy.ADAPTIVE), "event": replace(EVENT, risk_confidence="low")},
        ["mfa", "allow"],
        id="2.3.9 beats the adaptive policy",
    ),
    pytest.param(
        [action("a", challenge("otp"))],
        {"event": replace(EVENT, protocol="oauth2-token-exchange")},
        ["token_exchange_not_supported"],
        id="2.3.10 token exchange",
    ),
    # 2.3, enrolments.
    pytest.param(
        [action("a", challenge("otp")), action("b", enroll_any("otp", "webauthn-roaming"))],
        {},
        ["mfa", "mfa", "allow"],
        id="2.3 enrolment 1: already enrolled is ignored",
    ),
    pytest.param(
        [action("a", enroll("otp")), action("b", enroll("otp"))],
        {"event": NOVICE},
        ["mfa", "no_usable_factor"],
        id="2.3 enrolment 1: enrolled in this transaction",
    ),
    pytest.param(
        [action("a", challenge("otp")), action("b", enroll_any("otp", "phone"))],
        {},
        ["mfa", "no_usable_factor"],
        id="2.3 enrolment 2: nothing left, fail closed",
    ),
    pytest.param([action("a", enroll("webauthn-roaming"))], {}, ["challenge_first"], id="2.3 enrolment 3"),
    pytest.param(
        [action("a", redirect()), action("b", enroll("webauthn-roaming"))],
        {},
        ["redirect", "challenge_first"],
        id="2.3 enrolment 3: a redirect is no challenge",
    ),
    pytest.param(
        [action("a", enroll("otp")), action("b", enroll("recovery-code"), enroll("webauthn-platform"))],
        {"event": NOVICE},
        ["mfa", "mfa", "allow"],
        id="2.3 enrolment: what leans on the first factor comes second",
    ),
    # 2.6 and 2.7, pages.
    pytest.param(
        [action("a", redirect())],
        {"event": replace(EVENT, prompt=("none",))},
        ["interaction_required"],
        id="2.7 silent",
    ),
    pytest.param(
        [action("a", form())],
        {"event": replace(EVENT, protocol="oauth2-refresh-token")},
        ["interaction_required"],
        id="2.6 refresh",
    ),
    pytest.param(
        [action("a", redirect())],
        {"event": replace(EVENT, protocol="oauth2-password")},
        ["interaction_required"],
        id="2.7 password grant",
    ),
    # 3.1, continuing.
    pytest.param(
        [action("a", redirect()), action("b", deny())], {}, ["redirect", "denied"], id="3.1 then the next action"
    ),
    pytest.param(
        [action("a", redirect(), back=[[redirect()], [form()], [deny()]]), LATER],
        {},
        ["redirect", "redirect", "prompt", "denied"],
        id="3.1 a continue handler may suspend again",
    ),
    pytest.param(
        [action("a", redirect(), back=[[challenge("otp")]]), LATER],
        {},
        ["redirect", "mfa", "allow"],
        id="3.1 and may challenge: then the next action",
    ),
    # 3.2, suspension by MFA commands.
    pytest.param([LATER, action("a", challenge("otp"))], {}, ["mfa", "allow"], id="3.2 the last action challenges"),
    pytest.param(
        [action("a", challenge("otp")), action("b", redirect(), back=[[claim("n", 1)]])],
        {},
        ["mfa", "redirect", "allow"],
        id="3.2 redirect after a challenge, in another action",
    ),
    # 3.3, what wins.
    pytest.param([action("a", challenge("otp"), deny())], {}, ["denied"], id="3.3 deny beats a challenge"),
    pytest.param([action("a", deny(), redirect())], {}, ["denied"], id="3.3 deny beats a redirect"),
    pytest.param([action("a", challenge("otp")), action("b", deny())], {}, ["mfa", "denied"], id="3.3 deny afterwards"),
    pytest.param(
        [action("a", redirect()), action("b", enable())],
        {},
        ["redirect", "mfa_required"],
        id="3.3 enable after redirect",
    ),
    pytest.param(
        [action("a", redirect())], {"settings": ALWAYS}, ["redirect", "mfa_required"], id="3.3 redirect: policy"
    ),
    pytest.param(
        [action("a", challenge("otp")), action("b", enable("none"))],
        {},
        ["mfa", "allow"],
        id="3.3 none after a challenge",
    ),
    # 3.4, failures.
    pytest.param(
        [fails("a"), action("b", challenge("otp"))], {}, ["mfa", "allow"], id="3.4 challenged after a failure"
    ),
    pytest.param([action("a", challenge("otp")), fails("b")], {}, ["mfa", "allow"], id="3.4 failure after a challenge"),
    pytest.param(
        [fails("a"), action("b", redirect())], {}, ["redirect", "mfa_required"], id="3.4 redirect is no factor"
    ),
    pytest.param([action("a", redirect()), fails("b")], {}, ["redirect", "mfa_required"], id="3.4 nor before it"),
    pytest.param(
        [action("a", challenge("otp")), fails("b", OnError.DENY)], {}, ["mfa", "on_error"], id="3.4 on_error: deny"
    ),
    pytest.param(
        [Action("a", Ran((redirect(),)), OnError.DENY, (Ran((), Verdict.TIMED_OUT),)), LATER],
        {},
        ["redirect", "on_error"],
        id="3.4 the continue handler fails",
    ),
    pytest.param(
        [Action("a", Ran((redirect(),)), OnError.REQUIRE_MFA, (Ran((), Verdict.CRASHED),)), LATER],
        {},
        ["redirect", "mfa_required"],
        id="3.4 the continue handler crashes",
    ),
]


@pytest.mark.parametrize(("flow", "given", "wanted"), ROWS)
def test_a_flow_goes_as_the_reference_says(flow: list[Action], given: dict[str, Any], wanted: list[str]) -> None:
    """Each part of the flow is answered as its row says."""
    more = {"settings": EVERY, "event": EVENT, **given}
    assert outline(walk(flow, more.pop("settings"), more.pop("event"), **more)) == wanted


class TestSuspends:
    @pytest.mark.parametrize("op", sorted(OPS))
    def test_every_suspending_command(self, op: str) -> None:
        """A completed execution with one of these waits for the user, unless it denies."""
        waiting = command(op)
        assert suspends(ran(enable(), waiting))
        assert not suspends(ran(waiting, deny()))
        assert not suspends(ran(deny(), waiting))
        assert not ends_flow(ran(waiting))

    @pytest.mark.parametrize("verdict", FAILED)
    def test_a_failed_execution_never_does(self, verdict: Verdict) -> None:
        """Its commands are discarded, the challenge with them; its on_error says what that means."""
        assert not suspends(ran(challenge("otp"), verdict=verdict))

    def test_nothing_else_does(self) -> None:
        """The control: enabling, denying and doing nothing do not wait."""
        assert not any(suspends(ran(*said)) for said in ((), (enable(),), (deny(),), (metadata("k", 1),)))

    def test_the_table_says_the_same(self) -> None:
        """The core and the table of calls agree on what suspends."""
        assert {call.op for call in surface.SURFACE if call.ends == "suspend"} == OPS


class TestPending:
    def test_the_queue_is_that_of_the_last_action(self) -> None:
        """What earlier actions asked for was done; what they presented satisfies."""
        executions = [ran(challenge("otp")), ran(challenge("phone", "email"))]
        waiting = pending(executions, ("otp",), EVERY, EVENT, GATEWAY)
        assert isinstance(waiting, Suspension)
        assert (waiting.kind, waiting.by_token, waiting.hide_remember_browser) == ("mfa", False, False)
        assert [[factor.type for factor in step.usable] for step in waiting.steps] == [["phone", "email"]]

    def test_without_a_browser_a_queue_goes_by_token(self) -> None:
        """A refresh or a password grant answers mfa_required with the queue as its requirements."""
        event = replace(EVENT, protocol="oauth2-refresh-token")
        waiting = pending([ran(challenge("otp"))], (), EVERY, event, GATEWAY)
        assert isinstance(waiting, Suspension)
        assert waiting.by_token

    @pytest.mark.parametrize(
        ("commands", "hidden"),
        [
            ([enable(allow_remember_browser=False), challenge("otp")], True),
            ([challenge("otp"), enable(allow_remember_browser=False)], True),
            ([enable(allow_remember_browser=True), challenge("otp")], False),
            ([enable(), challenge("otp")], False),
            ([challenge("otp")], False),
        ],
    )
    def test_enable_keeps_its_remember_flag(self, commands: list[Any], hidden: bool) -> None:
        """3.3: a challenge overrides enable, and enable still says whether its pages offer to remember the browser."""
        for executions in ([ran(*commands)], [ran(*commands[:-1]), ran(commands[-1], challenge("phone"))]):
            waiting = pending(executions, (), EVERY, EVENT, GATEWAY)
            assert isinstance(waiting, Suspension)
            assert waiting.hide_remember_browser is hidden

    def test_a_failure_hides_remembering(self) -> None:
        """It is unknown what a failed action would have said about the browser, so it is not remembered."""
        for on_error, hidden in ((OnError.REQUIRE_MFA, True), (OnError.CONTINUE, False)):
            executions = [replace(ran(verdict=Verdict.RAISED), on_error=on_error), ran(challenge("otp"))]
            waiting = pending(executions, (), EVERY, EVENT, GATEWAY)
            assert isinstance(waiting, Suspension)
            assert waiting.hide_remember_browser is hidden

    @pytest.mark.parametrize("merge", list(Merge))
    def test_the_tenants_merge_rule_speaks_for_several_enables(self, merge: Merge) -> None:
        """`strictest`: one False is enough; `last_call`: the last one counts."""
        commands = (enable(allow_remember_browser=False), enable(allow_remember_browser=True), challenge("otp"))
        waiting = pending([ran(*commands)], (), replace(EVERY, merge=merge), EVENT, GATEWAY)
        assert isinstance(waiting, Suspension)
        assert waiting.hide_remember_browser is (merge is Merge.STRICTEST)

    def test_commands_of_failed_actions_are_not_counted(self) -> None:
        """Four commands may execute: what a failed action recorded did not."""
        failed = ran(*[challenge("otp")] * 4, verdict=Verdict.RAISED)
        assert isinstance(pending([failed, ran(challenge("otp"))], (), EVERY, EVENT, GATEWAY), Suspension)

    @pytest.mark.parametrize(
        ("url", "query", "wanted"),
        [
            ("https://e.example/p?a=1#f", {}, "https://e.example/p?a=1#f"),
            ("https://e.example/p", {"a": "1"}, "https://e.example/p?a=1"),
            ("https://e.example/?a=1&b=%20x&a=2&c", {"a": "3"}, "https://e.example/?b=%20x&c&a=3"),
            ("https://e.example/?%61=1", {"a": "ü&="}, "https://e.example/?a=%C3%BC%26%3D"),
            ("https://e.example#f", {"a": "1"}, "https://e.example?a=1#f"),
        ],
    )
    def test_query_members_replace_those_of_the_url(self, url: str, query: dict[str, str], wanted: str) -> None:
        """2.7: a member of `query` replaces same-named ones, and nothing else of the address changes."""
        waiting = pending([ran(redirect(url, **query))], (), EVERY, EVENT, GATEWAY)
        assert isinstance(waiting, Suspension)
        assert (waiting.kind, waiting.url) == ("redirect", wanted)

    def test_a_form_has_its_data(self) -> None:
        """2.6: the form's id, fields and variables are those of the call."""
        said = command("prompt.render", prompt_id="ap_1", fields={"a": 1}, vars={"b": [None]})
        assert pending([ran(said)], (), EVERY, EVENT, GATEWAY) == Suspension(
            "prompt", "a", prompt_id="ap_1", fields={"a": 1}, vars={"b": [None]}
        )

    @pytest.mark.parametrize(
        "commands",
        [(redirect(), form()), (redirect(), redirect()), (form(), challenge("otp")), (enroll("otp"), form())],
    )
    def test_what_cannot_stand_together_is_never_dropped(self, commands: tuple[Any, ...]) -> None:
        """2.6, 3.2: validation refuses these; were they let through, the login would end without a decision."""
        with pytest.raises(ValueError, match="beside"):
            pending([ran(*commands)], (), EVERY, EVENT, GATEWAY)

    def test_addresses_and_form_data_are_in_no_repr(self) -> None:
        """They may hold a token of the action's, or personal data."""
        waiting = Suspension(
            "redirect", "a", url="https://e.example/?token=hush", fields={"k": "hush"}, vars={"k": "hush"}
        )
        assert "hush" not in repr(waiting)


class TestDecision:
    """What a decision says of a flow that is, was or cannot be suspended."""

    WAITING = Suspension("mfa", "a")

    def test_a_suspended_flow_has_no_side_effects(self) -> None:
        """The decision that ends the flow has those of all its parts; until then nothing happens."""
        said = (metadata("k", 1), claim("n", 1), command("session.set_metadata", key="k", value="v"))
        first, last = walk([action("a", *said, challenge("otp"), enable()), action("b", claim("m", 2))], EVERY, EVENT)
        assert (first.outcome, first.multifactor, first.denial, first.effects) == ("suspend", None, None, None)
        assert (first.user_metadata, first.app_metadata, first.id_token_claims) == ({}, {}, {})
        assert len(first.executions) == 1
        assert (last.user_metadata, last.id_token_claims) == ({"k": 1}, {"n": 1, "m": 2})
        assert last.effects is not None
        assert len(last.executions) == 2

    def test_a_denial_after_a_suspension_keeps_earlier_metadata(self) -> None:
        """3.3: metadata and deny, over both parts of the flow."""
        decision = walk([action("a", metadata("k", 1), claim("n", 1), redirect(), back=[[deny()]])], EVERY, EVENT)[-1]
        assert (decision.user_metadata, decision.id_token_claims) == ({"k": 1}, {})

    def test_factors_that_do_not_count_are_in_the_trace(self) -> None:
        """2.3: each ignored factor is a warning to log, also when nothing is left of the command."""
        tenant = replace(EVERY, factors=("otp", "email", "webauthn-roaming"))
        event = replace(EVENT, email_verified=False)
        flow = [action("a", challenge("webauthn-roaming", "push-notification", "email"))]
        decision = walk(flow, tenant, event)[-1]
        assert decision.contributions[-1] == Contribution(
            "a",
            "mfa.failed",
            True,
            "deny, no_usable_factor: webauthn-roaming not_enrolled, push-notification disabled, email not_enrolled",
        )

    @pytest.mark.parametrize("failure", list(Failure))
    def test_what_cannot_be_done_refuses_the_login(self, failure: Failure) -> None:
        """The reason says why; the description names nothing of the tenant's inside."""
        executions = (ran(metadata("k", 1), claim("n", 1), challenge("otp")), ran(verdict=Verdict.SKIPPED))
        decision = aggregate(executions, ALWAYS, EVENT, suspension=Refused(failure))
        assert decision.outcome == "deny"
        assert decision.denial is not None
        silent = failure is Failure.INTERACTION_REQUIRED
        assert (decision.denial.reason, decision.denial.validation_code) == (failure, None)
        assert ("page" if silent else "factor") in decision.denial.description
        assert (decision.multifactor, decision.suspension) == (None, None)
        assert (decision.user_metadata, decision.id_token_claims) == ({"k": 1}, {})
        assert not decision.degraded
        assert decision.executions == executions
        assert [c.won for c in decision.contributions if c.op != "id_token.set_custom_claim"] == [False, True]
        assert decision.contributions[1] == Contribution(
            "a", "interaction.required" if silent else "mfa.failed", True, f"deny, {failure.value}"
        )

    def test_a_denial_of_the_same_action_beats_both(self) -> None:
        """Order of the MFA semantics, section 4: deny, then suspend."""
        for given in (self.WAITING, Refused(Failure.NO_USABLE_FACTOR)):
            decision = aggregate([ran(challenge("otp"), deny())], EVERY, EVENT, suspension=given)
            assert decision.denial == Denial("denied", "no")
            assert decision.suspension is None

    def test_the_trace_of_a_suspended_flow(self) -> None:
        """What the flow waits for wins so far; everything else is listed and has not been decided."""
        flow = [
            action("a", challenge("otp")),
            action("b", enable("duo"), challenge("phone", "email"), enroll_any("otp")),
        ]
        event = replace(EVENT, enrolled=("phone",))
        decision = walk([flow[1]], EVERY, event)[0]
        assert decision.contributions == (
            Contribution("b", "multifactor.enable", False, "require duo"),
            Contribution("b", "authentication.challenge_with", True, "challenge phone or email"),
            Contribution("b", "authentication.enroll_with_any", True, "enroll otp"),
        )
        second = walk([flow[0], action("b", redirect())], EVERY, EVENT)[1]
        assert [(c.op, c.won) for c in second.contributions] == [
            ("authentication.challenge_with", False),
            ("redirect.send_user_to", True),
        ]

    def test_the_trace_of_a_completed_flow(self) -> None:
        """A factor was presented: the challenge won, enable was overridden, a failed action got what it asks for."""
        decision = walk(
            [fails("a"), action("b", enable("duo"), challenge("otp")), action("c", enable())], ALWAYS, EVENT
        )[-1]
        assert (decision.outcome, decision.multifactor, decision.degraded) == ("allow", None, True)
        assert [(c.action, c.op, c.won) for c in decision.contributions] == [
            ("a", "on_error.require_mfa", True),
            ("b", "multifactor.enable", False),
            ("b", "authentication.challenge_with", True),
            ("c", "multifactor.enable", False),
            ("b", "mfa.completed", True),
        ]
        assert "otp" in decision.contributions[-1].summary

    def test_a_redirect_is_in_the_trace_and_decides_nothing(self) -> None:
        """Where the user went is not said; what it led to is the next handler's."""
        decision = walk([action("a", redirect("https://secret.example"), back=[[enable()]])], EVERY, EVENT)[-1]
        assert decision.multifactor == Multifactor(
            "any", factors=decision.multifactor.factors if decision.multifactor else ()
        )
        assert [(c.op, c.won) for c in decision.contributions] == [
            ("redirect.send_user_to", False),
            ("multifactor.enable", True),
        ]
        assert "secret" not in repr(decision.contributions)
        allowed = walk([action("a", redirect())], EVERY, EVENT)[-1]
        assert [(c.op, c.won) for c in allowed.contributions] == [("redirect.send_user_to", False)]

    def test_a_strictest_policy_is_overridden_too(self) -> None:
        """2.3.9: a challenge overrides every enable of the flow, whatever the merge rule."""
        settings = Settings(Experience.NEW, Policy.ADAPTIVE, FACTOR_NAMES, Merge.STRICTEST)
        event = replace(EVENT, risk_confidence="low")
        assert walk([action("a", enable("duo"), challenge("otp"))], settings, event)[-1].outcome == "allow"

    @pytest.mark.parametrize(
        ("executions", "completed"),
        [
            ([ran(challenge("otp"))], ()),
            ([ran(challenge("otp"))], ("phone",)),
            ([ran(challenge("otp")), ran(enroll("phone"))], ("otp",)),
            ([ran(redirect())], ()),
            ([ran(redirect()), ran()], ("otp",)),
            ([ran(form()), replace(ran(), action="b", continued=True)], ()),
        ],
    )
    def test_a_suspension_that_was_passed_over_is_no_decision(
        self, executions: list[Execution], completed: tuple[str, ...]
    ) -> None:
        """A runner that forgot to wait must not read as allow: it is a fault of ours."""
        with pytest.raises(ValueError, match="was not co"):
            aggregate(executions, EVERY, EVENT, completed=completed)

    def test_recorded_methods_are_kept_once_each(self) -> None:
        """Each URL is one method of the session, and a login that is refused records none."""
        said = [
            command("authentication.record_method", provider_url=url) for url in ("https://m", "https://n", "https://m")
        ]
        decision = walk([action("a", redirect(), back=[said])], EVERY, EVENT)[-1]
        assert decision.effects is not None
        assert decision.effects.recorded_methods == ["https://m", "https://n"]
        denied = walk([action("a", redirect(), back=[[*said, deny()]])], EVERY, EVENT)[-1]
        assert denied.effects is None

    def test_cache_commands_are_not_of_the_decision(self) -> None:
        """The trigger's cache is written whatever is decided, and no decision shows it."""
        said = (command("cache.set", key="k", value="v", expires_at=1), command("cache.delete", key="k"))
        decision = walk([action("a", *said)], EVERY, EVENT)[-1]
        assert (decision.outcome, decision.effects, decision.contributions) == ("allow", None, ())
