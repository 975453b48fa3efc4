"""Require a second factor for users who switched it on in their profile."""


def on_execute_post_login(event, api):
    # user_metadata is always a dict, so an absent switch is simply "off".
    if event.user.user_metadata.get("use_mfa"):
        # vestibule: allow mfa-on-refresh bypass_refresh_token lifts it
        api.multifactor.enable("any", allow_remember_browser=False)
