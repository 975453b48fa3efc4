"""Send users to Duo whose profile says `use_mfa`.

Reads `user_metadata`, which is always a dict: a user without the switch has it off. Wants no secrets.

Source: post-login examples, specific users.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    if event.user.user_metadata.get("use_mfa"):
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("duo", allow_remember_browser=False)
