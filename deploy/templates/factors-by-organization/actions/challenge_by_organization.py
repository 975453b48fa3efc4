"""Challenge with the best factor that both the user's organization allows and the user has.

A push notification if possible, else the phone with email as the alternative, else email; none of them refuses the
login. Reads `organization.metadata.factors`, a list with commas, `user.enrolled_factors`, `user.phone_number` and
`user.phone_verified`. A login without an organization, or with one that lists nothing, is not asked. Wants no
secrets.

Source: post-login examples, organization metadata.
"""

from vestibule_actions import Api, Event, Factor


def on_execute_post_login(event: Event, api: Api) -> None:
    listed = str(event.get("organization.metadata.factors", ""))
    allowed = {name.strip() for name in listed.split(",")} - {""}
    if not allowed:
        return
    user = event.user
    enrolled = {factor.type for factor in user.enrolled_factors or ()}
    has_phone = "phone" in enrolled or bool(user.phone_number and user.phone_verified)
    email: list[Factor] = [{"type": "email"}] if "email" in allowed and user.email_verified else []
    if "push-notification" in allowed & enrolled:
        api.authentication.challenge_with({"type": "push-notification"})
    elif "phone" in allowed and has_phone:
        api.authentication.challenge_with({"type": "phone"}, additional_factors=email)
    elif email:
        api.authentication.challenge_with(email[0])
    else:
        api.access.deny("Your organization asks for a factor that you do not have.")
