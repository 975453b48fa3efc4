"""Challenge administrators with a factor that they have and did not use just now.

Reads what the user is enrolled in after the first action, and names, types and instants of the session's methods: one
of the last minute was completed in this login. Wants no secrets.

Source: post-login examples, enrol then challenge, second action (whose window is five seconds).
"""

from datetime import UTC, datetime, timedelta

from vestibule_actions import Api, Event, Factor

FACTORS = ("webauthn-roaming", "push-notification", "otp", "phone")
JUST_NOW = timedelta(minutes=1)


def on_execute_post_login(event: Event, api: Api) -> None:
    if event.user.app_metadata.get("isAdmin") is not True:
        return
    now = datetime.now(UTC)
    used = {
        method.type
        for method in event.get("authentication.methods", ())
        if method.name == "mfa" and now - datetime.fromisoformat(method.timestamp) < JUST_NOW
    }
    enrolled = [factor.type for factor in event.user.enrolled_factors or () if factor.type in FACTORS]
    unused: list[Factor] = [{"type": name} for name in enrolled if name not in used]
    if unused:
        api.authentication.challenge_with_any(unused)
