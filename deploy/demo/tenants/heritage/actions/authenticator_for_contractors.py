"""Ask contractors for a one-time password from Google Authenticator, whatever else the tenant offers."""


def on_execute_post_login(event, api):
    groups: list[str] = event.user.app_metadata.get("groups") or []
    if "contractors" in groups:
        # vestibule: allow mfa-on-refresh shown in the demo with browser logins alone
        api.multifactor.enable("google-authenticator", allow_remember_browser=False)
