"""Say what a gateway does with a login: the decision of its flow, with a required factor resolved for this login.

Knows what each resolution makes of a decision. Must not know how either comes about, nor messages.
"""

from __future__ import annotations

from dataclasses import replace

from runtime.core import effects
from runtime.core.aggregate import denial_of, dropped
from runtime.core.model import Contribution, Decision, Facts, Resolution, ResolutionKind, Settings
from runtime.core.resolution import Gateway, resolve

_REMEMBERED = Contribution("", "mfa.remembered", True, "satisfied by the remembered browser")


def resolved(decision: Decision, settings: Settings, facts: Facts, gateway: Gateway) -> Decision:
    """Return the decision whose outcome alone says what the gateway does; the same one when it requires no factor."""
    resolution = resolve(decision.multifactor, settings, facts, gateway)
    return decision if resolution is None else followed(decision, resolution)


def followed(decision: Decision, resolution: Resolution) -> Decision:
    """Return what the resolution makes of a decision that requires a factor."""
    if resolution.kind is ResolutionKind.FAILED:
        return _refused(decision, resolution)
    if resolution.kind is ResolutionKind.SATISFIED_BY_REMEMBERED_BROWSER:
        asked = (*decision.contributions, _REMEMBERED)
        return replace(decision, outcome="allow", contributions=asked, resolution=resolution)
    by_token = resolution.kind is ResolutionKind.MFA_REQUIRED_TOKEN
    return replace(decision, outcome="mfa_required_by_token" if by_token else "mfa_required", resolution=resolution)


def _refused(decision: Decision, resolution: Resolution) -> Decision:
    """Refuse the login. The requirement stays the one that the decision follows; claims are dropped."""
    failure = resolution.failure
    if failure is None:
        raise ValueError("a resolution that failed says why")
    why = Contribution("", "mfa.failed", True, f"deny, {failure.value}")
    return replace(
        decision,
        outcome="deny",
        contributions=(*decision.contributions, why, *dropped(decision.executions)),
        denial=denial_of(failure),
        id_token_claims={},
        access_token_claims={},
        effects=effects.of_denied(decision.effects),
        resolution=resolution,
    )
