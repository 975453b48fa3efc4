"""Require a second factor from users whose `app_metadata` says `needs_mfa`.

Reads one member of `app_metadata`, which users cannot write themselves. Wants no secrets.

Source: post-login examples, from a metadata flag.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    if event.user.app_metadata.get("needs_mfa"):
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("any", allow_remember_browser=False)
