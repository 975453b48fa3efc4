"""Apply a tenant's folding rules: how several requests become one, and what its policy asks for when no action did.

Knows requests, settings and the risk assessment's answer. Must not know factors or how commands are recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.core.model import Merge, Settings
from sandbox.contract.policy_rule import UNASSESSED_PROTOCOLS as UNASSESSED_PROTOCOLS  # the rule, under one roof
from sandbox.contract.policy_rule import demands as demands
from sandbox.contract.policy_rule import low_confidence as low_confidence
from sandbox.contract.policy_rule import required as required


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
