"""Write the day of the login to the user's metadata and the first login into the ID token."""

from datetime import datetime, timezone


def on_execute_post_login(event, api):
    today = datetime.now(timezone.utc).date().isoformat()
    api.user.set_app_metadata("last_login_on", today)
    if event.stats.logins_count <= 1:
        api.id_token.set_custom_claim("https://heritage.example/first_login", True)
