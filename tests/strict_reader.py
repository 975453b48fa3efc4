"""Reads serialized messages as the strictest of readers does, by their descriptors and without the library's parser.

Knows the wire form of protobuf. Must not know what any message is for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_M = TypeVar("_M", bound=Message)
AnyDescriptor = Any
"""A message's descriptor: the stubs know a class for each of the library's implementations, and no type for both."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED: Final = {_FIXED64: 8, _FIXED32: 4}
_WIRE_TYPES: Final = {
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FIXED64: _FIXED64,
    FieldDescriptor.TYPE_SFIXED64: _FIXED64,
    FieldDescriptor.TYPE_FLOAT: _FIXED32,
    FieldDescriptor.TYPE_FIXED32: _FIXED32,
    FieldDescriptor.TYPE_SFIXED32: _FIXED32,
    FieldDescriptor.TYPE_STRING: _BYTES,
    FieldDescriptor.TYPE_BYTES: _BYTES,
    FieldDescriptor.TYPE_MESSAGE: _BYTES,
}


class NotCanonical(AssertionError):
    """The bytes are not the one way to write this message."""


def read(data: bytes, kind: type[_M]) -> _M:
    """Return the message. Raises: NotCanonical: a field stands twice, is unknown, out of order or written otherwise."""
    walk(data, kind.DESCRIPTOR, kind.DESCRIPTOR.name)
    message = kind.FromString(data)
    if message.SerializeToString(deterministic=True) != data:
        raise NotCanonical(f"{kind.DESCRIPTOR.name}: protobuf itself writes this message otherwise")
    return message


def reader(kind: type[_M]) -> Callable[[bytes], _M]:
    """Return `read` of one kind of message, as gRPC takes a deserializer."""
    return partial(read, kind=kind)


def walk(data: bytes, descriptor: AnyDescriptor, path: str) -> None:
    """Read one message, and those in it. Raises: NotCanonical."""
    fields = {field.number: field for field in descriptor.fields}
    at = last = 0
    once: set[str] = set()
    keys: dict[int, set[bytes]] = {}
    while at < len(data):
        tag, at = _varint(data, at, path)
        number, wire_type = tag >> 3, tag & 7
        field = fields.get(number)
        if field is None:
            raise NotCanonical(f"{path}: field {number} is unknown")
        here = f"{path}.{field.name}"
        packed = field.is_repeated and field.is_packed
        wanted = _BYTES if packed else _WIRE_TYPES.get(field.type, _VARINT)
        if wire_type != wanted:
            raise NotCanonical(f"{here}: wire type {wire_type}; {wanted} is its own")
        if number < last:
            raise NotCanonical(f"{here}: stands after field {last}")
        last = number
        if not field.is_repeated or packed:
            name = field.containing_oneof.full_name if field.containing_oneof is not None else field.full_name
            if name in once:
                raise NotCanonical(f"{here}: stands more than once")
            once.add(name)
        value, at = _value(data, at, wire_type, here)
        if field.message_type is not None:
            walk(value, field.message_type, here)
            if field.message_type.GetOptions().map_entry:
                # Keys of our maps are texts, and the key comes first.
                key = value[: _value(value, 1, _BYTES, here)[1]]
                if key in keys.setdefault(number, set()):
                    raise NotCanonical(f"{here}: holds a key more than once")
                keys[number].add(key)
        elif _is_default(value, wire_type) and not (
            field.is_repeated or field.has_presence or descriptor.GetOptions().map_entry
        ):
            raise NotCanonical(f"{here}: its default is written out")


def _is_default(value: bytes, wire_type: int) -> bool:
    return not value if wire_type == _BYTES else not any(value)


def _value(data: bytes, at: int, wire_type: int, here: str) -> tuple[bytes, int]:
    """Return a value's bytes and the place behind it."""
    if wire_type == _VARINT:
        number, end = _varint(data, at, here)
        return number.to_bytes(10, "big"), end
    if wire_type == _BYTES:
        size, at = _varint(data, at, here)
    elif wire_type in _FIXED:
        size = _FIXED[wire_type]
    else:
        raise NotCanonical(f"{here}: wire type {wire_type}")
    if at + size > len(data):
        raise NotCanonical(f"{here}: is cut")
    return data[at : at + size], at + size


def _varint(data: bytes, at: int, here: str) -> tuple[int, int]:
    value = 0
    for count in range(10):
        if at >= len(data):
            raise NotCanonical(f"{here}: is cut")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            if byte == 0 and count:
                raise NotCanonical(f"{here}: a number is written with more bytes than it needs")
            return value, at
    raise NotCanonical(f"{here}: a number is too long")
