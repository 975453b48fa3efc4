"""Read messages of a stream into logins that are still serialized, and write messages of answers.

Must not know what a login is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from google.protobuf.message import DecodeError
from vestibule.v1.runtime_service_pb2 import StreamPostLoginRequest
from vestibule.worker.v1.worker_pb2 import StreamAnswers, StreamedLogin, StreamEnvelope

from runtime.calls.codec import length
from runtime.errors import InvalidRequest

AnswerField = Literal["execute", "resume", "error"]
"""The answer's field: of the two kinds of logins, and of a login without a decision."""

ITEMS: Final = 16_384
"""Logins and cancelled ids of one message, most of which are refused then: each costs the daemon some microseconds."""
MESSAGE_BYTES: Final = 16 << 20
"""Of one message; a login may be larger if limits.event_bytes allows that."""
# No message below holds so many items that parsing it takes long.
_COUNTED_FROM_BYTES: Final = 64 * 1024
_LONGEST_S: Final = 1e9


def read(data: bytes, most_bytes: int) -> StreamEnvelope:
    """Return the logins of a message. data: hostile. Raises: InvalidRequest."""
    if len(data) > most_bytes:
        raise InvalidRequest("message", f"{len(data)} bytes are more than the {most_bytes} allowed; send fewer logins")
    if len(data) > _COUNTED_FROM_BYTES and _has_too_many(data):
        raise _too_many()
    try:
        envelope = StreamEnvelope.FromString(data)
        if envelope.ByteSize() != len(data):
            # As for one login: protobuf joins what comes in pieces, and of bytes it takes the last.
            envelope = StreamEnvelope.FromString(StreamPostLoginRequest.FromString(data).SerializeToString())
    except DecodeError:
        raise InvalidRequest(
            "message", "is not a serialized vestibule.v1.StreamPostLoginRequest; check the client's proto files"
        ) from None
    if len(envelope.items) + len(envelope.cancel) > ITEMS:
        raise _too_many()
    return envelope


def timeout_s(item: StreamedLogin) -> float | None:
    """Return how long the caller waits for a login; None where it does not say. Raises: InvalidRequest."""
    if not item.HasField("timeout"):
        return None
    seconds: float = item.timeout.seconds + item.timeout.nanos / 1e9
    if seconds <= 0:
        raise InvalidRequest("timeout", "is not more than 0; send the time that the caller waits, or none")
    return min(seconds, _LONGEST_S)


def message(answers: Iterable[tuple[int, AnswerField, bytes]]) -> bytes:
    """Return a serialized StreamPostLoginResponse."""
    written = StreamAnswers()
    add = written.items.add
    for login, kind, data in answers:
        add(id=login, **{kind: data})
    return written.SerializeToString()


def _too_many() -> InvalidRequest:
    return InvalidRequest("message", f"has more than {ITEMS} logins and cancelled ids; send fewer at a time")


def _has_too_many(data: bytes) -> bool:
    """Say whether a message has too many fields; nothing of it is decoded or copied. What is malformed has not."""
    at = fields = 0
    while at < len(data):
        fields += 1
        if fields > ITEMS:
            return True
        tag, at = length(data, at)
        match tag & 7:
            case 0:
                _, at = length(data, at)
            case 1:
                at += 8
            case 2:
                size, at = length(data, at)
                at += size
            case 5:
                at += 4
            case _:
                return False
    return False
