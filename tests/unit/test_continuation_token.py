"""Continuation tokens: what was sealed comes back whole or not at all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vestibule.continuation.v1.suspended_flow_pb2 import AwaitedStep, EarlierExecution, SuspendedFlow
from vestibule.worker.v1 import worker_pb2

from runtime.continuation import keys, token
from runtime.errors import ContinuationExpired, FlowGone, InvalidContinuation
from tests.effort import effort

RING = keys.Keyring([keys.generate()])
ISSUED_MS = 1_800_000_000_000
EXPIRES_MS = ISSUED_MS + 900_000

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
executions = st.builds(
    EarlierExecution,
    binding=st.integers(0, 19),
    verdict=st.integers(1, 8),
    commands=st.lists(st.builds(worker_pb2.Command, op=names, args_json=names), max_size=4),
    continued=st.booleans(),
    error_message=names,
)
flows = st.builds(
    SuspendedFlow,
    tenant_id=names,
    user_id=names,
    transaction_id=st.none() | names,
    flow_digest=st.binary(max_size=32),
    position=st.integers(0, 20),
    continuing=st.booleans(),
    executions=st.lists(executions, max_size=5),
    completed=st.lists(st.integers(1, 7), max_size=4),
    awaited=st.lists(st.builds(AwaitedStep, factors=st.lists(st.integers(1, 7), max_size=4)), max_size=4),
    issued_at_ms=st.just(ISSUED_MS),
    expires_at_ms=st.just(EXPIRES_MS),
    id=st.binary(min_size=16, max_size=16),
)


def flow(**members: object) -> SuspendedFlow:
    given: dict[str, Any] = {"tenant_id": "acme", "issued_at_ms": ISSUED_MS, "expires_at_ms": EXPIRES_MS}
    return SuspendedFlow(**given | members)


def refusal(data: bytes, ring: keys.Keyring = RING, now_ms: int = ISSUED_MS) -> str:
    with pytest.raises(InvalidContinuation) as caught:
        token.unseal(ring, data, now_ms)
    return str(caught.value)


@given(flows)
@effort(100)
def test_a_token_opens_to_what_was_sealed(sealed: SuspendedFlow) -> None:
    """Sealing and opening give back every member, and the presence of those that may be absent."""
    opened = token.unseal(RING, token.seal(RING, sealed), ISSUED_MS)
    assert opened == sealed
    assert opened.HasField("transaction_id") == sealed.HasField("transaction_id")


def test_a_token_changed_in_any_byte_does_not_open() -> None:
    """Whichever byte of a token is changed, in whichever bit, it is refused."""
    data = token.seal(RING, flow(user_id="auth0|1"))
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            refusal(bytes(changed))
    assert token.unseal(RING, data, ISSUED_MS).user_id == "auth0|1"


def test_a_token_cut_or_extended_does_not_open() -> None:
    """Every prefix of a token is refused, and so is a token with something behind it."""
    data = token.seal(RING, flow())
    for length in range(len(data)):
        refusal(data[:length])
    assert "was changed since it was sealed" in refusal(data + b"\0")
    assert "is absent" in refusal(b"")


def test_nothing_of_the_state_can_be_read_or_compared() -> None:
    """A token shows no member, and the same state sealed twice gives two tokens."""
    data = token.seal(RING, flow(user_id="auth0|secret"))
    assert b"secret" not in data
    assert data != token.seal(RING, flow(user_id="auth0|secret"))


def test_an_unknown_key_is_named() -> None:
    """A token of other keys says so, with the id of the key that is missing."""
    other = keys.generate()
    data = token.seal(keys.Keyring([other]), flow())
    assert f"a key that this daemon does not have (id {keys.key_id(other).hex()})" in refusal(data)


def test_a_key_id_cannot_be_lent() -> None:
    """A token under the id of another key that we have does not open: the id is authenticated with the rest."""
    first, second = keys.generate(), keys.generate()
    data = token.seal(keys.Keyring([first]), flow())
    forged = data[:1] + keys.key_id(second) + data[5:]
    assert "was changed" in refusal(forged, keys.Keyring([second, first]))


def test_keys_rotate_without_losing_a_login() -> None:
    """Step by step through a rotation, what any replica sealed opens at every other one."""
    old, new = keys.generate(), keys.generate()
    before, during, after = keys.Keyring([old, new]), keys.Keyring([new, old]), keys.Keyring([new])
    for sealing in (before, during):
        for opening in (before, during):
            assert token.unseal(opening, token.seal(sealing, flow()), ISSUED_MS).tenant_id == "acme"
    assert token.unseal(after, token.seal(during, flow()), ISSUED_MS).tenant_id == "acme"
    assert "does not have" in refusal(token.seal(before, flow()), after)


def test_another_form_is_not_guessed_at() -> None:
    """A token of an older or newer daemon's form is refused as such."""
    data = token.seal(RING, flow())
    assert "is of a form that this daemon does not know" in refusal(bytes((token.FORM + 1,)) + data[1:])


def sealed_as(form: int) -> bytes:
    """Seal a state as another version does, under the same key."""
    head, nonce = bytes((form,)) + RING.sealing_id, bytes(12)
    return head + nonce + RING.sealing.encrypt(nonce, flow().SerializeToString(), head)


def test_what_an_earlier_version_sealed_is_gone() -> None:
    """It is authentic, and binds its flow to less than this version does: the login begins again."""
    with pytest.raises(FlowGone, match="begin the login again"):
        token.unseal(RING, sealed_as(1), ISSUED_MS)
    assert token.unseal(RING, sealed_as(token.FORM), ISSUED_MS).tenant_id == "acme"
    with pytest.raises(ContinuationExpired):
        token.unseal(RING, sealed_as(1), EXPIRES_MS)
    # A changed first byte of ours is taken as an earlier version's word for nothing.
    assert "was changed since it was sealed" in refusal(b"\x01" + token.seal(RING, flow())[1:])


def test_a_token_expires() -> None:
    """Up to its last millisecond it opens; from then on it is expired, and says when."""
    data = token.seal(RING, flow())
    assert token.unseal(RING, data, EXPIRES_MS - 1).tenant_id == "acme"
    with pytest.raises(ContinuationExpired, match="expired at 2027-01-15T08:15:00Z; begin the login again"):
        token.unseal(RING, data, EXPIRES_MS)


def test_a_token_of_the_future_is_a_clock_gone_wrong() -> None:
    """A clock a minute behind is lived with, one that is further behind is logged."""
    data = token.seal(RING, flow())
    assert token.unseal(RING, data, ISSUED_MS - 60_000).tenant_id == "acme"
    assert "sealed in the future" in refusal(data, now_ms=ISSUED_MS - 60_001)


def test_a_state_that_is_too_large_is_not_cut() -> None:
    """The largest state that fits is sealed whole; one byte more is refused, with the size."""
    room = token.MAX_BYTES - len(token.seal(RING, flow(user_id="x" * 50_000))) + 50_000
    largest = token.seal(RING, flow(user_id="x" * room))
    assert len(largest) == token.MAX_BYTES
    assert len(token.unseal(RING, largest, ISSUED_MS).user_id) == room
    with pytest.raises(token.TooLarge) as caught:
        token.seal(RING, flow(user_id="x" * (room + 1)))
    assert caught.value.size == token.MAX_BYTES + 1
    assert f"at most {token.MAX_BYTES}" in refusal(largest + b"\0")


@given(st.binary(max_size=200))
@effort(300)
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    """Whatever a caller sends, the answer is a refusal and no exception of a library."""
    refusal(data)
    refusal(bytes((token.FORM,)) + RING.sealing_id + data)
