"""Auth0's JSON of a post-login event to `vestibule.v1.PostLoginEvent`: the one mapping of every command and door.

Knows the descriptors and what an error should say. Must not know any member: which lists may be absent and which
objects are open is in the message. Not google.protobuf.json_format: Auth0's JSON is not ProtoJSON where a list may be
absent or a user has members of its own, and the library's errors quote the caller's value or have no path.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple, NoReturn, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from vestibule.v1.event_pb2 import PostLoginEvent

from runtime.errors import InvalidEvent
from runtime.login.event_rules import FIRST_S, LAST_S
from sandbox.contract.did_you_mean import nearest
from sandbox.contract.event_fields import is_instant, is_struct, wrapped

# JSON of an event that fits the daemon's 1 MiB is at most a few times larger, by escapes.
MAX_JSON_BYTES: Final = 4 << 20
# A level of a Struct is three levels of messages, and protobuf parsers stop at one hundred.
MAX_DEPTH: Final = 24

_OTHERS: Final = "attributes"
"""The member of an open object that holds what the event does not name."""

# RFC 3339, as JavaScript, Java and Python write it; fromisoformat alone takes weeks and instants without an offset.
_INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})"
).fullmatch
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)

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
    if not isinstance(value, dict):
        raise InvalidEvent(f"expected an object, got {_kind(value)}")
    _message(event, value, "", 1)
    return event


Spelled = tuple[str | int, ...]
_OF_ACTIONS: Final = frozenset({"secrets", "configuration"})
"""Members of the event that actions see and no gateway sends."""


def misspelt(value: Any, *, strict: bool = False) -> list[tuple[Spelled, str]]:
    """Name the members of an event, as a person wrote it, that are none, by their path and in the order of the event.

    A gateway may send what a later version of Auth0 has, so only what is like a known member is a fault; with `strict`
    everything is that the event does not name.
    """
    found: list[tuple[Spelled, str]] = []
    _look_through(value, cast("Descriptor", PostLoginEvent.DESCRIPTOR), (), _OF_ACTIONS, strict, found)
    return found


def refuse_misspelt(value: Any) -> None:
    """Refuse an event with members that were meant to be others. Raises: InvalidEvent, with all of them."""
    found = misspelt(value)
    if found:
        (field, said), *more = [(".".join(("event", *map(str, path))), message) for path, message in found]
        raise InvalidEvent("; ".join([said, *[f"{other} {message}" for other, message in more]]), field)


@cache
def _spellings(message: Descriptor) -> dict[str, FieldDescriptor]:
    return {field.json_name: field for field in message.fields} | {field.name: field for field in message.fields}


def _look_through(
    value: Any, message: Descriptor, path: Spelled, more: frozenset[str], strict: bool, found: list[tuple[Spelled, str]]
) -> None:
    members = _spellings(message)
    is_open = _OTHERS in members
    for name, said in value.items() if isinstance(value, dict) else ():
        field = members.get(name)
        if field is None and name not in more:
            alike = [known for known in (*members, *more) if not is_open or abs(len(known) - len(name)) < 3]
            near = nearest(name, alike)
            if near or (strict and not is_open):
                owner = ".".join(["event", *[part for part in path if isinstance(part, str)]])
                known = ", ".join(sorted(message.fields_by_name))
                hint = f"; did you mean {near}?" if near else f"; known there are {known}"
                own = f" What a provider added goes into {owner}.{_OTHERS}" if is_open else ""
                found.append(((*path, name), f"is no member of {owner}{hint}{own}"))
        elif field is not None:
            listed = wrapped(field) or field
            if listed.message_type is None or is_struct(listed) or is_instant(listed):
                continue
            for at, item in enumerate(said if isinstance(said, list) else [said]):
                here = (*path, name, at) if isinstance(said, list) else (*path, name)
                _look_through(item, listed.message_type, here, frozenset(), strict, found)


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


class _Member(NamedTuple):
    """What a field of a message is to its reader: kept, because of a descriptor each look costs."""

    name: str
    wraps: bool
    repeated: bool
    cpp_type: int
    fill: Callable[[Any, Any, str, int], None] | None
    """Fills a message, or an item that is one; None for a scalar."""

    @classmethod
    def of(cls, field: FieldDescriptor) -> "_Member":
        listed = wrapped(field) or field
        fill = None
        if listed.message_type is not None:
            fill = _instant if is_instant(listed) else _struct if is_struct(listed) else _object_of
        return cls(field.name, listed is not field, listed.is_repeated, listed.cpp_type, fill)


_MEMBERS: dict[str, dict[str, _Member]] = {}


def _members(descriptor: Descriptor) -> dict[str, _Member]:
    """Return the members of a message by both spellings."""
    members = _MEMBERS.get(descriptor.full_name)
    if members is None:
        fields = {field.json_name: field for field in descriptor.fields} | {f.name: f for f in descriptor.fields}
        members = _MEMBERS[descriptor.full_name] = {name: _Member.of(field) for name, field in fields.items()}
    return members


def _message(target: Message, value: Mapping[str, Any], path: str, depth: int) -> None:
    """Fill a message from an object. What the event does not name is kept in an open object, and left out elsewhere."""
    members = _members(cast("Descriptor", target.DESCRIPTOR))
    given: dict[str, str] = {}
    others: dict[str, Any] = {}
    for spelling, said in value.items():
        member = members.get(spelling)
        if member is None:
            others[spelling] = said
            continue
        if said is None:
            continue
        name = member.name
        here = path + name
        if name in given:
            _refuse(here, f"is given twice, as {given[name]} and {spelling}; keep one of them")
        given[name] = spelling
        if member.repeated:
            _list(target, member, said, here, depth)
        elif member.fill is None:
            setattr(target, name, _scalar(member.cpp_type, said, here))
        else:
            child = getattr(target, name)
            child.SetInParent()
            member.fill(child, said, here, depth)
    if others and _OTHERS in members:
        _keep(getattr(target, _OTHERS), others, path, depth)


def _list(target: Message, member: _Member, said: Any, here: str, depth: int) -> None:
    if not isinstance(said, list):
        _refuse(here, f"expected a list, got {_kind(said)}")
    items = getattr(target, member.name)
    if member.wraps:
        items.SetInParent()
        items = items.values
    for index, item in enumerate(said):
        if member.fill is None:
            items.append(_scalar(member.cpp_type, item, f"{here}[{index}]"))
        else:
            member.fill(items.add(), item, f"{here}[{index}]", depth)


def _object_of(child: Message, value: Any, here: str, depth: int) -> None:
    if not isinstance(value, dict):
        _refuse(here, f"expected an object, got {_kind(value)}")
    _message(child, value, here + ".", depth + 1)


def _struct(child: Struct, value: Any, here: str, depth: int) -> None:
    if not isinstance(value, dict):
        _refuse(here, f"expected an object, got {_kind(value)}")
    _hold(value, here, depth + 1)
    child.update(value)


def _keep(attributes: Struct, others: dict[str, Any], path: str, depth: int) -> None:
    """Add to the attributes of an open object what stands beside its known members."""
    for name, member in others.items():
        here = f"{path}{_text(name, path.removesuffix('.'))[:60]}"
        if name in attributes.fields:
            _refuse(here, f"is given twice, in {_OTHERS} too; keep one of them")
        _hold(member, here, depth + 2)
    attributes.update(others)


def _instant(instant: Timestamp, value: Any, here: str, _depth: int) -> None:
    if not isinstance(value, str):
        _refuse(here, f"expected an instant such as 2024-01-31T12:00:00.000Z, got {_kind(value)}")
    found = _INSTANT(value)
    try:
        # Seconds by themselves: Python keeps no more than six digits of a fraction.
        moment = datetime.fromisoformat(found[1] + found[3]) if found else None
    except ValueError:
        moment = None
    if found is None or moment is None:
        _refuse(here, "is not an instant; write it as 2024-01-31T12:00:00.000Z, with Z or an offset such as +02:00")
    seconds = (moment - _EPOCH) // _SECOND
    if not FIRST_S <= seconds <= LAST_S:
        _refuse(here, "is out of range: instants are from the year 1 to the year 9999 in UTC")
    instant.seconds, instant.nanos = seconds, int((found[2] or "").ljust(9, "0"))


def _scalar(kind: int, value: Any, here: str) -> str | bool | int | float:
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
    if math.isnan(number):
        _refuse(here, "is not a number")
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
