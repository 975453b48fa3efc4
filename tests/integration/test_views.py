"""The basic view of a decision: what the gateway acts on, without the reports."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.message import Message
from vestibule.v1.runtime_service_pb2 import (
    VIEW_BASIC,
    VIEW_FULL,
    VIEW_UNSPECIFIED,
    ContinuePostLoginRequest,
    ExecutePostLoginRequest,
    ExecutePostLoginResponse,
    View,
)

from tests import strict_reader
from tests.calls import CONTINUE, METHOD, unary
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.suspensions import CHALLENGE, OTP, event
from tests.fixtures.tenants import define
from tests.fixtures.waiting import PATIENCE_S

ASKS = "def on_execute_post_login(event, api):\n    print('said')\n    api.multifactor.enable('any')\n"
FAILS = "def on_execute_post_login(event, api):\n    1 / 0\n"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with served(tmp_path_factory.mktemp("views")) as daemon:
        daemon.publish(define("asks", ASKS), define("fails", FAILS), define("suspends", CHALLENGE, ASKS))
        yield daemon


def send(daemon: Daemon, request: Message) -> ExecutePostLoginResponse:
    path = CONTINUE if isinstance(request, ContinuePostLoginRequest) else METHOD
    with grpc.insecure_channel(daemon.target) as channel:
        data: bytes = unary(channel, path)(request.SerializeToString(), timeout=PATIENCE_S)
    return strict_reader.read(data, ExecutePostLoginResponse)


def execute(daemon: Daemon, tenant: str, view: View, request_id: str = "r") -> ExecutePostLoginResponse:
    return send(daemon, ExecutePostLoginRequest(tenant_id=tenant, request_id=request_id, event=event(), view=view))


def without_reports(response: ExecutePostLoginResponse) -> ExecutePostLoginResponse:
    bare = ExecutePostLoginResponse()
    bare.CopyFrom(response)
    bare.decision.ClearField("contributions")
    bare.decision.ClearField("executions")
    bare.decision.ClearField("wall_time")
    bare.decision.suspension.ClearField("continuation")
    bare.decision.suspension.ClearField("expires_at")
    return bare


@pytest.mark.parametrize("tenant", ["asks", "fails", "suspends"])
def test_the_basic_view_is_the_full_one_without_reports(daemon: Daemon, tenant: str) -> None:
    """Remembered answers and those of failed and suspended flows alike; the control has reports."""
    for number in range(3):
        full = execute(daemon, tenant, VIEW_FULL, f"r-{number}")
        basic = execute(daemon, tenant, VIEW_BASIC, f"r-{number}")
        assert full.decision.contributions
        assert full.decision.executions
        assert not basic.decision.contributions
        assert not basic.decision.executions
        assert basic.decision.wall_time.nanos
        assert without_reports(basic) == without_reports(full)
        assert basic.decision.outcome
        assert basic.ByteSize() < full.ByteSize()


def test_what_is_not_said_is_full(daemon: Daemon) -> None:
    """A gateway that knows no views gets everything."""
    assert execute(daemon, "asks", VIEW_UNSPECIFIED).decision.executions


def test_a_stored_answer_has_every_view(daemon: Daemon) -> None:
    """The view is no part of a request's content: the same request may ask for another one."""
    token = execute(daemon, "suspends", VIEW_BASIC, "r-s").decision.suspension.continuation
    request = ContinuePostLoginRequest(
        tenant_id="suspends",
        request_id="r-2",
        event=event("otp"),
        continuation=token,
        completed=[OTP],
        view=VIEW_BASIC,
    )
    first = send(daemon, request)
    request.view = VIEW_FULL
    full = send(daemon, request)
    request.view = VIEW_BASIC
    assert send(daemon, request) == first
    assert full.decision.executions
    assert first.decision.decision_id == full.decision.decision_id
    assert without_reports(first) == without_reports(full)
