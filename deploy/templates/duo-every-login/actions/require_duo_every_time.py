"""Send every user to Duo, at every login.

Reads nothing, wants no secrets. Duo would remember a browser for 30 days by itself; `False` says that it must not.

Source: post-login examples, Duo always.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    api.multifactor.enable("duo", allow_remember_browser=False)
