"""Challenge users with what they have, and enrol those who have nothing; administrators end with a security key too.

Reads `user.enrolled_factors`, which may be absent and may list more than factors, and `app_metadata.isAdmin`. A user
with a factor must pass it before another one is enrolled, so the challenge comes first. Wants no secrets.

Source: post-login examples, enrol then challenge, first action.
"""

from vestibule_actions import Api, Event, Factor

FACTORS = ("webauthn-roaming", "push-notification", "otp", "phone")


def on_execute_post_login(event: Event, api: Api) -> None:
    admin = event.user.app_metadata.get("isAdmin") is True
    enrolled = [factor.type for factor in event.user.enrolled_factors or () if factor.type in FACTORS]
    if enrolled:
        api.authentication.challenge_with_any([{"type": name} for name in enrolled])
        if admin and "webauthn-roaming" not in enrolled:
            api.authentication.enroll_with({"type": "webauthn-roaming"})
        return
    choice: list[Factor] = [{"type": "webauthn-roaming"}, {"type": "otp"}]
    api.authentication.enroll_with_any(choice)
    if admin:
        api.authentication.enroll_with_any(choice)
