"""Challenge enrolled users on a device that is likely new, with the factors they have.

Reads the confidence of the NewDevice assessment, `user.multifactor` and `user.enrolled_factors`. Where the gateway
does not send the factors, email and phone are asked for, and it finds out which of them the user has. A login without
the assessment is not judged. Wants no secrets.

Source: post-login examples, adaptive challenge.
"""

from vestibule_actions import Api, Event

# What a user is enrolled in may hold other things than factors.
FACTORS = ("webauthn-roaming", "push-notification", "otp", "phone", "email", "recovery-code")


def on_execute_post_login(event: Event, api: Api) -> None:
    confidence = event.get("authentication.riskAssessment.assessments.NewDevice.confidence")
    if confidence not in ("low", "medium") or not event.user.multifactor:
        return
    enrolled = [factor.type for factor in event.user.enrolled_factors or () if factor.type in FACTORS]
    api.authentication.challenge_with_any([{"type": name} for name in enrolled or ("email", "phone")])
