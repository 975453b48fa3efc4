"""Return early where no user can answer, and require a second factor of all others.

Reads the protocol, wants no secrets.

Source: post-login examples, guard first, then MFA.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    protocol = event.transaction.protocol if event.transaction else None
    if protocol == "oauth2-refresh-token":
        return
    api.multifactor.enable("any")
