"""Require one of Guardian's factors from members of some groups.

Reads `app_metadata.authorization.groups`, where an authorization extension keeps them, and the `groups` that an
identity provider sent with the user. A user without any is in none. Wants no secrets.

Source: post-login examples, Guardian for groups.
"""

from vestibule_actions import Api, Event

GROUPS = frozenset({"finance", "admins"})


def on_execute_post_login(event: Event, api: Api) -> None:
    authorization = event.user.app_metadata.get("authorization") or {}
    groups = [*(authorization.get("groups") or ()), *(event.user.attributes.get("groups") or ())]
    if any(group in GROUPS for group in groups):
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("guardian", allow_remember_browser=False)
