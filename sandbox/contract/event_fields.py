"""What a field of the event is beyond its descriptor: what may be absent, what is open, what is ours and no field.

Both sides read the event by it: the views of an action, the reader of Auth0's JSON, what checks an action, and what
writes its types and reference. Must not know how a member is read.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.descriptor import FieldDescriptor

from sandbox.contract.readonly import LOOKING

_STRUCT = "google.protobuf.Struct"
_TIMESTAMP = "google.protobuf.Timestamp"
_WRAPPED = "values"

# Source of the first three tables: the post-login reference, section 1. Paths are of snake_case names; a list's items
# share the path of the list.

REQUIRED_OBJECTS: Final = frozenset(
    {
        "agent.agent_metadata",
        "authentication.risk_assessment.assessments",
        "client",
        "client.metadata",
        "connection",
        "custom_domain.domain_metadata",
        "experiment.config",
        "facts",
        "organization.metadata",
        "request",
        "request.body",
        "request.geoip",
        "request.query",
        "session_transfer_token.request",
        "stats",
        "tenant",
        "transaction.attributes",
        "transaction.metadata",
        "user",
        "user.app_metadata",
        "user.attributes",
        "user.user_metadata",
    }
)
"""Objects that Auth0 always sends, and ours: absent on the wire, they read as empty. Any other reads as None."""

REQUIRED_INSTANTS: Final = frozenset(
    {"authentication.methods.timestamp", "refresh_token.created_at", "user.created_at", "user.updated_at"}
)
"""Instants that Auth0 always sends: absent on the wire, they read as empty text. Any other instant reads as None."""

OPEN_OBJECTS: Final = frozenset({"transaction", "user"})
"""Objects that Auth0 documents as open: what an upstream provider added is in their `attributes`."""

OWN_MEMBERS: Final = {
    "secrets": "The action's secrets in `tenant.yaml`, by name.",
    "configuration": "Always empty: no action here is an installed integration.",
    "policy": "What the tenant's policy would decide if no action asked for anything.",
    "purpose": "Why the flow runs: `refresh`, a refresh token is exchanged; `step_up`, the application asks for a"
    " factor by the PAPE class in `acr_values`; `login`, any other.",
}
"""Members of the event that are no fields of its message, and what they say."""
POLICY_MEMBERS: Final = {
    "outcome": "`mfa_required` or `allow`. A browser that remembers the user may satisfy what is required.",
    "reason": "The rule that requires a factor: `always`, `adaptive` at low confidence, `step_up`; None without one.",
    "factors": "The factors that the user would be offered, safest first; empty if none is required.",
}
"""Members of `event.policy`."""

METHODS: Final = ("get", *LOOKING)
"""What every view can do, beside having members."""


def is_struct(field: FieldDescriptor) -> bool:
    """Tell whether a field, or an item of it, is an object of free shape."""
    return field.message_type is not None and field.message_type.full_name == _STRUCT


def is_instant(field: FieldDescriptor) -> bool:
    """Tell whether a field is an instant."""
    return field.message_type is not None and field.message_type.full_name == _TIMESTAMP


def wrapped(field: FieldDescriptor) -> FieldDescriptor | None:
    """Return the list in a field that stands for a list that may be absent; None for any other field.

    Protobuf's lists have no presence. The event has a message around such a list, with nothing else in it.
    """
    message = field.message_type
    if message is None or field.is_repeated or is_struct(field):
        return None
    (first, *others) = message.fields
    return first if first.name == _WRAPPED and first.is_repeated and not others else None
