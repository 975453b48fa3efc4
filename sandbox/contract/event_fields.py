"""What a field of the event is beyond its descriptor: an object of free shape, an instant, a list that may be absent.

Both sides read the event by it: the views of an action, and the reader of Auth0's JSON. Must not know any member.
"""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor

_STRUCT = "google.protobuf.Struct"
_TIMESTAMP = "google.protobuf.Timestamp"
_WRAPPED = "values"


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
