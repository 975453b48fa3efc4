"""An event that was written as Auth0's JSON is read as the same event, in both spellings and through a Struct."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from vestibule.v1.event_pb2 import PostLoginEvent

from runtime.login import structs
from runtime.login.event_json import from_json, loads
from sandbox.contract.event_fields import wrapped
from tests.auth0_json import WRAPPERS, events, written


@given(events())
def test_an_event_survives_auth0s_json(event: PostLoginEvent) -> None:
    """Nothing is lost and nothing is added: absent and empty lists, instants to the nanosecond, attributes, facts."""
    for camel in (True, False):
        assert from_json(written(event, camel)) == event


@given(events())
def test_text_and_struct_are_the_same_event(event: PostLoginEvent) -> None:
    """A line of a file, a body of HTTP and a field of the request lead to one event."""
    value = written(event, True)
    assert loads(json.dumps(value)) == event
    # Doubles keep no more of a number, and no action sees the difference.
    value.pop("stats", None)
    event.ClearField("stats")
    sent = Struct()
    sent.update(value)
    assert from_json(structs.read(Struct.FromString(sent.SerializeToString()), 10_000)) == event


def test_control_the_writer_knows_every_wrapper() -> None:
    """Control: the two sides find the lists that may be absent by different means, and find the same."""
    found: set[str] = set()
    queue: list[Any] = [PostLoginEvent.DESCRIPTOR]
    while queue:
        message: Descriptor = queue.pop()
        for field in message.fields:
            listed = wrapped(field)
            if listed is not None:
                assert field.message_type is not None
                found.add(field.message_type.name)
            below = (listed or field).message_type
            if below is not None and below.file.name == "vestibule/v1/event.proto":
                queue.append(below)
    assert found == WRAPPERS
