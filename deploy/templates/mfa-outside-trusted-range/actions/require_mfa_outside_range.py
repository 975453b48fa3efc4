"""Require one of Guardian's factors outside a trusted range of addresses.

Refuses the login when the range is missing or no range, and when the address cannot be read. An IPv6 address is
outside an IPv4 range. Reads the request's address.

Secrets: TRUSTED_CIDR, one range such as 192.0.2.0/24.

Source: post-login examples, outside a trusted CIDR (template).
"""

import ipaddress

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    try:
        trusted = ipaddress.ip_network(event.secrets.get("TRUSTED_CIDR", ""), strict=False)
    except ValueError:
        api.access.deny("The login rules are not set up.")
        return
    try:
        inside = ipaddress.ip_address(event.request.ip) in trusted
    except ValueError:
        api.access.deny("Your address could not be read.")
        return
    if not inside:
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("guardian", allow_remember_browser=False)
