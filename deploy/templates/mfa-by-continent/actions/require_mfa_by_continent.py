"""Require a second factor for logins from North America.

Reads `request.geoip`, every member of which may be absent: a login from nowhere known is not asked. Turn the test
round (`not in` the continents you trust) to ask it. Wants no secrets.

Source: post-login examples, by continent.
"""

from vestibule_actions import Api, Event

CONTINENTS = frozenset({"NA"})


def on_execute_post_login(event: Event, api: Api) -> None:
    if event.request.geoip.continent_code in CONTINENTS:
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("any")
