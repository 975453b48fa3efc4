"""`event.policy` and `event.purpose`: what an action sees of the policy is what the daemon would decide by it."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest

from runtime.catalog.base import Binding, Flow
from runtime.core.aggregate import aggregate
from runtime.core.model import Experience, Policy, Settings
from runtime.login import event_json
from runtime.login.messages import EventReader
from runtime.login.plan import Plan
from sandbox.action.event import Event
from sandbox.contract.policy_rule import PAPE_MULTI_FACTOR, Chosen
from sandbox.process.flows import chosen_policy

from vestibule.worker.v1 import worker_pb2  # isort: skip

SETTINGS = [
    replace(Settings(), policy=policy, step_up=step_up, exempt_refresh=exempt, experience=experience, factors=factors)
    for policy, step_up, exempt, experience, factors in itertools.product(
        Policy, (False, True), (False, True), Experience, (("otp", "email"), ("webauthn-roaming", "sms", "duo"))
    )
]
EVENTS = [
    event_json.from_json(
        {
            "user": {"user_id": "u", "email_verified": verified},
            "transaction": {"protocol": protocol, **({"acr_values": [acr]} if acr else {})},
            **({"authentication": {"riskAssessment": {"confidence": confidence}}} if confidence else {}),
        }
    )
    for protocol, acr, confidence, verified in itertools.product(
        ("oidc-basic-profile", "oauth2-refresh-token", "oauth2-device-code"),
        ("", PAPE_MULTI_FACTOR),
        ("", "low", "high"),
        (False, True),
    )
]


def sent(settings: Settings) -> Chosen:
    """Return a tenant's policy as a worker reads it from the steps of a flow."""
    revision = "0" * 64
    plan = Plan(Flow("acme", settings, (Binding("a", revision),)), {revision: ""}, 1)
    return chosen_policy(worker_pb2.FlowSteps.FromString(plan.all_steps).policy)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_an_action_sees_what_the_daemon_would_decide(settings: Settings) -> None:
    """For each policy and each kind of login: the outcome, the factors and the rule of a flow without actions."""
    policy = sent(settings)
    for message in EVENTS:
        seen: Any = Event(message, {}, policy).policy
        decision = aggregate([], settings, EventReader(b"", message))
        required = decision.multifactor
        assert seen.outcome == decision.outcome
        assert seen.factors == list(required.factors if required is not None else ())
        assert (seen.reason is None) == (required is None)
        assert (seen.reason == "adaptive") == (required is not None and required.adaptive)


@pytest.mark.parametrize(
    ("transaction", "purpose"),
    [
        ({}, "login"),
        ({"protocol": "oidc-basic-profile"}, "login"),
        ({"protocol": "oauth2-refresh-token"}, "refresh"),
        ({"protocol": "oauth2-refresh-token", "acr_values": [PAPE_MULTI_FACTOR]}, "refresh"),
        ({"acr_values": [f"urn:other {PAPE_MULTI_FACTOR}"]}, "step_up"),
    ],
)
def test_why_the_flow_runs(transaction: dict[str, Any], purpose: str) -> None:
    """By the protocol and by what the application asks for."""
    event: Any = Event(event_json.from_json({"transaction": transaction} if transaction else {}), {})
    assert event.purpose == event["purpose"] == event.get("purpose") == purpose


def test_it_is_a_part_of_the_event() -> None:
    """It is looked at like any other part, and a typo has a hint."""
    event: Any = Event(EVENTS[0], {}, sent(replace(Settings(), policy=Policy.ALWAYS, factors=("otp",))))
    assert "policy" in event
    assert event.get("policy.outcome") == "mfa_required"
    assert json.loads(json.dumps(event.to_dict()))["policy"] == {
        "outcome": "mfa_required", "reason": "always", "factors": ["otp"],
    }  # fmt: skip
    assert Event(EVENTS[0], {}).policy.to_dict() == {"outcome": "allow", "factors": []}
    with pytest.raises(AttributeError, match="did you mean 'outcome'"):
        event.get("policy.outcom")
    with pytest.raises(TypeError, match=r"event\.policy\.factors is read-only"):
        event.policy.factors.append("sms")
