"""Require a second factor when the application asks for it and none was presented in this session.

Reads `transaction.acr_values` and the methods of the session; both may be absent. Wants no secrets.

Source: post-login examples, step-up on request (template).
"""

from vestibule_actions import Api, Event

MULTI_FACTOR = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"


def on_execute_post_login(event: Event, api: Api) -> None:
    wanted = MULTI_FACTOR in event.get("transaction.acr_values", ())
    done = any(method.name == "mfa" for method in event.get("authentication.methods", ()))
    if wanted and not done:
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("any", allow_remember_browser=False)
