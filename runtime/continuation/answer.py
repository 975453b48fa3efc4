"""Seals answers for the store: what a continuation led to, for the same request that comes again.

Knows the outer form. Must not know what an answer says; it may hold secrets of a tenant, so the store sees none of it.

A sealed answer is a byte for its form, the id of the key, a nonce, and the ciphertext with its tag. The form, the id,
the continuation's name and the request's digest are authenticated too: no answer can be put in another's place.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag

from runtime.continuation.keys import ID_BYTES

if TYPE_CHECKING:
    from runtime.continuation.keys import Keyring

FORM: Final = 0x41
MAX_BYTES: Final = 256 * 1024
"""A larger answer is not kept: a gateway that has lost it begins the login again."""
_NONCE_BYTES: Final = 12
_HEAD_BYTES: Final = 1 + ID_BYTES


def seal(keys: Keyring, name: bytes, request: bytes, answer: bytes) -> bytes | None:
    """Return a sealed answer; None for one that is too large to keep."""
    if len(answer) > MAX_BYTES:
        return None
    head, nonce = bytes((FORM,)) + keys.sealing_id, os.urandom(_NONCE_BYTES)
    return head + nonce + keys.sealing.encrypt(nonce, answer, head + name + request)


def unseal(keys: Keyring, name: bytes, request: bytes, sealed: bytes) -> bytes | None:
    """Return an answer; None for one that cannot be opened: its key was removed, or the store was changed."""
    head, nonce = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES : _HEAD_BYTES + _NONCE_BYTES]
    cipher = keys.opening(head[1:])
    if cipher is None or head[:1] != bytes((FORM,)) or len(nonce) != _NONCE_BYTES:
        return None
    try:
        return cipher.decrypt(nonce, sealed[_HEAD_BYTES + _NONCE_BYTES :], head + name + request)
    except InvalidTag:
        return None
