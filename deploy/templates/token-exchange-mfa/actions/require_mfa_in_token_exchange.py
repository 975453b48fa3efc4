"""Require a second factor in a token exchange; the token endpoint then answers `mfa_required`.

Reads the protocol, wants no secrets. Challenge and enrolment commands are not allowed in a token exchange, `enable`
is.

Source: post-login examples, token exchange MFA.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    if event.get("transaction.protocol") == "oauth2-token-exchange":
        api.multifactor.enable("any")
