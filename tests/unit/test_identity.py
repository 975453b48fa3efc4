"""What a request is known by: the same for a retry, another one for anything that decides differently."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1.event_pb2 import PostLoginEvent

from runtime.continuation.keys import Keyring, generate
from runtime.login import identity
from runtime.login.identity import CLOCK_STEP_NS
from runtime.login.request import Request

NOW_NS = 1_800_000_000_123_456_789
SECRET = b"s" * 32


def event(**metadata: str) -> PostLoginEvent:
    message = PostLoginEvent()
    message.user.user_id = "auth0|1"
    message.user.user_metadata.update(metadata)
    return message


def request(said: PostLoginEvent | None = None, **fields: Any) -> Request:
    message = said or event()
    return Request("acme", "r-1", message.SerializeToString(), message=message)._replace(**fields)


def test_equal_requests_have_one_digest_however_they_were_written() -> None:
    """A library may write the members of a map in any order; the view is no part of what decides, nor is the trace."""
    forth, back = event(), event()
    names = [f"n{n}" for n in range(20)]
    forth.user.user_metadata.update(dict.fromkeys(names, "v"))
    back.user.user_metadata.update(dict.fromkeys(reversed(names), "v"))
    wanted = identity.content(request(forth))
    assert identity.content(request(back)) == wanted
    assert identity.content(request(forth, message=None)) == wanted
    assert identity.content(request(forth, basic=True, traceparent="00-1")) == wanted


@pytest.mark.parametrize(
    "fields",
    [
        {"tenant": "acme-2"},
        {"request_id": "r-2"},
        {"message": event(k="v")},
        {"gateway": b""},
        {"gateway": b"\x20\x01"},
        {"continuation": b""},
        {"continuation": b"c"},
        {"completed": [1]},
        {"completed": [1, 2]},
    ],
)
def test_whatever_decides_is_part_of_the_digest(fields: dict[str, Any]) -> None:
    """A request that differs in anything that can lead to another decision is another request."""
    assert identity.content(request(**fields)) != identity.content(request())


def test_no_part_can_pass_for_another() -> None:
    """The same bytes, divided otherwise, are another request."""
    halves = [request(gateway=b"ab", continuation=b"c"), request(gateway=b"a", continuation=b"bc")]
    assert len({identity.content(half) for half in halves}) == 2


def test_replicas_with_one_key_agree() -> None:
    """Everything follows from content, key and time; another key gives another seed, which no caller can foretell."""
    keys, digest = [generate()], identity.content(request())
    first, second = Keyring(keys).identities, Keyring(keys).identities
    assert identity.of_content(digest, first, NOW_NS, event()) == identity.of_content(digest, second, NOW_NS, event())
    other = Keyring([generate()]).identities
    assert (
        identity.of_content(digest, other, NOW_NS, event()).seed
        != identity.of_content(digest, first, NOW_NS, event()).seed
    )


@given(st.binary(min_size=32, max_size=32), st.integers(CLOCK_STEP_NS, 2**62), st.integers(0, CLOCK_STEP_NS - 1))
def test_the_clock_stands_for_a_step_and_never_runs_ahead(digest: bytes, now_ns: int, later_ns: int) -> None:
    """It is at most one step back, and equal at two instants of the same step."""
    first = identity.of_content(digest, SECRET, now_ns, event()).clock_ns
    assert 0 <= now_ns - first < CLOCK_STEP_NS
    second = identity.of_content(digest, SECRET, first + later_ns, event())
    assert second.clock_ns == first
    assert second == identity.of_content(digest, SECRET, now_ns, event())


@pytest.mark.parametrize("member", ["session", "user", "factor"])
def test_what_has_happened_is_never_in_the_future(member: str) -> None:
    """An age that an action computes is never negative; an instant beyond the real time sets no clock."""
    message = event()
    instant = {
        "session": message.session.updated_at,
        "user": message.user.updated_at,
        "factor": message.authentication.methods.add(name="pwd").timestamp,
    }[member]
    digest = bytes(32)
    stepped_ns = identity.of_content(digest, SECRET, NOW_NS, event()).clock_ns
    for said_ns, wanted_ns in ((stepped_ns - 1, stepped_ns), (NOW_NS - 1, NOW_NS - 1), (NOW_NS + 1, stepped_ns)):
        instant.FromNanoseconds(said_ns)
        assert identity.of_content(digest, SECRET, NOW_NS, message).clock_ns == wanted_ns
    assert stepped_ns < NOW_NS - 1


def test_requests_do_not_all_turn_at_one_instant() -> None:
    """Each has a step of its own."""
    clocks = {identity.of_content(bytes([n]) * 32, SECRET, NOW_NS, event()).clock_ns for n in range(50)}
    assert len(clocks) == 50


def test_without_a_step_the_clock_is_the_real_one() -> None:
    """A login that is continued sees the time as it is."""
    assert identity.of_content(b"d" * 32, SECRET, NOW_NS).clock_ns == NOW_NS


def test_a_request_without_a_name_is_like_no_other() -> None:
    """Random seed and id, and the real clock."""
    first, second = identity.random(NOW_NS), identity.random(NOW_NS)
    assert first.clock_ns == NOW_NS
    assert (first.seed, first.decision_id) != (second.seed, second.decision_id)
    assert (len(first.seed), len(first.decision_id), first.continuation) == (16, 32, b"")
