"""How hard a login is made for somebody who has its first factor: the order, written down as data.

Knows decisions and resolutions. Must not know how either comes about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from runtime.core import remembered, resolution
from runtime.core.model import (
    Decision,
    Multifactor,
    Resolution,
    ResolutionKind,
    Settings,
    Suspension,
)
from runtime.core.resolution import Gateway
from tests.event_facts import EventFacts

# What gets somebody in, weakest first.
WAYS = (
    "nothing",
    "a remembered browser",
    "an enrolment of anything",
    # An email, or an enrolment after the address was proven: either takes the mailbox.
    "the address",
    # One that was enrolled before, or that Duo verifies.
    "a factor",
    "no way at all",
)
OUTCOMES = ("allow", "mfa_required", "deny")
PROVIDERS = ("none", "any", "guardian", "google-authenticator", "duo")
# How remembered browsers count.
MEMORIES = ("counts", "does not count")


def of_decision(decision: Decision) -> tuple[int, ...]:
    """Rank what a decision itself says: outcome, then provider, then whether a remembered browser counts."""
    multifactor = decision.multifactor
    outcome = OUTCOMES.index(decision.outcome)
    if decision.outcome != "mfa_required" or multifactor is None:
        return (outcome,)
    counts = remembered.allowed(multifactor, duo_remembers_when_unset=False)
    counts = counts and not multifactor.ignore_remembered_browser
    return outcome, PROVIDERS.index(multifactor.provider), MEMORIES.index("counts" if counts else "does not count")


def of_login(decisions: Sequence[Decision], settings: Settings, event: EventFacts, gateway: Gateway) -> int:
    """Rank the weakest way through a login: the parts of its flow, and what a gateway does about the last decision.

    Each screen has to be passed, so the strongest of them counts, and of each its weakest factor.
    """
    *parts, last = decisions
    screens = [way for part in parts if part.suspension is not None for way in _of_screens(part.suspension)]
    return max([*screens, _of_last(last, settings, event, gateway)])


def _of_screens(suspension: Suspension) -> Iterable[int]:
    for step in suspension.steps:
        if step.kind == "challenge":
            yield _weakest(factor.type for factor in step.usable)
        else:
            yield WAYS.index("the address" if suspension.verify_email_first else "an enrolment of anything")


def _of_last(decision: Decision, settings: Settings, event: EventFacts, gateway: Gateway) -> int:
    if decision.outcome == "deny":
        return WAYS.index("no way at all")
    if decision.multifactor is None:
        return WAYS.index("nothing")
    held = _with_memory(gateway, decision.multifactor)
    return of_resolution(resolution.resolve(decision.multifactor, settings, event, held))


def _with_memory(gateway: Gateway, multifactor: Multifactor) -> Gateway:
    """Let the browser remember a challenge of the very provider that is required, if it remembers any."""
    memory = gateway.remembered_browser
    return (
        gateway
        if memory is None
        else replace(gateway, remembered_browser=replace(memory, provider=multifactor.provider))
    )


def of_resolution(answer: Resolution | None) -> int:
    """Rank the weakest way that a resolution leaves."""
    if answer is None:
        return WAYS.index("nothing")
    if answer.kind is ResolutionKind.FAILED:
        return WAYS.index("no way at all")
    if answer.kind is ResolutionKind.SATISFIED_BY_REMEMBERED_BROWSER:
        return WAYS.index("a remembered browser")
    ways = [_weakest(answer.challenge)] if answer.challenge else []
    if answer.enroll:
        ways.append(WAYS.index("the address" if answer.verify_email_first else "an enrolment of anything"))
    return min(ways)


def _weakest(factors: Iterable[str]) -> int:
    return min(WAYS.index("the address" if name == "email" else "a factor") for name in factors)
