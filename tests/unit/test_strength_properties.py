"""No action makes a login weaker than the tenant's policy alone would, by what it asks for or by how it fails.

`tests/strength.py` has the order. The mutants at the end are the control: each lets one rule go, and a login is found
that became weaker.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.core import challenges, mfa, policy, resolution
from runtime.core.model import (
    Decision,
    Experience,
    Merge,
    OnError,
    Policy,
    ResolutionKind,
    Settings,
    Suspension,
    Verdict,
)
from runtime.core.remembered import DAY_MS, RememberedBrowser
from runtime.core.resolution import Gateway
from sandbox.contract import policy_rule
from tests import strength
from tests.effort import effort
from tests.event_facts import EventFacts
from tests.flow_walk import (
    GATEWAY,
    NOW_MS,
    Action,
    action,
    challenge,
    challenge_any,
    enable,
    enroll,
    enroll_any,
    fails,
    first,
    metadata,
    redirect,
    walk,
)
from tests.login_strategies import User, enables, events, flows, gateways, tenants


def by_policy(tenant: Settings, event: EventFacts, gateway: Gateway) -> tuple[bool, int]:
    """Say whether the adaptive policy demands a factor, and how hard a login without any action is."""
    alone = walk([], tenant, event, gateway)
    multifactor = alone[-1].multifactor
    return multifactor is not None and multifactor.adaptive, strength.of_login(alone, tenant, event, gateway)


def excepted(decisions: list[Decision], tenant: Settings, adaptive: bool) -> bool:
    """Tell whether an action said what may relax the policy: `none` as its last word, or the browser by the setting."""
    done = [e for e in decisions[-1].executions if e.verdict is not Verdict.SKIPPED]
    if any(e.verdict is not Verdict.COMPLETED and e.on_error is OnError.REQUIRE_MFA for e in done):
        return False
    said = [
        command.args
        for e in done
        if e.verdict is Verdict.COMPLETED
        for command in e.commands
        if command.op == "multifactor.enable"
    ]
    if tenant.merge is Merge.STRICTEST or not said:
        return False
    if said[-1]["provider"] == "none":
        return tenant.none_lifts_adaptive or not adaptive
    return tenant.remember_satisfies_adaptive and said[-1].get("allow_remember_browser") is True


def weaker(
    flow: list[Action],
    tenant: Settings,
    event: EventFacts,
    gateway: Gateway,
    pick: Callable[[Suspension], list[str]] = first,
) -> bool:
    """Tell whether these actions make a login weaker than the policy alone, though none of them may."""
    adaptive, alone = by_policy(tenant, event, gateway)
    decisions = walk(flow, tenant, event, gateway, pick)
    if excepted(decisions, tenant, adaptive):
        return False
    got = strength.of_login(decisions, tenant, event, gateway)
    # Where the policy is not adaptive an action may choose a provider of its own, which overrides what is enabled.
    return got < (alone if adaptive else min(alone, strength.WAYS.index("a remembered browser")))


@given(flows(), tenants, events, gateways, st.data())
def test_no_flow_is_weaker_than_the_policy(
    flow: list[Action], tenant: Settings, event: EventFacts, gateway: Gateway, data: st.DataObject
) -> None:
    """For every event and flow: an explicit `none`, or the tenant's setting, or at least what the policy demands."""
    assert not weaker(flow, tenant, event, gateway, User(data))


@given(flows(), st.sampled_from(OnError), tenants, events, gateways, st.data())
def test_a_failure_never_weakens_a_flow(
    flow: list[Action],
    on_error: OnError,
    tenant: Settings,
    event: EventFacts,
    gateway: Gateway,
    data: st.DataObject,
) -> None:
    """An action that fails, appended to a flow, makes the login as hard or harder, whatever its on_error says."""
    user = User(data)
    before = walk(flow, tenant, event, gateway, user)
    again = iter(user.picked)
    after = walk([*flow, fails("late", on_error)], tenant, event, gateway, lambda _: next(again))
    assert strength.of_decision(after[-1]) >= strength.of_decision(before[-1])
    assert strength.of_login(after, tenant, event, gateway) >= strength.of_login(before, tenant, event, gateway)


@given(flows(), enables, tenants, events, gateways, st.data())
def test_no_enable_weakens_a_strictest_flow(
    flow: list[Action], said: Any, tenant: Settings, event: EventFacts, gateway: Gateway, data: st.DataObject
) -> None:
    """Under strictest an `enable` that is appended, `none` included, makes the decision as hard or harder."""
    tenant = replace(tenant, merge=Merge.STRICTEST)
    user = User(data)
    before = walk(flow, tenant, event, gateway, user)
    again = iter(user.picked)
    after = walk([*flow, action("late", said)], tenant, event, gateway, lambda _: next(again))
    assert strength.of_decision(after[-1]) >= strength.of_decision(before[-1])
    assert by_duo(after) or strength.of_login(after, tenant, event, gateway) >= strength.of_login(
        before, tenant, event, gateway
    )


def by_duo(decisions: list[Decision]) -> bool:
    """Tell whether Duo is required: it verifies users whom no other provider can, so it may open what was shut."""
    return decisions[-1].multifactor is not None and decisions[-1].multifactor.provider == "duo"


# Short flows at low confidence, drawn fast: most logins that show a fault are among them.
Login = tuple[list[Action], Settings, EventFacts, Gateway]
SAID = [
    *[enable(provider) for provider in strength.PROVIDERS],
    *[enable(provider, allow_remember_browser=True) for provider in strength.PROVIDERS],
    enable("any", allow_remember_browser=False),
    challenge("otp"),
    challenge("email"),
    challenge_any("phone", "email"),
    enroll("otp"),
    enroll_any("phone", "webauthn-roaming"),
    metadata("k", 1),
    redirect(),
]
ACTIONS = [
    *[action("a", said) for said in SAID],
    *[action("a", enable("none"), said) for said in SAID if said.op.startswith("authentication")],
    *[fails("a", on_error) for on_error in (OnError.REQUIRE_MFA, OnError.CONTINUE)],
]
ADAPTIVE = Settings(policy=Policy.ADAPTIVE)
MEMORY = RememberedBrowser("auth0|1", "any", NOW_MS - DAY_MS, NOW_MS - DAY_MS)
LOW = EventFacts("oidc-basic-profile", risk_confidence="low", enrolled=(), email_verified=True)
TENANTS = [
    ADAPTIVE,
    replace(ADAPTIVE, merge=Merge.STRICTEST),
    replace(ADAPTIVE, none_lifts_adaptive=False),
    replace(ADAPTIVE, remember_satisfies_adaptive=True),
    replace(ADAPTIVE, remember_satisfies_adaptive=True, merge=Merge.STRICTEST),
    replace(ADAPTIVE, factors=("webauthn-roaming",)),
    replace(ADAPTIVE, experience=Experience.CLASSIC),
    Settings(policy=Policy.ALWAYS),
    Settings(policy=Policy.ALWAYS, merge=Merge.STRICTEST),
    Settings(policy=Policy.ALWAYS, factors=("otp",)),
    Settings(factors=("webauthn-roaming",)),
    Settings(factors=("otp",), experience=Experience.CLASSIC),
]
EVENTS = [
    replace(LOW, protocol=protocol, enrolled=enrolled, email_verified=verified)
    for protocol in (LOW.protocol, "oauth2-password")
    for enrolled in ((), ("otp", "phone"), ("webauthn-roaming",), ("sms",), None)
    for verified in (False, True)
]
GATEWAYS = [
    replace(GATEWAY, has_email=has_email, remembered_browser=memory)
    for has_email in (False, True)
    for memory in (None, MEMORY)
]
small: st.SearchStrategy[Login] = st.tuples(
    st.lists(st.sampled_from(ACTIONS), max_size=3),
    st.sampled_from(TENANTS),
    st.sampled_from(EVENTS),
    st.sampled_from(GATEWAYS),
)


def drawn(count: int) -> Iterator[Login]:
    """Draw the same short flows each time, without what hypothesis needs to shrink them."""
    chance = random.Random(1)
    for _ in range(count):
        flow = chance.choices(ACTIONS, k=chance.randint(1, 3))
        yield flow, chance.choice(TENANTS), chance.choice(EVENTS), chance.choice(GATEWAYS)


@effort(150)
@given(small)
def test_no_short_flow_is_weaker_than_the_policy(login: Login) -> None:
    """The same where it matters most: at low confidence, with users who could enrol and browsers that remember."""
    assert not weaker(*login)
    assert not weakened_by_failure(*login)
    assert not weakened_under_strictest(*login)


def weakened_by_failure(flow: list[Action], tenant: Settings, event: EventFacts, gateway: Gateway) -> bool:
    before = walk(flow, tenant, event, gateway)
    after = walk([*flow, fails("late")], tenant, event, gateway)
    if strength.of_decision(after[-1]) < strength.of_decision(before[-1]):
        return True
    return strength.of_login(after, tenant, event, gateway) < strength.of_login(before, tenant, event, gateway)


def weakened_under_strictest(flow: list[Action], tenant: Settings, event: EventFacts, gateway: Gateway) -> bool:
    tenant = replace(tenant, merge=Merge.STRICTEST)
    before = walk(flow, tenant, event, gateway)
    for provider in strength.PROVIDERS:
        for said in ({}, {"allow_remember_browser": True}):
            after = walk([*flow, action("late", enable(provider, **said))], tenant, event, gateway)
            if strength.of_decision(after[-1]) < strength.of_decision(before[-1]):
                return True
            got = strength.of_login(after, tenant, event, gateway)
            if not by_duo(after) and got < strength.of_login(before, tenant, event, gateway):
                return True
    return False


def changed(module: Any, name: str, change: Callable[..., Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """Make a mutant that changes what a function returns; `change` is given that and the arguments."""
    real = getattr(module, name)

    def mutant(patch: pytest.MonkeyPatch) -> None:
        def answer(*args: Any, **kwargs: Any) -> Any:
            return change(real(*args, **kwargs), *args)

        patch.setattr(module, name, answer)

    return mutant


RESOLVE = mfa.resolve
OFFER = mfa.offer


def of_origin(origin: str, **changes: Any) -> Callable[..., Any]:
    """Change what is required when it is of this origin."""
    return lambda found, *_: replace(found, **changes) if found is not None and found.origin == origin else found


def remembers(found: Any, *_: Any) -> Any:
    return None if found is None else replace(found, memory_satisfies_adaptive=found.allow_remember_browser is True)


def replaces(found: Any, winner: Any, failed: bool, *rest: Any) -> Any:
    return RESOLVE(None, failed, *rest) if failed else found


def any_address(found: Any, *_: Any) -> Any:
    return replace(found, verify_email_first=False)


def overrides(found: Any, provider: str, settings: Any, facts: Any) -> Any:
    return OFFER(provider, replace(settings, merge=Merge.LAST_CALL), facts)


def never_shut(found: Any, *_: Any) -> Any:
    return replace(found, kind=ResolutionKind.PROMPT, failure=None)


def unset_is_ignored(found: Any, requests: Any, rule: Merge) -> Any:
    said = [r.allow_remember_browser for r in requests if r.allow_remember_browser is not None]
    return replace(found, allow_remember_browser=all(said) if said else None)


MUTANTS: list[Any] = [
    pytest.param(weaker, changed(mfa, "resolve", of_origin("action", adaptive=False)), id="enable replaces adaptive"),
    pytest.param(
        weaker, changed(mfa, "resolve", of_origin("on_error", adaptive=False)), id="a failure replaces adaptive"
    ),
    pytest.param(weaker, changed(mfa, "resolve", remembers), id="remembering has the last word without the setting"),
    pytest.param(weaker, changed(challenges, "plan", any_address), id="an enrolment command needs no address"),
    pytest.param(weaker, changed(challenges, "alone", never_shut), id="a command opens what the policy keeps shut"),
    pytest.param(weaker, changed(resolution, "alone", never_shut), id="a provider opens what the policy keeps shut"),
    pytest.param(
        weaker,
        changed(policy_rule, "demands", lambda found, _, lifted, __: found and not lifted),
        id="none lifts adaptive although the tenant says no",
    ),
    pytest.param(weakened_by_failure, changed(mfa, "resolve", replaces), id="a failure replaces a requirement"),
    pytest.param(
        weakened_under_strictest,
        changed(policy, "lifts", lambda _, winner, __: winner is not None and winner.provider == "none"),
        id="none cancels the policy under strictest",
    ),
    pytest.param(
        weakened_under_strictest, changed(mfa, "offer", overrides), id="a provider adds a factor under strictest"
    ),
    pytest.param(weakened_under_strictest, changed(policy, "merge", unset_is_ignored), id="unset is no word"),
]


@pytest.mark.parametrize(("property_", "mutant"), MUTANTS)
def test_a_rule_that_is_let_go_is_missed(
    property_: Callable[..., bool], mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with any one rule changed some login becomes weaker, which the same rule as it is prevents."""
    mutant(monkeypatch)
    found = next((login for login in drawn(10_000) if property_(*login)), None)
    assert found is not None
    monkeypatch.undo()
    assert not property_(*found)
