"""Properties that hold for every flow, whatever its actions record and however they fail."""

import copy
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runtime.core.aggregate import CLAIMS, DENIALS, Fold, aggregate, ends_flow
from runtime.core.model import (
    FACTOR_NAMES,
    Command,
    Decision,
    Execution,
    Experience,
    Merge,
    Multifactor,
    OnError,
    Policy,
    Settings,
    Verdict,
)
from runtime.core.remembered import PAPE_MULTI_FACTOR
from sandbox.contract import surface
from tests import strength
from tests.event_facts import EventFacts

names = st.sampled_from(["k", "l", "m"])
values = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=3))
enables = st.fixed_dictionaries(
    {"provider": st.sampled_from(strength.PROVIDERS)},
    optional={"allow_remember_browser": st.sampled_from([True, False, None])},
).map(lambda args: Command("multifactor.enable", args))
effects = st.one_of(
    st.builds(
        lambda op, name, value: Command(op, {"name": name, "value": value}),
        st.sampled_from(sorted(CLAIMS)),
        names,
        values,
    ),
    st.builds(
        lambda op, key, value: Command(op, {"key": key, "value": value}),
        st.sampled_from(["user.set_user_metadata", "user.set_app_metadata", "transaction.set_metadata"]),
        names,
        values,
    ),
    st.builds(
        lambda op, scope: Command(op, {"scope": scope}),
        st.sampled_from(["access_token.add_scope", "access_token.remove_scope"]),
        names,
    ),
    st.builds(
        lambda op, at: Command(op, {"expires_at": at}),
        st.sampled_from(["session.set_expires_at", "session.set_idle_expires_at", "refresh_token.set_expires_at"]),
        st.integers(1, 5),
    ),
    st.builds(
        lambda op, key, value: Command(op, {"key": key, "value": value}),
        st.sampled_from(["session.set_metadata", "refresh_token.delete_metadata", "refresh_token.evict_metadata"]),
        names,
        st.one_of(st.none(), st.text(max_size=3)),
    ),
)
denials = st.one_of(
    st.text(max_size=3).map(lambda reason: Command("access.deny", {"reason": reason})),
    st.just(Command("validation.error", {"error_code": "c", "error_message": "m"})),
    st.sampled_from(["session.revoke", "refresh_token.revoke"]).map(lambda op: Command(op, {"reason": "r"})),
)
harmless = st.one_of(enables, effects)
everything = st.one_of(enables, effects, denials)


def executions(commands: st.SearchStrategy[Command]) -> st.SearchStrategy[Execution]:
    verdicts = st.sampled_from([Verdict.COMPLETED, Verdict.COMPLETED, Verdict.COMPLETED, *Verdict])
    return st.builds(
        Execution,
        st.sampled_from(["a", "b", "c"]),
        st.just("0" * 64),
        st.sampled_from(OnError),
        verdicts,
        st.lists(commands, max_size=5).map(tuple),
    )


def flows(commands: st.SearchStrategy[Command]) -> st.SearchStrategy[tuple[Execution, ...]]:
    return st.lists(executions(commands), max_size=6).map(tuple)


tenants = st.builds(
    Settings,
    st.sampled_from(Experience),
    st.sampled_from(Policy),
    st.lists(st.sampled_from(FACTOR_NAMES), unique=True).map(tuple),
    st.sampled_from(Merge),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
events = st.builds(
    EventFacts,
    protocol=st.sampled_from([None, "oidc-basic-profile", "oauth2-password", "oauth2-refresh-token"]),
    acr_values=st.sampled_from([(), (PAPE_MULTI_FACTOR,)]),
    risk_confidence=st.sampled_from([None, "low", "medium", "high", "neutral"]),
    email_verified=st.booleans(),
)


def decide(flow: tuple[Execution, ...], tenant: Settings, event: EventFacts) -> Decision:
    return aggregate(flow, tenant, event)


def meaning(decision: Decision) -> tuple[Any, ...]:
    """Everything of a decision that a gateway acts upon."""
    return (
        decision.outcome,
        decision.multifactor,
        decision.denial,
        decision.user_metadata,
        decision.app_metadata,
        decision.id_token_claims,
        decision.access_token_claims,
        decision.effects,
    )


@given(flows(everything), tenants, events)
def test_deny_always_wins(flow: tuple[Execution, ...], tenant: Settings, event: EventFacts) -> None:
    """A login is denied exactly when some execution that should have run denies or fails under deny."""
    decision = decide(flow, tenant, event)
    denied = any(ends_flow(execution) for execution in flow)
    assert (decision.outcome == "deny") is denied
    assert (decision.denial is not None) is denied
    if denied:
        assert decision.multifactor is None
        assert not decision.id_token_claims
        assert not decision.access_token_claims


@given(flows(everything), flows(everything), tenants, events, st.data())
def test_nothing_lowers_a_strictest_decision(
    flow: tuple[Execution, ...], more: tuple[Execution, ...], tenant: Settings, event: EventFacts, data: st.DataObject
) -> None:
    """Under strictest, more actions anywhere in the flow never make a requirement or a denial weaker."""
    tenant = replace(tenant, merge=Merge.STRICTEST)
    before = decide(flow, tenant, event)
    at = data.draw(st.integers(0, len(flow)))
    after = decide((*flow[:at], *more, *flow[at:]), tenant, event)
    assert strength.of_decision(after) >= strength.of_decision(before)


@given(flows(everything), flows(everything), tenants, events)
def test_a_failure_under_require_mfa_never_yields_less_than_mfa(
    before: tuple[Execution, ...], after: tuple[Execution, ...], tenant: Settings, event: EventFacts
) -> None:
    """Wherever it stands and whatever else happens: a denial, or a factor that is really challenged."""
    failure = Execution("f", "0" * 64, OnError.REQUIRE_MFA, Verdict.CRASHED)
    decision = decide((*before, failure, *after), tenant, event)
    if decision.outcome != "deny":
        assert decision.outcome == "mfa_required"
        assert decision.multifactor is not None
        assert decision.multifactor.provider != "none"
        assert decision.multifactor.allow_remember_browser is False
        assert decision.degraded


@given(flows(everything), tenants, events)
def test_failed_commands_never_count(flow: tuple[Execution, ...], tenant: Settings, event: EventFacts) -> None:
    """What a failed action recorded could be anything: the decision is the same without it."""
    bare = tuple(
        e if e.verdict is Verdict.COMPLETED else Execution(e.action, e.revision, e.on_error, e.verdict) for e in flow
    )
    assert meaning(decide(flow, tenant, event)) == meaning(decide(bare, tenant, event))


@given(flows(everything), tenants, events, st.data())
def test_folding_in_pieces_is_folding_at_once(
    flow: tuple[Execution, ...], tenant: Settings, event: EventFacts, data: st.DataObject
) -> None:
    """Executions fed in two pieces, cut anywhere, give the decision of the whole, trace included."""
    at = data.draw(st.integers(0, len(flow)))
    fold = Fold()
    fold.add(flow[:at])
    fold.add(flow[at:])
    assert fold.decide(flow, tenant, event) == decide(flow, tenant, event)


@given(flows(harmless), tenants, events, st.data())
def test_splitting_an_action_in_two_changes_nothing(
    flow: tuple[Execution, ...], tenant: Settings, event: EventFacts, data: st.DataObject
) -> None:
    """The same commands from one action or from two in a row mean the same, as long as none of them denies."""
    split: list[Execution] = []
    for e in flow:
        at = data.draw(st.integers(0, len(e.commands)))
        if e.verdict is Verdict.COMPLETED:
            split.append(Execution(e.action, e.revision, e.on_error, e.verdict, e.commands[:at]))
            split.append(Execution(e.action, e.revision, e.on_error, e.verdict, e.commands[at:]))
        else:
            split.append(e)
    whole, parts = decide(flow, tenant, event), decide(tuple(split), tenant, event)
    assert meaning(whole) == meaning(parts)
    assert whole.contributions == parts.contributions


@given(flows(everything), tenants, events)
def test_the_trace_is_true(flow: tuple[Execution, ...], tenant: Settings, event: EventFacts) -> None:
    """A winner is named whenever something was required, lifted or denied; never more than one call wins."""
    decision = decide(flow, tenant, event)
    winners = [c for c in decision.contributions if c.won]
    assert bool(winners) is (decision.multifactor is not None or decision.outcome == "deny")
    assert len([c for c in winners if c.op in surface.RECORDED]) <= 1
    if decision.outcome == "deny":
        assert len(winners) == 1
        assert winners[0].op in DENIALS | {"on_error.deny"}


@given(flows(everything), tenants, events)
def test_an_outcome_and_its_parts_agree(flow: tuple[Execution, ...], tenant: Settings, event: EventFacts) -> None:
    """mfa_required has a provider other than none, allow has none or nothing, and factors are the tenant's."""
    decision = decide(flow, tenant, event)
    provider = decision.multifactor.provider if decision.multifactor else None
    if decision.outcome == "mfa_required":
        assert provider in set(strength.PROVIDERS) - {"none"}
    else:
        assert provider in (None, "none")
    if isinstance(decision.multifactor, Multifactor):
        if provider == "any":
            assert set(decision.multifactor.factors) <= set(tenant.factors)
        assert event.email_verified or "email" not in decision.multifactor.factors


@given(flows(everything), tenants, events)
def test_deciding_changes_no_input(flow: tuple[Execution, ...], tenant: Settings, event: EventFacts) -> None:
    """A decision owns its dictionaries: changing them changes no later decision of the same executions."""
    first = decide(flow, tenant, event)
    kept = copy.deepcopy(meaning(first))
    for effects_of in (first.user_metadata, first.app_metadata, first.id_token_claims, first.access_token_claims):
        effects_of["changed"] = True
    if first.effects is not None:
        first.effects.scopes["changed"] = True
        first.effects.transaction_metadata["changed"] = True
        for changes in filter(None, (first.effects.session, first.effects.refresh_token)):
            changes.metadata["changed"] = "x"
    assert meaning(decide(flow, tenant, event)) == kept
