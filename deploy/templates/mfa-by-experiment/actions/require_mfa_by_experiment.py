"""Require a second factor when the user's variation of the experiment says so.

Reads `experiment.config.require_mfa.value`; there may be no experiment, or one about something else. Wants no
secrets.

Source: post-login examples, experiment.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    config = event.experiment.config if event.experiment else {}
    if (config.get("require_mfa") or {}).get("value") is True:
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("any", allow_remember_browser=False)
