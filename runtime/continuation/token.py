"""Seals and unseals continuations: the state of a suspended flow, which a gateway keeps and any replica resumes.

Knows the token's outer form and its instants. Must not know where keys come from or what the state means.

A token is a byte for its form, the id of the key, a nonce, and the ciphertext of a SuspendedFlow with its tag; form
and id are authenticated too.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from google.protobuf.message import DecodeError
from vestibule.continuation.v1.suspended_flow_pb2 import SuspendedFlow

from runtime.continuation.keys import ID_BYTES
from runtime.errors import ContinuationExpired, FlowGone, InvalidContinuation

if TYPE_CHECKING:
    from runtime.continuation.keys import Keyring

FORM: Final = 3
# Forms of earlier versions. They bind a flow to less than this one does, or number factors otherwise, so their flows
# are not continued.
_EARLIER_FORMS: Final = frozenset({1, 2})
MAX_BYTES: Final = 64 * 1024
ID_OF_TOKEN_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_HEAD_BYTES: Final = 1 + ID_BYTES
_SHORTEST: Final = _HEAD_BYTES + _NONCE_BYTES + _TAG_BYTES
# A replica whose clock is a little ahead seals tokens from the future.
_CLOCK_SKEW_MS: Final = 60_000


class TooLarge(Exception):
    """The state does not fit into a token. `size` is what it would take, in bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(f"{size} bytes")


def seal(keys: Keyring, flow: SuspendedFlow) -> bytes:
    """Return the token of a suspended flow. Raises: TooLarge."""
    state = flow.SerializeToString()
    size = _SHORTEST + len(state)
    if size > MAX_BYTES:
        raise TooLarge(size)
    head = bytes((FORM,)) + keys.sealing_id
    nonce = os.urandom(_NONCE_BYTES)
    return b"".join((head, nonce, keys.sealing.encrypt(nonce, state, head)))


def unseal(keys: Keyring, token: bytes, now_ms: int) -> SuspendedFlow:
    """Return the suspended flow of a token that we, or a replica with the same keys, have sealed.

    Args:
        keys: ours.
        token: from a caller; hostile.
        now_ms: milliseconds since the epoch.

    Raises: InvalidContinuation, ContinuationExpired; FlowGone for one that an earlier version sealed.
    """
    if not token:
        raise InvalidContinuation(
            "is absent; send Decision.suspension.continuation of the answer that suspended the flow"
        )
    if len(token) > MAX_BYTES:
        raise InvalidContinuation(f"{len(token)} bytes are no continuation; one has at most {MAX_BYTES}")
    if token[0] != FORM and token[0] not in _EARLIER_FORMS:
        raise InvalidContinuation(
            "is of a form that this daemon does not know; send the bytes as they were received, and if they were, "
            "upgrade this daemon to the version of the one that sent them"
        )
    if len(token) < _SHORTEST:
        raise InvalidContinuation("is cut short; send the bytes as they were received")
    head, nonce = token[:_HEAD_BYTES], token[_HEAD_BYTES : _HEAD_BYTES + _NONCE_BYTES]
    cipher = keys.opening(head[1:])
    if cipher is None:
        raise InvalidContinuation(
            f"is sealed with a key that this daemon does not have (id {head[1:].hex()}): its keys file lacks the key, "
            "or it has none and was started again"
        )
    try:
        flow = SuspendedFlow.FromString(cipher.decrypt(nonce, token[_HEAD_BYTES + _NONCE_BYTES :], head))
    except (InvalidTag, DecodeError):
        raise InvalidContinuation("was changed since it was sealed; send the bytes as they were received") from None
    if now_ms < flow.issued_at_ms - _CLOCK_SKEW_MS:
        raise InvalidContinuation("was sealed in the future; set the clocks of the daemons")
    if now_ms >= flow.expires_at_ms:
        raise ContinuationExpired(flow.expires_at_ms)
    if token[0] != FORM:
        raise FlowGone(flow.tenant_id)
    return flow
