"""Challenge a refresh token exchange for one protected API; the token endpoint then answers `mfa_required`.

Reads `request.body.grant_type` and `request.body.audience`, and `user.enrolled_factors`: users who have nothing
enrol. Wants no secrets.

Source: post-login examples, step-up on a refresh exchange for one audience.
"""

from vestibule_actions import Api, Event

PROTECTED = "https://payments.example.com/"
CHALLENGES = ("otp", "phone", "email", "push-notification", "recovery-code")
ENROLLMENTS = ("otp", "phone", "push-notification")


def on_execute_post_login(event: Event, api: Api) -> None:
    body = event.request.body
    if body.get("grant_type") != "refresh_token" or body.get("audience") != PROTECTED:
        return
    if event.user.enrolled_factors:
        api.authentication.challenge_with_any([{"type": name} for name in CHALLENGES])
    else:
        api.authentication.enroll_with_any([{"type": name} for name in ENROLLMENTS])
