"""What a gateway does with a required second factor: prompt, skip, answer with a token, or give up.

It knows protocols, enrolments and which factors need which. It must not know requests, cookies, pages or clocks.
Source of every rule: the MFA semantics, sections 1 to 3, 5 to 7 and 9 to 12.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from runtime.core import remembered
from runtime.core.mfa import BACK_CHANNEL_PROTOCOLS, offer
from runtime.core.model import FACTOR_NAMES, Experience, Facts, Multifactor, Settings
from runtime.core.remembered import RememberedBrowser, RememberMode

# Each can carry a second factor alone; the others lean on one of these. Source: section 2.
INDEPENDENT: Final = frozenset({"webauthn-roaming", "push-notification", "otp", "sms", "voice", "duo"})

# What a client without a browser can challenge, and enrol, through the MFA API. Source: section 7.
MFA_API_FACTORS: Final = frozenset({"push-notification", "otp", "sms", "voice", "email", "recovery-code"})

# Some events name the enrolment, some the way in which the code travels.
_ENROLLED_AS: Final = {"phone": ("phone", "sms", "voice"), "sms": ("phone", "sms"), "voice": ("phone", "voice")}

_NOTES: Final = {
    "guardian": ("guardian is a legacy provider: enable any",),
    "google-authenticator": (
        "google-authenticator is a legacy provider: enable any",
        "google-authenticator: no recovery code can be enrolled",
    ),
    "duo": ("duo has pages of its own: customised MFA pages do not apply",),
}


class Kind(StrEnum):
    """What the gateway does."""

    PROMPT = "prompt"
    SATISFIED_BY_REMEMBERED_BROWSER = "satisfied_by_remembered_browser"
    # There is no page: the token endpoint answers `mfa_required` and the client goes on through the MFA API.
    MFA_REQUIRED_TOKEN = "mfa_required_token"
    FAILED = "failed"


class Failure(StrEnum):
    """Why a required factor cannot be presented. None of them ever lets the login through."""

    NO_USABLE_FACTOR = "no_usable_factor"
    PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL = "provider_not_supported_for_protocol"
    INTERACTION_REQUIRED = "interaction_required"
    MFA_GRANT_NOT_ALLOWED = "mfa_grant_not_allowed"
    # Adaptive MFA asks for a verified address before it lets anybody enrol.
    EMAIL_MISSING = "email_missing"
    # Whoever has the password alone may not choose the second factor of an account at risk.
    ENROLLMENT_NOT_POSSIBLE = "enrollment_not_possible"
    # A token exchange for an organization, or with an actor, has no second factor.
    TOKEN_EXCHANGE_NOT_SUPPORTED = "token_exchange_not_supported"
    # Challenge and enrolment commands only: see `challenges`.
    EXPERIENCE_NOT_SUPPORTED = "experience_not_supported"
    CUSTOMIZATION_OFF = "customization_off"
    TOO_MANY_COMMANDS = "too_many_commands"
    CHALLENGE_FIRST = "challenge_first"


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway's side of one login: what neither the decision nor the tenant's settings say."""

    now_ms: int
    user_id: str
    remembered_browser: RememberedBrowser | None = None
    # May the application use the MFA grant types? None when the gateway did not say; it then finds out itself.
    mfa_grant_allowed: bool | None = None
    # Is "Customize MFA Factors using Actions" on? None when the gateway did not say.
    customize_mfa: bool | None = None
    has_email: bool = True
    # Can the browser run WebAuthn? Without JavaScript it cannot.
    webauthn: bool = True
    organization: bool = False
    actor: bool = False
    # Duo's own 30 days when no action spoke of remembering. Off, as in the reference.
    duo_remembers_when_unset: bool = False


@dataclass(frozen=True, slots=True)
class Resolution:
    """What to do about one required factor."""

    kind: Kind
    failure: Failure | None = None
    # Factors that the user may present, safest first; `choice` says whether the user picks or the first one is shown.
    challenge: tuple[str, ...] = ()
    choice: bool = False
    # Factors to enrol one of, safest first. Beside a non-empty `challenge`: the gateway knows the user's enrolments.
    enroll: tuple[str, ...] = ()
    enrollment_required: bool = False
    verify_email_first: bool = False
    recovery_code_allowed: bool = False
    remember: RememberMode = RememberMode.NONE
    # When the remembered browser is forgotten at the latest, if this login renews it; 0 when it does not.
    remembered_until_ms: int = 0
    forget_remembered_browser: bool = False
    # Does the ID token say `amr: ["mfa"]` once this is done?
    records_amr: bool = False
    notes: tuple[str, ...] = ()


def back_channel(protocol: str | None) -> bool:
    """Tell whether nobody looks at a page during this login. An unknown protocol has a browser."""
    return protocol in BACK_CHANNEL_PROTOCOLS


def is_enrolled(factor: str, enrolled: tuple[str, ...]) -> bool:
    """Tell whether enrolments, as events name them, include this factor."""
    return any(name in enrolled for name in _ENROLLED_AS.get(factor, (factor,)))


def recovery_code_allowed(provider: str, settings: Settings) -> bool:
    """Tell whether a recovery code may be enrolled and presented beside this provider's factors."""
    if provider in ("google-authenticator", "duo", "none"):
        return False
    return "recovery-code" in settings.factors


def _dependents(multifactor: Multifactor, settings: Settings) -> tuple[str, ...]:
    """List the factors outside the provider's row that an enrolled user may present instead."""
    names = []
    if (
        multifactor.provider == "any"
        and settings.experience is Experience.NEW
        and "webauthn-platform" in settings.factors
    ):
        names.append("webauthn-platform")
    if recovery_code_allowed(multifactor.provider, settings):
        names.append("recovery-code")
    return tuple(names)


def servable_factors(browser: bool, gateway: Gateway) -> frozenset[str]:
    """List what can be presented at all, with this browser or without any."""
    if not browser:
        return MFA_API_FACTORS
    every = frozenset(FACTOR_NAMES)
    return every if gateway.webauthn else every - {"webauthn-roaming", "webauthn-platform"}


def _failed(failure: Failure, multifactor: Multifactor) -> Resolution:
    return Resolution(Kind.FAILED, failure, notes=_NOTES.get(multifactor.provider, ()))


def _protocol_failure(multifactor: Multifactor, facts: Facts, gateway: Gateway) -> Failure | None:
    if facts.protocol == "oauth2-token-exchange" and (gateway.organization or gateway.actor):
        return Failure.TOKEN_EXCHANGE_NOT_SUPPORTED
    if multifactor.provider == "duo":
        return Failure.PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL
    if gateway.mfa_grant_allowed is False:
        return Failure.MFA_GRANT_NOT_ALLOWED
    return None


def resolve(multifactor: Multifactor | None, settings: Settings, facts: Facts, gateway: Gateway) -> Resolution | None:
    """Resolve a decision's requirement for one login; None when none is required.

    The answer depends on the time and on members of the event that the decision did not look at, so whoever remembers
    decisions must not remember resolutions.
    """
    if multifactor is None or multifactor.provider == "none":
        return None
    answer = _resolved(multifactor, settings, facts, gateway)
    if multifactor.adaptive and multifactor.provider != "any" and answer.kind in (Kind.PROMPT, Kind.MFA_REQUIRED_TOKEN):
        # A provider of the action's choice opens no way in that the adaptive policy by itself keeps shut.
        by_policy = alone(settings, facts, gateway)
        if by_policy.kind is Kind.FAILED:
            return replace(by_policy, notes=answer.notes)
    return answer


def alone(settings: Settings, facts: Facts, gateway: Gateway) -> Resolution:
    """Resolve what the adaptive policy demands by itself at low confidence, whatever the actions say."""
    offered = offer("any", settings, lambda: facts)
    return _resolved(Multifactor("any", None, None, offered, "policy", True), settings, facts, gateway)


def _resolved(multifactor: Multifactor, settings: Settings, facts: Facts, gateway: Gateway) -> Resolution:
    browser = not back_channel(facts.protocol)
    if browser:
        satisfied = _by_memory(multifactor, settings, facts, gateway)
        if satisfied is not None:
            return satisfied
        # Satisfied silently or not at all: the application asked for no page.
        if "none" in facts.prompt:
            return _failed(Failure.INTERACTION_REQUIRED, multifactor)
    else:
        failure = _protocol_failure(multifactor, facts, gateway)
        if failure is not None:
            return _failed(failure, multifactor)
    if multifactor.provider == "duo":
        return _by_duo(multifactor, settings, facts, gateway, browser)
    return _with_enrolments(multifactor, settings, facts, gateway, browser)


def _by_memory(multifactor: Multifactor, settings: Settings, facts: Facts, gateway: Gateway) -> Resolution | None:
    memory, now_ms, user_id = gateway.remembered_browser, gateway.now_ms, gateway.user_id
    unset = gateway.duo_remembers_when_unset
    if memory is None or remembered.refusal(memory, multifactor, facts, user_id, now_ms, settings, unset) is not None:
        return None
    return Resolution(
        Kind.SATISFIED_BY_REMEMBERED_BROWSER,
        remembered_until_ms=memory.expires_at_ms(now_ms, settings),
        notes=_NOTES.get(multifactor.provider, ()),
    )


def _by_duo(multifactor: Multifactor, settings: Settings, facts: Facts, gateway: Gateway, browser: bool) -> Resolution:
    """Resolve a requirement of Duo, which enrols on its own page and does not say who is enrolled."""
    unknown = multifactor.adaptive and not is_enrolled("duo", facts.enrolled or ())
    if unknown and not gateway.has_email:
        return _failed(Failure.EMAIL_MISSING, multifactor)
    answer = _present(multifactor, settings, gateway, browser, multifactor.factors, ())
    return replace(answer, verify_email_first=True) if unknown else answer


def _with_enrolments(
    multifactor: Multifactor, settings: Settings, facts: Facts, gateway: Gateway, browser: bool
) -> Resolution:
    servable = servable_factors(browser, gateway)
    adaptive = multifactor.adaptive
    offered = tuple([name for name in multifactor.factors if name in servable])
    if not gateway.has_email:
        offered = tuple([name for name in offered if name != "email"])
    dependents = tuple([name for name in _dependents(multifactor, settings) if name in servable])
    # Whoever can present nothing yet enrols a factor that stands alone; a verified address needs no enrolment.
    enrolable = tuple([name for name in offered if name in INDEPENDENT])
    enrolled = facts.enrolled
    if enrolled is None:
        if not offered:
            return _failed(Failure.NO_USABLE_FACTOR, multifactor)
        # The gateway knows the enrolments and this answer does not: both lists, and the gateway takes its one.
        every = tuple(sorted((*offered, *dependents), key=FACTOR_NAMES.index))
        blocked = adaptive and not (browser and gateway.has_email)
        return _present(multifactor, settings, gateway, browser, every, () if blocked else enrolable)
    # A verified address may be challenged without an enrolment, though only beside another factor if there is a choice.
    email = "email" in offered
    held = {name for name in (*offered, *dependents) if is_enrolled(name, enrolled)}
    if held:
        usable = tuple(sorted(held | {"email"} if email else held, key=FACTOR_NAMES.index))
        return _present(multifactor, settings, gateway, browser, usable, ())
    if any(is_enrolled(name, enrolled) for name in settings.factors):
        # The user has a factor that the tenant still trusts and that cannot be presented here. To enrol another one
        # would let whoever has the password walk around it. A verified address is the account's own, so it may stand.
        if email:
            return _present(multifactor, settings, gateway, browser, ("email",), ())
        return _failed(Failure.NO_USABLE_FACTOR, multifactor)
    if not enrolable:
        if email:
            return _present(multifactor, settings, gateway, browser, ("email",), ())
        return _failed(Failure.NO_USABLE_FACTOR, multifactor)
    if adaptive and not browser:
        return _failed(Failure.ENROLLMENT_NOT_POSSIBLE, multifactor)
    if adaptive and not gateway.has_email:
        return _failed(Failure.EMAIL_MISSING, multifactor)
    return _present(multifactor, settings, gateway, browser, (), enrolable)


def _present(
    multifactor: Multifactor,
    settings: Settings,
    gateway: Gateway,
    browser: bool,
    challenge: tuple[str, ...],
    enroll: tuple[str, ...],
) -> Resolution:
    mode = RememberMode.NONE
    if browser:
        mode = remembered.mode(multifactor, challenge or enroll, gateway.duo_remembers_when_unset)
    return Resolution(
        Kind.PROMPT if browser else Kind.MFA_REQUIRED_TOKEN,
        None,
        challenge,
        # The classic widget asks for the safest one and offers no other.
        len(challenge) > 1 and settings.experience is Experience.NEW,
        enroll,
        not challenge,
        # Adaptive MFA lets nobody choose a factor before the address is proven.
        multifactor.adaptive and bool(enroll),
        recovery_code_allowed(multifactor.provider, settings),
        mode,
        0,
        browser and remembered.forget(multifactor),
        # Tokens of the MFA API carry none.
        browser,
        _NOTES.get(multifactor.provider, ()),
    )
