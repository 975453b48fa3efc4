"""vestibule-client: a decision becomes one step, and nothing but an allowed login leads to tokens."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1 import decision_pb2 as pb
from vestibule_client import (
    AnswerMfaRequired,
    AnswerMfaRequiredWithSteps,
    IssueTokens,
    NextStep,
    RedirectUser,
    Refuse,
    ShowFactors,
    ShowForm,
    ShowSteps,
    next_step,
)
from vestibule_client.conformance import cases

OF_OUTCOME: dict[int, tuple[type, ...]] = {
    pb.OUTCOME_ALLOW: (IssueTokens,),
    pb.OUTCOME_MFA_REQUIRED: (ShowFactors, Refuse),
    pb.OUTCOME_MFA_REQUIRED_BY_TOKEN: (AnswerMfaRequired, Refuse),
    pb.OUTCOME_DENY: (Refuse,),
    pb.OUTCOME_SUSPEND: (ShowSteps, RedirectUser, ShowForm, Refuse),
    pb.OUTCOME_SUSPEND_BY_TOKEN: (AnswerMfaRequiredWithSteps, Refuse),
}
SCRIPTED = [answer for case in cases.load() for answer in case.daemon]


@st.composite
def decisions(draw: st.DrawFn) -> pb.Decision:
    """Draw a decision: known and unknown values in every place that the step depends on."""
    numbers: st.SearchStrategy[Any] = st.integers(0, 120)
    factors = st.lists(numbers, max_size=3)
    outcomes: st.SearchStrategy[Any] = st.integers(0, 8)
    decision = pb.Decision(outcome=draw(outcomes))
    if draw(st.booleans()):
        decision.multifactor.MergeFrom(
            pb.Multifactor(status=draw(numbers), provider=draw(numbers), challenge=draw(factors), enroll=draw(factors))
        )
    decision.denial.reason = draw(numbers)
    decision.suspension.continuation = draw(st.binary(max_size=2))
    match draw(st.sampled_from(["mfa", "redirect", "prompt", ""])):
        case "mfa":
            steps = draw(st.lists(st.tuples(st.integers(0, 4), factors), max_size=3))
            decision.suspension.mfa.SetInParent()
            for kind, offered in steps:
                options = [pb.FactorOption(factor=factor) for factor in offered]
                decision.suspension.mfa.steps.add(kind=kind, factors=options)
        case "redirect":
            decision.suspension.redirect.url = "https://a.example/"
        case "prompt":
            decision.suspension.prompt.id = "f"
    if draw(st.booleans()):
        decision.on_success.id_token_claims["a"] = 1
        decision.on_any_outcome.user_metadata["b"] = None
    return decision


@given(decisions())
def test_every_decision_is_one_step(decision: pb.Decision) -> None:
    """Whatever a daemon answers is a step of its outcome, or a refusal; pages always have something to show."""
    step = next_step(decision)
    assert isinstance(step, OF_OUTCOME.get(decision.outcome, (Refuse,)))
    assert (decision.outcome == pb.OUTCOME_ALLOW) is isinstance(step, IssueTokens)
    if isinstance(step, ShowFactors | AnswerMfaRequired):
        assert step.mfa.challenge or step.mfa.enroll
        assert {*step.mfa.challenge, *step.mfa.enroll} <= set(pb.Factor.values())
    if isinstance(step, ShowSteps | AnswerMfaRequiredWithSteps):
        assert len(step.steps) == len(decision.suspension.mfa.steps) > 0
        assert all(each.factors for each in step.steps)
    if isinstance(step, Refuse):
        assert step.oauth_error
        assert 400 <= step.http_status < 600


def test_effects_ride_on_the_steps_that_apply_them() -> None:
    """A step has the effects that the gateway applies at it, and no step without an end has any."""
    having = {
        name: {
            step.__name__ for step in get_args(NextStep) if name in {field.name for field in dataclasses.fields(step)}
        }
        for name in ("on_any_outcome", "on_success", "resume")
    }
    assert having["on_success"] == {"IssueTokens", "ShowFactors", "AnswerMfaRequired"}
    assert having["on_any_outcome"] == having["on_success"] | {"Refuse"}
    assert having["resume"] == {step.__name__ for step in get_args(NextStep)} - having["on_any_outcome"]


def values(message: Message) -> Iterator[tuple[EnumDescriptor, int]]:
    """List the enum values that a message has."""
    for field, value in message.ListFields():
        several: Iterable[Any] = value if field.is_repeated else (value,)
        if field.enum_type is not None:
            yield from ((field.enum_type, number) for number in several)
        elif field.message_type is not None and field.message_type.file.name.startswith("vestibule"):
            for each in several:
                yield from values(each)


@pytest.mark.parametrize("enum", [pb.Outcome.DESCRIPTOR, pb.Denial.Reason.DESCRIPTOR, pb.MfaSteps.Kind.DESCRIPTOR])
def test_the_kit_has_a_case_for_every_value(enum: EnumDescriptor) -> None:
    """Each outcome, each reason of a denial and each kind of step stands in a script; so does an unknown one."""
    said = {
        value
        for answer in SCRIPTED
        if answer.decision is not None
        for kind, value in values(answer.decision)
        if kind.full_name == enum.full_name
    }
    assert {value.number for value in enum.values} - {0} <= said
    assert said - {value.number for value in enum.values}


def test_the_kit_has_every_effect_and_every_suspension() -> None:
    """Each field of both kinds of effects, and each kind of suspension, stands in a script."""
    said: set[str] = set()

    def note(message: Message) -> None:
        for field, value in message.ListFields():
            said.add(field.full_name)
            if field.type == FieldDescriptor.TYPE_MESSAGE and not field.is_repeated:
                note(value)

    for answer in SCRIPTED:
        if answer.decision is not None:
            note(answer.decision)
    told_elsewhere = {
        "vestibule.v1.EffectsOnSuccess.saml_response",
        "vestibule.v1.SessionChanges.idle_expires_at",
        "vestibule.v1.SessionChanges.evict_metadata",
        "vestibule.v1.RefreshTokenChanges.expires_at",
        "vestibule.v1.RefreshTokenChanges.metadata",
    }
    for message in (
        pb.EffectsOnAnyOutcome,
        pb.EffectsOnSuccess,
        pb.SessionChanges,
        pb.RefreshTokenChanges,
    ):
        names = {field.full_name for field in message.DESCRIPTOR.fields}
        assert names - said <= told_elsewhere
    steps = pb.Suspension.DESCRIPTOR.oneofs_by_name["step"].fields
    assert {field.full_name for field in steps} <= said


def test_the_page_has_the_oauth_error_of_every_reason() -> None:
    """proto/README.md says what `Refuse` carries, for each reason of a denial."""
    page = (Path(__file__).resolve().parents[2] / "proto" / "README.md").read_text()
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (`[a-z_]+` \| \d{3}) \|", page, re.MULTILINE))
    names = pb.Denial.Reason.keys()
    assert {f"REASON_{name}" for name in rows} == {*names} - {"REASON_UNSPECIFIED"}
    for name, row in rows.items():
        denial = pb.Denial(reason=f"REASON_{name}")
        step = next_step(pb.Decision(outcome=pb.OUTCOME_DENY, denial=denial))
        assert isinstance(step, Refuse)
        assert f"`{step.oauth_error}` | {step.http_status}" == row, name


def test_a_step_can_be_logged() -> None:
    """No key that a step carries is in its text; nor is a continuation, which is long."""
    required = pb.Decision(outcome=pb.OUTCOME_MFA_REQUIRED)
    required.multifactor.provider = pb.PROVIDER_DUO
    required.multifactor.challenge.append(pb.FACTOR_DUO)
    required.multifactor.provider_options.skey = "hidden"
    required.on_success.saml_response.key = "hidden"
    assert "ShowFactors" in repr(next_step(required))
    assert "hidden" not in repr(next_step(required))
    suspended = pb.Decision(outcome=pb.OUTCOME_SUSPEND)
    suspended.suspension.redirect.url = "https://a.example/"
    suspended.suspension.continuation = b"hidden"
    assert "a.example" in repr(next_step(suspended))
    assert "hidden" not in repr(next_step(suspended))
