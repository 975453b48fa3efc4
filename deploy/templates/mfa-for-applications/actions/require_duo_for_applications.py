"""Send users of some applications to Duo, at every login.

Reads the application's id, wants no secrets.

Source: post-login examples, specific applications.
"""

from vestibule_actions import Api, Event

CLIENTS = frozenset({"REPLACE_WITH_A_CLIENT_ID", "REPLACE_WITH_ANOTHER_CLIENT_ID"})


def on_execute_post_login(event: Event, api: Api) -> None:
    if event.client.client_id in CLIENTS:
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("duo", allow_remember_browser=False)
