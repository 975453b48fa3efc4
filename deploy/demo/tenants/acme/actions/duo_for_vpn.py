"""Send users of the VPN to Duo, with credentials from this action's secrets."""


def on_execute_post_login(event, api):
    if event.client.client_id != "vpn":
        return
    secrets = event.secrets
    # vestibule: allow mfa-on-refresh bypass_refresh_token lifts it
    api.multifactor.enable(
        "duo",
        allow_remember_browser=False,
        provider_options={
            "host": secrets["DUO_HOST"],
            "ikey": secrets["DUO_IKEY"],
            "skey": secrets["DUO_SKEY"],
            "username": event.user.nickname,  # None, for a user without one, leaves the option out
        },
    )
