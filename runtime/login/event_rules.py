"""What an event must say before any action judges it, and the form in which actions see its addresses.

Knows members, instants, addresses and sizes. Must not know requests. The daemon and the commands that run actions
without one hold every event to it.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import TYPE_CHECKING, Any, Final

from runtime.errors import InvalidEvent

if TYPE_CHECKING:
    from vestibule.v1.event_pb2 import PostLoginEvent

# RFC 4291, section 2.5.5.2.
_MAPPED: Final = bytes(10) + b"\xff\xff"
# The years 1 to 9999, which a Timestamp is made for; in a message it may hold any 64 bits.
FIRST_S: Final = -62_135_596_800
LAST_S: Final = 253_402_300_799
_NANOS: Final = 1_000_000_000
FACTS_BYTES: Final = 64 << 10
"""Size of the facts that are allowed unless a setting says otherwise."""
_USER: Final = ("created_at", "updated_at", "last_password_reset")
_SESSION: Final = (
    "authenticated_at", "created_at", "updated_at", "expires_at", "idle_expires_at", "last_interacted_at"
)  # fmt: skip
_TOKEN: Final = ("created_at", "expires_at", "idle_expires_at", "last_exchanged_at")
_ANONYMOUS: Final = ("created_at", "expires_at")
_METHOD: Final = ("timestamp",)


def hold(event: PostLoginEvent, tenant_id: str | None, max_facts_bytes: int = FACTS_BYTES) -> bool:
    """Check an event, and write its IPv4-mapped addresses as IPv4, in place.

    An action compares addresses with IPv4 ranges: of `::ffff:192.0.2.1` it would find that no range holds it.

    Args:
        event: parsed; hostile.
        tenant_id: whose flow is to decide; None for an action that is run by itself.
        max_facts_bytes: of the facts, serialized.

    Returns: whether the event was changed.
    Raises: InvalidEvent: an action could not judge it rightly.
    """
    user = event.user
    if not user.user_id:
        raise InvalidEvent("is absent; send the id of the user who logs in", "event.user.user_id")
    if not event.client.client_id:
        raise InvalidEvent("is absent; send the id of the application", "event.client.client_id")
    if event.HasField("tenant") and tenant_id is not None and event.tenant.id not in ("", tenant_id):
        raise InvalidEvent(
            f"names another tenant than tenant_id, {tenant_id!r}; send the event of this tenant, or leave it out",
            "event.tenant.id",
        )
    if event.HasField("facts") and (size := event.facts.ByteSize()) > max_facts_bytes:
        raise InvalidEvent(
            f"{size} bytes are more than the {max_facts_bytes} allowed; send less, or raise limits.facts_bytes",
            "event.facts",
        )
    _hold_instants(user, _USER, "event.user")
    changed = _unmap(event.request, "ip", "event.request.ip")
    if event.HasField("anonymous_session"):
        _hold_instants(event.anonymous_session, _ANONYMOUS, "event.anonymous_session")
    if event.HasField("session"):
        _hold_instants(event.session, _SESSION, "event.session")
        changed |= _unmap_device(event.session, "event.session.device")
    if event.HasField("refresh_token"):
        _hold_instants(event.refresh_token, _TOKEN, "event.refresh_token")
        changed |= _unmap_device(event.refresh_token, "event.refresh_token.device")
    if event.HasField("session_transfer_token"):
        token = event.session_transfer_token
        changed |= token.HasField("request") and _unmap(token.request, "ip", "event.session_transfer_token.request.ip")
    if event.HasField("authentication"):
        authentication = event.authentication
        for index, method in enumerate(authentication.methods):
            _hold_instants(method, _METHOD, "event.authentication.methods", index)
        if authentication.HasField("risk_assessment"):
            details = authentication.risk_assessment.assessments.untrusted_ip.details
            changed |= _unmap(details, "ip", "event.authentication.risk_assessment.assessments.untrusted_ip.details.ip")
    return changed


def _hold_instants(owner: Any, names: tuple[str, ...], field: str, index: int | None = None) -> None:
    """Refuse an instant that is none: no action could read it. Raises: InvalidEvent."""
    for name in names:
        if owner.HasField(name):
            instant = getattr(owner, name)
            if not (FIRST_S <= instant.seconds <= LAST_S and 0 <= instant.nanos < _NANOS):
                raise InvalidEvent(
                    "is out of range; send seconds of the years 1 to 9999, and nanos from 0 to 999999999",
                    f"{field}.{name}" if index is None else f"{field}[{index}].{name}",
                )


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
