"""Challenge with a one-time password or the phone; the user picks one.

Reads nothing, wants no secrets. A factor that the user has not enrolled is left out; when none is left, the login
fails.

Source: post-login examples, specific factors.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    api.authentication.challenge_with_any([{"type": "otp"}, {"type": "phone"}])
