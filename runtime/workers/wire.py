"""Writes the head of a RunFlow message by hand, since it is written for every login.

Knows the wire form of its fields. Must not know what they mean. Called by the flow runner; a test holds the bytes equal
in meaning to what the generated class reads.
"""

from __future__ import annotations

import struct
from typing import Final

# Tag and value of: nonce (1, fixed64), now_ns (4, sfixed64), budget_us (6, fixed64), seed (5, bytes of 16),
# output_bytes (8, fixed32), and the tag of the event (2), whose length and bytes follow.
_HEAD: Final = struct.Struct("<BQBqBQBB16sBIB")
SEED_BYTES: Final = 16


def run_flow(nonce: int, now_ns: int, seed: bytes, budget_us: int, output_bytes: int, event: bytes) -> bytes:
    """Serialize a RunFlow without its steps, which may be appended: serialized protobuf concatenates.

    Args:
        seed: SEED_BYTES bytes.
        budget_us: not negative.
    """
    size = len(event)
    if size < 0x80:
        length = bytes((size,))
    elif size < 0x4000:
        length = bytes((size & 0x7F | 0x80, size >> 7))
    else:
        length = _varint(size)
    return (
        _HEAD.pack(0x09, nonce, 0x21, now_ns, 0x31, max(budget_us, 0), 0x2A, SEED_BYTES, seed, 0x45, output_bytes, 0x12)
        + length
        + event
    )


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
