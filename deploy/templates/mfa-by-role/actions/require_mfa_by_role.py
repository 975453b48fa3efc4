"""Require one of Guardian's factors from users with a role of a list, and let the browser be remembered.

Refuses users whose address is not verified, and everybody when the list is missing: a rule that was set up wrongly
must not fail open. Reads `user.email_verified` and `authorization.roles`.

Secrets: MFA_ROLES, names of roles with commas between them; compared in lower case.

Source: post-login examples, MFA by role (template).
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    if not event.user.email_verified:
        api.access.deny("Please verify your email address first.")
        return
    listed = {name.strip().lower() for name in event.secrets.get("MFA_ROLES", "").split(",")} - {""}
    if not listed:
        api.access.deny("The login rules are not set up.")
        return
    roles = event.authorization.roles if event.authorization else ()
    if any(role.lower() in listed for role in roles):
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("guardian", allow_remember_browser=True)
