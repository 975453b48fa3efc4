"""Puts a worker's frame together from what is read of its socket, each byte copied once.

Knows lengths and how many pieces a frame may come in. Must not know workers or what a frame says. All of it is hostile.
"""

from __future__ import annotations

import struct
from typing import Final

from runtime.errors import ProtocolViolation

LENGTH: Final = struct.Struct(">I")
# A worker writes its frame at once, and the kernel hands it over in large pieces. Each small one would wake the loop.
_READS_MAX: Final = 256
_READ_BYTES_MIN: Final = 1024


class Frames:
    """The frame that has begun to arrive, if one has."""

    __slots__ = ("_buffer", "_frame_bytes", "_reads")

    def __init__(self) -> None:
        self._buffer = bytearray()
        # Its size with its length, once that is known, and reads so far.
        self._frame_bytes = 0
        self._reads = 0

    def whole(self, data: bytes, limit: int) -> bytes | None:
        """Return the frame that ends with these bytes; None when more of it is to come.

        What has arrived before is copied once, when the frame is whole.

        Args:
            data: what was read; hostile.
            limit: bytes that the frame may hold.

        Raises: ProtocolViolation: too long, in too many pieces, or more than one frame. Nothing may be read after it.
        """
        buffer = self._buffer
        if buffer or len(data) < LENGTH.size:
            buffer += data
            self._reads += 1
            if self._reads > _READS_MAX + len(buffer) // _READ_BYTES_MIN:
                raise ProtocolViolation(f"sent {len(buffer)} bytes in {self._reads} pieces")
            if len(buffer) < max(self._frame_bytes, LENGTH.size):
                return None
            data = bytes(buffer)
        (length,) = LENGTH.unpack_from(data)
        if length > limit:
            raise ProtocolViolation(f"announced a frame of {length} bytes; at most {limit} are allowed")
        self._frame_bytes = LENGTH.size + length
        if len(data) < self._frame_bytes:
            if not buffer:
                buffer += data
            return None
        if len(data) > self._frame_bytes:
            raise ProtocolViolation("sent more than the one answer it owed")
        buffer.clear()
        self._frame_bytes = self._reads = 0
        return data[LENGTH.size :]
