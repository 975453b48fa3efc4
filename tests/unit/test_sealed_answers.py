"""Sealed answers: readable with the key, in their place, and nowhere else."""

from __future__ import annotations

import pytest

from runtime.continuation import answer, keys
from runtime.continuation.answer import MAX_BYTES, seal, unseal

NAME, REQUEST, ANSWER = b"n" * 16, b"r" * 32, b"a decision with a secret"
RING = [keys.generate(), keys.generate()]


def test_what_was_sealed_is_read_back_by_each_replica() -> None:
    """Also while keys are being rotated: every key of the file opens."""
    sealed = seal(keys.Keyring(RING), NAME, REQUEST, ANSWER)
    assert sealed is not None
    assert ANSWER not in sealed
    assert unseal(keys.Keyring(RING), NAME, REQUEST, sealed) == ANSWER
    assert unseal(keys.Keyring(RING[::-1]), NAME, REQUEST, sealed) == ANSWER


@pytest.mark.parametrize("change", ["name", "request", "key", "form", "tag", "nonce", "length", "nothing"])
def test_what_was_changed_is_no_answer(change: str) -> None:
    """A row that another wrote, or put in another's place, is as good as none."""
    sealed = seal(keys.Keyring(RING), NAME, REQUEST, ANSWER) or b""
    name, request, ring = NAME, REQUEST, RING
    match change:
        case "name":
            name = b"m" * 16
        case "request":
            request = b"s" * 32
        case "key":
            ring = [keys.generate()]
        case "form":
            sealed = b"\x02" + sealed[1:]
        case "tag":
            sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        case "nonce":
            sealed = sealed[:7] + bytes([sealed[7] ^ 1]) + sealed[8:]
        case "length":
            sealed = sealed[:9]
        case "nothing":
            sealed = b""
    assert unseal(keys.Keyring(ring), name, request, sealed) is None


def test_an_answer_that_is_too_large_is_not_kept() -> None:
    """The store has a bound; the largest that is kept is read back."""
    ring = keys.Keyring(RING)
    assert seal(ring, NAME, REQUEST, bytes(MAX_BYTES + 1)) is None
    largest = seal(ring, NAME, REQUEST, bytes(MAX_BYTES))
    assert largest is not None
    assert answer.unseal(ring, NAME, REQUEST, largest) == bytes(MAX_BYTES)
