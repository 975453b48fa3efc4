"""Event data of free shape, lists and instants as an action reads them, made from protobuf's.

Must not hand out a protobuf object, nor know which members an event has.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from sandbox.contract.frozen import EventDict, frozen_list
from sandbox.contract.values import MAX_INT


def struct_data(path: str, struct: Struct) -> EventDict:
    """Convert a Struct to a fresh dict with sorted keys. Integral numbers become int: `5`, as in JSON, not `5.0`.

    Sorted, because a protobuf map has no order and its iteration varies from process to process, while an execution
    must come out the same wherever it runs. `path` is where in the event it stands.
    """
    # Not by items(): a protobuf map has it from `collections.abc`, in Python.
    fields = struct.fields
    made = EventDict({name: _value(path, fields[name]) for name in sorted(fields)})
    made._path_ = path
    return made


def _value(path: str, value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "number_value":
        number = value.number_value
        # A NaN and the infinities fail the comparison and stay floats.
        return int(number) if -MAX_INT <= number <= MAX_INT and number.is_integer() else number
    if kind == "struct_value":
        return struct_data(path, value.struct_value)
    if kind == "list_value":
        return frozen_list([_value(path, item) for item in value.list_value.values], path)
    return None


_EPOCH: Final = datetime(1970, 1, 1)


def instant_text(instant: Timestamp) -> str:
    """Write an instant as JavaScript does, with milliseconds; what is finer is kept in six or nine digits."""
    nanos = instant.nanos
    if nanos % 1_000_000 == 0:
        fraction = f"{nanos // 1_000_000:03}"
    elif nanos % 1_000 == 0:
        fraction = f"{nanos // 1_000:06}"
    else:
        fraction = f"{nanos:09}"
    return f"{(_EPOCH + timedelta(seconds=instant.seconds)).isoformat()}.{fraction}Z"
