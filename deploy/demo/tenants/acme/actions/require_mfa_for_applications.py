"""Require a second factor for specific applications, at every login."""

CLIENTS_WITH_MFA: frozenset[str] = frozenset({"admin-console", "payroll"})


def on_execute_post_login(event, api):
    if event.client.client_id in CLIENTS_WITH_MFA:
        # vestibule: allow mfa-on-refresh bypass_refresh_token lifts it
        api.multifactor.enable("any", allow_remember_browser=False)
