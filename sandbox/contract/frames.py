"""Frames between the daemon and a worker: four bytes of length, then that many bytes. Reads and writes no socket.

Both ends use it. For the daemon all that it is fed is hostile.
"""

from __future__ import annotations

import struct
from typing import Final

_LENGTH: Final = struct.Struct(">I")
LENGTH_BYTES: Final = _LENGTH.size
# Both ends write a frame at once, and the kernel hands it over in large pieces. Each small one would wake the daemon.
_PIECES_MAX: Final = 256
_PIECE_BYTES_MIN: Final = 1024


class FrameError(ValueError):
    """The other end sent something that is no frame; nothing may be read after it."""


def encode(payload: bytes) -> bytes:
    """Return the frame of a payload."""
    return _LENGTH.pack(len(payload)) + payload


class Reader:
    """Puts frames together from the pieces that were read, and hands them over one at a time."""

    __slots__ = ("_end", "_pieces", "_reads", "_size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._reads = 0
        self._end = 0  # of the frame that has begun, once its length is known

    @property
    def left(self) -> int:
        """How many bytes were read that belong to no frame that was handed over."""
        return self._size

    def feed(self, data: bytes, limit: int) -> bytes | None:
        """Take what was read, which is hostile. Returns and raises as `next` does."""
        if not self._size and len(data) >= LENGTH_BYTES and len(data) == _end(data, limit):
            return data[LENGTH_BYTES:]
        self._pieces.append(data)
        self._size += len(data)
        self._reads += 1
        return self.next(limit)

    def next(self, limit: int) -> bytes | None:
        """Return the payload of the next frame; None when more of it is to come.

        Args:
            limit: bytes that the payload may have.

        Raises: FrameError: too long, or in too many pieces.
        """
        pieces = self._pieces
        if not self._end and self._size >= LENGTH_BYTES:
            head = b"".join(pieces)
            self._end = _end(head, limit)
            pieces[:] = [head[LENGTH_BYTES:]]
        if not self._end or self._size < self._end:
            if self._reads > _PIECES_MAX + self._size // _PIECE_BYTES_MIN:
                raise FrameError(f"sent {self._size} bytes in {self._reads} pieces")
            return None
        # What is beyond the frame came with its last piece, or it would have been handed over before.
        last, beyond = pieces[-1], self._size - self._end
        if beyond:
            pieces[-1] = last[:-beyond]
        payload = b"".join(pieces)
        self._pieces = [last[-beyond:]] if beyond else []
        self._size, self._reads, self._end = beyond, 0, 0
        return payload


def _end(data: bytes, limit: int) -> int:
    (length,) = _LENGTH.unpack_from(data)
    if length > limit:
        raise FrameError(f"announced a frame of {length} bytes; at most {limit} are allowed")
    return LENGTH_BYTES + int(length)
