"""The limits that the actions of one flow share: what each may say alone, all of them may not say together."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.core.model import Command, Execution, OnError, Settings, Verdict
from runtime.login.answers import Answers, hold
from runtime.login.messages import EventReader
from sandbox.contract import surface

KIB = 1024


def ran(action: str, *commands: Command, on_error: OnError = OnError.REQUIRE_MFA, **fields: Any) -> Execution:
    return Execution(action, "0" * 64, on_error, fields.pop("verdict", Verdict.COMPLETED), commands, **fields)


def claim(size: int, name: str = "https://example.com/c", op: str = "id_token.set_custom_claim") -> Command:
    return Command(op, {"name": name, "value": "x" * size})


def lists(count: int) -> Iterator[Command]:
    for number in range(count):
        yield Command("id_token.set_custom_claim", {"name": f"https://example.com/{number}", "value": [0] * 300})


def actions(count: int) -> Iterator[Command]:
    for _ in range(count):
        yield Command("multifactor.enable", {"provider": "any"})


def metadata(size: int, op: str = "user.set_user_metadata") -> Command:
    return Command(op, {"key": "k", "value": "x" * size})


def transaction(key: str, value: Any) -> Command:
    return Command("transaction.set_metadata", {"key": key, "value": value})


def attributes(start: int, count: int, size: int = 1) -> Iterator[Command]:
    for number in range(start, start + count):
        yield Command("saml_response.set_attribute", {"attribute": f"n{number}", "value": "x" * size})


def verdicts(executions: Sequence[Execution]) -> list[Verdict]:
    return [execution.verdict for execution in executions]


DONE, SPENT = Verdict.COMPLETED, Verdict.EXHAUSTED


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        ([claim(60 * KIB)], [claim(60 * KIB, op="access_token.set_custom_claim")], "custom claims"),
        ([*lists(2)], [*lists(2)], "at most 1000 items of lists and dicts"),
        ([*actions(160)], [*actions(160)], "at most 300 calls in all of its actions"),
        ([metadata(20 * KIB)], [metadata(20 * KIB)], "user_metadata"),
        ([metadata(20 * KIB, "user.set_app_metadata")], [metadata(20 * KIB, "user.set_app_metadata")], "app_metadata"),
        (
            [transaction("a", "x" * 8000), transaction("b", "x" * 6000)],
            [transaction("c", "x" * 8000)],
            "transaction metadata",
        ),
        ([*attributes(0, 60)], [*attributes(60, 60)], "SAML attributes"),
        ([*attributes(0, 5, 1500)], [*attributes(5, 5, 1500)], "SAML attributes"),
    ],
    ids=[
        "claims",
        "items of claims",
        "calls",
        "user metadata",
        "app metadata",
        "transaction",
        "SAML count",
        "SAML bytes",
    ],
)
def test_what_two_actions_exceed_together(first: list[Command], second: list[Command], name: str) -> None:
    """The action that goes too far is exhausted and says why; each of the two alone is not."""
    one, two = ran("a", *first), ran("b", *second)
    assert hold([one]) == [one]
    assert hold([two]) == [two]
    kept, failed = hold([one, two])
    assert kept is one
    assert (failed.verdict, failed.commands) == (SPENT, ())
    assert failed.error is not None
    assert name in failed.error.message
    assert failed.error.type == "FlowLimitExceeded"


def test_metadata_of_the_user_and_of_the_application_are_apart() -> None:
    """Two budgets are not one."""
    flow = [ran("a", metadata(20 * KIB)), ran("b", metadata(20 * KIB, "user.set_app_metadata"))]
    assert hold(flow) == flow


def test_what_is_deleted_counts_no_more() -> None:
    """Of transaction metadata it is what is left that counts."""
    flow = [
        ran("a", transaction("a", "x" * 8000), transaction("b", "x" * 6000)),
        ran("b", transaction("a", None), transaction("c", "x" * 8000)),
    ]
    assert verdicts(hold(flow)) == [DONE, DONE]


def test_a_later_action_may_use_what_an_exhausted_one_did_not() -> None:
    """An exhausted execution has asked for nothing, so it has spent nothing either."""
    flow = [ran("a", claim(60 * KIB)), ran("b", claim(30 * KIB), claim(30 * KIB)), ran("c", claim(30 * KIB))]
    assert verdicts(hold(flow)) == [DONE, SPENT, DONE]


def test_failed_executions_spend_nothing() -> None:
    """The commands of a failed execution are discarded."""
    flow = [ran("a", claim(60 * KIB), verdict=Verdict.RAISED), ran("b", claim(60 * KIB))]
    assert hold(flow)[1] is flow[1]


def test_a_denial_stands() -> None:
    """A login that an action refused is refused, with its reason; nothing else that it asked for counts."""
    deny = Command("access.deny", {"reason": "no"})
    flow = [ran("a", metadata(20 * KIB)), ran("b", metadata(20 * KIB), deny, on_error=OnError.CONTINUE)]
    denied = hold(flow)[1]
    assert (denied.verdict, denied.commands) == (DONE, (deny,))
    assert denied.error is not None


def test_executions_before_a_suspension_count() -> None:
    """A flow that was suspended has no second allowance."""
    redirect = Command("redirect.send_user_to", {"url": "https://example.com"})
    flow = [ran("a", claim(60 * KIB), redirect, earlier=True), ran("a", claim(60 * KIB), continued=True)]
    assert verdicts(hold(flow)) == [DONE, SPENT]


@pytest.mark.parametrize(
    ("on_error", "outcome"),
    [(OnError.REQUIRE_MFA, "mfa_required"), (OnError.DENY, "deny"), (OnError.CONTINUE, "allow")],
)
def test_it_counts_as_the_bindings_on_error(on_error: OnError, outcome: str) -> None:
    """A login whose actions exceed a limit together is decided as if the last of them had raised."""
    flow = [ran("a", claim(60 * KIB)), ran("b", claim(60 * KIB), on_error=on_error)]
    decision = Answers(Settings()).decide(None, 0, flow, EventReader(b"")).decision
    assert (decision.outcome, decision.degraded) == (outcome, True)
    assert verdicts(decision.executions) == [DONE, SPENT]
    if outcome != "deny":
        assert len(decision.id_token_claims) == 1


commands = st.one_of(
    st.builds(claim, st.sampled_from([10, 40 * KIB, 90 * KIB])),
    st.builds(metadata, st.sampled_from([10, 12 * KIB, 31 * KIB])),
    st.builds(transaction, st.sampled_from(["a", "b", "c"]), st.sampled_from([None, 1, "x" * 8000])),
    st.just(Command("multifactor.enable", {"provider": "any"})),
)


def alone(execution: Execution) -> bool:
    """Could one action have recorded this?"""
    try:
        list(surface.validate_each([(command.op, command.args) for command in execution.commands]))
    except surface.CommandError:
        return False
    return True


flows = st.lists(
    st.builds(lambda recorded: ran("a", *recorded), st.lists(commands, max_size=3)).filter(alone), max_size=4
)


@given(flows)
def test_what_is_left_is_within_the_limits(flow: list[Execution]) -> None:
    """All that was kept could have been recorded by one action; only what would have been too much was not kept."""
    held = hold(flow)
    kept: list[Command] = []
    for before, after in zip(flow, held, strict=True):
        fits = alone(ran("a", *kept, *before.commands))
        assert fits is (after is before)
        if fits:
            kept += before.commands
    assert hold(held) == held
