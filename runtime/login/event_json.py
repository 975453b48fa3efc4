"""Auth0's JSON of a post-login event to `vestibule.v1.PostLoginEvent`, with errors a person can act on.

It is ProtoJSON with both spellings of every name (`user_id`, `userId`) and unknown members ignored.
google.protobuf.json_format would not do: some of its errors have no path ("expected string or bytes-like object"),
others quote the caller's value or Python's words; it takes a member in both spellings, and NaN, in silence; and it
cannot tell an absent list from an empty one, so that a walk of our own over the same values would remain.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from vestibule.v1.event_pb2 import PostLoginEvent

from runtime.errors import InvalidEvent

# JSON of an event that fits the daemon's 1 MiB is at most a few times larger, by escapes.
MAX_JSON_BYTES: Final = 4 << 20
# A level of a Struct is three levels of messages, and protobuf parsers stop at one hundred.
MAX_DEPTH: Final = 24

_INDEX: Final = re.compile(r"\[[0-9]+\]")

_INTS: Final = {
    FieldDescriptor.CPPTYPE_INT32: 1 << 31,
    FieldDescriptor.CPPTYPE_INT64: 1 << 63,
}


def loads(text: str | bytes) -> PostLoginEvent:
    """Return the event that JSON text describes. Raises: InvalidEvent, naming the member and what is wanted."""
    return from_json(decode(text))


def decode(text: str | bytes) -> Any:
    """Decode JSON strictly: no duplicate names, no NaN, bounded size and depth. Raises: InvalidEvent."""
    if len(text) > MAX_JSON_BYTES:
        raise InvalidEvent(f"the JSON is larger than {MAX_JSON_BYTES} bytes")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidEvent(f"the JSON is not UTF-8 text (byte {error.start})") from None
    if not text.strip():
        raise InvalidEvent("there is no JSON: the text is empty")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise InvalidEvent(f"the text is not JSON: {error.msg.lower()} at {where}") from None
    except RecursionError:
        raise InvalidEvent(f"the JSON is nested too deeply; {MAX_DEPTH} levels are allowed") from None


def from_json(value: Any) -> PostLoginEvent:
    """Return the event of a decoded JSON object. Raises: InvalidEvent."""
    event = PostLoginEvent()
    empty_lists: list[str] = []
    if not isinstance(value, dict):
        raise InvalidEvent(f"expected an object, got {_kind(value)}")
    _message(event, value, "", empty_lists, 1)
    named = set(event.empty_lists)
    event.empty_lists.extend(path for path in dict.fromkeys(empty_lists) if path not in named)
    return event


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise InvalidEvent(f"the name {name[:60]!r} occurs twice in one object; keep one of them")
            seen.add(name)
    return found


def _constant(name: str) -> NoReturn:
    raise InvalidEvent(f"{name} is not JSON; write null or a finite number")


def _integer(digits: str) -> int | float:
    # Beyond this a JSON number is a double for everyone else, and Python refuses to convert thousands of digits.
    return int(digits) if len(digits) <= 20 else float(digits)


def _message(target: Message, value: Mapping[str, Any], path: str, empty_lists: list[str], depth: int) -> None:
    """Fill a message from an object. `empty_lists` collects paths of lists that are there and empty."""
    names = _names(cast("Descriptor", target.DESCRIPTOR))
    given: dict[str, str] = {}
    for name, member in value.items():
        field = names.get(name)
        if field is None or member is None:
            continue
        here = f"{path}{field.name}"
        if field.name in given:
            _refuse(here, f"is given twice, as {given[field.name]} and {name}; keep one of them")
        given[field.name] = name
        if field.is_repeated:
            if not isinstance(member, list):
                _refuse(here, f"expected a list, got {_kind(member)}")
            if not member and here != "empty_lists":
                empty_lists.append(_INDEX.sub("", here))  # items share the path of their list
            items = getattr(target, field.name)
            for index, item in enumerate(member):
                _item(items, field, item, f"{here}[{index}]", empty_lists, depth)
        elif field.message_type is not None:
            child = getattr(target, field.name)
            child.SetInParent()
            _child(child, member, here, empty_lists, depth)
        else:
            setattr(target, field.name, _scalar(field, member, here))


def _item(items: Any, field: FieldDescriptor, item: Any, here: str, empty_lists: list[str], depth: int) -> None:
    if field.message_type is None:
        items.append(_scalar(field, item, here))
    else:
        _child(items.add(), item, here, empty_lists, depth)


def _child(child: Message, value: Any, here: str, empty_lists: list[str], depth: int) -> None:
    if not isinstance(value, dict):
        _refuse(here, f"expected an object, got {_kind(value)}")
    if isinstance(child, Struct):
        _hold(value, here, depth + 1)
        child.update(value)
    else:
        _message(child, value, here + ".", empty_lists, depth + 1)


_NAMES: dict[str, dict[str, FieldDescriptor]] = {}


def _names(descriptor: Descriptor) -> dict[str, FieldDescriptor]:
    """Return the fields of a message by both spellings."""
    names = _NAMES.get(descriptor.full_name)
    if names is None:
        names = {field.json_name: field for field in descriptor.fields} | {f.name: f for f in descriptor.fields}
        _NAMES[descriptor.full_name] = names
    return names


def _scalar(field: FieldDescriptor, value: Any, here: str) -> str | bool | int | float:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        if not isinstance(value, str):
            _refuse(here, f"expected a string, got {_kind(value)}")
        return _text(value, here)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        if not isinstance(value, bool):
            _refuse(here, f"expected true or false, got {_kind(value)}")
        return value
    if kind == FieldDescriptor.CPPTYPE_DOUBLE:
        return _double(value, here)
    bound = _INTS[kind]
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and value.isascii() and len(value) <= 20:
        value = int(value)  # ProtoJSON writes 64-bit integers as strings
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int:
        got = "a fraction" if isinstance(value, float) else _kind(value)
        _refuse(here, f"expected a whole number, got {got}")
    if not -bound <= value < bound:
        _refuse(here, "is out of range")
    return value


def _double(value: Any, here: str) -> float:
    if type(value) not in (int, float):
        _refuse(here, f"expected a number, got {_kind(value)}")
    try:
        number = float(value)
    except OverflowError:  # an integer beyond all doubles
        number = math.inf
    if not math.isfinite(number):
        _refuse(here, "is too large for a number")
    return number


def _text(value: str, here: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        _refuse(here, "holds half of a surrogate pair, which is not text")
    return value


def _hold(value: Any, here: str, depth: int) -> None:
    """Check that a Struct can hold a value: text, finite numbers, a bounded depth. Raises: InvalidEvent."""
    if isinstance(value, dict | list) and depth > MAX_DEPTH:
        _refuse(here, f"is nested too deeply; {MAX_DEPTH} levels are allowed")
    if isinstance(value, dict):
        for name, member in value.items():
            _hold(member, f"{here}.{_text(name, here)[:60]}", depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _hold(item, f"{here}[{index}]", depth + 1)
    elif isinstance(value, str):
        _text(value, here)
    elif value is not None and not isinstance(value, bool):
        _double(value, here)


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _refuse(here: str, message: str) -> NoReturn:
    raise InvalidEvent(message, f"event.{here}")
