"""A suspended decision on the wire: what the gateway reads, all of it and nothing else."""

from typing import Any

import pytest
from google.protobuf import json_format
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1 import event_pb2, runtime_service_pb2

from runtime.core.model import (
    Command,
    Execution,
    FactorRequest,
    Failure,
    Ignored,
    OnError,
    Refused,
    Settings,
    Step,
    Suspension,
    Verdict,
)
from runtime.login import messages
from runtime.login.answers import Answers
from sandbox.contract import vocabulary

OTP = {"type": "otp"}


def execution(*commands: tuple[str, dict[str, Any]], **fields: Any) -> Execution:
    recorded = tuple(Command(op, args) for op, args in commands)
    return Execution("a", "00" * 32, OnError.REQUIRE_MFA, Verdict.COMPLETED, recorded, **fields)


READER = messages.EventReader(b"")
CHALLENGE = execution(("authentication.challenge_with", {"factor": OTP}))
REDIRECT = execution(("redirect.send_user_to", {"url": "https://example.com"}))


def sent(*executions: Execution, **given: Any) -> pb.Decision:
    answer, _ = Answers(Settings()).decide(None, 0, executions, READER, **given).answer(READER.message, None, 0)
    zeros = [0] * len(executions)
    data = answer.fill("r", "d", 1, 5, zeros, zeros)
    first = runtime_service_pb2.ExecutePostLoginResponse.FromString(data)
    assert runtime_service_pb2.ContinuePostLoginResponse.FromString(data).decision == first.decision
    return first.decision


def test_a_queue_of_factors() -> None:
    """Steps keep their order, their options and the reasons why other factors do not count."""
    steps = (
        Step("challenge", (FactorRequest("phone", "sms"), FactorRequest("push-notification", None, False)), True),
        Step("enroll", (FactorRequest("webauthn-roaming"),), False, (("otp", Ignored.ALREADY_ENROLLED),)),
    )
    decision = sent(CHALLENGE, suspension=Suspension("mfa", "a", steps, True, True))
    assert decision.outcome == pb.OUTCOME_SUSPEND_BY_TOKEN
    part = decision.suspension
    assert (part.action, part.WhichOneof("step")) == ("a", "mfa")
    assert part.mfa.hide_remember_browser
    first, second = part.mfa.steps
    assert (first.kind, second.kind) == (pb.MfaSteps.KIND_CHALLENGE, pb.MfaSteps.KIND_ENROLL)
    assert (first.choice, second.choice) == (True, False)
    assert list(first.factors) == [
        pb.FactorOption(factor=pb.FACTOR_PHONE, preferred_method=pb.PHONE_METHOD_SMS),
        pb.FactorOption(factor=pb.FACTOR_PUSH_NOTIFICATION, otp_fallback=False),
    ]
    assert list(second.factors) == [pb.FactorOption(factor=pb.FACTOR_WEBAUTHN_ROAMING)]
    assert list(second.ignored) == [
        pb.IgnoredFactor(factor=pb.FACTOR_OTP, reason=pb.IgnoredFactor.REASON_ALREADY_ENROLLED)
    ]
    assert not part.continuation
    assert not decision.HasField("on_any_outcome")
    assert not decision.HasField("on_success")


def test_a_redirect() -> None:
    """The gateway gets the address."""
    decision = sent(REDIRECT, suspension=Suspension("redirect", "a", url="https://example.com/?x=1"))
    assert decision.suspension == pb.Suspension(action="a", redirect=pb.Redirect(url="https://example.com/?x=1"))


@pytest.mark.parametrize(("given", "present"), [(None, False), ({}, True), ({"k": [1, None, {"z": "ü"}]}, True)])
def test_a_form(given: dict[str, Any] | None, present: bool) -> None:
    """Fields and variables are data; none and empty are two things."""
    prompt = execution(("prompt.render", {"prompt_id": "ap_1"}))
    decision = sent(prompt, suspension=Suspension("prompt", "a", prompt_id="ap_1", fields=given, vars=given))
    part = decision.suspension.prompt
    assert part.id == "ap_1"
    assert (part.HasField("fields"), part.HasField("vars")) == (present, present)
    if given:
        assert json_format.MessageToDict(part.fields) == given


@pytest.mark.parametrize("failure", list(Failure))
def test_what_cannot_be_done_is_a_denial(failure: Failure) -> None:
    """Each failure has a reason on the wire, and the user an explanation."""
    decision = sent(CHALLENGE, suspension=Refused(failure))
    reason = pb.Denial.Reason.Value(f"REASON_{failure.name}")
    assert (decision.outcome, decision.denial.reason) == (pb.OUTCOME_DENY, reason)
    assert decision.denial.description
    assert not decision.denial.HasField("validation_code")
    assert not decision.HasField("suspension")


def test_reports_say_which_handler_ran_and_when() -> None:
    """A continued action has two reports, and the earlier one is marked."""
    recorded = execution(("authentication.record_method", {"provider_url": "https://m.example"}), continued=True)
    before = execution(("redirect.send_user_to", {"url": "https://example.com"}), earlier=True)
    decision = sent(before, recorded)
    assert [(report.continued, report.earlier) for report in decision.executions] == [(False, True), (True, False)]
    assert list(decision.on_success.recorded_methods) == ["https://m.example"]


def test_every_word_of_the_core_is_on_the_wire() -> None:
    """Outcomes, reasons and origins are those of the public enumerations."""
    for words, enum in (
        (messages.OUTCOMES, pb.Outcome),
        (messages.REASONS, pb.Denial.Reason),
        (messages.STATUSES, pb.Multifactor.Status),
        (messages.MODES, pb.Multifactor.RememberMode),
        (messages.IGNORED, pb.IgnoredFactor.Reason),
        (messages.PHONE_METHODS, pb.PhoneMethod),
        (messages.COOKIE_MODES, pb.CookieMode),
        (messages.FACTORS, pb.Factor),
        (messages.ORIGINS, pb.Multifactor.Origin),
        (messages.STEPS, pb.MfaSteps.Kind),
    ):
        assert set(words.values()) == set(enum.values()) - {0}


def test_every_factor_type_has_a_number() -> None:
    """What commands name is part of the one vocabulary of factors."""
    assert messages.FACTOR_TYPES.items() <= messages.FACTORS.items()
    assert list(messages.FACTOR_TYPES) == list(vocabulary.FACTOR_TYPES)


@pytest.mark.parametrize(
    ("transaction", "query", "wanted"),
    [
        ((), {}, ()),
        (("none",), {}, ("none",)),
        ((), {"prompt": "none"}, ("none",)),
        (("login",), {"prompt": "consent  none", "state": "x"}, ("login", "consent", "none")),
        (("login none",), {}, ("login", "none")),
        ((), {"prompt": ["none"]}, ()),
    ],
)
def test_a_silent_login_is_one_however_the_event_says_so(
    transaction: tuple[str, ...], query: dict[str, Any], wanted: tuple[str, ...]
) -> None:
    """What `api.redirect.can_redirect` reads of the request counts for the daemon as well."""
    event = event_pb2.PostLoginEvent()
    event.transaction.prompt.values.extend(transaction)
    event.request.query.update(query)
    reader = messages.EventReader(event.SerializeToString())
    assert reader.prompt == wanted
    assert reader.read == {"prompt"}


@pytest.mark.parametrize(
    ("transaction", "query", "wanted"),
    [
        ((), {}, ()),
        (("urn:a", "urn:b"), {}, ("urn:a", "urn:b")),
        (("urn:a urn:b",), {}, ("urn:a", "urn:b")),
        ((), {"acr_values": "urn:a  urn:b"}, ("urn:a", "urn:b")),
        ((), {"acr_values": ["urn:a", "urn:b urn:c"]}, ("urn:a", "urn:b", "urn:c")),
        (("urn:a",), {"acr_values": "urn:b", "prompt": "login"}, ("urn:a", "urn:b")),
        ((), {"acr_values": 7}, ()),
        ((), {"acr_values": {"urn:a": "urn:b"}}, ()),
        ((), {"acr_values": None}, ()),
    ],
)
def test_requested_classes_are_found_however_the_event_says_so(
    transaction: tuple[str, ...], query: dict[str, Any], wanted: tuple[str, ...]
) -> None:
    """A class counts in the transaction's list, in the request's query, and among others in one text."""
    event = event_pb2.PostLoginEvent()
    event.transaction.acr_values.values.extend(transaction)
    event.request.query.update(query)
    reader = messages.EventReader(event.SerializeToString())
    assert reader.acr_values == wanted
    assert reader.read == {"acr_values"}
    assert "acr_values" in query or "acr_values" not in reader.message.request.query.fields


def test_an_answer_of_a_suspended_flow_is_not_remembered() -> None:
    """What a flow waits for, and what it waited for, depends on more than its reports."""
    answers = Answers(Settings())
    waiting = Suspension("mfa", "a", (Step("challenge", (FactorRequest("otp"),), False),))
    answers.decide(b"s", 1, [CHALLENGE], messages.EventReader(b""), suspension=waiting)
    answers.decide(b"s", 1, [CHALLENGE], messages.EventReader(b""), suspension=Refused(Failure.NO_USABLE_FACTOR))
    answers.decide(b"s", 1, [CHALLENGE], messages.EventReader(b""), completed=("otp",))
    before = execution(("redirect.send_user_to", {"url": "https://example.com"}), earlier=True)
    answers.decide(b"s", 1, [before, execution(continued=True)], messages.EventReader(b""))
    assert len(answers) == 0
    assert answers.recall(b"s", 1, event_pb2.PostLoginEvent(), 1024) is None


def test_an_answer_lists_what_this_part_of_the_flow_wrote_to_the_cache() -> None:
    """Writes of failed actions are discarded, and those before a suspension were applied then."""
    write = ("cache.set", {"key": "k", "value": "v", "expires_at": 1})
    erase = ("cache.delete", {"key": "k"})
    before = execution(write, ("redirect.send_user_to", {"url": "https://example.com"}), earlier=True)
    failed = Execution("b", "00" * 32, OnError.CONTINUE, Verdict.RAISED, (Command(*write),))
    executions = [before, execution(erase, continued=True), failed]
    answer, _ = Answers(Settings()).decide(None, 0, executions, READER).answer(READER.message, None, 0)
    assert answer.cache == (Command(*erase),)
    assert answer.decision.outcome == "allow"
