"""Require a second factor unless the first one was the device's own biometrics.

Reads the methods of the session, wants no secrets.

Source: post-login examples, skip after platform biometrics.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    if all(method.name != "webauthn-platform" for method in event.get("authentication.methods", ())):
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("any")
