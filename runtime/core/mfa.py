"""Say which second factor a login needs and which factors can be offered for it.

Knows the provider x experience table and the order of precedence. Must not know commands, actions or storage.
Source of every rule: the MFA semantics, sections 1 to 5 and 7.
"""

from __future__ import annotations

from runtime.core import policy
from runtime.core.model import FACTOR_NAMES, Experience, Facts, Merge, Multifactor, Settings

FACTORS: dict[tuple[str, Experience], tuple[str, ...]] = {
    ("any", Experience.CLASSIC): ("push-notification", "sms", "otp"),
    ("any", Experience.NEW): ("push-notification", "sms", "voice", "otp", "email", "webauthn-roaming"),
    ("guardian", Experience.CLASSIC): ("push-notification", "sms", "otp"),
    ("guardian", Experience.NEW): ("push-notification", "sms", "otp", "email"),
    ("google-authenticator", Experience.CLASSIC): ("otp",),
    ("google-authenticator", Experience.NEW): ("push-notification", "sms", "otp", "email"),
    ("duo", Experience.CLASSIC): ("duo",),
    ("duo", Experience.NEW): ("duo",),
    ("none", Experience.CLASSIC): (),
    ("none", Experience.NEW): (),
}

# The same rows, safest factor first, which is the order in which a gateway offers them.
_OFFERED = {key: tuple(sorted(row, key=FACTOR_NAMES.index)) for key, row in FACTORS.items()}

# Duo needs its own page, so it cannot serve a login without a browser (section 7). Source: post-login reference, 1.8.
BACK_CHANNEL_PROTOCOLS = frozenset(
    {
        "oauth2-password",
        "oauth2-resource-owner",
        "oauth2-resource-owner-jwt-bearer",
        "oauth2-refresh-token",
        "oauth2-access-token",
        "oauth2-token-exchange",
        "oauth2-webauthn",
        "wstrust-usernamemixed",
        "oidc-ciba",
        "oidc-ciba-web-link",
    }
)


def offer(provider: str, settings: Settings, facts: Facts) -> tuple[str, ...]:
    """List the factors to offer for a provider, safest first; empty when the login cannot be completed.

    `any` means every factor that the tenant enabled; an explicit provider overrides the tenant's choice of factors,
    except under `strictest`, where an appended call must not add a factor. Email needs a verified address either way.
    Duo needs a browser, and is no factor that a tenant's choice could leave.
    """
    row = _OFFERED[provider, settings.experience]
    if provider == "any" or (settings.merge is Merge.STRICTEST and provider != "duo"):
        enabled = settings.factors
        row = tuple([name for name in row if name in enabled])
    if "email" in row and not facts.email_verified:
        return tuple([name for name in row if name != "email"])
    if provider == "duo" and facts.protocol in BACK_CHANNEL_PROTOCOLS:
        return ()
    return row


def policy_offer(settings: Settings) -> tuple[str, ...]:
    """List the factors that the tenant's policy offers to a user whose address is verified, safest first."""
    return tuple([name for name in _OFFERED["any", settings.experience] if name in settings.factors])


def resolve(winner: policy.EnableCall | None, failed: bool, settings: Settings, facts: Facts) -> Multifactor | None:
    """Apply the order of precedence: an action's requirement, a failed action, a lifting, the tenant's policy.

    `winner` is the request that the tenant's merge rule chose, if any action expressed one. `failed` says that an
    execution failed under `require_mfa`: the result is then at least provider `any` with a challenge that really
    happens, because that action could have asked for it. What the adaptive policy demands by itself comes on top of
    both: only an explicit `none` takes it away.
    """
    if winner is not None and winner.provider != "none":
        remember = False if failed else winner.allow_remember_browser
        # Under `strictest` the policy's refusal of remembered browsers is one of those that an action cannot cancel.
        last_word = settings.remember_satisfies_adaptive and settings.merge is not Merge.STRICTEST
        adaptive = policy.demands(settings, False, facts)
        offered = offer(winner.provider, settings, facts)
        if adaptive and "email" not in settings.factors:
            # An explicit provider overrides that, but no mailbox stands for the factors that the policy asks for.
            offered = tuple([name for name in offered if name != "email"])
        return Multifactor(
            winner.provider,
            remember,
            winner.provider_options,
            offered,
            "action",
            adaptive,
            adaptive and last_word and remember is True,
        )
    if failed:
        offered = offer("any", settings, facts)
        return Multifactor("any", False, None, offered, "on_error", policy.demands(settings, False, facts))
    by_policy = policy.required(settings, policy.lifts(winner, settings), facts)
    if by_policy is not None:
        return Multifactor("any", None, None, offer("any", settings, facts), "policy", by_policy == "adaptive")
    return Multifactor("none") if winner is not None else None
