"""Require a second factor for some applications when the last one is older than 15 minutes.

Reads the application's id, and names and instants of the session's methods, which are in no particular order. An
instant that was not sent, or that lies ahead of the clock by more than a moment, counts as never. Wants no secrets.

The documented original treats a factor younger than one minute as none at all; this one does not.

Source: post-login examples, every N minutes.
"""

from datetime import UTC, datetime, timedelta

from vestibule_actions import Api, Event

CLIENTS = frozenset({"REPLACE_WITH_A_CLIENT_ID"})
INTERVAL = timedelta(minutes=15)
CLOCK_SKEW = timedelta(minutes=1)


def instant(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def on_execute_post_login(event: Event, api: Api) -> None:
    if event.client.client_id not in CLIENTS:
        return
    now = datetime.now(UTC)
    methods = event.authentication.methods if event.authentication else ()
    moments = [instant(method.timestamp) for method in methods if method.name == "mfa"]
    if not any(moment and -CLOCK_SKEW <= now - moment <= INTERVAL for moment in moments):
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("any", allow_remember_browser=False)
