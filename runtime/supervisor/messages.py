"""What a supervisor and a process of it say to each other: small JSON messages, and snapshots of metrics.

Both ends are ours; a rolling restart may join two versions, so that a message of an unknown kind is passed over. Must
not know what either side does about a message.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Iterable
from typing import Any, Final

from prometheus_client.core import Metric

Family = tuple[str, str, str, list[tuple[str, dict[str, str], float]]]
"""Name, type, help, and samples of a metric: name, labels, value."""

MESSAGE_BYTES: Final = 128 << 10
"""More than settings take. The kernel's buffer holds it."""
METRICS: Final = b"m"
PROBES: Final = b"p"
"""What a supervisor asks of a process, which answers in order."""
_LENGTH: Final = struct.Struct("!I")
# A process has at most a few thousand series.
_FRAME_MAX: Final = 64 << 20


def send(channel: socket.socket, kind: str, **values: Any) -> bool:
    """Send a message without waiting; False when it cannot be sent now, or no other end is there."""
    with contextlib.suppress(OSError):
        return channel.send(json.dumps({"kind": kind, **values}).encode(), socket.MSG_DONTWAIT) > 0
    return False


def receive(channel: socket.socket) -> dict[str, Any] | None:
    """Return the next message; None when the other end is gone. Raises: BlockingIOError."""
    try:
        data = channel.recv(MESSAGE_BYTES)
    except ConnectionError:
        return None
    found = json.loads(data) if data else None
    return found if isinstance(found, dict) else None


def frame(values: dict[str, Any]) -> bytes:
    """Write values for a stream, their length first."""
    data = json.dumps(values).encode()
    return _LENGTH.pack(len(data)) + data


def frame_length(head: bytes) -> int:
    """Return how many bytes follow. Raises: ValueError."""
    (length,) = _LENGTH.unpack(head)
    if length > _FRAME_MAX:
        raise ValueError(f"a frame of {length} bytes")
    return int(length)


HEAD_BYTES: Final = _LENGTH.size


def families(metrics: Iterable[Metric]) -> list[Family]:
    """Take from metrics what another process needs to make them again."""
    return [
        (each.name, each.type, each.documentation, [(one.name, one.labels, one.value) for one in each.samples])
        for each in metrics
    ]
