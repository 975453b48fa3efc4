"""Require a second factor unless one was presented in this session.

Reads the methods of the session, wants no secrets.

Source: post-login examples, once per session (template).
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    if all(method.name != "mfa" for method in event.get("authentication.methods", ())):
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("any")
