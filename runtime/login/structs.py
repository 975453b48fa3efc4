"""Writes JSON data as a serialized google.protobuf.Struct, and reads a Struct as JSON data.

Knows the wire form of Struct. Must not know what the data is for. Written by the library's own way each member becomes
an object, which takes five times as long: of the answer to a login that sets many claims that is the largest part.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from sandbox.contract.wire import varint

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct, Value

_DOUBLE: Final = struct.Struct("<Bd").pack
_SHORT: Final = tuple(bytes((size,)) for size in range(0x80))


def write(members: dict[str, Any]) -> bytes:
    """Return the bytes of a Struct.

    Args:
        members: checked data: str, int, float, bool, None, list and dict, nested as deep as calls allow.
    """
    parts: list[bytes] = []
    for name, member in members.items():
        key, value = name.encode(), _value(member)
        size = _size(len(key))
        rest = _size(len(value))
        parts += (
            b"\x0a", _size(len(key) + len(size) + len(value) + len(rest) + 2), b"\x0a", size, key, b"\x12", rest, value
        )  # fmt: skip
    return b"".join(parts)


def _size(size: int) -> bytes:
    return _SHORT[size] if size < 0x80 else varint(size)


def _value(value: Any) -> bytes:
    kind = type(value)
    if kind is str:
        text: bytes = value.encode()
        return b"\x1a" + _size(len(text)) + text
    if value is None:
        return b"\x08\x00"
    if kind is bool:
        return b"\x20\x01" if value else b"\x20\x00"
    if kind is int or kind is float:
        return _DOUBLE(0x11, value)
    if kind is dict:
        members = write(value)
        return b"\x2a" + _size(len(members)) + members
    if kind is not list:
        raise TypeError(kind.__name__)
    parts: list[bytes] = []
    for item in value:
        data = _value(item)
        parts += (b"\x0a", _size(len(data)), data)
    items = b"".join(parts)
    return b"\x32" + _size(len(items)) + items


class TooMany(Exception):
    """A Struct has more values than may be read."""


def read(given: Struct, most: int) -> dict[str, Any]:
    """Return the JSON data of a Struct; a value of no kind is null, and a number may be no finite one.

    given: parsed, so that it is nested at most as deep as protobuf allows. Raises: TooMany, at more values than `most`.
    """
    left = [most]
    return _members(given, left)


def _members(given: Struct, left: list[int]) -> dict[str, Any]:
    left[0] -= len(given.fields)
    if left[0] < 0:
        raise TooMany
    return {name: _plain(value, left) for name, value in given.fields.items()}


def _plain(value: Value, left: list[int]) -> Any:
    kind = value.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    if kind == "struct_value":
        return _members(value.struct_value, left)
    if kind == "list_value":
        values = value.list_value.values
        left[0] -= len(values)
        if left[0] < 0:
            raise TooMany
        return [_plain(item, left) for item in values]
    return getattr(value, kind)
