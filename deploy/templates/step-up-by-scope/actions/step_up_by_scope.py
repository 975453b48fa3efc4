"""Require a second factor when an application asks for the scope that moves money.

Reads the application's id and `transaction.requested_scopes`, which may be absent. Wants no secrets.

Source: post-login examples, step-up by scope.
"""

from vestibule_actions import Api, Event

CLIENTS = frozenset({"REPLACE_WITH_A_CLIENT_ID"})
SCOPE = "transfer:funds"


def on_execute_post_login(event: Event, api: Api) -> None:
    scopes = event.get("transaction.requested_scopes", ())
    if event.client.client_id in CLIENTS and SCOPE in scopes:
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("any", allow_remember_browser=False)
