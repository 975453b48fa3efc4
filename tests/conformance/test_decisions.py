"""The comparison itself: a case that wants something else than what was decided must fail."""

from typing import Any

import pytest
from vestibule.v1 import decision_pb2 as pb

from runtime.suites.decisions import differences, view

DECISION = pb.Decision(
    outcome=pb.OUTCOME_SUSPEND,
    decision_id="d",
    contributions=[pb.Contribution(action="one", operation="authentication.challenge_with", won=True)],
    executions=[pb.ExecutionReport(action="one", verdict=pb.VERDICT_COMPLETED)],
    suspension=pb.Suspension(
        action="one",
        continuation=b"sealed",
        mfa=pb.MfaSteps(
            steps=[
                pb.MfaSteps.MfaStep(
                    kind=pb.MfaSteps.KIND_CHALLENGE,
                    factors=[pb.FactorOption(factor=pb.FACTOR_PUSH_NOTIFICATION, otp_fallback=False)],
                )
            ]
        ),
    ),
)
DECISION.on_any_outcome.user_metadata.update({"k": {"n": [1, None]}})
WANTED: dict[str, Any] = {
    "outcome": "suspend",
    "suspension": {
        "action": "one",
        "mfa": {"steps": [{"kind": "challenge", "factors": [{"factor": "push-notification", "otp_fallback": False}]}]},
    },
    "user_metadata": {"k": {"n": [1, None]}},
    "won": ["one authentication.challenge_with"],
    "verdicts": ["completed"],
}


def found(wanted: dict[str, Any]) -> list[str]:
    return [message for _, message in differences(view(DECISION), wanted, exact=True)]


def test_what_is_wanted_is_found() -> None:
    """The control: this very decision is what this case wants."""
    assert found(WANTED) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"outcome": "allow"}, "outcome is 'suspend', and 'allow' is wanted"),
        ({"user_metadata": {"k": {"n": [1]}}}, "user_metadata is "),
        ({"user_metadata": {}}, "user_metadata is "),
        ({"suspension": {"action": "one"}}, "suspension.mfa is "),
        ({"suspension": {"action": "*", "mfa": {"steps": []}}}, "suspension.mfa.steps is "),
        ({"suspension": {**WANTED["suspension"], "action": "t*"}}, "suspension.action is 'one', and 't*' is wanted"),
        ({"suspension": {**WANTED["suspension"], "redirect": {"url": "x"}}}, "suspension.redirect is None"),
        ({"denial": {"description": "no"}}, "denial is None"),
        ({"verdicts": []}, "verdicts is "),
        ({"won": ["two access.deny"]}, "won is "),
        ({"outcom": "suspend"}, "outcom is not a member"),
    ],
)
def test_anything_else_is_a_difference(change: dict[str, Any], said: str) -> None:
    """Each change of the case is named with its member."""
    assert any(line.startswith(said) for line in found(WANTED | change)), found(WANTED | change)


@pytest.mark.parametrize("name", ["outcome", "suspension", "user_metadata"])
def test_what_a_case_leaves_out_must_be_empty(name: str) -> None:
    """A decision with an unwanted effect is no success."""
    assert found({key: value for key, value in WANTED.items() if key != name})


def test_the_trace_may_be_left_out() -> None:
    """A case need not repeat who asked for what and how the executions ended."""
    assert found({key: value for key, value in WANTED.items() if key not in ("won", "verdicts")}) == []
