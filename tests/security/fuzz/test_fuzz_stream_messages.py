"""Messages of a stream damaged in any byte against a real daemon: each login is decided as it reads, or refused.

Beside what test_fuzz_request.py asks of one request: every login has one answer under its own id, the stream's end is
the caller's fault or none, and the next stream is as good as before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2
from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1.runtime_service_pb2 import StreamPostLoginRequest, StreamPostLoginResponse

from tests import strict_reader
from tests.effort import effort
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.tenants import ADA, ALLOW, BOB, GATE, MFA, define
from tests.fixtures.waiting import PATIENCE_S
from tests.fronts import STOCK_LATER
from tests.security.fuzz.damage import Edit, damaged, edits
from tests.security.fuzz.test_fuzz_request import read

PATH = "/vestibule.v1.ActionRuntimeService/StreamPostLogin"
REFUSALS = {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND", "CANCELLED", "DEADLINE_EXCEEDED"}
"""Codes of a login that its caller can cause."""

Item = StreamPostLoginRequest.Item
GOOD = StreamPostLoginRequest(
    items=[
        Item(id=1, execute={"tenant_id": "acme", "request_id": "r", "event": ADA}),
        Item(id=2, execute={"tenant_id": "acme", "event": BOB}, timeout={"seconds": 50}),
        Item(id=300, resume={"tenant_id": "acme", "event": BOB, "continuation": b"t"}),
    ],
    cancel=[77],
).SerializeToString()


@pytest.fixture(scope="module", params=STOCK_LATER)
def daemon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all."""
    with served(tmp_path_factory.mktemp("daemon"), "--rpc-front", request.param) as daemon:
        daemon.publish(define("acme", GATE))
        yield daemon


@pytest.fixture(scope="module")
def method(daemon: Daemon) -> Iterator[Any]:
    """The method on a connection of its own."""
    with grpc.insecure_channel(daemon.target) as channel:
        yield channel.stream_stream(PATH, None, strict_reader.reader(StreamPostLoginResponse))


def answered(method: Any, *messages: bytes) -> tuple[list[StreamPostLoginResponse.Item], str]:
    """Send messages and half-close; return the answers, and the status of the end."""
    call = method(iter(messages), timeout=PATIENCE_S)
    items: list[StreamPostLoginResponse.Item] = []
    try:
        for message in call:
            items += message.items
    except grpc.RpcError as error:
        return items, error.code().name
    return items, "OK"


def judge(method: Any, data: bytes) -> str:
    """Hold the answers to what the generated classes read; return the status of the end."""
    answers, code = answered(method, data)
    request = read(StreamPostLoginRequest, data)
    if code != "OK":
        assert code == "INVALID_ARGUMENT", code
        assert not answers
        return code
    # The daemon reads a login's own message later than the stream's: one that is malformed is refused by itself.
    sent = None if request is None else Counter(item.id for item in request.items)
    assert sent is None or Counter(item.id for item in answers) == sent
    for answer in answers:
        if answer.HasField("error"):
            assert code_pb2.Code.Name(answer.error.code) in REFUSALS, answer
            continue
        assert answer.HasField("execute"), "no continuation is good"
        assert request is not None or len(answers) > 1
        wanted = {MFA, ALLOW}
        if request is not None and sent is not None and sent[answer.id] == 1:
            (item,) = [item for item in request.items if item.id == answer.id]
            wanted = {MFA if item.execute.event.user.email == "ada@example.com" else ALLOW}
        assert answer.execute.decision.outcome in wanted
        assert not answer.execute.decision.degraded
    return code


def test_control_good_messages_are_decided(method: Any) -> None:
    """Control: two logins are decided, and what continues nothing is refused by itself."""
    answers, code = answered(method, GOOD, GOOD[:0], GOOD)
    assert code == "OK"
    assert judge(method, GOOD) == "OK"
    found = Counter(code_pb2.Code.Name(one.error.code) if one.HasField("error") else "decided" for one in answers)
    assert found["decided"] >= 2


@effort(150)
@given(edits)
def test_any_damage_to_a_message_is_read_alike_or_refused(method: Any, harm: list[Edit]) -> None:
    """A damaged message is decided by what it says to everybody, login for login, or ends the stream."""
    judge(method, damaged(GOOD, harm))


@effort(60)
@given(
    st.lists(
        st.sampled_from([GOOD, GOOD[:-3], b"\x12\x01\x01", b"\x0a\x00", b"\x0a\x02\x08\x01", b"\x7a\x01x", b"\x0b"]),
        max_size=6,
    )
)
def test_any_messages_in_any_order_end_as_they_should(method: Any, messages: list[bytes]) -> None:
    """Up to the first that cannot be read every login has an answer; then the stream ends, and the next is good."""
    answers, code = answered(method, *messages)
    good = []
    for message in messages:
        if (request := read(StreamPostLoginRequest, message)) is None:
            break
        good.append(request)
    assert code == ("OK" if len(good) == len(messages) else "INVALID_ARGUMENT")
    assert Counter(one.id for one in answers) == Counter(item.id for request in good for item in request.items)
    assert judge(method, GOOD) == "OK"
