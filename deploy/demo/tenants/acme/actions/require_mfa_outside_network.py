"""Require a second factor from everywhere but the office network.

An address that cannot be read counts as outside: a rule about networks must not fail open.
"""

import ipaddress

# As printed in the documentation, an address of a host in the network; strict=False drops its host bits.
OFFICE = ipaddress.ip_network("192.168.1.134/26", strict=False)


def in_office(text: str) -> bool:
    try:
        return ipaddress.ip_address(text) in OFFICE  # an IPv6 address is in no IPv4 network
    except ValueError:
        return False


def on_execute_post_login(event, api):
    if not in_office(event.request.ip):
        # vestibule: allow mfa-on-refresh bypass_refresh_token lifts it
        api.multifactor.enable("any", allow_remember_browser=False)
