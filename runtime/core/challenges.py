"""What becomes of challenge and enrolment commands: which are shown, in which order, and which end the login.

It knows the queue of one suspension. It must not know pages, tokens or how a flow resumes. Source of every rule: the
MFA semantics, section 8, and the post-login reference, 2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any, Final, Literal

from runtime.core.model import Command, Experience, Facts, Settings
from runtime.core.resolution import INDEPENDENT, Failure, Gateway, alone, back_channel, is_enrolled, servable_factors
from sandbox.contract.vocabulary import FACTOR_TYPES, NOT_ENROLABLE

# Commands of this family in one flow, over all of its actions; the next one is an error.
MAX_COMMANDS: Final = 4

_PHONE: Final = ("sms", "voice")
_STANDS_ALONE: Final = INDEPENDENT | {"phone"}
# They are never the first factor, and lean on one of these. Source: MFA semantics, sections 2, 9 and 10. Biometrics
# need another active enrolment, which an address is in the documented express configuration.
_LEANS_ON: Final = {"webauthn-platform": _STANDS_ALONE | {"email"}, "recovery-code": _STANDS_ALONE}

OPS: Final[dict[str, tuple[Literal["challenge", "enroll"], bool]]] = {
    "authentication.challenge_with": ("challenge", False),
    "authentication.challenge_with_any": ("challenge", True),
    "authentication.enroll_with": ("enroll", False),
    "authentication.enroll_with_any": ("enroll", True),
}


class Ignored(StrEnum):
    """Why a factor of a command does not count; a gateway logs each as a warning."""

    DISABLED = "disabled"
    NOT_ENROLLED = "not_enrolled"
    ALREADY_ENROLLED = "already_enrolled"
    NOT_ENROLABLE = "not_enrolable"
    NOT_SERVABLE = "not_servable"


@dataclass(frozen=True, slots=True)
class FactorRequest:
    """One factor that a command names, in the vocabulary of challenges."""

    type: str
    # Phones only: sms, voice or both.
    preferred_method: str | None = None
    # Push only: False forbids typing the one-time code of the application.
    otp_fallback: bool | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One command. `picker`: the user is given the choice at once, in list order."""

    kind: Literal["challenge", "enroll"]
    factors: tuple[FactorRequest, ...]
    picker: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One screen. Without `picker` the first of `usable` is shown, with a way to the others if there are any."""

    kind: Literal["challenge", "enroll"]
    usable: tuple[FactorRequest, ...]
    picker: bool
    ignored: tuple[tuple[str, Ignored], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about the commands of one action. Neither steps nor a failure: everything was satisfied before."""

    steps: tuple[Step, ...] = ()
    failure: Failure | None = None
    # There is no page: the token endpoint answers `mfa_required` with the steps as its requirements.
    by_token: bool = False
    # The first step is an enrolment at low confidence, so the user proves the address before it.
    verify_email_first: bool = False
    ignored: tuple[tuple[str, Ignored], ...] = ()


def read(command: Command) -> Ask:
    """Read a validated command.

    Raises: KeyError for an operation of another family.
    """
    kind, picker = OPS[command.op]
    args = command.args
    named = args["factors"] if picker else [args["factor"], *args.get("additional_factors", ())]
    return Ask(kind, tuple([_factor(factor) for factor in named]), picker)


def _factor(factor: dict[str, Any]) -> FactorRequest:
    options = factor.get("options") or {}
    return FactorRequest(factor["type"], options.get("preferred_method"), options.get("otp_fallback"))


def plan(
    asks: Sequence[Ask],
    completed: tuple[str, ...],
    used: int,
    settings: Settings,
    facts: Facts,
    gateway: Gateway,
    *,
    adaptive: bool = False,
) -> Plan:
    """Plan the screens of one action's commands, in call order.

    Args:
        asks: the action's commands.
        completed: types of factors that the user presented or enrolled in this transaction.
        used: how many such commands earlier actions of the flow executed.
        settings: the tenant's; its toggles bind these commands, whatever a provider overrides.
        facts: enrolments as they are now.
        gateway: what it can do.
        adaptive: the adaptive policy demands a factor of this login too. Commands then ask for no less than it does.
    """
    failure = _refused(asks, used, settings, gateway)
    if failure is not None:
        return Plan(failure=failure)
    browser = not back_channel(facts.protocol)
    servable = servable_factors(browser, gateway)
    steps: list[Step] = []
    ignored: list[tuple[str, Ignored]] = []
    for ask in asks:
        if ask.kind == "challenge":
            if _satisfied(ask, completed, steps):
                continue
            why_not = partial(_not_challengeable, facts=facts, servable=servable, has_email=gateway.has_email)
            usable, dropped = _sorted(ask, settings, why_not)
        else:
            # A screen earlier in this queue will have been completed by then.
            if not completed and not steps and facts.enrolled != ():
                return Plan(failure=Failure.CHALLENGE_FIRST, ignored=tuple(ignored))
            held = (*(facts.enrolled or ()), *completed, *_certain(steps))
            usable, dropped = _sorted(ask, settings, partial(_not_enrolable, held=held, servable=servable))
        ignored += dropped
        if not usable:
            return Plan(failure=Failure.NO_USABLE_FACTOR, ignored=tuple(ignored))
        steps.append(Step(ask.kind, usable, ask.picker and len(usable) > 1, dropped))
    if not steps:
        return Plan(ignored=tuple(ignored))
    failure = _cannot_show(browser, facts, gateway)
    if failure is None and adaptive and not completed:
        failure = alone(settings, facts, gateway).failure
    if failure is not None:
        return Plan(failure=failure, ignored=tuple(ignored))
    # Whoever presents a factor first has proven more than an address.
    unknown = adaptive and not completed and steps[0].kind == "enroll"
    return Plan(tuple(steps), None, not browser, unknown, tuple(ignored))


def _refused(asks: Sequence[Ask], used: int, settings: Settings, gateway: Gateway) -> Failure | None:
    if used + len(asks) > MAX_COMMANDS:
        return Failure.TOO_MANY_COMMANDS
    if asks and settings.experience is Experience.CLASSIC:
        return Failure.EXPERIENCE_NOT_SUPPORTED
    if asks and gateway.customize_mfa is False:
        return Failure.CUSTOMIZATION_OFF
    return None


def _types(step: Step) -> set[str]:
    return {factor.type for factor in step.usable}


def _satisfied(ask: Ask, completed: tuple[str, ...], steps: Iterable[Step]) -> bool:
    """Tell whether a challenge shows no screen: one of its factors was presented, or is on an earlier screen for sure.

    Whether a factor presented before is ignored or satisfies the command is not clear in the reference (section 8 and
    section 14, row 5): it satisfies.
    """
    named = {factor.type for factor in ask.factors}
    return not named.isdisjoint(completed) or any(_types(step) <= named for step in steps)


def _certain(steps: Iterable[Step]) -> Iterable[str]:
    """List the factors that the user will have presented or enrolled by the screens before, whatever is picked."""
    return [factor.type for step in steps if len(step.usable) == 1 for factor in step.usable]


def _cannot_show(browser: bool, facts: Facts, gateway: Gateway) -> Failure | None:
    if browser:
        return Failure.INTERACTION_REQUIRED if "none" in facts.prompt else None
    if facts.protocol == "oauth2-token-exchange":
        return Failure.TOKEN_EXCHANGE_NOT_SUPPORTED
    return Failure.MFA_GRANT_NOT_ALLOWED if gateway.mfa_grant_allowed is False else None


def _enabled(factor: FactorRequest, settings: Settings) -> FactorRequest | None:
    """Return the factor as the tenant's toggles leave it; None when they leave nothing.

    A toggle for Duo means the provider, which no command can name.
    """
    if factor.type != "phone":
        return factor if factor.type in settings.factors and factor.type in FACTOR_TYPES else None
    methods = [name for name in _PHONE if name in settings.factors]
    if not methods:
        return None
    return factor if len(methods) == len(_PHONE) else replace(factor, preferred_method=methods[0])


def _once(factors: Iterable[FactorRequest]) -> list[FactorRequest]:
    seen: dict[str, FactorRequest] = {}
    for factor in factors:
        seen.setdefault(factor.type, factor)
    return list(seen.values())


_Sorted = tuple[tuple[FactorRequest, ...], tuple[tuple[str, Ignored], ...]]


def _servable(name: str, servable: frozenset[str]) -> bool:
    return name == "phone" or name in servable


def _sorted(ask: Ask, settings: Settings, why_not: Callable[[str], Ignored | None]) -> _Sorted:
    """Sort the factors of a command into those that count and those that do not; a tenant's toggles come first."""
    usable: list[FactorRequest] = []
    ignored: list[tuple[str, Ignored]] = []
    for asked in _once(ask.factors):
        factor = _enabled(asked, settings)
        if factor is None:
            ignored.append((asked.type, Ignored.DISABLED))
        elif (reason := why_not(factor.type)) is not None:
            ignored.append((factor.type, reason))
        else:
            usable.append(factor)
    return tuple(usable), tuple(ignored)


def _not_challengeable(name: str, facts: Facts, servable: frozenset[str], has_email: bool) -> Ignored | None:
    if not _servable(name, servable):
        return Ignored.NOT_SERVABLE
    return None if _has(name, facts, has_email) else Ignored.NOT_ENROLLED


def _has(name: str, facts: Facts, has_email: bool) -> bool:
    if name == "email":
        return facts.email_verified and has_email
    # Enrolments that the gateway did not send are known to the gateway: its challenge then fails or not.
    return facts.enrolled is None or is_enrolled(name, facts.enrolled)


def _not_enrolable(name: str, held: tuple[str, ...], servable: frozenset[str]) -> Ignored | None:
    """Say why a factor cannot be enrolled. `held`: enrolled, or presented or enrolled in this flow."""
    if name in NOT_ENROLABLE or not _can_lean(name, held):
        return Ignored.NOT_ENROLABLE
    if not _servable(name, servable):
        return Ignored.NOT_SERVABLE
    return Ignored.ALREADY_ENROLLED if is_enrolled(name, held) else None


def _can_lean(name: str, held: tuple[str, ...]) -> bool:
    leans_on = _LEANS_ON.get(name)
    return leans_on is None or not leans_on.isdisjoint(held)
