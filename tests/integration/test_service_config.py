"""The service config for gRPC clients: a burst that is refused at first is decided in the end, by gRPC itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import grpc
import pytest
from vestibule.v1 import runtime_service_pb2
from vestibule.v1.runtime_service_pb2 import ExecutePostLoginRequest, ExecutePostLoginResponse

from tests.calls import METHOD, unary
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.tenants import ADA, MFA, define

CONFIG = Path(__file__).parents[2] / "proto" / "service_config.json"
REQUIRES = "def on_execute_post_login(event, api):\n    api.multifactor.enable('any')\n"
# It takes some milliseconds, so that a burst is sent faster than it is decided, on a busy machine too.
LONG = "def on_execute_post_login(event, api):\n    sum(range(100_000))\n    api.multifactor.enable('any')\n"
BURST = 300


def burst(daemon: Daemon, options: list[tuple[str, Any]], tenant: str = "acme") -> list[Any]:
    """Send 300 logins of one tenant at once; wait for every answer."""
    with grpc.insecure_channel(daemon.target, options=options) as channel:
        method = unary(channel, METHOD)
        requests = [ExecutePostLoginRequest(tenant_id=tenant, request_id=f"r-{n}", event=ADA) for n in range(BURST)]
        # The time limit is that of the config: an idle machine needs a second of it.
        calls = [method.future(request.SerializeToString()) for request in requests]
        for call in calls:
            call.exception()
        return calls


@pytest.fixture
def daemon(tmp_path: Path) -> Any:
    with served(tmp_path) as daemon:
        daemon.publish(define("acme", REQUIRES), define("long", LONG))
        daemon.call("acme")
        yield daemon


def test_a_burst_on_one_tenant_is_answered(daemon: Daemon) -> None:
    """A tenant may hold 51 of the daemon's 512 places; gRPC's own retries wait as the daemon asks. 300 are decided."""
    calls = burst(daemon, [("grpc.service_config", CONFIG.read_text())])
    assert [call.code() for call in calls] == [grpc.StatusCode.OK] * BURST
    decisions = [ExecutePostLoginResponse.FromString(call.result()).decision for call in calls]
    assert {decision.outcome for decision in decisions} == {MFA}
    # Each was decided once: its id says so.
    assert len({decision.decision_id for decision in decisions}) == BURST
    assert daemon.metric("vestibule_decisions_total", outcome="mfa_required") == BURST + 1
    assert daemon.metric("vestibule_sheds_total", reason="tenant_in_flight") > 0


def test_without_the_config_a_burst_is_refused_in_part(daemon: Daemon) -> None:
    """The control: it is the config that brings the others through."""
    codes = [call.code() for call in burst(daemon, [("grpc.enable_retries", 0)], "long")]
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}


def test_the_config_names_what_the_contract_has() -> None:
    """Every method but the stream, which may last; the statuses that are retryable, and delays that gRPC takes."""
    config = json.loads(CONFIG.read_text())
    service = runtime_service_pb2.DESCRIPTOR.services_by_name["ActionRuntimeService"]
    named = [name for method in config["methodConfig"] for name in method["name"]]
    assert {name["service"] for name in named} == {service.full_name}
    assert {name["method"] for name in named} >= {
        method.name for method in service.methods if not method.client_streaming
    }
    for method in config["methodConfig"]:
        policy = method["retryPolicy"]
        assert set(policy["retryableStatusCodes"]) <= {"UNAVAILABLE", "RESOURCE_EXHAUSTED"}
        assert 2 <= policy["maxAttempts"] <= 5
        for delay in (method["timeout"], policy["initialBackoff"], policy["maxBackoff"]):
            assert re.fullmatch(r"[0-9]+(\.[0-9]+)?s", delay)
