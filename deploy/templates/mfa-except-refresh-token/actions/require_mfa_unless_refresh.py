"""Require a second factor, but not in a refresh token exchange: no user is there to answer.

Reads the protocol; a login without a transaction is asked. Wants no secrets.

Source: post-login examples, bypass for refresh tokens.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    if event.get("transaction.protocol") != "oauth2-refresh-token":
        api.multifactor.enable("any")
