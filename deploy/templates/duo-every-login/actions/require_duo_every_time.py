"""Send every user to Duo, at every login.

Reads nothing, wants no secrets. Duo would remember a browser for 30 days by itself; `False` says that it must not.

Source: post-login examples, Duo always.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    # vestibule: allow mfa-on-refresh the documented sample asks there too
    api.multifactor.enable("duo", allow_remember_browser=False)
