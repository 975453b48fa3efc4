"""Reads an event from JSON in Auth0's own shape, as found in their documentation, test events and logs.

Knows ProtoJSON and what it loses: that an optional list was there and empty. Must not know what an event means.
Called by the commands that take an event from a file; a gateway sends protobuf.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from google.protobuf import json_format
from vestibule.v1 import event_pb2

from runtime.errors import InvalidEvent

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor


def loads(text: str) -> event_pb2.PostLoginEvent:
    """Parse JSON text; see `from_json`.

    Raises:
        InvalidEvent: the text is not JSON, or not an event.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(f"is not JSON: {error}") from None
    return from_json(value)


def from_json(value: Any) -> event_pb2.PostLoginEvent:
    """Build an event from parsed JSON.

    Both spellings of a name are accepted (`enrolledFactors`, `enrolled_factors`), unknown members are ignored, and
    lists that are present but empty are noted in `empty_lists`, as a gateway must.

    Raises:
        InvalidEvent: a member has the wrong type.
    """
    if not isinstance(value, dict):
        raise InvalidEvent("must be a JSON object")
    event = event_pb2.PostLoginEvent()
    try:
        json_format.ParseDict(value, event, ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise InvalidEvent(f"does not have the shape of a post-login event: {error}") from None
    known = set(event.empty_lists)
    event.empty_lists.extend(sorted(_empty_lists(value, cast("Descriptor", event.DESCRIPTOR), "") - known))
    return event


def _empty_lists(value: dict[str, Any], message: Descriptor, prefix: str) -> set[str]:
    """Collect the paths of empty lists: snake_case names, dots between; items share the path of their list."""
    found: set[str] = set()
    fields = {name: field for field in message.fields for name in (field.name, field.json_name)}
    for name, member in value.items():
        field = fields.get(name)
        if field is None or field.name == "empty_lists":
            continue
        path = f"{prefix}{field.name}"
        if field.is_repeated and member == []:
            found.add(path)
        elif field.message_type is not None and field.message_type.file.name == message.file.name:
            for item in member if field.is_repeated and isinstance(member, list) else (member,):
                if isinstance(item, dict):
                    found |= _empty_lists(item, field.message_type, f"{path}.")
    return found
