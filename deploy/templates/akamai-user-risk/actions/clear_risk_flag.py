"""Clear the mark of a risky session once a second factor was presented in it.

Reads the methods of the session, `session.id` and `app_metadata.risky_session`. Wants no secrets. None deletes a
member of the metadata.

Source: post-login examples, Akamai user risk, second action.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    flagged = event.user.app_metadata.get("risky_session")
    if flagged is None or event.session is None or event.session.id != flagged:
        return
    if any(method.name == "mfa" for method in event.get("authentication.methods", ())):
        api.user.set_app_metadata("risky_session", None)
