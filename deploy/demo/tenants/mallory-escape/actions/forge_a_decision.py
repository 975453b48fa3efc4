"""Hostile: change the event for later actions, and hand the recorder something it should not trust."""


def on_execute_post_login(event, api):
    # vestibule: allow event-write hostile on purpose
    event.user.user_metadata["is_admin"] = True  # a private copy: no other code sees it
    api.id_token.set_custom_claim("".join(("s", "ub")), "auth0|somebody-else")
