"""Rows of the MFA semantics that the core decides, one table per section, as far as the api's calls exist.

The worked cases of section 14 are data: `tests/conformance/cases/core`.
"""

from dataclasses import replace
from typing import Any

import pytest

from runtime.core import mfa
from runtime.core.aggregate import aggregate
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
from sandbox.contract.vocabulary import PROVIDERS
from tests.event_facts import EventFacts

EVERY = FACTOR_NAMES
CLASSIC, NEW = Experience.CLASSIC, Experience.NEW
VERIFIED = EventFacts(email_verified=True)


def login(
    *providers: str,
    settings: Settings,
    facts: EventFacts = VERIFIED,
    remember: bool | None = None,
) -> Decision:
    """Decide a login whose one action enables these providers in turn."""
    said = {} if remember is None else {"allow_remember_browser": remember}
    commands = tuple(Command("multifactor.enable", {"provider": provider, **said}) for provider in providers)
    execution = Execution("a", "0" * 64, OnError.REQUIRE_MFA, Verdict.COMPLETED, commands)
    return aggregate((execution,), settings, facts)


def required(decision: Decision) -> Multifactor:
    assert decision.outcome == "mfa_required"
    assert decision.multifactor is not None
    return decision.multifactor


@pytest.mark.parametrize(
    ("provider", "experience", "factors"),
    [
        ("any", CLASSIC, {"push-notification", "sms", "otp"}),
        ("any", NEW, {"push-notification", "sms", "voice", "otp", "email", "webauthn-roaming"}),
        ("guardian", CLASSIC, {"push-notification", "sms", "otp"}),
        ("guardian", NEW, {"push-notification", "sms", "otp", "email"}),
        ("google-authenticator", CLASSIC, {"otp"}),
        ("google-authenticator", NEW, {"push-notification", "sms", "otp", "email"}),
        ("duo", CLASSIC, {"duo"}),
        ("duo", NEW, {"duo"}),
    ],
)
def test_section_1_provider_by_experience(provider: str, experience: Experience, factors: set[str]) -> None:
    """Each provider offers its row of the table when every factor is enabled."""
    settings = Settings(experience=experience, factors=EVERY)
    offered = required(login(provider, settings=settings)).factors
    assert set(offered) == factors
    assert len(offered) == len(factors)


@pytest.mark.parametrize("experience", list(Experience))
def test_section_1_none_offers_nothing(experience: Experience) -> None:
    """Provider none is no challenge in either experience."""
    decision = login("none", settings=Settings(experience=experience, policy=Policy.ALWAYS, factors=EVERY))
    assert decision.outcome == "allow"
    assert decision.multifactor == Multifactor("none")


def test_section_1_table_is_whole() -> None:
    """Every provider has a row in both experiences, made of known factors."""
    assert set(mfa.FACTORS) == {(provider, experience) for provider in PROVIDERS for experience in Experience}
    assert {name for row in mfa.FACTORS.values() for name in row} <= set(FACTOR_NAMES)


def test_section_1_safest_factor_first() -> None:
    """Factors are offered in the order in which classic would choose: keys, push, one-time code, phone, email."""
    wanted = ("webauthn-roaming", "push-notification", "otp", "sms", "voice", "email")
    assert required(login("any", settings=Settings(factors=tuple(reversed(EVERY))))).factors == wanted


@pytest.mark.parametrize(
    ("provider", "experience", "enabled", "verified", "factors"),
    [
        pytest.param("any", NEW, ("otp",), True, ("otp",), id="any means the enabled factors"),
        pytest.param("any", NEW, ("duo",), True, (), id="any does not offer Duo"),
        pytest.param("any", CLASSIC, ("voice", "email"), True, (), id="classic has neither voice nor email"),
        pytest.param("any", NEW, ("webauthn-platform", "recovery-code"), True, (), id="dependent factors do not stand"),
        pytest.param("any", NEW, ("email", "otp"), False, ("otp",), id="email needs a verified address"),
        pytest.param("any", NEW, ("email",), False, (), id="email only and unverified: cannot complete"),
        pytest.param("any", NEW, ("email",), True, ("email",), id="email only and verified"),
        pytest.param("any", NEW, (), True, (), id="no factor enabled: cannot complete"),
        pytest.param(
            "guardian", CLASSIC, (), True, ("push-notification", "otp", "sms"), id="explicit overrides the toggles"
        ),
        pytest.param(
            "guardian",
            NEW,
            ("otp",),
            False,
            ("push-notification", "otp", "sms"),
            id="explicit does not override the verified address",
        ),
        pytest.param("google-authenticator", CLASSIC, ("sms",), True, ("otp",), id="explicit ignores what is enabled"),
        pytest.param("duo", NEW, ("otp",), True, ("duo",), id="Duo while other factors are enabled"),
    ],
)
def test_section_2_toggles(
    provider: str, experience: Experience, enabled: tuple[str, ...], verified: bool, factors: tuple[str, ...]
) -> None:
    """Toggles bind `any`, an explicit provider overrides them, email needs a verified address either way."""
    settings = Settings(experience=experience, factors=enabled)
    decision = login(provider, settings=settings, facts=EventFacts(email_verified=verified))
    assert required(decision).factors == factors


POLICY_ROWS: list[Any] = [
    # policy, confidence, protocol, providers enabled by actions, wanted outcome, wanted origin
    pytest.param("never", None, None, (), "allow", None, id="never: not required"),
    pytest.param("never", "low", None, (), "allow", None, id="never: whatever the risk"),
    pytest.param("never", None, None, ("any",), "mfa_required", "action", id="never: only when actions ask"),
    pytest.param("always", "high", None, (), "mfa_required", "policy", id="always: all logins"),
    pytest.param("always", "high", None, ("none",), "allow", "action", id="always: none suppresses it"),
    pytest.param("always", None, None, ("duo",), "mfa_required", "action", id="always: the action's provider wins"),
    pytest.param("adaptive", "low", None, (), "mfa_required", "policy", id="adaptive: low confidence"),
    pytest.param("adaptive", "medium", None, (), "allow", None, id="adaptive: medium confidence"),
    pytest.param("adaptive", "high", None, (), "allow", None, id="adaptive: high confidence"),
    pytest.param("adaptive", "neutral", None, (), "allow", None, id="adaptive: neutral confidence"),
    pytest.param("adaptive", "odd", None, (), "mfa_required", "policy", id="adaptive: unknown value is low"),
    pytest.param("adaptive", None, None, (), "mfa_required", "policy", id="adaptive: no assessment is low"),
    pytest.param("adaptive", None, "oauth2-refresh-token", (), "allow", None, id="adaptive: refresh is never assessed"),
    pytest.param("adaptive", None, "oauth2-device-code", (), "allow", None, id="adaptive: device is never assessed"),
    pytest.param(
        "adaptive", None, "oauth2-token-exchange", (), "allow", None, id="adaptive: token exchange is never assessed"
    ),
    pytest.param("adaptive", "low", "oauth2-password", (), "mfa_required", "policy", id="adaptive: password grant"),
    pytest.param("adaptive", "low", None, ("none",), "allow", "action", id="adaptive: none lifts it"),
    pytest.param("adaptive", "high", None, ("none",), "allow", "action", id="adaptive: none and high confidence"),
    pytest.param("adaptive", "high", None, ("any",), "mfa_required", "action", id="adaptive: trigger + no trigger"),
    pytest.param("adaptive", "low", None, ("any",), "mfa_required", "action", id="adaptive: trigger + trigger"),
]


@pytest.mark.parametrize(("policy", "confidence", "protocol", "providers", "outcome", "origin"), POLICY_ROWS)
def test_section_4_policy(
    policy: str, confidence: str | None, protocol: str | None, providers: tuple[str, ...], outcome: str, origin: str
) -> None:
    """Actions beat the policy; the policy decides when no action has an opinion."""
    settings = Settings(policy=Policy(policy), factors=("otp",))
    decision = login(*providers, settings=settings, facts=EventFacts(protocol=protocol, risk_confidence=confidence))
    assert decision.outcome == outcome
    assert (decision.multifactor.origin if decision.multifactor else None) == origin
    if origin == "policy":
        last = decision.contributions[-1]
        assert (last.action, last.op, last.won) == ("", f"policy.{policy}", True)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [({}, "allow"), ({"none_lifts_adaptive": True}, "allow"), ({"none_lifts_adaptive": False}, "mfa_required")],
)
def test_section_4_none_lifts_adaptive_unless_the_tenant_says_no(said: dict[str, Any], outcome: str) -> None:
    """An action's explicit `none` takes precedence over the adaptive policy, which a tenant may forbid."""
    settings = replace(Settings(policy=Policy.ADAPTIVE, factors=("otp",)), **said)
    decision = login("none", settings=settings, facts=EventFacts(risk_confidence="low"))
    assert decision.outcome == outcome
    if outcome == "mfa_required":
        assert required(decision).ignore_remembered_browser


def test_section_4_adaptive_ignores_remembered_browsers() -> None:
    """A factor required by the adaptive policy is always challenged; one required by `always` may be remembered."""
    low = EventFacts(risk_confidence="low")
    adaptive = required(login(settings=Settings(policy=Policy.ADAPTIVE, factors=("otp",)), facts=low))
    assert adaptive == Multifactor("any", None, None, ("otp",), "policy", True)
    always = required(login(settings=Settings(policy=Policy.ALWAYS, factors=("otp",)), facts=low))
    assert always == Multifactor("any", None, None, ("otp",), "policy", False)


@pytest.mark.parametrize(
    ("merge", "confidence", "ignored"),
    [
        (Merge.LAST_CALL, "low", True),
        (Merge.LAST_CALL, "high", False),
        (Merge.STRICTEST, "low", True),
        (Merge.STRICTEST, "high", False),
    ],
)
def test_section_4_action_and_adaptive(merge: Merge, confidence: str, ignored: bool) -> None:
    """An action's requirement does not relax what the adaptive policy demands, under either merge rule."""
    settings = Settings(policy=Policy.ADAPTIVE, factors=("otp",), merge=merge)
    facts = EventFacts(risk_confidence=confidence)
    assert required(login("any", settings=settings, facts=facts, remember=True)).ignore_remembered_browser is ignored


@pytest.mark.parametrize("remember", [True, False, None])
@pytest.mark.parametrize("provider", ["any", "guardian", "google-authenticator", "duo"])
def test_section_5_three_states(provider: str, remember: bool | None) -> None:
    """Whether the browser may be remembered is passed on as said, and stays unset when no action said."""
    decision = login(provider, settings=Settings(factors=("otp",)), remember=remember)
    assert required(decision).allow_remember_browser is remember


@pytest.mark.parametrize(
    ("policy", "providers", "outcome"),
    [
        pytest.param("always", (), "mfa_required", id="policy always applies to a refresh"),
        pytest.param("always", ("none",), "allow", id="none lifts it on a refresh too"),
        pytest.param("never", (), "allow", id="no opinion and policy never"),
        pytest.param("never", ("any",), "mfa_required", id="an action's requirement applies to a refresh"),
    ],
)
def test_section_6_refresh_token_exchange(policy: str, providers: tuple[str, ...], outcome: str) -> None:
    """A refresh token exchange is decided like any other login; the gateway answers it with mfa_required."""
    settings = Settings(policy=Policy(policy), factors=("otp",))
    assert login(*providers, settings=settings, facts=EventFacts(protocol="oauth2-refresh-token")).outcome == outcome


@pytest.mark.parametrize(
    ("policy", "providers", "protocol", "outcome"),
    [
        pytest.param("always", (), "oauth2-refresh-token", "allow", id="exempt"),
        pytest.param("always", (), "oidc-basic-profile", "mfa_required", id="other logins are not"),
        pytest.param("always", (), "oauth2-password", "mfa_required", id="neither is a password grant"),
        pytest.param("adaptive", (), "oauth2-refresh-token", "allow", id="from every policy"),
        pytest.param("always", ("any",), "oauth2-refresh-token", "mfa_required", id="not from an action"),
    ],
)
def test_section_14_a_refresh_may_be_exempt(
    policy: str, providers: tuple[str, ...], protocol: str, outcome: str
) -> None:
    """Row 11: the documented setting takes refresh token exchanges, and nothing else, out of the policy."""
    settings = Settings(policy=Policy(policy), factors=("otp",), step_up=True, exempt_refresh=True)
    facts = EventFacts(protocol=protocol, risk_confidence="low", acr_values=(PAPE_MULTI_FACTOR,))
    assert login(*providers, settings=settings, facts=facts).outcome == outcome


def test_section_14_a_failed_action_is_not_exempt() -> None:
    """What `on_error: require_mfa` requires applies to a refresh, whatever the policy does."""
    failed = Execution("a", "0" * 64, OnError.REQUIRE_MFA, Verdict.RAISED)
    settings = Settings(policy=Policy.ALWAYS, factors=("otp",), exempt_refresh=True)
    facts = EventFacts(protocol="oauth2-refresh-token")
    assert aggregate([failed], settings, facts).outcome == "mfa_required"


@pytest.mark.parametrize(
    ("step_up", "policy", "providers", "wanted"),
    [
        pytest.param(False, "never", (), ("allow", None), id="an override only"),
        pytest.param(True, "never", (), ("mfa_required", "policy.step_up"), id="a trigger"),
        pytest.param(True, "never", ("none",), ("allow", "multifactor.enable"), id="that none lifts"),
        pytest.param(True, "never", ("duo",), ("mfa_required", "multifactor.enable"), id="and an action replaces"),
        pytest.param(True, "always", (), ("mfa_required", "policy.always"), id="beside the policy always"),
        pytest.param(True, "adaptive", (), ("mfa_required", "policy.step_up"), id="at high confidence"),
    ],
)
def test_section_11_step_up(
    step_up: bool, policy: str, providers: tuple[str, ...], wanted: tuple[str, str | None]
) -> None:
    """The PAPE class in acr_values requires a factor when the tenant says so; another class never does."""
    settings = Settings(policy=Policy(policy), factors=("otp",), step_up=step_up)
    facts = EventFacts(risk_confidence="high", acr_values=("urn:other", PAPE_MULTI_FACTOR))
    decision = login(*providers, settings=settings, facts=facts)
    won = [c.op for c in decision.contributions if c.won]
    assert (decision.outcome, won[0] if won else None) == wanted
    if wanted[1] == "policy.step_up":
        assert required(decision) == Multifactor("any", None, None, ("otp",), "policy", False)
        other = replace(facts, acr_values=("urn:other",))
        assert login(*providers, settings=settings, facts=other).outcome == "allow"


def test_section_11_step_up_at_low_confidence_is_adaptive() -> None:
    """Of two reasons the stronger one counts: what the adaptive policy asks for no browser's memory satisfies."""
    settings = Settings(policy=Policy.ADAPTIVE, factors=("otp",), step_up=True)
    facts = EventFacts(risk_confidence="low", acr_values=(PAPE_MULTI_FACTOR,))
    assert required(login(settings=settings, facts=facts)).ignore_remembered_browser
    kept = replace(settings, none_lifts_adaptive=False)
    assert required(login("none", settings=kept, facts=facts)).ignore_remembered_browser
    assert login("none", settings=settings, facts=facts).outcome == "allow"


@pytest.mark.parametrize("protocol", sorted(mfa.BACK_CHANNEL_PROTOCOLS))
def test_section_7_duo_has_no_page_without_a_browser(protocol: str) -> None:
    """Duo required where no user can see its page: required, with nothing to offer."""
    decision = login("duo", settings=Settings(factors=("otp",)), facts=EventFacts(protocol=protocol))
    assert required(decision).factors == ()


@pytest.mark.parametrize("protocol", [None, "oidc-basic-profile", "samlp", "oauth2-device-code"])
def test_section_7_duo_is_offered_to_a_browser(protocol: str | None) -> None:
    """The control: in a browser flow Duo is offered."""
    assert required(login("duo", settings=Settings(), facts=EventFacts(protocol=protocol))).factors == ("duo",)
