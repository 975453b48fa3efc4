"""What an event must say before any action judges it, and the form in which actions see its addresses.

The daemon and the commands that run actions without one hold every event to it.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import TYPE_CHECKING, Any, Final

from runtime.errors import InvalidEvent

if TYPE_CHECKING:
    from vestibule.v1.event_pb2 import PostLoginEvent

# RFC 4291, section 2.5.5.2.
_MAPPED: Final = bytes(10) + b"\xff\xff"


def hold(event: PostLoginEvent, tenant_id: str | None) -> bool:
    """Check an event, and write its IPv4-mapped addresses as IPv4, in place.

    An action compares addresses with IPv4 ranges: of `::ffff:192.0.2.1` it would find that no range holds it.

    Args:
        event: parsed; hostile.
        tenant_id: whose flow is to decide; None for an action that is run by itself.

    Returns: whether the event was changed.
    Raises: InvalidEvent: an action could not judge it rightly.
    """
    if not event.user.user_id:
        raise InvalidEvent("is absent; send the id of the user who logs in", "event.user.user_id")
    if not event.client.client_id:
        raise InvalidEvent("is absent; send the id of the application", "event.client.client_id")
    if event.HasField("tenant") and tenant_id is not None and event.tenant.id not in ("", tenant_id):
        raise InvalidEvent(
            f"names another tenant than tenant_id, {tenant_id!r}; send the event of this tenant, or leave it out",
            "event.tenant.id",
        )
    changed = _unmap(event.request, "ip", "event.request.ip")
    if event.HasField("session"):
        changed |= _unmap_device(event.session, "event.session.device")
    if event.HasField("refresh_token"):
        changed |= _unmap_device(event.refresh_token, "event.refresh_token.device")
    if event.HasField("session_transfer_token"):
        token = event.session_transfer_token
        changed |= token.HasField("request") and _unmap(token.request, "ip", "event.session_transfer_token.request.ip")
    if event.HasField("authentication") and event.authentication.HasField("risk_assessment"):
        details = event.authentication.risk_assessment.assessments.untrusted_ip.details
        changed |= _unmap(details, "ip", "event.authentication.risk_assessment.assessments.untrusted_ip.details.ip")
    return changed


def _unmap_device(owner: Any, field: str) -> bool:
    if not owner.HasField("device"):
        return False
    first = _unmap(owner.device, "initial_ip", f"{field}.initial_ip")
    return _unmap(owner.device, "last_ip", f"{field}.last_ip") or first


def _unmap(message: Any, name: str, field: str) -> bool:
    """Return whether an address was rewritten. One that is absent stays absent. Raises: InvalidEvent."""
    address: str = getattr(message, name)
    if not address:
        return False
    try:
        if ":" not in address:
            inet_pton(AF_INET, address)
            return False
        packed = inet_pton(AF_INET6, address)
    except (OSError, ValueError):
        raise InvalidEvent(
            f"text of {len(address)} characters is not an IPv4 or IPv6 address; "
            "send one address alone: no port, brackets, prefix, zone or list",
            field,
        ) from None
    if not packed.startswith(_MAPPED):
        return False
    setattr(message, name, inet_ntop(AF_INET, packed[len(_MAPPED) :]))
    return True
