"""Send users to a page of your own that verifies a factor, once a day, and record it as a method of the session.

Reads the methods of the session, where a recorded method has its URL for a name. A login that cannot be sent anywhere
(silent, or without a browser) is refused: to let it pass would be a way round the factor. When the user is back, the
page's answer is a JWT in the parameter `session_token`; one that is missing, expired, forged or of somebody else
fails the action.

Secrets: TOKEN_SECRET, shared with the page, at least 32 characters (HS256).

Source: post-login examples, custom MFA by redirect.
"""

from datetime import UTC, datetime, timedelta

from vestibule_actions import Api, Event

METHOD = "https://mfa.example.com/verify"
VALID_FOR = timedelta(hours=24)


def on_execute_post_login(event: Event, api: Api) -> None:
    now = datetime.now(UTC)
    for method in event.get("authentication.methods", ()):
        if method.name == METHOD and now - datetime.fromisoformat(method.timestamp) < VALID_FOR:
            return
    if not api.redirect.can_redirect():
        api.access.deny("This login needs a page.")
        return
    token = api.redirect.encode_token(
        secret=event.secrets["TOKEN_SECRET"], payload={"email": event.user.email}, expires_in_seconds=300
    )
    api.redirect.send_user_to(METHOD, query={"session_token": token})


def on_continue_post_login(event: Event, api: Api) -> None:
    api.redirect.validate_token(secret=event.secrets["TOKEN_SECRET"], token_parameter_name="session_token")
    api.authentication.record_method(METHOD)
