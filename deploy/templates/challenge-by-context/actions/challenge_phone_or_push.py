"""Challenge with the phone or a push notification; the user picks one.

Reads nothing, wants no secrets. The next action runs once the challenge is passed.

Source: post-login examples, two actions with context, first action.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    api.authentication.challenge_with_any([{"type": "phone"}, {"type": "push-notification"}])
