"""Require one of Guardian's factors, at every login.

Reads nothing, wants no secrets. An explicit provider offers its own factors, whatever the tenant switched off.

Source: post-login examples, Guardian always.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    # vestibule: allow mfa-on-refresh the documented sample asks there too
    api.multifactor.enable("guardian", allow_remember_browser=False)
