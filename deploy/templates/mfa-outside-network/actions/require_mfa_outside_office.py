"""Require a second factor outside the office network.

Reads the request's address. An IPv6 address is outside an IPv4 network, and so is an address that cannot be read: a
rule about networks must not fail open. Wants no secrets.

Source: post-login examples, outside the network.
"""

import ipaddress

from vestibule_actions import Api, Event

# An address of a host with the size of its network is how people write it; strict=False drops the host's bits.
OFFICE = ipaddress.ip_network("192.168.1.134/26", strict=False)


def in_office(address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in OFFICE
    except ValueError:
        return False


def on_execute_post_login(event: Event, api: Api) -> None:
    if not in_office(event.request.ip):
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("any", allow_remember_browser=False)
