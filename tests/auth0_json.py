"""Auth0's JSON of an event, written from the message, and events of any content: for tests of what reads that JSON.

Knows the descriptors. Must not use what the reader of the JSON uses.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st
from vestibule.v1.event_pb2 import PostLoginEvent

WRAPPERS = frozenset(
    {"StringList", "ObjectList", "Policies", "GrantedResourceServers", "SessionClients", "EnrolledFactors"}
)


def written(message: Message, camel: bool) -> Any:
    """Return a message as Auth0 writes it, with names in one spelling."""
    if isinstance(message, Timestamp):
        return message.ToJsonString()
    if isinstance(message, Struct):
        return json_format.MessageToDict(message)
    if message.DESCRIPTOR.name in WRAPPERS:
        return _list(getattr(message, "values"), camel)  # noqa: B009 - every wrapper has it
    shown = {
        field.json_name if camel else field.name: _member(field, value, camel) for field, value in message.ListFields()
    }
    attributes = shown.get("attributes")
    if attributes:
        # Beside the members that are known; one by such a name has no other place.
        known = {spelling for field in message.DESCRIPTOR.fields for spelling in (field.name, field.json_name)}
        shown["attributes"] = {name: value for name, value in attributes.items() if name in known}
        shown |= {name: value for name, value in attributes.items() if name not in known}
    return shown


def _member(field: FieldDescriptor, value: Any, camel: bool) -> Any:
    if field.is_repeated:
        return _list(value, camel)
    return value if field.message_type is None else written(value, camel)


def _list(values: Any, camel: bool) -> list[Any]:
    return [written(value, camel) if isinstance(value, Message) else value for value in values]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_LEAVES = (
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | st.floats(allow_nan=False, allow_infinity=False)
)
_NAMES = texts | st.sampled_from(["groups", "email", "attributes", "userId"])
data = st.recursive(
    _LEAVES | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES, inner, max_size=2),
    max_leaves=5,
)
objects = st.dictionaries(_NAMES, data, max_size=3)
_BOUNDS = {FieldDescriptor.CPPTYPE_INT32: 1 << 31, FieldDescriptor.CPPTYPE_INT64: 1 << 63}


def _scalars(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return texts
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        return st.floats(allow_nan=False, allow_infinity=False)
    bound = _BOUNDS[field.cpp_type]
    return st.integers(-bound, bound - 1)


@st.composite
def events(draw: st.DrawFn) -> PostLoginEvent:
    """Any event that JSON can say: each message has some of its fields, with values from end to end of their ranges."""
    event = PostLoginEvent()
    _fill(draw, event, 6)
    return event


def _fill(draw: st.DrawFn, message: Any, most: int) -> None:
    descriptor: Descriptor = message.DESCRIPTOR
    message.SetInParent()
    if isinstance(message, Timestamp):
        message.seconds = draw(st.integers(-62_135_596_800, 253_402_300_799))
        message.nanos = draw(st.sampled_from([0, 1, 999_999_999]) | st.integers(0, 999_999_999))
        return
    if isinstance(message, Struct):
        message.update(draw(objects))
        return
    for field in draw(st.lists(st.sampled_from(list(descriptor.fields)), max_size=most, unique_by=lambda f: f.name)):
        target = getattr(message, field.name)
        if field.is_repeated:
            for _ in range(draw(st.integers(0, 2))):
                if field.message_type is None:
                    target.append(draw(_scalars(field)))
                else:
                    _fill(draw, target.add(), 2)
        elif field.message_type is None:
            setattr(message, field.name, draw(_scalars(field)))
        else:
            _fill(draw, target, 4)
