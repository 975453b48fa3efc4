"""Change the frequency: applications marked `mfa_frequency: monthly` ask once every 30 days in each browser."""


def on_execute_post_login(event, api):
    frequency: str = event.client.metadata.get("mfa_frequency", "")
    if frequency == "monthly":
        # vestibule: allow mfa-on-refresh bypass_refresh_token lifts it
        api.multifactor.enable("any", allow_remember_browser=True)
