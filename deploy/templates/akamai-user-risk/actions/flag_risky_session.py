"""Require a second factor in sessions with a high user risk, and remember the session in the user's `app_metadata`.

Reads Akamai's user risk score, the methods of the session, `session.id`, and `app_metadata.risky_session`, which this
action keeps. The mark outlives the login, because a factor is presented only after all actions have run: a user who
gives up at the challenge meets it again in the same session, whatever the score is by then. Wants no secrets. Belongs
together with `clear_risk_flag`, which comes after it.

Source: post-login examples, Akamai user risk, first action.
"""

from vestibule_actions import Api, Event

RISKY_SCORE = 90


def on_execute_post_login(event: Event, api: Api) -> None:
    risky = event.get("authentication.riskAssessment.supplemental.akamai.akamaiUserRisk.score", 0) >= RISKY_SCORE
    flagged = event.session is not None and event.session.id == event.user.app_metadata.get("risky_session")
    done = any(method.name == "mfa" for method in event.get("authentication.methods", ()))
    if risky or (flagged and not done):
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("any", allow_remember_browser=False)
    if risky and event.session is not None and not flagged:
        api.user.set_app_metadata("risky_session", event.session.id)
