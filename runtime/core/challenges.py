"""Plan the screens of challenge and enrolment commands: which are shown, in which order, and which end the login.

Knows the queue of one suspension. Must not know pages, tokens or how a flow resumes. Source of every rule: the MFA
semantics, section 8, and the post-login reference, 2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from runtime.core.model import Command, Experience, FactorRequest, Facts, Failure, Ignored, Settings, Step, StepKind
from runtime.core.resolution import INDEPENDENT, Gateway, alone, back_channel, is_enrolled, servable_factors
from sandbox.contract.vocabulary import FACTOR_TYPES, NOT_ENROLABLE

# Commands of this family in one flow, over all of its actions; the next one is an error.
MAX_FACTOR_COMMANDS: Final = 4

_PHONE: Final = ("sms", "voice")
_STANDS_ALONE: Final = INDEPENDENT | {"phone"}
# They are never the first factor, and lean on one of these. Source: MFA semantics, sections 2, 9 and 10. Biometrics
# need another active enrolment, which an address is in the documented express configuration.
_LEANS_ON: Final = {"webauthn-platform": _STANDS_ALONE | {"email"}, "recovery-code": _STANDS_ALONE}

OPS: Final[dict[str, tuple[StepKind, bool]]] = {
    "authentication.challenge_with": ("challenge", False),
    "authentication.challenge_with_any": ("challenge", True),
    "authentication.enroll_with": ("enroll", False),
    "authentication.enroll_with_any": ("enroll", True),
}
"""Each command: what its screen is for, and whether the user is given the choice at once."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One command. `picker`: the user is given the choice at once, in list order."""

    kind: StepKind
    factors: tuple[FactorRequest, ...]
    picker: bool = False


@dataclass(frozen=True, slots=True)
class Queue:
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
) -> Queue:
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
        return Queue(failure=failure)
    browser = not back_channel(facts.protocol)
    # A phone is reached by text or by voice, whatever shows the page.
    servable = servable_factors(browser, gateway) | {"phone"}
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
                return Queue(failure=Failure.CHALLENGE_FIRST, ignored=tuple(ignored))
            held = (*(facts.enrolled or ()), *completed, *_certain(steps))
            usable, dropped = _sorted(ask, settings, partial(_not_enrolable, held=held, servable=servable))
        ignored += dropped
        if not usable:
            return Queue(failure=Failure.NO_USABLE_FACTOR, ignored=tuple(ignored))
        steps.append(Step(ask.kind, usable, ask.picker and len(usable) > 1, dropped))
    if not steps:
        return Queue(ignored=tuple(ignored))
    failure = _cannot_show(browser, facts, gateway)
    if failure is None and adaptive and not completed:
        failure = alone(settings, facts, gateway).failure
    if failure is not None:
        return Queue(failure=failure, ignored=tuple(ignored))
    # A user who presents a factor first has proven more than an address.
    unknown = adaptive and not completed and steps[0].kind == "enroll"
    return Queue(tuple(steps), None, not browser, unknown, tuple(ignored))


def _refused(asks: Sequence[Ask], used: int, settings: Settings, gateway: Gateway) -> Failure | None:
    if used + len(asks) > MAX_FACTOR_COMMANDS:
        return Failure.TOO_MANY_COMMANDS
    if asks and settings.experience is Experience.CLASSIC:
        return Failure.EXPERIENCE_NOT_SUPPORTED
    if asks and gateway.customize_mfa is False:
        return Failure.CUSTOMIZATION_OFF
    return None


def _satisfied(ask: Ask, completed: tuple[str, ...], steps: Iterable[Step]) -> bool:
    """Tell whether a challenge shows no screen: one of its factors was presented, or is on an earlier screen for sure.

    Whether a factor presented before is ignored or satisfies the command is not clear in the reference (section 8 and
    section 14, row 5): it satisfies.
    """
    named = {factor.type for factor in ask.factors}
    return not named.isdisjoint(completed) or any({factor.type for factor in step.usable} <= named for step in steps)


def _certain(steps: Iterable[Step]) -> Iterable[str]:
    """List the factors that the user will have presented or enrolled by the screens before, whatever is picked."""
    return [step.usable[0].type for step in steps if len(step.usable) == 1]


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


def _sorted(
    ask: Ask, settings: Settings, why_not: Callable[[str], Ignored | None]
) -> tuple[tuple[FactorRequest, ...], tuple[tuple[str, Ignored], ...]]:
    """Sort the factors of a command, each type once, into those that count and those that do not.

    A tenant's toggles come first.
    """
    usable: list[FactorRequest] = []
    ignored: list[tuple[str, Ignored]] = []
    once: dict[str, FactorRequest] = {}
    for asked in ask.factors:
        once.setdefault(asked.type, asked)
    for asked in once.values():
        factor = _enabled(asked, settings)
        if factor is None:
            ignored.append((asked.type, Ignored.DISABLED))
        elif (reason := why_not(factor.type)) is not None:
            ignored.append((factor.type, reason))
        else:
            usable.append(factor)
    return tuple(usable), tuple(ignored)


def _not_challengeable(name: str, facts: Facts, servable: frozenset[str], has_email: bool) -> Ignored | None:
    if name not in servable:
        return Ignored.NOT_SERVABLE
    if name == "email":
        enrolled = facts.email_verified and has_email
    else:
        # Enrolments that the gateway did not send are known to the gateway: its challenge then fails or not.
        enrolled = facts.enrolled is None or is_enrolled(name, facts.enrolled)
    return None if enrolled else Ignored.NOT_ENROLLED


def _not_enrolable(name: str, held: tuple[str, ...], servable: frozenset[str]) -> Ignored | None:
    """Say why a factor cannot be enrolled. `held`: enrolled, or presented or enrolled in this flow."""
    if name in NOT_ENROLABLE or (name in _LEANS_ON and _LEANS_ON[name].isdisjoint(held)):
        return Ignored.NOT_ENROLABLE
    if name not in servable:
        return Ignored.NOT_SERVABLE
    return Ignored.ALREADY_ENROLLED if is_enrolled(name, held) else None
