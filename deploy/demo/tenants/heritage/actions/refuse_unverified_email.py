"""Refuse users whose email address was never verified. Later actions do not run."""


def on_execute_post_login(event, api):
    if not event.user.email_verified:
        api.access.deny("Please verify your email address before you log in.")
