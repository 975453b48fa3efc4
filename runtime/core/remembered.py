"""Say whether a browser that passed a challenge before may skip the next one, and whether it is remembered again.

Knows lifetimes and what overrides them. Must not know cookies, clocks or how a gateway keeps either: instants are
arguments. Source of every rule: the MFA semantics, sections 3, 4, 5 and 11.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from runtime.core.model import Facts, Multifactor, RememberMode, Settings
from sandbox.contract.policy_rule import PAPE_MULTI_FACTOR as PAPE_MULTI_FACTOR
from sandbox.contract.policy_rule import asks_for_factor as asks_for_factor

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
# Two machines' clocks differ by seconds; an instant later than that was not written by an honest gateway.
SKEW_MS: Final = 300_000

# These remember without asking the user.
_AUTOMATIC: Final = frozenset({"google-authenticator", "duo"})


class Refusal(StrEnum):
    """Why a browser's memory does not count."""

    UNKNOWN = "unknown"
    OTHER_USER = "other_user"
    OTHER_PROVIDER = "other_provider"
    EMAIL_ONLY = "email_only"
    SEEN_BEFORE_ISSUED = "seen_before_issued"
    FROM_THE_FUTURE = "from_the_future"
    EXPIRED = "expired"
    IDLE = "idle"
    ADAPTIVE = "adaptive"
    NOT_ALLOWED = "not_allowed"
    STEP_UP = "step_up"


@dataclass(frozen=True, slots=True)
class RememberedBrowser:
    """What the gateway's cookie says, once the gateway checked that it wrote it. Instants are ms since the epoch.

    A gateway sends none for a browser that an administrator made it forget.
    """

    user_id: str
    provider: str
    # When a factor was last presented, not when the cookie was last renewed.
    issued_at_ms: int
    last_seen_at_ms: int
    # The only factor presented was an email.
    email_only: bool = False

    def expires_at_ms(self, now_ms: int, settings: Settings) -> int:
        """Return when the memory ends if it is renewed now and never again."""
        latest_ms = self.issued_at_ms + settings.remember_lifetime_h * HOUR_MS
        return min(latest_ms, now_ms + settings.remember_idle_h * HOUR_MS)


def allowed(multifactor: Multifactor, duo_remembers_when_unset: bool) -> bool:
    """Fold the three states into one answer: may a browser be remembered for this requirement?

    The policy has no such option and allows it. An action's silence means no, as the reference says; only Duo's
    own memory works without a word from an action, and the tenant must have chosen that.
    """
    if multifactor.origin == "policy":
        return not multifactor.ignore_remembered_browser
    if multifactor.allow_remember_browser is None:
        return multifactor.provider == "duo" and duo_remembers_when_unset
    return multifactor.allow_remember_browser


def mode(multifactor: Multifactor, factors: tuple[str, ...], duo_remembers_when_unset: bool) -> RememberMode:
    """Tell how the challenge's page may offer to remember the browser. `factors`: what the user may present."""
    if multifactor.ignore_remembered_browser or not allowed(multifactor, duo_remembers_when_unset):
        return RememberMode.NONE
    # Possession of the mailbox is what the password reset asks for too: remembering it would leave one factor.
    if not factors or set(factors) == {"email"}:
        return RememberMode.NONE
    return RememberMode.AUTOMATIC if multifactor.provider in _AUTOMATIC else RememberMode.CHECKBOX


def lapsed(browser: RememberedBrowser, user_id: str, provider: str, now_ms: int, settings: Settings) -> Refusal | None:
    """Return why this memory is no longer, or never was, one of this user and provider; None when it holds."""
    if not user_id or browser.user_id != user_id:
        return Refusal.OTHER_USER
    if browser.provider != provider:
        return Refusal.OTHER_PROVIDER
    if browser.email_only:
        return Refusal.EMAIL_ONLY
    if max(browser.issued_at_ms, browser.last_seen_at_ms) > now_ms + SKEW_MS:
        return Refusal.FROM_THE_FUTURE
    if browser.last_seen_at_ms < browser.issued_at_ms:
        # Being remembered is being seen: one of the two instants is of another memory, or made up.
        return Refusal.SEEN_BEFORE_ISSUED
    if now_ms - browser.issued_at_ms > settings.remember_lifetime_h * HOUR_MS:
        return Refusal.EXPIRED
    if now_ms - browser.last_seen_at_ms >= settings.remember_idle_h * HOUR_MS:
        return Refusal.IDLE
    return None


def refusal(
    browser: RememberedBrowser | None,
    multifactor: Multifactor,
    facts: Facts,
    user_id: str,
    now_ms: int,
    settings: Settings,
    duo_remembers_when_unset: bool = False,
) -> Refusal | None:
    """Return why a challenge is needed in spite of what the browser remembers; None when none is needed."""
    if browser is None:
        return Refusal.UNKNOWN
    if multifactor.ignore_remembered_browser:
        return Refusal.ADAPTIVE
    if not allowed(multifactor, duo_remembers_when_unset):
        return Refusal.NOT_ALLOWED
    if asks_for_factor(facts):
        return Refusal.STEP_UP
    return lapsed(browser, user_id, multifactor.provider, now_ms, settings)


def forget(multifactor: Multifactor) -> bool:
    """Tell whether memories made earlier end when the user reaches this challenge.

    Only an action's explicit `False` is retroactive: its silence, or a failed action, asks for one challenge.
    """
    return multifactor.origin == "action" and multifactor.allow_remember_browser is False
