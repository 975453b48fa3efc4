"""Challenge a login from a device that was not seen before; the user may choose another way to answer."""


def on_execute_post_login(event, api):
    risk = event.authentication.risk_assessment if event.authentication else None
    device = risk.assessments.new_device if risk else None
    if device and device.confidence in ("low", "medium"):
        api.authentication.challenge_with({"type": "otp"}, additional_factors=[{"type": "email"}])
