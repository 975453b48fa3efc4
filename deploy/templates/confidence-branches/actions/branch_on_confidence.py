"""Decide by the overall confidence of the risk assessment, one branch for each value.

Reads `riskAssessment.confidence`. Values are words without an order, so they are compared for equality only. A login
that was not assessed is treated like one of low confidence. Wants no secrets.

Source: post-login examples, overall confidence branches.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    confidence = event.get("authentication.riskAssessment.confidence", "low")
    if confidence == "high":
        return
    if confidence == "medium":
        api.multifactor.enable("any", allow_remember_browser=True)
    else:  # low, neutral, and whatever a later version adds
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("any", allow_remember_browser=False)
