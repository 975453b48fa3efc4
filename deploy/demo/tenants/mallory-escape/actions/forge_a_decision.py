"""Hostile: change the event for later actions, and hand the recorder something it should not trust."""


def on_execute_post_login(event, api):
    event.user.user_metadata["is_admin"] = True  # a private copy: no other code sees it
    api.id_token.set_custom_claim("sub", "auth0|somebody-else")
