"""Challenge when a session's TLS fingerprints are not those that it began with.

Reads `security_context.ja3` and `ja4` and the session's metadata, where this action keeps them. No metadata at all
means the session's first login; empty metadata means that somebody removed them, which is challenged. The new
fingerprints are written when the flow ends, so only once the challenge is passed. Wants no secrets.

Source: post-login examples, fingerprint drift.
"""

from vestibule_actions import Api, Event, Factor


def on_execute_post_login(event: Event, api: Api) -> None:
    if event.session is None or event.security_context is None:
        return
    seen = {"ja3": event.security_context.ja3 or "", "ja4": event.security_context.ja4 or ""}
    known = event.session.metadata
    if known is not None and all(known.get(name) == value for name, value in seen.items()):
        return
    if known is not None:
        others: list[Factor] = [{"type": "push-notification"}, {"type": "phone"}]
        api.authentication.challenge_with({"type": "otp"}, additional_factors=others)
    for name, value in seen.items():
        api.session.set_metadata(name, value)
