"""Challenge with the phone, and let the user choose between a text message and a call.

Reads nothing, wants no secrets.

Source: post-login examples, phone both ways.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    api.authentication.challenge_with({"type": "phone", "options": {"preferred_method": "both"}})
