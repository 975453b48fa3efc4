"""Require a second factor unless one was presented in this session, and let the browser be remembered.

Reads the methods of the session; a login without any (a password grant) is asked. Wants no secrets.

Source: post-login examples, once per session.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    methods = event.authentication.methods if event.authentication else ()
    if not any(method.name == "mfa" for method in methods):
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("any", allow_remember_browser=True)
