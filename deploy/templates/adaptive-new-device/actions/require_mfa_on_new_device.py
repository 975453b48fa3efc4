"""Require a second factor from enrolled users on a device that is likely new, and let the browser be remembered.

Reads the confidence of the NewDevice assessment and `user.multifactor`. A login without the assessment is not judged:
the risk assessor is off, or did not look. Wants no secrets.

Source: post-login examples, adaptive template.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    confidence = event.get("authentication.riskAssessment.assessments.NewDevice.confidence")
    if confidence in ("low", "medium") and event.user.multifactor:
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("any", allow_remember_browser=True)
