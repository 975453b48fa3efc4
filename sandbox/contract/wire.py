"""The two messages of a login, written and read by hand: they are the same few fields, for every login.

Knows the wire form of RunFlow's head and of FlowReply's usual shape. Must not know what they mean. Both ends import it;
a test holds it equal in meaning to the generated classes, which read and write everything unusual.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

STEPS_MAX: Final = 20
"""Bindings of a flow. Source: post-login reference, section 4."""
MAX_SOURCE_BYTES: Final = 100_000
"""Of the code of one action. Source: post-login reference, section 4."""
SEED_BYTES: Final = 16
TIME_US_MAX: Final = 2**32 - 1

# RunFlow, tag and value of: nonce (1, fixed64), now_ns (4, sfixed64), budget_us (6, fixed64), seed (5, bytes of 16),
# output_bytes (8, fixed32), deadline_ns (12, fixed64). Event (2) and flow (3) follow, each with its length.
_HEAD: Final = struct.Struct("<BQBqBQBB16sBIBQ")

# FlowReply, tag and value of: nonce (1, fixed64), wall_us (3, packed fixed32), cpu_us (4, packed fixed32). Then steps.
_TIMES: Final = tuple(struct.Struct(f"<BQBB{count}IBB{count}I") for count in range(STEPS_MAX + 1))
_ONE_TIME: Final = struct.Struct("<BIBI")
_COUNT_AT: Final = 10
_RETIRE: Final = b"\x28\x01"
# StepReport: verdict (1) COMPLETED; commands (2) with op (1) and args_json (2); output (6), output_truncated (7).
_COMPLETED: Final = b"\x08\x01"
_TRUNCATED: Final = b"\x38\x01"

# Of the sizes of nearly all of our reports and commands. More would be more pages for a worker to touch.
_SHORT_MAX: Final = 0x100
_SHORT: Final = tuple(
    bytes((value,)) if value < 0x80 else bytes((value & 0x7F | 0x80, value >> 7)) for value in range(_SHORT_MAX)
)


def varint(value: int) -> bytes:
    """Encode a non-negative number."""
    if value < _SHORT_MAX:
        return _SHORT[value]
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def run_flow(
    nonce: int,
    now_ns: int,
    seed: bytes,
    budget_us: int,
    output_bytes: int,
    event: bytes,
    flow: bytes,
    rest: bytes = b"",
    deadline_ns: int = 0,
) -> bytes:
    """Serialize a RunFlow.

    Args:
        seed: SEED_BYTES bytes.
        budget_us: a negative one is sent as none.
        flow: serialized FlowSteps.
        rest: a serialized RunFlow with what is unusual, which protobuf merges with the usual.
        deadline_ns: CLOCK_MONOTONIC instant; 0 for none.
    """
    budget_us = max(budget_us, 0)
    head = _HEAD.pack(
        0x09, nonce, 0x21, now_ns, 0x31, budget_us, 0x2A, SEED_BYTES, seed, 0x45, output_bytes, 0x61, deadline_ns
    )
    return b"".join((head, b"\x12", varint(len(event)), event, b"\x1a", varint(len(flow)), flow, rest))


def completed(commands: Sequence[tuple[str, str]], output: str = "", truncated: bool = False) -> bytes:
    """Serialize the StepReport of an action that returned: its commands, their arguments as JSON text, and its output.

    Raises: UnicodeEncodeError: half of a surrogate pair, which no checked argument holds.
    """
    parts = [_COMPLETED]
    for op, args in commands:
        name, text = op.encode(), args.encode()
        head, middle = varint(len(name)), varint(len(text))
        size = varint(2 + len(head) + len(name) + len(middle) + len(text))
        parts += (b"\x12", size, b"\x0a", head, name, b"\x12", middle, text)
    if output:
        printed = output.encode()
        parts += (b"\x32", varint(len(printed)), printed)
        if truncated:
            parts.append(_TRUNCATED)
    return b"".join(parts)


def step(report: bytes) -> bytes:
    """Serialize one `steps` member of a FlowReply."""
    return b"\x12" + varint(len(report)) + report


def step_times(wall_us: int, cpu_us: int) -> bytes:
    """Serialize the times of one step: behind what `step` returned, a FlowReply. Such fragments concatenate."""
    return _ONE_TIME.pack(0x1D, wall_us, 0x25, cpu_us)


def flow_reply(
    nonce: int, wall_us: Sequence[int], cpu_us: Sequence[int], steps: Sequence[bytes], retire: bool
) -> bytes:
    """Serialize a FlowReply from what `step` returned. At most STEPS_MAX steps; times up to TIME_US_MAX."""
    count = len(steps)
    head = _TIMES[count].pack(0x09, nonce, 0x1A, 4 * count, *wall_us, 0x22, 4 * count, *cpu_us)
    return b"".join((head, *steps, _RETIRE)) if retire else head + b"".join(steps)


def codes(marshalled: Sequence[bytes]) -> bytes:
    """Serialize the `codes` member of a FlowReply, to be appended to one."""
    return b"".join(b"".join((b"\x32", varint(len(code)), code)) for code in marshalled)


def fields(data: bytes, most: int, at: int = 0, end: int | None = None) -> list[tuple[int, int, int]]:
    """Return tag, start and end of each field of a message, none of which is decoded or copied.

    Args:
        data: hostile.
        most: fields that the message may have, counted as they are found.
        at: where the message begins.
        end: where it ends; the end of `data` when not given.

    Raises: ValueError: not a message, more fields, or a field beyond number 15, which none of ours has.
    """
    if end is None:
        end = len(data)
    found: list[tuple[int, int, int]] = []
    while at < end:
        if len(found) == most:
            raise ValueError(f"more than {most} fields")
        tag = data[at]
        kind = tag & 7
        start = at + 1
        if kind == 2:
            size, start = number(data, start, end)
            at = start + size
        elif kind == 0:
            _, at = number(data, start, end)
        elif kind == 5:
            at = start + 4
        elif kind == 1:
            at = start + 8
        else:
            raise ValueError(f"a field of kind {kind}")
        if tag >= 0x80 or at > end:
            raise ValueError("a field beyond its message")
        found.append((tag, start, at))
    return found


def number(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read a varint; return it, and the place behind it. Raises: ValueError."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        if byte < 0x80:
            return value | byte << shift, at
        value |= (byte & 0x7F) << shift
        shift += 7
    raise ValueError("a number without an end")


Usual = tuple[Sequence[int], Sequence[int], bytes]
"""Wall times, processor times, and the steps as they stand in a usual reply."""


def usual_reply(data: bytes, nonce: int) -> Usual | None:
    """Read what `flow_reply` wrote for a worker that stays: wall times, processor times, and the steps as they stand.

    Anything else, however wrong, is None and left to the strict parser. The steps are not looked at.
    """
    if len(data) <= _COUNT_AT:
        return None
    count = data[_COUNT_AT] >> 2
    if not 0 < count <= STEPS_MAX:
        return None
    layout = _TIMES[count]
    if len(data) < layout.size:
        return None
    fields = layout.unpack_from(data)
    size = 4 * count
    if fields[:4] != (0x09, nonce, 0x1A, size) or fields[count + 4 : count + 6] != (0x22, size):
        return None
    return fields[4 : count + 4], fields[count + 6 :], data[layout.size :]
