"""Require a second factor when an application asks for it by `acr_values`.

Reads the application's id and `transaction.acr_values`, which may be absent. Wants no secrets.

Source: post-login examples, step-up by acr_values.
"""

from vestibule_actions import Api, Event

CLIENTS = frozenset({"REPLACE_WITH_A_CLIENT_ID"})
MULTI_FACTOR = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"


def on_execute_post_login(event: Event, api: Api) -> None:
    wanted = event.get("transaction.acr_values", ())
    if event.client.client_id in CLIENTS and MULTI_FACTOR in wanted:
        # vestibule: allow mfa-on-refresh an exchange has no acr_values
        api.multifactor.enable("any", allow_remember_browser=False)
