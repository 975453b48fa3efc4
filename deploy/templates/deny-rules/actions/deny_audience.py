"""Refuse logins that ask for an API which only machines may use.

Reads `resource_server.identifier`; most logins ask for no API. Wants no secrets.

Source: post-login examples, deny by audience.
"""

from vestibule_actions import Api, Event

AUDIENCES = frozenset({"https://machines.example.com/"})


def on_execute_post_login(event: Event, api: Api) -> None:
    if event.get("resource_server.identifier") in AUDIENCES:
        api.access.deny("This API is not for people.")
