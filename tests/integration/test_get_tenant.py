"""What a gateway may know of a tenant, and whether its logins can be decided now: by GetTenant and by health."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_status import rpc_status
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.runtime_service_pb2 import GetTenantRequest, GetTenantResponse

from runtime.catalog import applies
from runtime.catalog.sqlite import SqliteDatabase
from runtime.core.model import Experience, Policy, Settings
from tests.calls import health, unary
from tests.fixtures.commands import vestibule
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.suspensions import keys_file
from tests.fixtures.tenants import define
from tests.fixtures.waiting import until

METHOD = "/vestibule.v1.ActionRuntimeService/GetTenant"
ALLOWS = "def on_execute_post_login(event, api):\n    pass\n"
SETTINGS = Settings(
    experience=Experience.CLASSIC,
    policy=Policy.ADAPTIVE,
    factors=("email", "otp", "webauthn-roaming", "push-notification", "duo"),
    remember_lifetime_h=48,
    remember_idle_h=3,
)


@pytest.fixture(scope="module", params=["fast", "stock"])
def daemon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    root = tmp_path_factory.mktemp("tenants")
    with served(root, *keys_file(root), "--rpc-front", request.param) as daemon:
        of = define("classic", ALLOWS, ALLOWS + "\n")
        daemon.publish(replace(of, flow=replace(of.flow, settings=SETTINGS)), define("other", ALLOWS))
        yield daemon


@pytest.fixture
def channel(daemon: Daemon) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(daemon.target) as channel:
        yield channel


def ask(channel: grpc.Channel, tenant: str) -> GetTenantResponse:
    data: bytes = unary(channel, METHOD)(GetTenantRequest(tenant_id=tenant).SerializeToString(), timeout=10)
    return GetTenantResponse.FromString(data)


def test_a_tenant_says_what_a_gateway_needs(channel: grpc.Channel) -> None:
    """Its pages, the factors that these can show, its policy, how long a browser is remembered, its actions."""
    found = ask(channel, "classic")
    assert found.tenant_id == "classic"
    assert found.experience == GetTenantResponse.EXPERIENCE_CLASSIC
    assert list(found.factors) == [pb.FACTOR_PUSH_NOTIFICATION, pb.FACTOR_OTP, pb.FACTOR_DUO]
    assert found.policy == GetTenantResponse.POLICY_ADAPTIVE
    assert (found.memory.lifetime.seconds, found.memory.idle_lifetime.seconds) == (48 * 3600, 3 * 3600)
    assert list(found.actions) == ["a0", "a1"]
    until(lambda: ask(channel, "classic").ready, "a zygote")
    assert found.catalog_revision > 0


def test_the_fingerprint_is_of_what_decides(daemon: Daemon, channel: grpc.Channel) -> None:
    """It changes with the flow and with nothing else, and is not the digest that a store has."""
    before = ask(channel, "other").flow_fingerprint
    assert len(before) == 32
    daemon.publish(define("other", ALLOWS + "# changed\n"))
    changed = ask(channel, "other").flow_fingerprint
    daemon.publish(define("other", ALLOWS))
    assert ask(channel, "other").flow_fingerprint == before != changed


def test_a_command_asks(daemon: Daemon) -> None:
    """`vestibule tenant` prints what GetTenant says, and ends with 1 where there is no tenant."""
    shown = vestibule("tenant", "classic", "--target", daemon.target)
    assert json.loads(shown.stdout)["policy"] == "POLICY_ADAPTIVE"
    unknown = vestibule("tenant", "nobody", "--target", daemon.target)
    assert unknown.returncode == 1
    assert "UNKNOWN_TENANT" in unknown.stderr


@pytest.mark.parametrize(
    ("tenant", "code", "reason"),
    [("nobody", "NOT_FOUND", "UNKNOWN_TENANT"), ("No!", "INVALID_ARGUMENT", "INVALID_REQUEST")],
)
def test_what_is_no_tenant_is_refused(channel: grpc.Channel, tenant: str, code: str, reason: str) -> None:
    """As a login of it is."""
    with pytest.raises(grpc.RpcError) as caught:
        ask(channel, tenant)
    error: Any = caught.value
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(error)
    assert status is not None
    assert status.details[0].Unpack(info)
    assert (error.code().name, info.reason) == (code, reason)


def test_health_knows_each_tenant(daemon: Daemon, channel: grpc.Channel) -> None:
    """Check answers for one tenant, and Watch says when it comes and goes."""
    stub = health(channel)
    assert stub.Check(HealthCheckRequest(service="tenant:other"), timeout=10).status == HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(HealthCheckRequest(service="tenant:new"), timeout=10)
    unknown: Any = caught.value
    assert unknown.code() is grpc.StatusCode.NOT_FOUND
    seen: list[int] = []
    watch = stub.Watch(HealthCheckRequest(service="tenant:new"), timeout=60)
    seen.append(next(watch).status)
    daemon.publish(define("new", ALLOWS))
    seen.append(next(watch).status)
    watch.cancel()
    assert seen == [HealthCheckResponse.SERVICE_UNKNOWN, HealthCheckResponse.SERVING]


def test_a_tenant_is_not_ready_without_a_zygote(daemon: Daemon, channel: grpc.Channel) -> None:
    """While no worker can be made, GetTenant says so."""
    until(lambda: ask(channel, "other").ready, "a zygote")
    daemon.tree()[0].kill()
    until(lambda: not ask(channel, "other").ready, "not ready", every_s=0.001)
    until(lambda: ask(channel, "other").ready, "a new zygote")


def test_everything_that_came_is_counted(daemon: Daemon, channel: grpc.Channel) -> None:
    """As a method of its own."""
    before = daemon.metric("grpc_server_handled_total", grpc_method="GetTenant", grpc_code="OK")
    ask(channel, "other")
    assert daemon.metric("grpc_server_handled_total", grpc_method="GetTenant", grpc_code="OK") == before + 1


def test_a_tenant_that_was_removed_is_gone(daemon: Daemon, channel: grpc.Channel) -> None:
    """Nothing of it is answered from memory."""
    daemon.publish(define("short-lived", ALLOWS))
    assert ask(channel, "short-lived").actions
    revision = applies.apply(SqliteDatabase(daemon.path), [define("other", ALLOWS)], prune=True).revision
    daemon.wait_for("catalog.reloaded", revision=revision)
    with pytest.raises(grpc.RpcError):
        ask(channel, "short-lived")
