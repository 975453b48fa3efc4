"""Let refresh token exchanges pass: no user is there to answer a challenge."""


def on_execute_post_login(event, api):
    if event.get("transaction.protocol") == "oauth2-refresh-token":
        api.multifactor.enable("none")
