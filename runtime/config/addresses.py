"""Addresses as they are written: host and port, or `unix:` and a path; and who reaches them.

Must not know the settings, nor import pydantic: a command that asks a daemon once has no time for it.
"""

import ipaddress
from typing import Final

_UNIX: Final = "unix:"


def unix_path(address: str) -> str | None:
    """Return the path of an address that is a unix socket's; None for host and port."""
    return address.removeprefix(_UNIX) if address.startswith(_UNIX) else None


def split_address(address: str) -> tuple[str, int]:
    """Split an Address into a host without brackets and a port."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def is_local(address: str) -> bool:
    """Tell whether only this host reaches an address. A name that is not `localhost` may be anything."""
    if unix_path(address) is not None:
        return True
    host = split_address(address)[0]
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost"
    # Before Python 3.13 an IPv4 address that is written as IPv6 is no loopback by itself.
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def bound(address: str, port: int) -> str:
    """Return the address that is listened on, once a port 0 has become a real one."""
    if unix_path(address) is not None:
        return address
    return f"{address.rpartition(':')[0]}:{port}"
