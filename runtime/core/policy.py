"""Apply a tenant's folding rules: how several requests become one, and what its policy asks for when no action did.

Knows requests, settings and the risk assessment's answer. Must not know factors or how commands are recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from runtime.core.model import Facts, Merge, Policy, Settings
from runtime.core.remembered import asks_for_factor


@dataclass(slots=True)
class EnableCall:
    """One `multifactor.enable` call. `position` is its place among all requests of the flow."""

    position: int
    provider: str
    allow_remember_browser: bool | None
    provider_options: dict[str, str] | None


# Narrower is stricter: `any` leaves every enabled factor to the user, `google-authenticator` (in classic) leaves one,
# `duo` leaves one that is verified elsewhere. A total order keeps `strictest` independent of the order of the actions.
_STRICTNESS = {"none": 0, "any": 1, "guardian": 2, "google-authenticator": 3, "duo": 4}

# Adaptive MFA does not assess these (sections 4 and 6 of the MFA semantics), so a missing assessment says nothing.
UNASSESSED_PROTOCOLS = frozenset({"oauth2-refresh-token", "oauth2-device-code", "oauth2-token-exchange"})


def merge(requests: Sequence[EnableCall], rule: Merge) -> EnableCall:
    """Fold the requests of a flow, in call order and at least one, into the one that counts.

    `last_call`: the last one, as in Auth0's Rules, `none` included. `strictest`: the first of the narrowest provider;
    `none` counts only when no call requires anything; the browser may be remembered if every requirement says so, and
    silence counts as False; provider options come from the first call of the winning provider that gave any.
    """
    if rule is Merge.LAST_CALL:
        return requests[-1]
    required = [request for request in requests if request.provider != "none"]
    if not required:
        return requests[-1]
    winner = max(required, key=lambda request: _STRICTNESS[request.provider])
    remember = all(request.allow_remember_browser is True for request in required)
    options = (
        request.provider_options
        for request in required
        if request.provider == winner.provider and request.provider_options is not None
    )
    return EnableCall(winner.position, winner.provider, remember, next(options, None))


def lifts(winner: EnableCall | None, settings: Settings) -> bool:
    """Tell whether the flow's explicit `none` lifts what the tenant's policy requires.

    Under `strictest` nothing cancels a requirement, and the policy's is one.
    """
    return winner is not None and winner.provider == "none" and settings.merge is not Merge.STRICTEST


def low_confidence(facts: Facts) -> bool:
    """Tell whether the adaptive policy asks for a factor.

    Only `medium`, `high` and `neutral` are good enough. A missing assessment counts as low, as a failing assessor does
    in the reference, except where adaptive MFA does not apply at all.
    """
    if facts.risk_confidence is None:
        return facts.protocol not in UNASSESSED_PROTOCOLS
    return facts.risk_confidence not in ("medium", "high", "neutral")


def demands(settings: Settings, lifted: bool, facts: Facts) -> bool:
    """Tell whether the adaptive policy demands a factor of its own, whatever actions require. `lifted`: see `lifts`."""
    if settings.policy is not Policy.ADAPTIVE or (lifted and settings.none_lifts_adaptive) or _exempt(settings, facts):
        return False
    return low_confidence(facts)


def required(settings: Settings, lifted: bool, facts: Facts) -> Literal["always", "adaptive", "step_up"] | None:
    """Say what of the settings requires a factor when no action does. `lifted`: see `lifts`."""
    if settings.policy is Policy.NEVER and not settings.step_up:
        return None
    if demands(settings, lifted, facts):
        return "adaptive"
    if lifted or _exempt(settings, facts):
        return None
    if settings.policy is Policy.ALWAYS:
        return "always"
    return "step_up" if settings.step_up and asks_for_factor(facts) else None


def _exempt(settings: Settings, facts: Facts) -> bool:
    return settings.exempt_refresh and facts.protocol == "oauth2-refresh-token"
