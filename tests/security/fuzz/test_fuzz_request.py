"""Requests damaged in any byte against a real daemon: what it decides is what the generated classes read in them.

The daemon reads a request's envelope by hand and hands the event's own bytes to a worker, so that there are two readers
of one request; where they differed, a gateway and its tenant's actions would see different logins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1 import decision_pb2, runtime_service_pb2

from runtime.login import event_json, structs
from tests.calls import CONTINUE, METHOD, unary
from tests.effort import effort
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.suspensions import CHALLENGE, OTP, event, suspended
from tests.fixtures.tenants import ADA, ALLOW, BOB, GATE, MFA, define
from tests.fixtures.waiting import PATIENCE_S
from tests.fronts import STOCK_LATER
from tests.security.fuzz.damage import Edit, damaged, edits
from tests.security.fuzz.findings import seeds

REFUSALS = {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND"}
"""Codes that blame the caller; every other one would be a fault of ours that a caller can cause."""

AUTH0 = runtime_service_pb2.ExecutePostLoginRequest(tenant_id="acme", request_id="r", auth0_event={})
AUTH0.auth0_event.update(
    {
        "user": {
            "userId": "u",
            "email": "ada@example.com",
            "created_at": "2024-01-01T00:00:00Z",
            "enrolledFactors": [],
            "groups": ["admins"],
        },
        "client": {"client_id": "app"},
    }
)
BEGIN = runtime_service_pb2.ExecutePostLoginRequest(tenant_id="acme", request_id="r", event=ADA).SerializeToString()


class Desk:
    """A daemon, asked with any bytes."""

    def __init__(self, daemon: Daemon, channel: grpc.Channel) -> None:
        self.daemon = daemon
        self._channel = channel

    def ask(self, method: str, data: bytes, kind: Any) -> tuple[str, decision_pb2.Decision | None]:
        """Return the status, and the decision where there is one."""
        try:
            answer = unary(self._channel, method, kind.FromString)(data, timeout=PATIENCE_S)
        except grpc.RpcError as error:
            return error.code().name, None
        decision: decision_pb2.Decision = answer.decision
        return "OK", decision

    def begin(self, data: bytes) -> tuple[str, decision_pb2.Decision | None]:
        """Begin a login."""
        return self.ask(METHOD, data, runtime_service_pb2.ExecutePostLoginResponse)

    def resume(self, data: bytes) -> tuple[str, decision_pb2.Decision | None]:
        """Continue one."""
        return self.ask(CONTINUE, data, runtime_service_pb2.ContinuePostLoginResponse)


@pytest.fixture(scope="module", params=STOCK_LATER)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One daemon for all."""
    with served(tmp_path_factory.mktemp("daemon"), "--rpc-front", request.param) as daemon:
        daemon.publish(define("acme", GATE), define("waits", CHALLENGE))
        with grpc.insecure_channel(daemon.target) as channel:
            yield Desk(daemon, channel)


def read(kind: Callable[[], Message], data: bytes) -> Any:
    """Read as the generated classes do; None where they do not."""
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    return message


def judge_begun(desk: Desk, data: bytes) -> str:
    """Hold an answer to what the generated classes read; return the status."""
    code, decision = desk.begin(data)
    if decision is None:
        assert code in REFUSALS, code
        return code
    request = read(runtime_service_pb2.ExecutePostLoginRequest, data)
    assert request is not None, "a request that cannot be read was decided"
    assert request.tenant_id in ("acme", "waits")
    if request.tenant_id == "acme":
        sent = request.event
        if request.WhichOneof("login") == "auth0_event":
            sent = event_json.from_json(structs.read(request.auth0_event, 1_000_000))
        wanted = MFA if sent.user.email == "ada@example.com" else ALLOW
        assert (decision.outcome, decision.degraded) == (wanted, False), decision
    return code


def test_control_good_requests_are_decided(desk: Desk) -> None:
    """Control: what is damaged below is decided, by the action's own look at the event."""
    assert judge_begun(desk, BEGIN) == "OK"
    other = runtime_service_pb2.ExecutePostLoginRequest(tenant_id="acme", event=BOB).SerializeToString()
    assert judge_begun(desk, other) == "OK"
    assert judge_begun(desk, AUTH0.SerializeToString()) == "OK"
    code, decision = desk.resume(continued(suspended(desk.daemon, "waits")))
    assert (code, decision.outcome if decision else None) == ("OK", ALLOW)


@pytest.mark.parametrize("line", seeds("requests.txt"))
def test_seeds_of_requests(desk: Desk, line: str) -> None:
    """Requests that were of interest once are answered as noted."""
    code, _, data = line.partition(" ")
    assert judge_begun(desk, bytes.fromhex(data)) == code


@effort(150)
@given(edits)
def test_any_damage_to_a_request_is_read_alike_or_refused(desk: Desk, harm: list[Edit]) -> None:
    """A damaged request is decided by what it says to everybody, or refused as the caller's fault."""
    judge_begun(desk, damaged(BEGIN, harm))


@effort(100)
@given(edits)
def test_any_damage_to_auth0s_json_is_read_alike_or_refused(desk: Desk, harm: list[Edit]) -> None:
    """The same of an event that is a Struct: the daemon decides the event that the one mapping reads in it."""
    judge_begun(desk, damaged(AUTH0.SerializeToString(), harm))


parts: st.SearchStrategy[bytes] = st.sampled_from(
    [
        runtime_service_pb2.ExecutePostLoginRequest(tenant_id="acme").SerializeToString(),
        runtime_service_pb2.ExecutePostLoginRequest(tenant_id="waits").SerializeToString(),
        runtime_service_pb2.ExecutePostLoginRequest(request_id="q").SerializeToString(),
        runtime_service_pb2.ExecutePostLoginRequest(event=ADA).SerializeToString(),
        runtime_service_pb2.ExecutePostLoginRequest(event=BOB).SerializeToString(),
        runtime_service_pb2.ExecutePostLoginRequest(event={"request": {"ip": "192.0.2.1"}}).SerializeToString(),
        runtime_service_pb2.ExecutePostLoginRequest(auth0_event=AUTH0.auth0_event).SerializeToString(),
        b"\x1a\x00", b"\x0a\x00", b"\x7a\x01x", b"\xf8\x3f\x01", b"\x0b\x0c", b"\x1a\x02\x0a\x00",
    ]
)  # fmt: skip


@effort(100)
@given(st.lists(parts, max_size=5))
def test_fields_that_come_twice_are_read_alike_or_refused(desk: Desk, chosen: list[bytes]) -> None:
    """Tenants and events that come twice, which protobuf joins, mean to a worker what they mean to a reader."""
    judge_begun(desk, b"".join(chosen))


def continued(token: bytes) -> bytes:
    request = runtime_service_pb2.ContinuePostLoginRequest(
        tenant_id="waits", event=event("otp"), continuation=token, completed=[OTP]
    )
    return request.SerializeToString()


@effort(80)
@given(edits)
def test_any_damage_to_a_continuation_continues_as_it_should_or_not_at_all(desk: Desk, harm: list[Edit]) -> None:
    """A damaged request continues with the whole token, its tenant, user, transaction and factor, or is refused.

    What was refused as the caller's fault has not used the token up: the good request continues afterwards.
    """
    token = suspended(desk.daemon, "waits")
    data = damaged(continued(token), harm)
    code, decision = desk.resume(data)
    if decision is None:
        assert code in REFUSALS, code
        code, decision = desk.resume(continued(token))
        assert (code, decision.outcome if decision else None) == ("OK", ALLOW)
        return
    request = read(runtime_service_pb2.ContinuePostLoginRequest, data)
    assert request is not None
    assert (request.tenant_id, request.continuation, list(request.completed)) == ("waits", token, [OTP])
    assert (request.event.user.user_id, request.event.transaction.id) == ("auth0|1", "t-1")
    assert desk.resume(continued(token))[0] == "FAILED_PRECONDITION"
