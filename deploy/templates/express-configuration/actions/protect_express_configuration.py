"""Challenge administrators of the express configuration by email and by biometrics of their device.

Reads `resource_server.identifier` and `user.enrolled_factors`. A user without biometrics enrols them, after the
email. Wants no secrets.

Source: post-login examples, express configuration.
"""

from vestibule_actions import Api, Event

CONFIGURATION = "urn:auth0:express-configure"


def on_execute_post_login(event: Event, api: Api) -> None:
    if event.get("resource_server.identifier") != CONFIGURATION:
        return
    # vestibule: allow mfa-on-refresh the documented sample asks there too
    api.multifactor.enable("any")
    api.authentication.challenge_with({"type": "email"})
    if any(factor.type == "webauthn-platform" for factor in event.user.enrolled_factors or ()):
        api.authentication.challenge_with({"type": "webauthn-platform"})
    else:
        api.authentication.enroll_with({"type": "webauthn-platform"})
