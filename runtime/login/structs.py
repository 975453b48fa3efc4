"""Writes JSON data as a serialized google.protobuf.Struct.

Knows the wire form of Struct. Must not know what the data is for. The library's own way makes an object of each member,
which takes five times as long: of the answer to a login that sets many claims that is the largest part.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from sandbox.contract.wire import varint

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
