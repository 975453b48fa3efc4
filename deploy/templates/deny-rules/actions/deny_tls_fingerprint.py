"""Refuse clients whose TLS handshake is one of a list, such as a known attack tool.

Reads `security_context.ja4`, which may be absent. Wants no secrets.

Source: post-login examples, deny by JA4 list.
"""

from vestibule_actions import Api, Event

FINGERPRINTS = frozenset({"t13d1516h2_8daaf6152771_b186095e22b6"})


def on_execute_post_login(event: Event, api: Api) -> None:
    if event.get("security_context.ja4") in FINGERPRINTS:
        api.access.deny("This client is not welcome.")
