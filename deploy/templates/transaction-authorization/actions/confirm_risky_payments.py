"""Have risky payments confirmed by a push notification, without a way to type a code instead.

Reads `transaction.requested_authorization_details` and `user.email_verified`. An action has no network: the score
that the documented original fetches is computed here; one of another system belongs into the event, for example into
`app_metadata`. `enable` comes first only to keep "remember this device" off the pages. Wants no secrets.

Source: post-login examples, transaction authorization (rich authorization requests).
"""

from typing import Any

from vestibule_actions import Api, Event

PAYMENT = "payment_initiation"
LARGE = 1000
RISKY_SCORE = 2


def risk_score(details: dict[str, Any], verified: bool) -> int:
    try:
        amount = float(details["instructedAmount"]["amount"])
    except (KeyError, TypeError, ValueError):
        return RISKY_SCORE  # the amount is not known
    return (2 if amount >= LARGE else 0) + (0 if verified else 1)


def on_execute_post_login(event: Event, api: Api) -> None:
    wanted = event.get("transaction.requested_authorization_details", ())
    scores = [risk_score(details, event.user.email_verified) for details in wanted if details.get("type") == PAYMENT]
    if max(scores, default=0) >= RISKY_SCORE:
        # vestibule: allow mfa-on-refresh an exchange has no payment to confirm
        api.multifactor.enable("any", allow_remember_browser=False)
        api.authentication.challenge_with({"type": "push-notification", "options": {"otp_fallback": False}})
