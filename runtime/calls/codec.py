"""Read a request into checked values, without turning the event into objects."""

import os
import re
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.struct_pb2 import Struct
from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule.v1.runtime_service_pb2 import (
    VIEW_BASIC,
    VIEW_FULL,
    ContinuePostLoginRequest,
    ExecutePostLoginRequest,
    GatewayContext,
    GetTenantRequest,
)
from vestibule.worker.v1.worker_pb2 import ExecuteEnvelope

from runtime.continuation.token import MAX_BYTES
from runtime.errors import InvalidEvent, InvalidRequest
from runtime.login import event_json, event_rules, structs
from runtime.login.request import Request

T = TypeVar("T", bound=Message)

_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}").fullmatch
_REQUEST_ID_CHARS: Final = 128

# What a message may hold besides its event: a continuation, and then a name, an id, some unknown fields.
ENVELOPE_BYTES: Final = MAX_BYTES + 64 * 1024
# In Auth0's JSON: each costs the daemon a microsecond or two, in which no other login is answered.
AUTH0_VALUES: Final = 20_000
# Of a request that is too large. A gateway writes six, and the event is the third.
_FIELDS_LOOKED_AT: Final = 16
_EVENT_TAGS: Final = (0x1A, 0x22)
_LENGTH_DELIMITED: Final = 2


def decode(
    data: bytes,
    max_event_bytes: int,
    public: type[ExecutePostLoginRequest | ContinuePostLoginRequest] = ExecutePostLoginRequest,
    *,
    max_facts_bytes: int = event_rules.FACTS_BYTES,
) -> Request:
    """Return what a serialized request asks for.

    An empty request id is replaced; the gateway is None when the request has none.

    data: bytes from a caller; hostile. The event is checked by parsing it here, so that no worker is asked to.
    Raises: InvalidRequest, InvalidEvent.
    """
    if len(data) > max_event_bytes + ENVELOPE_BYTES:
        raise _too_large(data, max_event_bytes)
    try:
        envelope = ExecuteEnvelope.FromString(data)
        if envelope.ByteSize() != len(data):
            # Protobuf joins an event that comes in pieces, of bytes it takes the last: what it dropped is missing here.
            # No gateway sends one so, but actions must see what every other reader of the request sees.
            _bound(len(data) - max_event_bytes)
            envelope = ExecuteEnvelope.FromString(_parsed(data, public).SerializeToString())
    except DecodeError:
        raise _not_serialized(public) from None
    event: bytes = envelope.event or envelope.auth0_event
    _bound(len(data) - len(event))
    tenant_id: str = envelope.tenant_id
    request_id: str = envelope.request_id
    if not _TENANT(tenant_id):
        raise InvalidRequest("tenant_id", _tenant_fault(tenant_id))
    named = bool(request_id)
    if not named:
        request_id = os.urandom(16).hex()
    elif len(request_id) > _REQUEST_ID_CHARS or not request_id.isprintable():
        raise InvalidRequest(
            "request_id",
            f"text of {len(request_id)} characters is not usable as an id; "
            f"send at most {_REQUEST_ID_CHARS} printable ones, or none to have one chosen",
        )
    view: int = envelope.view
    if view and view not in (VIEW_BASIC, VIEW_FULL):
        raise InvalidRequest(
            "view", f"has the number {view}, which is no vestibule.v1.View; send BASIC or FULL, or none"
        )
    if len(event) > max_event_bytes:
        raise _event_too_large(len(event), max_event_bytes)
    if not event and not _parsed(data, public).WhichOneof("login"):
        # Absent is a fault of the gateway, and a flow that sees only absent members might not require a factor.
        raise InvalidEvent("is absent; send the login that is to be decided: event, or Auth0's own JSON as auth0_event")
    if envelope.HasField("auth0_event"):
        message = _of_auth0(event)
        event_rules.hold(message, tenant_id, max_facts_bytes)
        event = message.SerializeToString()
    else:
        message = _event(event)
        if event_rules.hold(message, tenant_id, max_facts_bytes):
            event = message.SerializeToString()
    gateway: bytes | None = None
    if envelope.HasField("gateway"):
        gateway = envelope.gateway
        try:
            GatewayContext.FromString(gateway)
        except DecodeError:
            raise InvalidRequest(
                "gateway", "is not a serialized vestibule.v1.GatewayContext; check the client's proto files"
            ) from None
    return Request(tenant_id, request_id, event, gateway, message=message, basic=view == VIEW_BASIC, named=named)


def _event(data: bytes) -> PostLoginEvent:
    try:
        return PostLoginEvent.FromString(data)
    except DecodeError:
        raise InvalidEvent(
            "is not a serialized vestibule.v1.PostLoginEvent; check the client's proto files, that text is UTF-8, "
            "and that metadata is nested at most 30 deep"
        ) from None


def _of_auth0(data: bytes) -> PostLoginEvent:
    """Return the event of a serialized Struct, Auth0's JSON. Raises: InvalidEvent."""
    try:
        given = Struct.FromString(data)
    except DecodeError:
        raise InvalidEvent(
            "is not a serialized google.protobuf.Struct; check the client's proto files, that text is UTF-8, and that "
            f"it is nested at most {event_json.MAX_DEPTH} deep",
            "auth0_event",
        ) from None
    if not given.fields:
        # What a library makes of plain JSON where it wants a Struct as it is on the wire.
        raise InvalidEvent("has no members; send Auth0's JSON, each member among the Struct's `fields`", "auth0_event")
    try:
        members = structs.read(given, AUTH0_VALUES)
    except structs.TooMany:
        raise InvalidEvent(f"has more than {AUTH0_VALUES} values; send what actions need", "auth0_event") from None
    return event_json.from_json(members)


def decode_continuation(
    data: bytes, max_event_bytes: int, *, max_facts_bytes: int = event_rules.FACTS_BYTES
) -> Request:
    """Return what a serialized ContinuePostLoginRequest asks for.

    data: bytes from a caller; hostile. The continuation is only bytes here.
    Raises: InvalidRequest, InvalidEvent.
    """
    request = decode(data, max_event_bytes, ContinuePostLoginRequest, max_facts_bytes=max_facts_bytes)
    envelope = ExecuteEnvelope.FromString(data)
    return request._replace(continuation=envelope.continuation, completed=list(envelope.completed))


def decode_tenant(data: bytes, _max_event_bytes: int) -> Request:
    """Return what a serialized GetTenantRequest asks for. data: hostile. Raises: InvalidRequest."""
    _bound(len(data))
    tenant_id: str = _parsed(data, GetTenantRequest).tenant_id
    if not _TENANT(tenant_id):
        raise InvalidRequest("tenant_id", _tenant_fault(tenant_id))
    return Request(tenant_id, "", b"")


def _parsed(data: bytes, public: type[T]) -> T:
    """Parse a request whole: the envelope leaves its messages as bytes. Raises: InvalidRequest."""
    try:
        return public.FromString(data)
    except DecodeError:
        raise _not_serialized(public) from None


def _not_serialized(public: type[Message]) -> InvalidRequest:
    return InvalidRequest(
        "request", f"is not a serialized {public.DESCRIPTOR.full_name}; check the client's proto files"
    )


def _bound(size: int) -> None:
    """Refuse a request that holds so much besides its event; what it is made of can take long to read."""
    if size > ENVELOPE_BYTES:
        raise _envelope_too_large(size)


def _envelope_too_large(size: int) -> InvalidRequest:
    return InvalidRequest(
        "request", f"holds {size} bytes besides its event; {ENVELOPE_BYTES} are allowed: send what the API names"
    )


def _event_too_large(size: int, allowed: int) -> InvalidEvent:
    return InvalidEvent(f"{size} bytes are more than the {allowed} allowed; send less metadata, query or body")


def _too_large(data: bytes, max_event_bytes: int) -> InvalidRequest:
    """Say what makes a request too large, from the lengths of its first fields: nothing of it is decoded or copied."""
    at, event = 0, 0
    for _ in range(_FIELDS_LOOKED_AT):
        if at + 2 > len(data):
            break
        size, end = length(data, at + 1)
        if data[at] in _EVENT_TAGS:
            event += size
        elif data[at] & 7 != _LENGTH_DELIMITED or data[at] >= 0x80:
            break
        at = end + size
    if event > max_event_bytes:
        return _event_too_large(event, max_event_bytes)
    return _envelope_too_large(len(data) - event)


def length(data: bytes, at: int) -> tuple[int, int]:
    """Read a length of up to five bytes; return it, and the place behind it."""
    size = 0
    for shift in range(0, 35, 7):
        byte = data[at] if at < len(data) else 0
        at += 1
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return size, at


def _tenant_fault(tenant_id: str) -> str:
    if not tenant_id:
        return "is absent; send the id of the tenant whose flow is to decide"
    return (
        f"text of {len(tenant_id)} characters is not a tenant id; "
        "send 1 to 64 lower-case letters, digits and hyphens that begin with a letter or digit"
    )
