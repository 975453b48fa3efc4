"""Challenge administrators who used their phone with a push notification too.

Reads the methods of the session, which hold what an earlier action's challenge led to, and `authorization.roles`.
Wants no secrets.

Source: post-login examples, two actions with context, second action.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    methods = event.authentication.methods if event.authentication else ()
    by_phone = any(method.name == "mfa" and method.type == "phone" for method in methods)
    if by_phone and "admin" in event.get("authorization.roles", ()):
        api.authentication.challenge_with({"type": "push-notification"})
