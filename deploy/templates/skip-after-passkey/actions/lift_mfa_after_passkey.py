"""Ask nothing more of a user who has just proved possession of a passkey.

Reads the methods of the session, wants no secrets. `none` lifts what the tenant's policy would have asked for.

Source: post-login examples, skip after passkey.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    if any(method.name == "passkey" for method in event.get("authentication.methods", ())):
        api.multifactor.enable("none")
