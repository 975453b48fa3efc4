"""Send every user to Duo.

Reads nothing, wants no secrets: Duo's keys are those of the tenant's own settings at the gateway. Whether the browser
is remembered is not said, so it is the gateway's choice.

Source: post-login examples, force Duo for everybody.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    # vestibule: allow mfa-on-refresh the documented sample asks there too
    api.multifactor.enable("duo")
