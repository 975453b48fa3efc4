"""`ipaddress`: addresses, networks, and the networks that an action names in its source.

Touches no network: nothing here resolves. Must not keep anything of a login for the next one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from types import CodeType
from typing import Any, Final

from sandbox.reach.facades.base import Module, exception, module, opened
from sandbox.reach.facades.context import KEPT

_ADDRESS: Final = (
    "compressed exploded is_global is_link_local is_loopback is_multicast is_private is_reserved is_unspecified"
    " max_prefixlen packed reverse_pointer version"
)
_NETWORK: Final = (
    "address_exclude broadcast_address compare_networks compressed exploded hostmask hosts is_global"
    " is_link_local is_loopback is_multicast is_private is_reserved is_unspecified max_prefixlen netmask"
    " network_address num_addresses overlaps prefixlen reverse_pointer subnet_of subnets supernet supernet_of"
    " version with_hostmask with_netmask with_prefixlen"
)
_V6: Final = " ipv4_mapped is_site_local scope_id sixtofour teredo"

_HOST_BITS: Final = " has host bits set"
KNOWN_MAX: Final = 64
_CONSTANTS_MAX: Final = 10_000
_LONGEST: Final = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128")
_MASKS: Final[list[dict[Any, Any]]] = []
"""Where `ipaddress` keeps the masks that it has made."""
KNOWN: Final[dict[str, tuple[type, tuple[int, int]]]] = {}
"""What the constants of this worker's actions say that name a network: the class, and the numbers that it is made of.
A login makes its networks of these: to read the text again for each login takes five times as long."""


def forget() -> None:
    """Know none any more."""
    KNOWN.clear()


def learn(code: CodeType) -> None:
    """Read the networks that a compiled action names, before any login. The code may come from a hostile worker."""
    try:
        for text in _texts(code):
            if len(KNOWN) >= KNOWN_MAX:
                return
            try:
                network = ipaddress.ip_network(text)
            except ValueError:
                continue
            KNOWN[text] = type(network), (int(network.network_address), network.prefixlen)
    finally:
        _forget_masks()


def _texts(code: CodeType) -> Iterator[str]:
    """Yield the constants that may name a network; the scope of an IPv6 address would be lost."""
    waiting: list[Any] = [code]
    for _ in range(_CONSTANTS_MAX):
        if not waiting:
            return
        value = waiting.pop()
        kind = type(value)
        if kind is CodeType:
            waiting += value.co_consts[:_CONSTANTS_MAX]
        elif (kind is tuple or kind is frozenset) and len(value) + len(waiting) <= _CONSTANTS_MAX:
            waiting += value
        elif kind is str and len(value) <= _LONGEST and "/" in value and "%" not in value:
            yield value


def _forget_masks() -> None:
    for masks in _MASKS:
        masks.clear()


def ip_network(address: Any, strict: bool = True) -> Any:
    """Make a network of an address and a prefix; the library does not say how to take an address that is in it.

    It begins without masks and leaves none, so that a network is the same whether or not its text is known.
    """
    _forget_masks()
    try:
        known = KNOWN.get(address) if type(address) is str else None
        if known is not None:
            kind, numbers = known
            return kind(numbers)
        return ipaddress.ip_network(address, strict)
    except ValueError as error:
        if not str(error).endswith(_HOST_BITS):
            raise
        error.add_note("with strict=False it is the network that the address is in")
        raise
    finally:
        _forget_masks()


def _open_addresses() -> None:
    interface = " hostmask ip netmask network with_hostmask with_netmask with_prefixlen"
    opened(ipaddress.IPv4Address, _ADDRESS)
    opened(ipaddress.IPv6Address, _ADDRESS + _V6)
    opened(ipaddress.IPv4Network, _NETWORK, iterable=True, items=True)
    opened(ipaddress.IPv6Network, f"{_NETWORK} is_site_local", iterable=True, items=True)
    opened(ipaddress.IPv4Interface, _ADDRESS + interface)
    opened(ipaddress.IPv6Interface, _ADDRESS + _V6 + interface)
    exception(ipaddress.AddressValueError)
    exception(ipaddress.NetmaskValueError)


def _forget_addresses() -> None:
    """Let `ipaddress` keep nothing: a mask found again, as 24.0 after 24, would tell that a login was here before."""
    kinds: list[Any] = [ipaddress.IPv4Address, ipaddress.IPv4Network, ipaddress.IPv6Address, ipaddress.IPv6Network]
    for kind in kinds:
        for name, member in list(vars(kind).items()):
            remembering: Any = getattr(member, "fget", None)
            if hasattr(remembering, "cache_clear"):
                setattr(kind, name, property(remembering.__wrapped__))
        if hasattr(kind, "_netmask_cache") and not any(masks is kind._netmask_cache for masks in _MASKS):
            _MASKS.append(kind._netmask_cache)
    KEPT.extend(_MASKS)


def modules() -> dict[str, Module]:
    """Build the facade of this file and open what its values show."""
    _open_addresses()
    _forget_addresses()
    return {"ipaddress": module("ipaddress", {"ip_network": ip_network}, ipaddress)}
