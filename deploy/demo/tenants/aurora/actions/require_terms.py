"""Send users who have not agreed to the current terms to a page of their own; refuse those who do not agree there."""

TERMS = "2026-10"


def on_execute_post_login(event, api):
    if event.user.user_metadata.get("terms") == TERMS or not api.redirect.can_redirect():
        return
    token = api.redirect.encode_token(secret=event.secrets["TERMS_KEY"], payload={"terms": TERMS})
    api.redirect.send_user_to("https://accounts.aurora.example/terms", query={"session_token": token})


def on_continue_post_login(event, api):
    answer = api.redirect.validate_token(secret=event.secrets["TERMS_KEY"])
    if answer.get("agreed") != TERMS:
        api.access.deny("The terms must be agreed to.")
        return
    api.user.set_user_metadata("terms", TERMS)
    api.authentication.record_method("https://accounts.aurora.example/terms")
