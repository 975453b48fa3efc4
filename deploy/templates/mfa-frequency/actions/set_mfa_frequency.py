"""Require a second factor always, and let applications marked `mfa_frequency: monthly` remember the browser.

A remembered browser is asked once in 30 days; every other application asks at every login. Reads the application's
metadata, wants no secrets.

Source: post-login examples, change the frequency.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    monthly = event.client.metadata.get("mfa_frequency") == "monthly"
    # vestibule: allow mfa-on-refresh the documented sample asks there too
    api.multifactor.enable("any", allow_remember_browser=monthly)
