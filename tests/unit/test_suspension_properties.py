"""Properties of flows with suspensions: waiting for the user never costs a requirement, a denial or a side effect."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from hypothesis import assume, given
from hypothesis import strategies as st

from runtime.core import challenges
from runtime.core.aggregate import INTERACTIONS, Fold, aggregate, ends_flow
from runtime.core.challenges import MAX_FACTOR_COMMANDS
from runtime.core.model import (
    Command,
    Decision,
    Execution,
    Failure,
    Merge,
    OnError,
    Refused,
    Settings,
    Suspension,
    Verdict,
)
from runtime.core.resolution import Gateway
from runtime.core.suspension import OPS, pending, suspends
from sandbox.contract import surface
from tests import strength
from tests.event_facts import EventFacts
from tests.flow_walk import (
    GATEWAY,
    REVISION,
    Action,
    kept,
    sealed,
    walk,
)
from tests.login_strategies import (
    User,
    browsers,
    events,
    flows,
    gateways,
    handlers,
    names,
    on_errors,
    tenants,
    verdicts,
)


def bare(decision: Decision) -> Decision:
    """Leave out of a decision what two ways of running the same flow may differ in: times and output."""
    same = [replace(e, wall_us=0, cpu_us=0, output="", earlier=False) for e in decision.executions]
    return replace(decision, executions=tuple(same))


def asked(executions: tuple[Execution, ...]) -> list[Command]:
    """List the factor commands that took effect."""
    return [c for e in executions if e.verdict is Verdict.COMPLETED for c in e.commands if c.op in challenges.OPS]


@given(flows(), tenants, events, gateways, st.data())
def test_a_flow_in_one_piece_and_in_parts_decide_alike(
    flow: list[Action], tenant: Settings, event: EventFacts, gateway: Gateway, data: st.DataObject
) -> None:
    """What a continuation holds is enough: every part of the flow is answered as if it had never been suspended."""
    user = User(data)
    parts = walk(flow, tenant, event, gateway, user, sealed)
    again = iter(user.picked)
    whole = walk(flow, tenant, event, gateway, lambda _: next(again), kept)
    assert [bare(decision) for decision in parts] == [bare(decision) for decision in whole]


@given(flows(), tenants, events, gateways, st.data())
def test_deny_always_wins(
    flow: list[Action], tenant: Settings, event: EventFacts, gateway: Gateway, data: st.DataObject
) -> None:
    """A handler that ran and denies, or fails under deny, ends the login with a denial: no part follows it."""
    *before, last = walk(flow, tenant, event, gateway, User(data))
    assert all(decision.outcome in ("suspend", "suspend_by_token") for decision in before)
    assert not any(ends_flow(e) for decision in before for e in decision.executions)
    assert last.outcome not in ("suspend", "suspend_by_token")
    ended = any(ends_flow(e) for e in last.executions if e.verdict is not Verdict.SKIPPED)
    cannot = last.denial is not None and isinstance(last.denial.reason, Failure)
    assert (last.outcome == "deny") is (ended or cannot)
    assert not (ended and cannot)


@given(flows(), tenants, events, gateways, st.data())
def test_a_suspended_decision_has_no_side_effects(
    flow: list[Action], tenant: Settings, event: EventFacts, gateway: Gateway, data: st.DataObject
) -> None:
    """It says what it waits for and what was asked for, and nothing that a gateway would act upon."""
    for decision in walk(flow, tenant, event, gateway, User(data))[:-1]:
        assert decision.suspension is not None
        assert (decision.multifactor, decision.denial, decision.effects) == (None, None, None)
        assert decision.user_metadata == decision.app_metadata == {}
        assert decision.id_token_claims == decision.access_token_claims == {}
        waiting = {c.op for c in decision.contributions if c.won}
        assert waiting
        assert waiting <= OPS
        assert suspends(decision.executions[-1])
        assert all(e.verdict is not Verdict.SKIPPED for e in decision.executions)


@given(flows(), tenants, events, gateways, st.data())
def test_a_failure_never_yields_less_than_a_factor(
    flow: list[Action], tenant: Settings, event: EventFacts, gateway: Gateway, data: st.DataObject
) -> None:
    """Under require_mfa: denied, or a challenge that really happens, or a factor that was presented in this login."""
    user = User(data)
    last = walk(flow, tenant, event, gateway, user)[-1]
    if any(e.verdict is not Verdict.COMPLETED and e.on_error is OnError.REQUIRE_MFA for e in last.executions):
        if last.outcome == "allow":
            assert user.completed
        elif last.outcome == "mfa_required":
            assert last.multifactor is not None
            assert last.multifactor.provider != "none"
            assert last.multifactor.allow_remember_browser is False
        else:
            assert last.outcome == "deny"


@given(flows(), tenants, events, gateways, st.data())
def test_a_challenge_is_met_or_the_login_is_refused(
    flow: list[Action], tenant: Settings, event: EventFacts, gateway: Gateway, data: st.DataObject
) -> None:
    """There is no way from a challenge that an action asked for to tokens without one of its factors."""
    user = User(data)
    last = walk(flow, tenant, event, gateway, user)[-1]
    commands = asked(last.executions)
    if last.outcome != "deny":
        assert len(commands) <= MAX_FACTOR_COMMANDS
        for said in commands:
            assert not {factor.type for factor in challenges.read(said).factors}.isdisjoint(user.completed)
        if commands:
            assert last.outcome == "allow"
            assert last.multifactor is None


url_parts = st.text(st.sampled_from("abc/%41&=;?.~+[]@:"), max_size=12)
queries = st.dictionaries(
    st.sampled_from(["a", "A", "b c", "\u00fc", "a[]", "&="]), st.text(max_size=5) | st.booleans()
)


@given(url_parts, url_parts, st.none() | st.text(st.sampled_from("ab?#&"), max_size=5), queries)
def test_a_redirect_has_the_query_of_the_call(
    path: str, text: str, fragment: str | None, query: dict[str, Any]
) -> None:
    """Whatever the table lets an action say: its members are there once, and the rest of the address is as it was."""
    url = f"https://e.example/{path.replace('?', '')}?{text}" + ("" if fragment is None else f"#{fragment}")
    try:
        args = surface.validate("redirect.send_user_to", {"url": url, "query": query})
    except surface.CommandError:
        assume(False)
    said = Execution("a", REVISION, OnError.DENY, Verdict.COMPLETED, (Command("redirect.send_user_to", args),))
    found = pending([said], (), Settings(), EventFacts(), GATEWAY)
    assert isinstance(found, Suspension)
    if not query:
        assert found.url == url
        return
    address, _, after = found.url.partition("#")
    page, _, members = address.partition("?")
    assert (page, after) == (url.partition("#")[0].partition("?")[0], fragment or "")
    pairs = parse_qsl(members, keep_blank_values=True)
    assert [pair for pair in pairs if pair[0] in query] == list(args["query"].items())
    assert [pair for pair in pairs if pair[0] not in query] == [
        pair for pair in parse_qsl(text, keep_blank_values=True) if pair[0] not in query
    ]


ended = st.builds(
    Execution,
    st.sampled_from(["a", "b"]),
    st.just(REVISION),
    on_errors,
    verdicts,
    handlers().map(lambda ran: ran.commands),
    continued=st.booleans(),
)


@given(st.lists(ended, max_size=4), st.lists(names, max_size=2).map(tuple), tenants, events)
def test_no_executions_pass_over_a_suspension(
    executions: list[Execution], completed: tuple[str, ...], tenant: Settings, event: EventFacts
) -> None:
    """Whatever is said to have run and been completed, what an action waited for has happened, or there is no allow."""
    try:
        decision = aggregate(executions, tenant, event, completed=completed)
    except ValueError:
        return
    if decision.outcome == "deny":
        return
    for said in asked(tuple(executions)):
        assert not {factor.type for factor in challenges.read(said).factors}.isdisjoint(completed)
    for at, execution in enumerate(executions):
        if execution.verdict is Verdict.COMPLETED and any(c.op in INTERACTIONS for c in execution.commands):
            assert executions[at + 1].continued
            assert executions[at + 1].action == execution.action


@given(st.lists(ended, min_size=1, max_size=4), tenants, events, st.sampled_from(Failure))
def test_what_cannot_be_done_is_always_a_denial(
    executions: list[Execution], tenant: Settings, event: EventFacts, failure: Failure
) -> None:
    """A failure of a suspension refuses the login, whatever else was asked for, with exactly one cause."""
    decision = aggregate(executions, tenant, event, suspension=Refused(failure))
    assert decision.outcome == "deny"
    assert len([c for c in decision.contributions if c.won]) == 1
    assert (decision.multifactor, decision.id_token_claims, decision.access_token_claims) == (None, {}, {})


@given(flows(harmless=True, factors=False), tenants, browsers)
def test_a_page_changes_no_decision(flow: list[Action], tenant: Settings, event: EventFacts) -> None:
    """A redirect or a form decides nothing, under any merge rule: the login ends as the same commands without it do."""
    *_, last = walk(flow, tenant, event)
    plain = [
        replace(e, commands=tuple([c for c in e.commands if c.op not in INTERACTIONS]), continued=False)
        for e in last.executions
    ]
    straight = aggregate(plain, tenant, event)
    wanted = replace(straight, executions=(), contributions=())
    assert replace(last, executions=(), contributions=()) == wanted
    assert [c for c in last.contributions if c.op not in INTERACTIONS] == list(straight.contributions)


@given(flows(), st.integers(0, 5), flows(), tenants, events, gateways, st.data())
def test_nothing_lowers_a_strictest_decision(
    flow: list[Action],
    at: int,
    more: list[Action],
    tenant: Settings,
    event: EventFacts,
    gateway: Gateway,
    data: st.DataObject,
) -> None:
    """Under strictest, actions put in anywhere make the login as hard or harder, unless a factor is presented."""
    tenant = replace(tenant, merge=Merge.STRICTEST)
    user = User(data)
    before = walk(flow, tenant, event, gateway, user)[-1]
    longer = walk([*flow[:at], *more, *flow[at:]], tenant, event, gateway, user)[-1]
    if not user.completed:
        assert strength.of_decision(longer) >= strength.of_decision(before)


@given(flows(), tenants, events, gateways, st.data())
def test_folding_splits_at_any_execution(
    flow: list[Action], tenant: Settings, event: EventFacts, gateway: Gateway, data: st.DataObject
) -> None:
    """Executions that went through a continuation and those that did not fold alike, cut anywhere."""
    user = User(data)
    last = walk(flow, tenant, event, gateway, user)[-1]
    if last.denial is not None and isinstance(last.denial.reason, Failure):
        return
    at = data.draw(st.integers(0, len(last.executions)))
    fold = Fold()
    fold.add(sealed(list(last.executions[:at])))
    fold.add(last.executions[at:])
    decision = fold.decide(last.executions, tenant, event, None, tuple(user.completed))
    assert decision == last
