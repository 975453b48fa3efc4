"""Challenge with a one-time password, and offer the user's other factors, or email, under "try another method".

Reads `user.enrolled_factors`, which may be absent. Wants no secrets.

Source: post-login examples, try another method.
"""

from vestibule_actions import Api, Event, Factor

# What a user is enrolled in may hold other things than factors.
OTHERS = ("webauthn-roaming", "push-notification", "phone", "email", "recovery-code")


def on_execute_post_login(event: Event, api: Api) -> None:
    others = [factor.type for factor in event.user.enrolled_factors or () if factor.type in OTHERS]
    alternatives: list[Factor] = [{"type": name} for name in others or ("email",)]
    api.authentication.challenge_with({"type": "otp"}, additional_factors=alternatives)
