"""What one flow's executions become: denial, requirements, failures, side effects, and the trace of them."""

from dataclasses import replace
from typing import Any

import pytest
from vestibule.v1 import event_pb2

from runtime.core.aggregate import CLAIMS, DENIALS, Fold, aggregate, ends_flow
from runtime.core.model import (
    Command,
    Contribution,
    Decision,
    Denial,
    Execution,
    Merge,
    Multifactor,
    OnError,
    Policy,
    Settings,
    Verdict,
)
from runtime.login.messages import EventReader
from sandbox.contract import surface
from tests.event_facts import EventFacts

FAILED = [verdict for verdict in Verdict if verdict is not Verdict.COMPLETED]
OTP = Settings(factors=("otp",))


def enable(provider: str, **options: Any) -> Command:
    return Command("multifactor.enable", {"provider": provider, **options})


def deny(reason: str = "no") -> Command:
    return Command("access.deny", {"reason": reason})


def ran(action: str, *commands: Command) -> Execution:
    return Execution(action, "0" * 64, OnError.REQUIRE_MFA, Verdict.COMPLETED, commands)


def failed(
    action: str,
    *commands: Command,
    on_error: OnError = OnError.REQUIRE_MFA,
    verdict: Verdict = Verdict.RAISED,
) -> Execution:
    return Execution(action, "0" * 64, on_error, verdict, commands)


def decide(*executions: Execution, settings: Settings = OTP, facts: EventFacts | None = None) -> Decision:
    return aggregate(executions, settings, facts or EventFacts())


def trace(decision: Decision) -> list[tuple[str, str, bool]]:
    return [(c.action, c.op, c.won) for c in decision.contributions]


def test_no_execution_and_policy_never_allows() -> None:
    """A tenant without a flow gets its policy, and nothing else."""
    decision = decide()
    assert (decision.outcome, decision.multifactor, decision.denial) == ("allow", None, None)
    assert not decision.degraded
    assert decision.contributions == ()


def test_the_reports_are_the_executions() -> None:
    """The decision carries every execution it was made from, in order."""
    executions = (ran("a"), failed("b", verdict=Verdict.TIMED_OUT))
    assert decide(*executions).executions == executions


class TestDeny:
    def test_beats_multifactor_of_the_same_action_in_any_order(self) -> None:
        """A denial wins whether it is recorded before or after a requirement."""
        for commands in ((deny(), enable("any")), (enable("any"), deny())):
            decision = decide(ran("a", *commands))
            assert decision.outcome == "deny"
            assert decision.multifactor is None
            assert decision.denial == Denial("denied", "no")

    def test_commands_after_it_in_the_same_action_still_count(self) -> None:
        """The denying action runs to its end, so metadata it sets afterwards is kept."""
        after = Command("user.set_user_metadata", {"key": "k", "value": 1})
        assert decide(ran("a", deny(), after)).user_metadata == {"k": 1}

    def test_last_reason_of_the_denying_action_counts(self) -> None:
        """Within one handler the last reason wins, and the trace says which."""
        decision = decide(ran("a", deny("first"), deny("second")))
        assert decision.denial == Denial("denied", "second")
        assert trace(decision) == [("a", "access.deny", False), ("a", "access.deny", True)]

    def test_first_denying_action_decides(self) -> None:
        """What is reported to have run after a denial is ignored: it should not have run."""
        late = Command("user.set_user_metadata", {"key": "late", "value": 1})
        decision = decide(ran("a", deny("first")), ran("b", deny("second"), late), failed("c"))
        assert decision.denial == Denial("denied", "first")
        assert decision.user_metadata == {}
        assert not decision.degraded

    def test_keeps_metadata_and_drops_claims(self) -> None:
        """Metadata survives a denial; claims do not, and the trace says so without their content."""
        decision = decide(
            ran(
                "a",
                Command("user.set_user_metadata", {"key": "u", "value": 1}),
                Command("user.set_app_metadata", {"key": "p", "value": None}),
                Command("id_token.set_custom_claim", {"name": "secret-name", "value": "secret-value"}),
                Command("access_token.set_custom_claim", {"name": "n", "value": 2}),
                Command("access_token.set_custom_claim", {"name": "m", "value": 2}),
            ),
            ran("b", deny()),
        )
        assert (decision.user_metadata, decision.app_metadata) == ({"u": 1}, {"p": None})
        assert (decision.id_token_claims, decision.access_token_claims) == ({}, {})
        assert decision.contributions[1:] == (
            Contribution("a", "id_token.set_custom_claim", False, "1 dropped, the login is denied"),
            Contribution("a", "access_token.set_custom_claim", False, "2 dropped, the login is denied"),
        )
        assert "secret" not in repr(decision.contributions)

    def test_validation_error_ends_the_flow_like_a_denial(self) -> None:
        """A validation error refuses with the code and message of the action."""
        command = Command("validation.error", {"error_code": "E1", "error_message": "wrong"})
        decision = decide(ran("a", command), ran("b", enable("any")))
        assert decision.outcome == "deny"
        assert decision.denial == Denial("validation_error", "wrong", "E1")


class TestEnable:
    def test_passes_options_through(self) -> None:
        """Provider, the three states of remembering and Duo's options reach the decision."""
        options = {"host": "h", "ikey": "i", "skey": "s"}
        decision = decide(ran("a", enable("duo", allow_remember_browser=True, provider_options=options)))
        assert decision.multifactor == Multifactor("duo", True, options, ("duo",), "action")
        for given, wanted in ((True, True), (False, False), (None, None)):
            assert decide(ran("a", enable("any", allow_remember_browser=given))).multifactor == Multifactor(
                "any", wanted, None, ("otp",), "action"
            )

    def test_omitted_remembering_stays_unset(self) -> None:
        """Not saying is not the same as saying no."""
        multifactor = decide(ran("a", enable("any"))).multifactor
        assert multifactor is not None
        assert multifactor.allow_remember_browser is None

    def test_options_of_other_providers_are_dropped(self) -> None:
        """Only Duo has provider options."""
        multifactor = decide(ran("a", enable("guardian", provider_options={"host": "h"}))).multifactor
        assert multifactor is not None
        assert multifactor.provider_options is None

    def test_no_secret_of_duo_in_any_repr_or_trace(self) -> None:
        """The secret key travels in the decision and shows up nowhere else."""
        decision = decide(ran("a", enable("duo", provider_options={"skey": "hush"})))
        assert "hush" not in repr(decision.contributions)
        assert "hush" not in repr(decision.multifactor)

    def test_trace_names_every_request_and_the_winner(self) -> None:
        """Under last_call the last of three requests won, and all three are listed in call order."""
        decision = decide(ran("a", enable("any"), enable("none")), ran("b", enable("duo")))
        assert decision.contributions == (
            Contribution("a", "multifactor.enable", False, "require any"),
            Contribution("a", "multifactor.enable", False, "lift"),
            Contribution("b", "multifactor.enable", True, "require duo"),
        )

    def test_lifting_is_reported(self) -> None:
        """An action's `none` allows, and the decision still says that somebody lifted the factor."""
        decision = decide(ran("a", enable("none")), settings=Settings(policy=Policy.ALWAYS))
        assert decision.outcome == "allow"
        assert decision.multifactor == Multifactor("none")
        assert trace(decision) == [("a", "multifactor.enable", True)]


class TestStrictest:
    settings = Settings(factors=("otp",), merge=Merge.STRICTEST)

    def test_none_cancels_nothing(self) -> None:
        """`none` neither cancels an earlier requirement nor survives a later one."""
        for order in (("any", "none"), ("none", "any")):
            decision = decide(ran("a", enable(order[0])), ran("b", enable(order[1])), settings=self.settings)
            assert decision.outcome == "mfa_required"

    def test_none_does_not_cancel_the_policy(self) -> None:
        """The policy's requirement is one of those that nothing cancels; without any, `none` is what it says."""
        always = Settings(merge=Merge.STRICTEST, policy=Policy.ALWAYS, factors=("otp",))
        assert decide(ran("a", enable("none")), settings=always).outcome == "mfa_required"
        assert decide(ran("a", enable("none")), settings=replace(always, merge=Merge.LAST_CALL)).outcome == "allow"
        assert decide(ran("a", enable("none")), settings=self.settings).multifactor == Multifactor("none")

    @pytest.mark.parametrize(
        ("said", "wanted"),
        [
            ((False, True), False),
            ((True, False), False),
            ((None, True), False),
            ((True, None), False),
            ((None, False), False),
            ((None, None), False),
            ((True, True), True),
        ],
    )
    def test_remembering_needs_every_call(self, said: tuple[bool | None, bool | None], wanted: bool) -> None:
        """The browser may be remembered if each call says so, whatever provider it asks for; silence counts as no."""
        decision = decide(
            ran("a", enable("duo", allow_remember_browser=said[0])),
            ran("b", enable("any", allow_remember_browser=said[1])),
            settings=self.settings,
        )
        assert decision.multifactor is not None
        assert decision.multifactor.allow_remember_browser is wanted

    def test_narrowest_provider_wins_in_any_order(self) -> None:
        """The provider that leaves the fewest factors wins, with the options of its first call that has any."""
        first = ran("a", enable("duo"), enable("duo", provider_options={"host": "1"}))
        second = ran("b", enable("any"), enable("duo", provider_options={"host": "2"}), enable("guardian"))
        decision = decide(first, second, settings=self.settings)
        assert decision.multifactor == Multifactor("duo", False, {"host": "1"}, ("duo",), "action")
        assert [c.won for c in decision.contributions] == [True, False, False, False, False]
        swapped = decide(second, first, settings=self.settings)
        assert swapped.multifactor == Multifactor("duo", False, {"host": "2"}, ("duo",), "action")


class TestFailure:
    @pytest.mark.parametrize("verdict", FAILED)
    def test_every_other_verdict_counts_as_its_on_error(self, verdict: Verdict) -> None:
        """Whatever did not complete counts: also a violation, and an action skipped because time ran out."""
        required = decide(failed("a", verdict=verdict))
        assert required.outcome == "mfa_required"
        assert required.multifactor == Multifactor("any", False, None, ("otp",), "on_error")
        denied = decide(failed("a", verdict=verdict, on_error=OnError.DENY))
        assert denied.denial is not None
        assert denied.denial.reason == "on_error"
        ignored = decide(failed("a", verdict=verdict, on_error=OnError.CONTINUE))
        assert ignored.outcome == "allow"
        for decision in (required, denied, ignored):
            assert decision.degraded
            assert verdict.name.lower() in decision.degraded_reasons[0]

    @pytest.mark.parametrize("verdict", FAILED)
    def test_its_own_commands_are_discarded(self, verdict: Verdict) -> None:
        """Nothing that a failed action recorded takes effect, not even a denial."""
        commands = (
            enable("duo"),
            deny(),
            Command("user.set_user_metadata", {"key": "k", "value": 1}),
            Command("id_token.set_custom_claim", {"name": "n", "value": 1}),
        )
        decision = decide(failed("a", *commands, verdict=verdict, on_error=OnError.CONTINUE))
        assert decision.outcome == "allow"
        assert (decision.user_metadata, decision.id_token_claims, decision.contributions) == ({}, {}, ())

    def test_earlier_and_later_actions_keep_theirs(self) -> None:
        """What the other actions asked for stands beside the failure."""
        one = Command("user.set_user_metadata", {"key": "one", "value": 1})
        two = Command("user.set_user_metadata", {"key": "two", "value": 2})
        decision = decide(ran("a", one), failed("b"), ran("c", two))
        assert decision.user_metadata == {"one": 1, "two": 2}

    def test_none_of_another_action_never_lifts_it(self) -> None:
        """A failure under require_mfa yields a factor whatever else was lifted, before or after."""
        for executions in ((ran("a", enable("none")), failed("b")), (failed("b"), ran("a", enable("none")))):
            decision = decide(*executions)
            assert decision.multifactor == Multifactor("any", False, None, ("otp",), "on_error")
            assert {c.action for c in decision.contributions if c.won} == {"b"}

    def test_a_stronger_request_keeps_its_provider_but_is_not_remembered(self) -> None:
        """Another action's provider stands; the challenge really happens, whatever it said about remembering."""
        decision = decide(ran("a", enable("duo", allow_remember_browser=True)), failed("b"))
        assert decision.multifactor == Multifactor("duo", False, None, ("duo",), "action")
        assert trace(decision) == [("a", "multifactor.enable", True), ("b", "on_error.require_mfa", True)]

    def test_denial_of_another_action_beats_it(self) -> None:
        """A denial wins over a failure that requires a factor; the decision is degraded all the same."""
        decision = decide(failed("a"), ran("b", deny()))
        assert decision.outcome == "deny"
        assert decision.degraded
        assert trace(decision) == [("a", "on_error.require_mfa", False), ("b", "access.deny", True)]

    def test_continue_leaves_the_policy_in_force(self) -> None:
        """An ignored failure is no opinion: the tenant's policy still applies."""
        settings = Settings(policy=Policy.ALWAYS, factors=("otp",))
        decision = decide(failed("a", on_error=OnError.CONTINUE), settings=settings)
        assert decision.multifactor == Multifactor("any", None, None, ("otp",), "policy")

    def test_deny_reason_names_no_action(self) -> None:
        """The reason reaches the end user, so it says nothing of the tenant's inside; the report does."""
        decision = decide(failed("geo-fence", on_error=OnError.DENY))
        assert decision.denial is not None
        assert "geo-fence" not in decision.denial.description
        assert decision.degraded_reasons == ("geo-fence: raised, counts as deny",)


class TestSideEffects:
    def test_last_write_wins_and_null_is_kept(self) -> None:
        """The same member set twice has the later value; null, which deletes, is a value."""
        for op in ("user.set_user_metadata", "user.set_app_metadata"):
            commands = [Command(op, {"key": "k", "value": value}) for value in (1, None)]
            decision = decide(ran("a", *commands))
            assert {"k": None} in (decision.user_metadata, decision.app_metadata)
        values: tuple[Any, ...] = (1, {"x": []})
        for op in CLAIMS:
            commands = [Command(op, {"name": "n", "value": value}) for value in values]
            decision = decide(ran("a", commands[0]), ran("b", commands[1]))
            assert {"n": {"x": []}} in (decision.id_token_claims, decision.access_token_claims)

    def test_they_are_no_opinion(self) -> None:
        """Claims and metadata neither require nor lift a factor."""
        claim = Command("id_token.set_custom_claim", {"name": "n", "value": 1})
        assert decide(ran("a", claim)).multifactor is None


class TestEndsFlow:
    def test_only_a_denial_ends_a_completed_flow(self) -> None:
        """After a denial no later action runs; after anything else they do."""
        assert ends_flow(ran("a", enable("any"), deny()))
        assert ends_flow(ran("a", Command("validation.error", {"error_code": "", "error_message": ""})))
        assert not ends_flow(ran("a", enable("none")))
        assert not ends_flow(ran("a"))

    @pytest.mark.parametrize("verdict", FAILED)
    def test_a_failure_ends_it_only_under_deny(self, verdict: Verdict) -> None:
        """on_error: deny decides the login; under the others later actions may still deny or require more."""
        assert ends_flow(failed("a", verdict=verdict, on_error=OnError.DENY))
        assert not ends_flow(failed("a", deny(), verdict=verdict, on_error=OnError.REQUIRE_MFA))
        assert not ends_flow(failed("a", deny(), verdict=verdict, on_error=OnError.CONTINUE))


class TestFacts:
    def read(self, settings: Settings, *executions: Execution) -> bool:
        """Decide a flow; tell whether the event was parsed for it."""
        event = event_pb2.PostLoginEvent()
        event.user.email_verified = True
        event.authentication.risk_assessment.confidence = "high"
        reader = EventReader(event.SerializeToString())
        aggregate(executions, settings, reader)
        return bool(reader.read)

    def test_are_not_read_when_nothing_depends_on_them(self) -> None:
        """Reading the event costs time on the hot path: no opinion, no email, no Duo and a plain policy need none."""
        always = Settings(policy=Policy.ALWAYS, factors=("otp",))
        assert not self.read(Settings(), ran("a"))
        assert not self.read(always, ran("a"))
        assert not self.read(always, ran("a", enable("none")))
        assert not self.read(OTP, ran("a", enable("any")), failed("b"))
        assert not self.read(Settings(policy=Policy.ADAPTIVE), ran("a", deny()))

    def test_are_read_when_something_does(self) -> None:
        """The control: email, Duo and the adaptive policy do read them."""
        assert self.read(Settings(), ran("a", enable("any")))
        assert self.read(OTP, ran("a", enable("duo")))
        assert self.read(Settings(policy=Policy.ADAPTIVE), ran("a"))


def test_unknown_command_is_our_fault() -> None:
    """A command without a fold rule is never ignored."""
    with pytest.raises(ValueError, match=r"rules\.was_executed"):
        decide(ran("a", Command("rules.was_executed", {})))


def test_every_call_of_the_surface_has_a_fold_rule() -> None:
    """Each operation that a worker may report is accepted."""
    full: dict[str, Any] = {"provider": "any", "reason": "r", "error_code": "c", "error_message": "m"}
    full |= {"key": "k", "name": "n"}
    full |= {"scope": "s", "mode": "persistent", "primary_user_id": "u", "attribute": "a", "provider_url": "https://x"}
    full |= {"factor": {"type": "otp"}, "factors": [{"type": "otp"}]}
    for op in surface.RECORDED:
        Fold().add([ran("a", Command(op, {**full, "value": 1, "expires_at": 1}))])
    assert {call.op for call in surface.SURFACE if call.ends == "deny"} == DENIALS
