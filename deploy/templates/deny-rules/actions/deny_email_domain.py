"""Let only users of one domain into one application.

Reads the application's id and the user's address; a user without an address is of no domain. Wants no secrets.

Source: post-login examples, deny by email domain and client.
"""

from vestibule_actions import Api, Event

CLIENTS = frozenset({"REPLACE_WITH_A_CLIENT_ID"})
DOMAIN = "@example.com"


def on_execute_post_login(event: Event, api: Api) -> None:
    address = (event.user.email or "").lower()
    if event.client.client_id in CLIENTS and not address.endswith(DOMAIN):
        api.access.deny("This application is for members of example.com.")
