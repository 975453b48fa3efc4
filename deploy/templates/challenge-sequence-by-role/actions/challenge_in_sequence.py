"""Challenge with a one-time password, and administrators with their phone after it.

Reads `authorization.roles`, which may be absent. Challenges of one action are done one after the other, in call
order. Wants no secrets.

Source: post-login examples, roles and sequence.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    api.authentication.challenge_with({"type": "otp"})
    if "admin" in event.get("authorization.roles", ()):
        api.authentication.challenge_with({"type": "phone"})
