"""Ask nothing more of a user who has just proved possession of a passkey."""


def on_execute_post_login(event, api):
    methods = event.authentication.methods if event.authentication else ()
    if any(method.name == "passkey" for method in methods):
        api.multifactor.enable("none")
