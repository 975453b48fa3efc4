"""Refuse a login whose distance from the last one cannot be travelled in the time between.

Reads the code of the ImpossibleTravel assessment; a login without the assessment passes. Wants no secrets.

Source: post-login examples, block impossible travel.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    code = event.get("authentication.riskAssessment.assessments.ImpossibleTravel.code")
    if code == "impossible_travel_from_last_login":
        api.access.deny("This login is too far from your last one.")
