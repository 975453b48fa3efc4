"""What a tenant's policy asks of a login by itself, whatever actions ask for, and why its flow runs.

The daemon decides by it, and an action may look at its answer. Imports nothing of ours, so the pure core may import it.
Source of every rule: the MFA semantics, sections 4, 6, 11 and 14.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, Protocol

# The application asks for a factor that is really presented. It overrides a remembered browser and triggers nothing.
PAPE_MULTI_FACTOR: Final = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
REFRESH: Final = "oauth2-refresh-token"

# Adaptive MFA does not assess these, so a missing assessment says nothing.
UNASSESSED_PROTOCOLS: Final = frozenset({REFRESH, "oauth2-device-code", "oauth2-token-exchange"})

PURPOSES: Final = ("login", "refresh", "step_up")
"""Why a flow runs."""
REASONS: Final = ("always", "adaptive", "step_up")
"""Which rule of the policy requires a factor."""


class PolicySettings(Protocol):
    """The settings of a tenant that its policy is made of; `policy` is never, adaptive or always."""

    @property
    def policy(self) -> str: ...
    @property
    def step_up(self) -> bool: ...
    @property
    def exempt_refresh(self) -> bool: ...
    @property
    def none_lifts_adaptive(self) -> bool: ...


class PolicyFacts(Protocol):
    """The members of the event that the policy depends on."""

    @property
    def protocol(self) -> str | None: ...
    @property
    def acr_values(self) -> tuple[str, ...]: ...
    @property
    def risk_confidence(self) -> str | None: ...


class StepUpFacts(Protocol):
    """What it takes to tell whether the application asks for a factor."""

    @property
    def acr_values(self) -> tuple[str, ...]: ...


class Chosen(NamedTuple):
    """A tenant's policy as its workers know it. `factors`: those that `any` offers to a verified address."""

    policy: str = "never"
    step_up: bool = False
    exempt_refresh: bool = False
    none_lifts_adaptive: bool = True
    factors: tuple[str, ...] = ()


def asks_for_factor(facts: StepUpFacts) -> bool:
    """Tell whether the application asks for a factor; a gateway may hand its classes on in one text, as they came."""
    return any(PAPE_MULTI_FACTOR in value.split() for value in facts.acr_values)


def low_confidence(facts: PolicyFacts) -> bool:
    """Tell whether the adaptive policy asks for a factor.

    Only `medium`, `high` and `neutral` are good enough. A missing assessment counts as low, as a failing assessor does
    in the reference, except where adaptive MFA does not apply at all.
    """
    if facts.risk_confidence is None:
        return facts.protocol not in UNASSESSED_PROTOCOLS
    return facts.risk_confidence not in ("medium", "high", "neutral")


def demands(settings: PolicySettings, lifted: bool, facts: PolicyFacts) -> bool:
    """Tell whether the adaptive policy demands a factor of its own, whatever actions require.

    `lifted`: an action's explicit `none` lifts what the policy requires.
    """
    if settings.policy != "adaptive" or (lifted and settings.none_lifts_adaptive) or _exempt(settings, facts):
        return False
    return low_confidence(facts)


def required(
    settings: PolicySettings, lifted: bool, facts: PolicyFacts
) -> Literal["always", "adaptive", "step_up"] | None:
    """Say what of the settings requires a factor when no action does. `lifted`: see `demands`."""
    if settings.policy == "never" and not settings.step_up:
        return None
    if demands(settings, lifted, facts):
        return "adaptive"
    if lifted or _exempt(settings, facts):
        return None
    if settings.policy == "always":
        return "always"
    return "step_up" if settings.step_up and asks_for_factor(facts) else None


def _exempt(settings: PolicySettings, facts: PolicyFacts) -> bool:
    return settings.exempt_refresh and facts.protocol == REFRESH


def purpose(facts: PolicyFacts) -> str:
    """Say why a flow runs: a refresh token is exchanged, the application asks for a factor, or a user logs in."""
    if facts.protocol == REFRESH:
        return "refresh"
    return "step_up" if asks_for_factor(facts) else "login"
