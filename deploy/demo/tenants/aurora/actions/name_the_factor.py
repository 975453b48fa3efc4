"""Tell the application which second factor was presented, if any."""


def on_execute_post_login(event, api):
    methods = event.authentication.methods if event.authentication else []
    factors = [method.type for method in methods if method.name == "mfa"]
    if factors:
        api.id_token.set_custom_claim("https://aurora.example/factor", factors[-1])
