"""Require a second factor for some applications, once in each session."""

PROTECTED = ("admin-console", "payroll")


def on_execute_post_login(event, api):
    if event.client.client_id not in PROTECTED or event.purpose == "refresh":
        return
    if not any(method.name == "mfa" for method in event.get("authentication.methods", [])):
        api.multifactor.enable("any", allow_remember_browser=False)
