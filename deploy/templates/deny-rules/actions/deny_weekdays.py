"""Refuse logins on the days of the week on which the company is closed.

Reads the clock, in UTC. Secrets: CLOSED_DAYS, English names with commas between them; nothing is closed without it.

Source: post-login examples, deny by weekday.
"""

from datetime import UTC, datetime

from vestibule_actions import Api, Event

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def on_execute_post_login(event: Event, api: Api) -> None:
    closed = {day.strip().lower() for day in event.secrets.get("CLOSED_DAYS", "").split(",")}
    if DAYS[datetime.now(UTC).weekday()] in closed:
        api.access.deny("Logins are closed today.")
