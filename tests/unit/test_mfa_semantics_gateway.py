"""Rows of the MFA semantics that concern the gateway: pages, tokens, remembered browsers and enrolment, by section."""

from dataclasses import replace
from typing import Any

import pytest

from runtime.core import mfa, remembered, resolution
from runtime.core.aggregate import aggregate
from runtime.core.model import (
    FACTOR_NAMES,
    Command,
    Execution,
    Experience,
    Failure,
    Multifactor,
    OnError,
    Policy,
    RememberMode,
    Resolution,
    ResolutionKind,
    Settings,
    Verdict,
)
from runtime.core.remembered import DAY_MS, HOUR_MS, PAPE_MULTI_FACTOR, Refusal, RememberedBrowser
from runtime.core.resolution import Gateway
from sandbox.contract.vocabulary import PROVIDERS
from tests.event_facts import EventFacts

NOW = 1_800_000_000_000
USER = "auth0|1"
EVERY = Settings(factors=FACTOR_NAMES)
CLASSIC = Settings(experience=Experience.CLASSIC, factors=FACTOR_NAMES)
BROWSER = EventFacts("oidc-basic-profile", enrolled=("otp",), email_verified=True)
PASSWORD = replace(BROWSER, protocol="oauth2-password")
REFRESH = replace(BROWSER, protocol="oauth2-refresh-token")
EXCHANGE = replace(BROWSER, protocol="oauth2-token-exchange")
MEMORY = RememberedBrowser(USER, "any", NOW - DAY_MS, NOW - DAY_MS)
ALWAYS = Multifactor("any", None, None, (), "policy")
ADAPTIVE = Multifactor("any", None, None, (), "policy", True)
ON_ERROR = Multifactor("any", False, None, (), "on_error")


def enable(provider: str, remember: bool | None = None) -> Multifactor:
    """What `multifactor.enable` of an action leads to."""
    return Multifactor(provider, remember)


def resolve(
    multifactor: Multifactor,
    facts: EventFacts = BROWSER,
    settings: Settings = EVERY,
    **gateway: Any,
) -> Resolution:
    """Resolve a requirement with the factors that the decision would offer for it."""
    offered = replace(multifactor, factors=mfa.offer(multifactor.provider, settings, facts))
    answer = resolution.resolve(offered, settings, facts, Gateway(NOW, USER, **gateway))
    assert answer is not None
    return answer


@pytest.mark.parametrize("multifactor", [None, Multifactor("none")])
def test_section_12_skip_resolves_to_nothing(multifactor: Multifactor | None) -> None:
    """Without a requirement, or with a lifted one, there is nothing for a gateway to do."""
    assert resolution.resolve(multifactor, EVERY, BROWSER, Gateway(NOW, USER)) is None


@pytest.mark.parametrize(
    ("provider", "settings", "challenge"),
    [
        ("any", EVERY, ("webauthn-roaming", "push-notification", "otp", "sms", "voice", "email")),
        ("any", CLASSIC, ("push-notification", "otp", "sms")),
        ("guardian", EVERY, ("push-notification", "otp", "sms", "email")),
        ("guardian", CLASSIC, ("push-notification", "otp", "sms")),
        ("google-authenticator", EVERY, ("push-notification", "otp", "sms", "email")),
        ("google-authenticator", CLASSIC, ("otp",)),
        ("duo", EVERY, ("duo",)),
        ("duo", CLASSIC, ("duo",)),
    ],
)
def test_section_1_a_user_with_every_factor(provider: str, settings: Settings, challenge: tuple[str, ...]) -> None:
    """A user enrolled in everything is challenged for the provider's row; only the new experience gives a choice."""
    enrolled = ("webauthn-roaming", "push-notification", "otp", "phone", "email")
    answer = resolve(enable(provider), replace(BROWSER, enrolled=enrolled), settings)
    assert (answer.kind, answer.challenge) == (ResolutionKind.PROMPT, challenge)
    assert answer.choice is (settings is EVERY and provider != "duo")
    assert not answer.enroll


ENROLMENTS: list[Any] = [
    # enabled factors, provider, enrolled, address verified, challenge, enrol, failure
    pytest.param(("otp", "sms"), "any", ("otp",), False, ("otp",), (), None, id="2 enrolled: challenged"),
    pytest.param(("otp", "sms"), "any", (), False, (), ("otp", "sms"), None, id="8 un-enrolled user: asked to enrol"),
    pytest.param(("sms",), "any", ("phone",), False, ("sms",), (), None, id="1 phone is sms"),
    pytest.param(("voice",), "any", ("phone",), False, ("voice",), (), None, id="1 phone is voice"),
    pytest.param(("otp", "email"), "any", ("otp",), True, ("otp", "email"), (), None, id="8 email: verified counts"),
    pytest.param(("otp", "email"), "any", (), True, (), ("otp",), None, id="2 email is dependent: otp is enrolled"),
    pytest.param(("email",), "any", (), True, ("email",), (), None, id="2 email only and verified"),
    pytest.param(("email",), "any", (), False, (), (), Failure.NO_USABLE_FACTOR, id="2 email only, unverified"),
    pytest.param((), "any", (), True, (), (), Failure.NO_USABLE_FACTOR, id="2 no factor enabled"),
    pytest.param(("duo",), "any", (), True, (), (), Failure.NO_USABLE_FACTOR, id="2 any never means Duo"),
    pytest.param(("otp",), "duo", (), False, ("duo",), (), None, id="2 Duo beside other factors"),
    pytest.param((), "guardian", ("otp",), False, ("otp",), (), None, id="2 explicit overrides the toggles"),
    pytest.param(("sms",), "any", ("otp",), False, (), ("sms",), None, id="2 enrolled in what is now disabled"),
    pytest.param(
        ("webauthn-roaming",),
        "guardian",
        ("webauthn-roaming",),
        False,
        (),
        (),
        Failure.NO_USABLE_FACTOR,
        id="8 enrolled: no other factor without a challenge",
    ),
    pytest.param(
        ("otp", "recovery-code"),
        "any",
        ("otp", "recovery-code"),
        False,
        ("otp", "recovery-code"),
        (),
        None,
        id="9 recovery code counts as a challenge",
    ),
    pytest.param(
        ("otp", "recovery-code"),
        "google-authenticator",
        ("otp", "recovery-code"),
        False,
        ("otp",),
        (),
        None,
        id="9 no recovery code with google-authenticator",
    ),
    pytest.param(
        ("otp", "webauthn-platform"),
        "any",
        ("otp", "webauthn-platform"),
        False,
        ("webauthn-platform", "otp"),
        (),
        None,
        id="10 device biometrics beside another factor",
    ),
    pytest.param(
        ("otp", "webauthn-platform"), "any", (), False, (), ("otp",), None, id="10 device biometrics not the first one"
    ),
    pytest.param(
        ("otp", "webauthn-platform"),
        "guardian",
        ("otp", "webauthn-platform"),
        False,
        ("otp",),
        (),
        None,
        id="10 device biometrics with provider any only",
    ),
    pytest.param(("otp",), "any", None, False, ("otp",), ("otp",), None, id="8 enrolments unknown: the gateway's turn"),
    pytest.param((), "any", None, False, (), (), Failure.NO_USABLE_FACTOR, id="2 nothing enabled, enrolments unknown"),
]


@pytest.mark.parametrize(("enabled", "provider", "enrolled", "verified", "challenge", "enroll", "failure"), ENROLMENTS)
def test_sections_2_8_9_10_enrolments(
    enabled: tuple[str, ...],
    provider: str,
    enrolled: tuple[str, ...] | None,
    verified: bool,
    challenge: tuple[str, ...],
    enroll: tuple[str, ...],
    failure: Failure | None,
) -> None:
    """What the user has is challenged, a user with nothing enrols, and a user who can do neither does not get in."""
    facts = EventFacts("oidc-basic-profile", enrolled=enrolled, email_verified=verified)
    answer = resolve(enable(provider), facts, Settings(factors=enabled))
    assert (answer.challenge, answer.enroll, answer.failure) == (challenge, enroll, failure)
    assert answer.kind is (ResolutionKind.FAILED if failure else ResolutionKind.PROMPT)
    assert not answer.verify_email_first


@pytest.mark.parametrize(("webauthn", "challenge"), [(True, ("webauthn-roaming", "otp")), (False, ("otp",))])
def test_section_10_a_browser_without_webauthn_gets_another_factor(webauthn: bool, challenge: tuple[str, ...]) -> None:
    """A security key is offered only to a browser that can talk to it."""
    facts = replace(BROWSER, enrolled=("webauthn-roaming", "otp"), email_verified=False)
    assert resolve(enable("any"), facts, webauthn=webauthn).challenge == challenge


@pytest.mark.parametrize(
    ("provider", "words", "recovery"),
    [
        ("any", (), True),
        ("guardian", ("legacy",), True),
        ("google-authenticator", ("legacy", "recovery code"), False),
        ("duo", ("pages of its own",), False),
    ],
)
def test_section_3_legacy_notes(provider: str, words: tuple[str, ...], recovery: bool) -> None:
    """Legacy providers and Duo come with notes for the developers of the pages; recovery codes are not for all."""
    answer = resolve(enable(provider))
    assert len(answer.notes) == len(words)
    assert all(word in note for word, note in zip(words, answer.notes, strict=True))
    assert answer.recovery_code_allowed is recovery


def test_section_9_recovery_codes_are_a_toggle() -> None:
    """Without the tenant's toggle no recovery code is enrolled."""
    assert not resolve(enable("any"), settings=Settings(factors=("otp",))).recovery_code_allowed


ADAPTIVE_ROWS: list[Any] = [
    pytest.param(BROWSER, True, ResolutionKind.PROMPT, None, False, id="enrolled: challenged"),
    pytest.param(
        replace(BROWSER, enrolled=()), True, ResolutionKind.PROMPT, None, True, id="un-enrolled: address first"
    ),
    pytest.param(
        replace(BROWSER, enrolled=(), email_verified=False),
        False,
        ResolutionKind.FAILED,
        Failure.EMAIL_MISSING,
        False,
        id="no mail",
    ),
    pytest.param(PASSWORD, True, ResolutionKind.MFA_REQUIRED_TOKEN, None, False, id="password grant, enrolled"),
    pytest.param(
        replace(PASSWORD, enrolled=()),
        True,
        ResolutionKind.FAILED,
        Failure.ENROLLMENT_NOT_POSSIBLE,
        False,
        id="password grant, un-enrolled: blocked",
    ),
    pytest.param(replace(BROWSER, enrolled=None), True, ResolutionKind.PROMPT, None, True, id="enrolments unknown"),
    pytest.param(
        replace(PASSWORD, enrolled=None), True, ResolutionKind.MFA_REQUIRED_TOKEN, None, False, id="unknown, no browser"
    ),
]


@pytest.mark.parametrize(("facts", "has_email", "kind", "failure", "first"), ADAPTIVE_ROWS)
def test_section_4_adaptive(
    facts: EventFacts, has_email: bool, kind: ResolutionKind, failure: Failure | None, first: bool
) -> None:
    """At low confidence the enrolled are challenged, the others prove their address first or are turned away."""
    answer = resolve(ADAPTIVE, facts, has_email=has_email, remembered_browser=MEMORY)
    assert (answer.kind, answer.failure, answer.verify_email_first) == (kind, failure, first)
    assert answer.remember is RememberMode.NONE


LOW = replace(BROWSER, risk_confidence="low")
NEWCOMER = replace(LOW, enrolled=())
CALLS: list[Any] = [
    pytest.param((), id="nothing said"),
    pytest.param((("any", None),), id="enable any"),
    pytest.param((("any", True),), id="remembering allowed"),
    pytest.param((("guardian", True),), id="guardian"),
    pytest.param((("google-authenticator", True),), id="google-authenticator"),
    pytest.param((("duo", True),), id="duo"),
    pytest.param((("none", None), ("any", True)), id="none, then any"),
    pytest.param((("any", True), None), id="enable any, and a failure"),
    pytest.param((None,), id="a failure"),
    pytest.param((None, ("any", True)), id="a failure, then any"),
    pytest.param((None, ("none", None)), id="a failure, then none"),
]
DEMANDS: list[Any] = [
    pytest.param(NEWCOMER, {}, (ResolutionKind.PROMPT, None, True), id="address first"),
    pytest.param(
        NEWCOMER, {"has_email": False}, (ResolutionKind.FAILED, Failure.EMAIL_MISSING, False), id="no address"
    ),
    pytest.param(LOW, {}, (ResolutionKind.PROMPT, None, False), id="enrolled: challenged"),
]


@pytest.mark.parametrize(("facts", "gateway", "wanted"), DEMANDS)
@pytest.mark.parametrize("said", CALLS)
def test_section_4_nothing_relaxes_adaptive(
    said: tuple[Any, ...], facts: EventFacts, gateway: dict[str, Any], wanted: tuple[Any, ...]
) -> None:
    """At low confidence actions and their failures get what the policy alone would; none by itself lifts it."""
    actions = [action(verdict=Verdict.RAISED) if call_ is None else action(call(*call_)) for call_ in said]
    outcome, answer = flow(*actions, policy=Policy.ADAPTIVE, facts=facts, remembered_browser=MEMORY, **gateway)
    assert outcome == "mfa_required"
    first = answer.verify_email_first
    if ("duo", True) in said and facts is LOW:
        # Duo enrols whom it does not know, and nothing says whether it knows this user.
        first = not first
    assert (answer.kind, answer.failure, first) == wanted
    assert answer.remember is RememberMode.NONE
    assert flow(*actions, action(call("none")), policy=Policy.ADAPTIVE, facts=facts)[0] == (
        "mfa_required" if None in said else "allow"
    )


@pytest.mark.parametrize("said", CALLS)
def test_section_7_nothing_enrols_at_low_confidence_without_a_browser(said: tuple[Any, ...]) -> None:
    """A password grant of a user without factors fails whatever actions ask for."""
    actions = [action(verdict=Verdict.RAISED) if call_ is None else action(call(*call_)) for call_ in said]
    facts = replace(NEWCOMER, protocol="oauth2-password")
    _, answer = flow(*actions, policy=Policy.ADAPTIVE, facts=facts)
    duo = Failure.PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL
    assert answer.failure is (duo if ("duo", True) in said else Failure.ENROLLMENT_NOT_POSSIBLE)


@pytest.mark.parametrize(
    ("facts", "gateway", "wanted"),
    [
        (replace(LOW, enrolled=("duo",)), {}, (ResolutionKind.PROMPT, False)),
        (LOW, {}, (ResolutionKind.PROMPT, True)),
        (replace(LOW, risk_confidence="high"), {}, (ResolutionKind.PROMPT, False)),
        (LOW, {"has_email": False}, (ResolutionKind.FAILED, False)),
        (replace(LOW, enrolled=("duo",)), {"has_email": False}, (ResolutionKind.FAILED, False)),
    ],
)
def test_section_4_duo_and_the_address(
    facts: EventFacts, gateway: dict[str, Any], wanted: tuple[ResolutionKind, bool]
) -> None:
    """At low confidence the address is proven before Duo's page, unless the event says that the user is known there."""
    _, answer = flow(action(call("duo")), policy=Policy.ADAPTIVE, facts=facts, **gateway)
    assert (answer.kind, answer.verify_email_first) == wanted


def test_section_2_an_explicit_provider_offers_no_email_at_low_confidence() -> None:
    """Email that the tenant disabled is no way around the policy; elsewhere an explicit provider overrides that."""
    settings = Settings(policy=Policy.ADAPTIVE, factors=("webauthn-roaming",))
    keys = replace(LOW, enrolled=("webauthn-roaming",))
    said = action(call("guardian"))
    for facts, usable in ((keys, ()), (replace(keys, risk_confidence="high"), ("email",))):
        decision = aggregate([said], settings, facts)
        answer = resolution.resolve(decision.multifactor, settings, facts, Gateway(NOW, USER))
        assert answer is not None
        assert answer.challenge == usable


@pytest.mark.parametrize(
    ("satisfies", "kind"), [(True, ResolutionKind.SATISFIED_BY_REMEMBERED_BROWSER), (False, ResolutionKind.PROMPT)]
)
@pytest.mark.parametrize("remember", [True, None])
def test_section_5_an_explicit_word_and_adaptive(satisfies: bool, kind: ResolutionKind, remember: bool | None) -> None:
    """A tenant may let an action's explicit True have the last word; its silence never has it."""
    settings = replace(EVERY, policy=Policy.ADAPTIVE, remember_satisfies_adaptive=satisfies)
    decision = aggregate([action(call("any", remember))], settings, NEWCOMER)
    gateway = Gateway(NOW, USER, MEMORY)
    answer = resolution.resolve(decision.multifactor, settings, NEWCOMER, gateway)
    assert answer is not None
    assert answer.kind is (kind if remember else ResolutionKind.PROMPT)
    # What is left of the policy stays: a browser that is forgotten leads to the address.
    unknown = resolution.resolve(decision.multifactor, settings, NEWCOMER, replace(gateway, remembered_browser=None))
    assert unknown is not None
    assert unknown.verify_email_first


MODES: list[Any] = [
    (enable("any", True), RememberMode.CHECKBOX),
    (enable("guardian", True), RememberMode.CHECKBOX),
    (enable("google-authenticator", True), RememberMode.AUTOMATIC),
    (enable("duo", True), RememberMode.AUTOMATIC),
    *[(enable(p, said), RememberMode.NONE) for p in PROVIDERS if p != "none" for said in (False, None)],
    (ALWAYS, RememberMode.CHECKBOX),
    (ADAPTIVE, RememberMode.NONE),
    (ON_ERROR, RememberMode.NONE),
]


@pytest.mark.parametrize(("multifactor", "mode"), MODES)
def test_section_5_remember_mode(multifactor: Multifactor, mode: RememberMode) -> None:
    """True asks the user or, for two providers, does not ask; False and silence do not remember."""
    assert resolve(multifactor).remember is mode


@pytest.mark.parametrize(("switch", "mode"), [(False, RememberMode.NONE), (True, RememberMode.AUTOMATIC)])
def test_section_5_unset_and_duo(switch: bool, mode: RememberMode) -> None:
    """Duo's implicit 30 days need a switch; an explicit False beats the switch, and no other provider has one."""
    assert resolve(enable("duo"), duo_remembers_when_unset=switch).remember is mode
    assert resolve(enable("duo", False), duo_remembers_when_unset=switch).remember is RememberMode.NONE
    assert resolve(enable("any"), duo_remembers_when_unset=switch).remember is RememberMode.NONE


def test_section_5_email_is_not_remembered() -> None:
    """A user who can present an email only is asked every time, also with remembering allowed."""
    settings = Settings(factors=("email",))
    assert resolve(enable("any", True), replace(BROWSER, enrolled=()), settings).remember is RememberMode.NONE


REMEMBERED = enable("any", True)
MEMORIES: list[Any] = [
    pytest.param(REMEMBERED, MEMORY, None, id="a day old: honoured"),
    pytest.param(ALWAYS, MEMORY, None, id="policy always: honoured"),
    pytest.param(REMEMBERED, None, Refusal.UNKNOWN, id="no cookie"),
    pytest.param(
        REMEMBERED, replace(MEMORY, issued_at_ms=NOW - 30 * DAY_MS), None, id="30 days absolute: still honoured"
    ),
    pytest.param(REMEMBERED, replace(MEMORY, issued_at_ms=NOW - 30 * DAY_MS - 1), Refusal.EXPIRED, id="30 days: over"),
    pytest.param(
        REMEMBERED,
        replace(MEMORY, issued_at_ms=NOW - 8 * DAY_MS, last_seen_at_ms=NOW - 7 * DAY_MS + 1),
        None,
        id="just under 7 days idle",
    ),
    pytest.param(
        REMEMBERED,
        replace(MEMORY, issued_at_ms=NOW - 8 * DAY_MS, last_seen_at_ms=NOW - 7 * DAY_MS),
        Refusal.IDLE,
        id="7 days idle",
    ),
    pytest.param(REMEMBERED, replace(MEMORY, user_id="auth0|2"), Refusal.OTHER_USER, id="another user"),
    pytest.param(REMEMBERED, replace(MEMORY, provider="duo"), Refusal.OTHER_PROVIDER, id="another provider"),
    pytest.param(REMEMBERED, replace(MEMORY, email_only=True), Refusal.EMAIL_ONLY, id="email only"),
    pytest.param(
        REMEMBERED, replace(MEMORY, last_seen_at_ms=NOW + DAY_MS), Refusal.FROM_THE_FUTURE, id="seen in the future"
    ),
    pytest.param(REMEMBERED, replace(MEMORY, last_seen_at_ms=NOW + 1000), None, id="clocks differ a little"),
    pytest.param(
        REMEMBERED,
        replace(MEMORY, last_seen_at_ms=MEMORY.issued_at_ms - 1),
        Refusal.SEEN_BEFORE_ISSUED,
        id="seen before it was issued",
    ),
    pytest.param(REMEMBERED, replace(MEMORY, last_seen_at_ms=MEMORY.issued_at_ms), None, id="seen when it was issued"),
    pytest.param(enable("any", False), MEMORY, Refusal.NOT_ALLOWED, id="false overrides it"),
    pytest.param(enable("any"), MEMORY, Refusal.NOT_ALLOWED, id="unset is false"),
    pytest.param(ON_ERROR, MEMORY, Refusal.NOT_ALLOWED, id="a failed action overrides it"),
    pytest.param(ADAPTIVE, MEMORY, Refusal.ADAPTIVE, id="adaptive ignores it"),
]


@pytest.mark.parametrize(("multifactor", "memory", "refusal"), MEMORIES)
def test_section_5_valid_memory(
    multifactor: Multifactor, memory: RememberedBrowser | None, refusal: Refusal | None
) -> None:
    """30 days since the challenge, 7 since it was seen, same user, same provider, and no one insists."""
    assert remembered.refusal(memory, multifactor, BROWSER, USER, NOW, EVERY) is refusal
    answer = resolve(multifactor, remembered_browser=memory)
    assert answer.kind is (ResolutionKind.PROMPT if refusal else ResolutionKind.SATISFIED_BY_REMEMBERED_BROWSER)
    assert bool(answer.remembered_until_ms) is (refusal is None)


def test_section_5_a_user_without_id_matches_no_memory() -> None:
    """Two unknown users are not the same user."""
    memory = replace(MEMORY, user_id="")
    assert remembered.refusal(memory, REMEMBERED, BROWSER, "", NOW, EVERY) is Refusal.OTHER_USER


@pytest.mark.parametrize(
    ("age_days", "until"),
    [pytest.param(1, NOW + 7 * DAY_MS, id="7 days more"), pytest.param(28, NOW + 2 * DAY_MS, id="never beyond 30")],
)
def test_section_5_renewal(age_days: int, until: int) -> None:
    """Being seen renews the sliding days within the absolute ones, and adds nothing to the token's amr."""
    memory = replace(MEMORY, issued_at_ms=NOW - age_days * DAY_MS)
    answer = resolve(REMEMBERED, remembered_browser=memory)
    assert (answer.remembered_until_ms, answer.records_amr) == (until, False)


@pytest.mark.parametrize(
    ("lifetime_h", "idle_h", "refusal", "until"),
    [
        pytest.param(720, 168, None, NOW + 7 * DAY_MS, id="the defaults"),
        pytest.param(24, 24, Refusal.EXPIRED, 0, id="a day"),
        pytest.param(720, 12, Refusal.IDLE, 0, id="half a day without being seen"),
        pytest.param(26, 26, None, NOW + 2 * HOUR_MS, id="renewed until the end of its lifetime"),
        pytest.param(2160, 720, None, NOW + 30 * DAY_MS, id="as long as may be"),
    ],
)
def test_section_5_lifetimes_are_the_tenants(lifetime_h: int, idle_h: int, refusal: Refusal | None, until: int) -> None:
    """How long a browser is remembered, and how long without being seen, are settings; 30 and 7 days by default."""
    settings = replace(EVERY, remember_lifetime_h=lifetime_h, remember_idle_h=idle_h)
    memory = replace(MEMORY, issued_at_ms=NOW - DAY_MS - 1, last_seen_at_ms=NOW - DAY_MS + 1)
    if refusal is None:
        until = min(until, memory.issued_at_ms + lifetime_h * HOUR_MS)
    assert remembered.refusal(memory, REMEMBERED, BROWSER, USER, NOW, settings) is refusal
    assert resolve(REMEMBERED, settings=settings, remembered_browser=memory).remembered_until_ms == until


@pytest.mark.parametrize(
    ("multifactor", "forgotten"),
    [(enable("any", False), True), (enable("any"), False), (enable("any", True), False), (ON_ERROR, False)],
)
def test_section_5_false_is_retroactive(multifactor: Multifactor, forgotten: bool) -> None:
    """Only an explicit False of an action ends memories made earlier."""
    assert resolve(multifactor, remembered_browser=MEMORY).forget_remembered_browser is forgotten


@pytest.mark.parametrize("multifactor", [REMEMBERED, ALWAYS])
def test_section_11_pape_overrides_the_memory(multifactor: Multifactor) -> None:
    """The PAPE class asks for a real challenge, which may be remembered again; another class does not."""
    pape = replace(BROWSER, acr_values=("urn:other", PAPE_MULTI_FACTOR))
    answer = resolve(multifactor, pape, remembered_browser=MEMORY)
    assert (answer.kind, answer.remember) == (ResolutionKind.PROMPT, RememberMode.CHECKBOX)
    joined = replace(BROWSER, acr_values=(f"urn:other {PAPE_MULTI_FACTOR}",))
    assert resolve(multifactor, joined, remembered_browser=MEMORY) == answer
    control = resolve(multifactor, replace(BROWSER, acr_values=("urn:other",)), remembered_browser=MEMORY)
    assert control.kind is ResolutionKind.SATISFIED_BY_REMEMBERED_BROWSER


@pytest.mark.parametrize(
    ("facts", "memory", "recorded"),
    [
        pytest.param(BROWSER, None, True, id="a challenge in a browser"),
        pytest.param(replace(BROWSER, enrolled=()), None, True, id="an enrolment in a browser"),
        pytest.param(BROWSER, MEMORY, False, id="a remembered browser"),
        pytest.param(PASSWORD, None, False, id="7 password grant, through the MFA API"),
        pytest.param(REFRESH, None, False, id="6 refresh"),
        pytest.param(EXCHANGE, None, False, id="7 token exchange"),
        pytest.param(replace(BROWSER, prompt=("none",)), None, False, id="12 silent"),
    ],
)
def test_section_11_amr(facts: EventFacts, memory: RememberedBrowser | None, recorded: bool) -> None:
    """A factor that is presented in a browser is named in the token; one through the MFA API, or none, is not."""
    assert resolve(REMEMBERED, facts, remembered_browser=memory).records_amr is recorded


BACK_CHANNEL: list[Any] = [
    # requirement, facts, gateway, kind, failure
    pytest.param(enable("any"), PASSWORD, {}, ResolutionKind.MFA_REQUIRED_TOKEN, None, id="7 password: mfa_required"),
    pytest.param(enable("any"), REFRESH, {}, ResolutionKind.MFA_REQUIRED_TOKEN, None, id="6 refresh: mfa_required"),
    pytest.param(ALWAYS, REFRESH, {}, ResolutionKind.MFA_REQUIRED_TOKEN, None, id="6 policy always on a refresh"),
    pytest.param(
        enable("any"), EXCHANGE, {}, ResolutionKind.MFA_REQUIRED_TOKEN, None, id="7 token exchange: mfa_required"
    ),
    pytest.param(
        enable("any"),
        EXCHANGE,
        {"organization": True},
        ResolutionKind.FAILED,
        Failure.TOKEN_EXCHANGE_NOT_SUPPORTED,
        id="7 token exchange for an organization",
    ),
    pytest.param(
        enable("any"),
        EXCHANGE,
        {"actor": True},
        ResolutionKind.FAILED,
        Failure.TOKEN_EXCHANGE_NOT_SUPPORTED,
        id="7 token exchange with an actor",
    ),
    pytest.param(
        enable("any"), PASSWORD, {"organization": True}, ResolutionKind.MFA_REQUIRED_TOKEN, None, id="7 organization"
    ),
    pytest.param(
        enable("any"),
        PASSWORD,
        {"mfa_grant_allowed": False},
        ResolutionKind.FAILED,
        Failure.MFA_GRANT_NOT_ALLOWED,
        id="7 MFA grant not allowed",
    ),
    pytest.param(
        enable("any"),
        PASSWORD,
        {"mfa_grant_allowed": True},
        ResolutionKind.MFA_REQUIRED_TOKEN,
        None,
        id="7 MFA grant allowed",
    ),
    pytest.param(
        enable("any"), BROWSER, {"mfa_grant_allowed": False}, ResolutionKind.PROMPT, None, id="7 grant: not a browser's"
    ),
    pytest.param(
        REMEMBERED,
        PASSWORD,
        {"remembered_browser": MEMORY},
        ResolutionKind.MFA_REQUIRED_TOKEN,
        None,
        id="7 no browser, no memory",
    ),
    pytest.param(
        REMEMBERED,
        REFRESH,
        {"remembered_browser": MEMORY},
        ResolutionKind.MFA_REQUIRED_TOKEN,
        None,
        id="6 no memory on a refresh",
    ),
]


@pytest.mark.parametrize(("multifactor", "facts", "gateway", "kind", "failure"), BACK_CHANNEL)
def test_sections_6_7_back_channel(
    multifactor: Multifactor, facts: EventFacts, gateway: dict[str, Any], kind: ResolutionKind, failure: Failure | None
) -> None:
    """Without a browser the answer is a token, or a failure that says why there can be none."""
    answer = resolve(multifactor, facts, **gateway)
    assert (answer.kind, answer.failure) == (kind, failure)
    if facts is not BROWSER:
        assert answer.remember is RememberMode.NONE


@pytest.mark.parametrize("protocol", sorted(mfa.BACK_CHANNEL_PROTOCOLS))
def test_section_7_duo_has_no_back_channel(protocol: str) -> None:
    """Duo fails by name where no user can see its page; in a browser it prompts."""
    answer = resolve(enable("duo"), replace(BROWSER, protocol=protocol))
    assert (answer.kind, answer.failure) == (ResolutionKind.FAILED, Failure.PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL)
    assert resolve(enable("duo")).kind is ResolutionKind.PROMPT


@pytest.mark.parametrize(
    ("enrolled", "challenge", "enroll", "failure"),
    [
        pytest.param(("webauthn-roaming", "otp"), ("otp",), (), None, id="a key is not served, a code is"),
        pytest.param(("webauthn-roaming",), (), (), Failure.NO_USABLE_FACTOR, id="a key only"),
        pytest.param((), (), ("push-notification", "otp", "sms", "voice"), None, id="first enrolment with the token"),
        pytest.param(("otp", "recovery-code"), ("otp", "recovery-code"), (), None, id="recovery code has a grant"),
    ],
)
def test_section_7_what_the_mfa_api_serves(
    enrolled: tuple[str, ...], challenge: tuple[str, ...], enroll: tuple[str, ...], failure: Failure | None
) -> None:
    """The MFA API challenges and enrols push, codes and phones; never security keys."""
    answer = resolve(enable("any"), replace(PASSWORD, enrolled=enrolled, email_verified=False))
    assert (answer.challenge, answer.enroll, answer.failure) == (challenge, enroll, failure)


@pytest.mark.parametrize("multifactor", [enable("any"), enable("duo"), ALWAYS, ADAPTIVE, ON_ERROR])
def test_section_12_prompt_none(multifactor: Multifactor) -> None:
    """A silent request shows no page: it is satisfied silently or answered interaction_required."""
    silent = replace(BROWSER, prompt=("none",))
    answer = resolve(multifactor, silent)
    assert (answer.kind, answer.failure) == (ResolutionKind.FAILED, Failure.INTERACTION_REQUIRED)
    assert resolve(REMEMBERED, silent, remembered_browser=MEMORY).kind is ResolutionKind.SATISFIED_BY_REMEMBERED_BROWSER
    assert resolve(multifactor, replace(BROWSER, prompt=("login",))).kind is ResolutionKind.PROMPT


def flow(*actions: Execution, policy: Policy = Policy.NEVER, facts: EventFacts = BROWSER, **gateway: Any) -> Any:
    """Decide a flow and resolve what it requires: (outcome, resolution or None)."""
    settings = replace(EVERY, policy=policy)
    decision = aggregate(actions, settings, facts)
    return decision.outcome, resolution.resolve(decision.multifactor, settings, facts, Gateway(NOW, USER, **gateway))


def action(*commands: Command, verdict: Verdict = Verdict.COMPLETED) -> Execution:
    return Execution("a", "0" * 64, OnError.REQUIRE_MFA, verdict, commands)


def call(provider: str, remember: bool | None = None) -> Command:
    said = {} if remember is None else {"allow_remember_browser": remember}
    return Command("multifactor.enable", {"provider": provider, **said})


DENY = Command("access.deny", {"reason": "x"})
NOTHING = action()
SATISFIED = ResolutionKind.SATISFIED_BY_REMEMBERED_BROWSER
WORKED: list[Any] = [
    # actions, policy, facts, outcome, kind (of a gateway that remembers the browser), failure
    pytest.param(
        (action(call("any")), NOTHING),
        "never",
        BROWSER,
        "mfa_required",
        ResolutionKind.PROMPT,
        None,
        id="enable any, nothing",
    ),
    pytest.param(
        (NOTHING, NOTHING),
        "always",
        BROWSER,
        "mfa_required",
        SATISFIED,
        None,
        id="nothing twice, always: cookie counts",
    ),
    pytest.param(
        (NOTHING,), "adaptive", replace(BROWSER, risk_confidence="high"), "allow", None, None, id="adaptive, high"
    ),
    pytest.param(
        (NOTHING,),
        "adaptive",
        replace(BROWSER, risk_confidence="low"),
        "mfa_required",
        ResolutionKind.PROMPT,
        None,
        id="adaptive, low: cookie ignored",
    ),
    pytest.param((action(call("none")),), "always", BROWSER, "allow", None, None, id="none, always"),
    pytest.param(
        (action(call("any", True)), action(call("duo", False))),
        "never",
        BROWSER,
        "mfa_required",
        ResolutionKind.PROMPT,
        None,
        id="duo, no remember",
    ),
    pytest.param((action(call("any"), DENY),), "never", BROWSER, "deny", None, None, id="enable any, deny"),
    pytest.param((action(DENY), action(call("any"))), "never", BROWSER, "deny", None, None, id="deny, enable any"),
    pytest.param(
        (action(call("any", True)),),
        "never",
        PASSWORD,
        "mfa_required",
        ResolutionKind.MFA_REQUIRED_TOKEN,
        None,
        id="enable any, password grant",
    ),
    pytest.param(
        (NOTHING,),
        "always",
        REFRESH,
        "mfa_required",
        ResolutionKind.MFA_REQUIRED_TOKEN,
        None,
        id="nothing, refresh, always",
    ),
    pytest.param((NOTHING,), "never", REFRESH, "allow", None, None, id="nothing, refresh, never"),
    pytest.param(
        (action(call("none")),), "always", REFRESH, "allow", None, None, id="6 none lifts always on a refresh"
    ),
    pytest.param(
        (action(call("duo")),),
        "never",
        PASSWORD,
        "mfa_required",
        ResolutionKind.FAILED,
        Failure.PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL,
        id="enable duo, password grant",
    ),
    pytest.param(
        (action(call("any", True)), action(verdict=Verdict.RAISED)),
        "never",
        BROWSER,
        "mfa_required",
        ResolutionKind.PROMPT,
        None,
        id="exception in action 2: the cookie does not help",
    ),
    pytest.param(
        (NOTHING,), "never", BROWSER, "allow", None, None, id="5 an action that skips enable renews no cookie"
    ),
    pytest.param((action(call("any", True)),), "never", BROWSER, "mfa_required", SATISFIED, None, id="5 remembered"),
]


@pytest.mark.parametrize(("actions", "policy", "facts", "outcome", "kind", "failure"), WORKED)
def test_section_14_worked_cases_to_their_end(
    actions: tuple[Execution, ...],
    policy: str,
    facts: EventFacts,
    outcome: str,
    kind: ResolutionKind | None,
    failure: Failure | None,
) -> None:
    """The worked multi-action cases, from what the actions recorded to what the gateway does."""
    decided, answer = flow(*actions, policy=Policy(policy), facts=facts, remembered_browser=MEMORY)
    assert decided == outcome
    assert (answer.kind if answer else None, answer.failure if answer else None) == (kind, failure)
