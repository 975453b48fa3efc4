"""Say what a gateway does with a required second factor: prompt, skip, answer with a token, or give up.

Knows protocols, enrolments and which factors need which. Must not know requests, cookies, pages or clocks.
Source of every rule: the MFA semantics, sections 1 to 3, 5 to 7 and 9 to 12.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from runtime.core import remembered
from runtime.core.mfa import BACK_CHANNEL_PROTOCOLS, offer
from runtime.core.model import (
    FACTOR_NAMES,
    Experience,
    Facts,
    Failure,
    Multifactor,
    RememberMode,
    Resolution,
    ResolutionKind,
    Settings,
)
from runtime.core.remembered import RememberedBrowser

# Each can carry a second factor alone; the others lean on one of these. Source: section 2.
INDEPENDENT: Final = frozenset({"webauthn-roaming", "push-notification", "otp", "sms", "voice", "duo"})

# What a client without a browser can challenge, and enrol, through the MFA API. Source: section 7.
MFA_API_FACTORS: Final = frozenset({"push-notification", "otp", "sms", "voice", "email", "recovery-code"})

# The only protocol where another party may act for the user.
EXCHANGE: Final = "oauth2-token-exchange"

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


def back_channel(protocol: str | None) -> bool:
    """Tell whether this login has no page. An unknown protocol has a browser."""
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
    biometrics = multifactor.provider == "any" and settings.experience is Experience.NEW
    names = ("webauthn-platform",) if biometrics and "webauthn-platform" in settings.factors else ()
    return (*names, "recovery-code") if recovery_code_allowed(multifactor.provider, settings) else names


def servable_factors(browser: bool, gateway: Gateway) -> frozenset[str]:
    """List what can be presented at all, with this browser or without any."""
    if not browser:
        return MFA_API_FACTORS
    every = frozenset(FACTOR_NAMES)
    return every if gateway.webauthn else every - {"webauthn-roaming", "webauthn-platform"}


def _protocol_failure(multifactor: Multifactor, facts: Facts, gateway: Gateway) -> Failure | None:
    if facts.protocol == EXCHANGE and (gateway.organization or gateway.actor):
        return Failure.TOKEN_EXCHANGE_NOT_SUPPORTED
    if multifactor.provider == "duo":
        return Failure.PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL
    if gateway.mfa_grant_allowed is False:
        return Failure.MFA_GRANT_NOT_ALLOWED
    return None


def resolve(multifactor: Multifactor | None, settings: Settings, facts: Facts, gateway: Gateway) -> Resolution | None:
    """Resolve a decision's requirement for one login; None when none is required.

    The answer depends on the time and on members of the event that the decision did not look at, so a remembered
    decision needs a resolution of its own in every login.
    """
    if multifactor is None or multifactor.provider == "none":
        return None
    answer = _resolved(multifactor, settings, facts, gateway)
    if (
        multifactor.adaptive
        and multifactor.provider != "any"
        and answer.kind in (ResolutionKind.PROMPT, ResolutionKind.MFA_REQUIRED_TOKEN)
    ):
        # A provider of the action's choice opens no way in that the adaptive policy by itself keeps shut.
        by_policy = alone(settings, facts, gateway)
        if by_policy.kind is ResolutionKind.FAILED:
            return replace(by_policy, notes=answer.notes)
    return answer


def alone(settings: Settings, facts: Facts, gateway: Gateway) -> Resolution:
    """Resolve what the adaptive policy demands by itself at low confidence, whatever the actions say."""
    offered = offer("any", settings, facts)
    return _resolved(Multifactor("any", None, None, offered, "policy", True), settings, facts, gateway)


def _resolved(multifactor: Multifactor, settings: Settings, facts: Facts, gateway: Gateway) -> Resolution:
    browser = not back_channel(facts.protocol)
    if browser:
        memory, unset = gateway.remembered_browser, gateway.duo_remembers_when_unset
        refusal = remembered.refusal(memory, multifactor, facts, gateway.user_id, gateway.now_ms, settings, unset)
        if memory is not None and refusal is None:
            return Resolution(
                ResolutionKind.SATISFIED_BY_REMEMBERED_BROWSER,
                lifetime_h=settings.remember_lifetime_h,
                idle_h=settings.remember_idle_h,
                remembered_until_ms=memory.expires_at_ms(gateway.now_ms, settings),
                notes=_notes(multifactor),
            )
        # Satisfied silently or not at all: the application asked for no page.
        failure = Failure.INTERACTION_REQUIRED if "none" in facts.prompt else None
    else:
        failure = _protocol_failure(multifactor, facts, gateway)
    if failure is not None:
        return _failed(failure, multifactor)
    if multifactor.provider == "duo":
        return _by_duo(multifactor, settings, facts, gateway, browser)
    return _with_enrolments(multifactor, settings, facts, gateway, browser)


def _by_duo(multifactor: Multifactor, settings: Settings, facts: Facts, gateway: Gateway, browser: bool) -> Resolution:
    """Resolve a requirement of Duo, which enrols on its own page and does not say who is enrolled."""
    unknown = multifactor.adaptive and not is_enrolled("duo", facts.enrolled or ())
    if unknown and not gateway.has_email:
        return _failed(Failure.EMAIL_MISSING, multifactor)
    answer = present(multifactor, settings, gateway, browser, multifactor.factors)
    return replace(answer, verify_email_first=True) if unknown else answer


def _with_enrolments(
    multifactor: Multifactor, settings: Settings, facts: Facts, gateway: Gateway, browser: bool
) -> Resolution:
    servable = servable_factors(browser, gateway)
    if not gateway.has_email:
        servable -= {"email"}
    offered = tuple([name for name in multifactor.factors if name in servable])
    dependents = tuple([name for name in _dependents(multifactor, settings) if name in servable])
    # A user who can present nothing yet enrols a factor that stands alone; a verified address needs no enrolment.
    enrolable = tuple([name for name in offered if name in INDEPENDENT])
    enrolled = facts.enrolled
    if enrolled is None:
        if not offered:
            return _failed(Failure.NO_USABLE_FACTOR, multifactor)
        # The gateway knows the enrolments and this answer does not: both lists, and the gateway takes its one.
        blocked = multifactor.adaptive and not (browser and gateway.has_email)
        every = _safest_first((*offered, *dependents))
        return present(multifactor, settings, gateway, browser, every, () if blocked else enrolable)
    # A verified address may be challenged without an enrolment, though only beside another factor if there is a choice.
    email = {"email"} & set(offered)
    held = {name for name in (*offered, *dependents) if is_enrolled(name, enrolled)}
    if held:
        return present(multifactor, settings, gateway, browser, _safest_first(held | email))
    # A user may have a factor that the tenant still trusts and that cannot be presented here. Enrolling another one
    # would let anyone with the password walk around it. A verified address is the account's own, so it may stand.
    if any(is_enrolled(name, enrolled) for name in settings.factors) or not enrolable:
        if email:
            return present(multifactor, settings, gateway, browser, ("email",))
        return _failed(Failure.NO_USABLE_FACTOR, multifactor)
    if multifactor.adaptive and not browser:
        return _failed(Failure.ENROLLMENT_NOT_POSSIBLE, multifactor)
    if multifactor.adaptive and not gateway.has_email:
        return _failed(Failure.EMAIL_MISSING, multifactor)
    return present(multifactor, settings, gateway, browser, (), enrolable)


def present(
    multifactor: Multifactor,
    settings: Settings,
    gateway: Gateway,
    browser: bool,
    challenge: tuple[str, ...],
    enroll: tuple[str, ...] = (),
) -> Resolution:
    """Say what is shown; it fails when that is nothing."""
    if not challenge and not enroll:
        # A page without a factor would lead nowhere.
        return _failed(Failure.NO_USABLE_FACTOR, multifactor)
    remember = RememberMode.NONE
    if browser:
        remember = remembered.mode(multifactor, challenge or enroll, gateway.duo_remembers_when_unset)
    lifetimes = (settings.remember_lifetime_h, settings.remember_idle_h)
    lifetime_h, idle_h = (0, 0) if remember is RememberMode.NONE else lifetimes
    return Resolution(
        ResolutionKind.PROMPT if browser else ResolutionKind.MFA_REQUIRED_TOKEN,
        challenge=challenge,
        # The classic widget asks for the safest one and offers no other.
        choice=len(challenge) > 1 and settings.experience is Experience.NEW,
        enroll=enroll,
        # Adaptive MFA lets a user choose a factor only once the address is proven.
        verify_email_first=multifactor.adaptive and bool(enroll),
        recovery_code_allowed=recovery_code_allowed(multifactor.provider, settings),
        remember=remember,
        lifetime_h=lifetime_h,
        idle_h=idle_h,
        forget_remembered_browser=browser and remembered.forget(multifactor),
        # Tokens of the MFA API carry none.
        records_amr=browser,
        notes=_notes(multifactor),
    )


def _failed(failure: Failure, multifactor: Multifactor) -> Resolution:
    return Resolution(ResolutionKind.FAILED, failure, notes=_notes(multifactor))


def _notes(multifactor: Multifactor) -> tuple[str, ...]:
    return _NOTES.get(multifactor.provider, ())


def _safest_first(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=FACTOR_NAMES.index))
