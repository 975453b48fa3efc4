"""What a real daemon leaves behind: nothing of an event or a secret in log and metrics, no descriptor, no process."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, struct_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from vestibule.v1 import event_pb2

from runtime.core.model import OnError
from tests.calls import Refused, health
from tests.fixtures.daemons import Daemon, Serve, served
from tests.fixtures.states import beyond_workers
from tests.fixtures.tenants import ADA, ALLOW, BOB, DENY, GATE, LOOP, MFA, define

pytestmark = pytest.mark.long

SERVICE = "vestibule.v1.ActionRuntimeService"
MARK = "CANARY"
SECRET = "SECRETCANARY"

TELLS_ALL = """\
def on_execute_post_login(event, api):
    print(event.user.email, event.secrets, event.request.query, event.user.user_metadata)
    api.user.set_user_metadata("seen", event.user.email)
    api.id_token.set_custom_claim("https://example.com/claim", event.secrets["KEY"])
"""
RAISES = """\
def on_execute_post_login(event, api):
    raise ValueError(event.user.email + event.secrets["KEY"] + str(event.request.query))
"""
DENIES = """\
def on_execute_post_login(event, api):
    api.access.deny("because of " + event.user.email + event.secrets["KEY"])
"""
UNKNOWN = """\
def on_execute_post_login(event, api):
    event.secrets[event.user.email]
"""
BAD_ARGUMENT = """\
def on_execute_post_login(event, api):
    api.multifactor.enable(event.secrets["KEY"])
"""
WIPES = """\
def on_execute_post_login(event, api):
    SECRETCANARY = (
"""
CRASHES = """\
def on_execute_post_login(event, api):
    def deep(n):
        return [deep(n + 1)]
    deep(0)
"""
HOARDS = """\
def on_execute_post_login(event, api):
    x = ["x"] * 10 ** 9
"""


def fill(message: Message, depth: int = 0) -> None:
    """Put a mark into every text that an event can hold, but for addresses, which must be some."""
    for field in message.DESCRIPTOR.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            text = "192.0.2.1" if field.name.endswith("ip") else f"{MARK}{field.number}@example.com"
            if field.is_repeated:
                getattr(message, field.name).append(text)
            else:
                setattr(message, field.name, text)
        elif field.type == FieldDescriptor.TYPE_MESSAGE and not field.is_repeated and depth < 5:
            inner = getattr(message, field.name)
            if isinstance(inner, struct_pb2.Struct):
                inner.update({f"{MARK}key": f"{MARK}value"})
            elif inner.DESCRIPTOR.full_name.startswith("vestibule."):
                fill(inner, depth + 1)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that logs everything it can."""
    with served(tmp_path_factory.mktemp("long"), "--log-level", "debug", blank=2) as daemon:
        yield daemon


def test_nothing_of_an_event_or_a_secret_is_shown(daemon: Daemon) -> None:
    """With every text of an event and every secret marked, no mark is in a log line, even at debug, or in a metric."""
    actions = {
        "tells-all": TELLS_ALL,
        "raises": RAISES,
        "denies": DENIES,
        "unknown": UNKNOWN,
        "bad-argument": BAD_ARGUMENT,
        "wipes": WIPES,
        "loops": LOOP,
    }
    daemon.publish(*(define(name, source, secrets={"KEY": SECRET}, timeout_ms=300) for name, source in actions.items()))
    event = event_pb2.PostLoginEvent()
    fill(event)
    event.tenant.Clear()
    assert event.SerializeToString().count(MARK.encode()) > 50
    told = ""
    for name in actions:
        told += str(daemon.call(name, event))
    # Control: the decision does tell, to the gateway; so the marks were there to be leaked.
    assert told.count(MARK) > 5
    assert SECRET in told
    refused = [
        (f"{MARK}-tenant", event, ""),
        ("nobody", event, f"{MARK}-id\n"),
        (f"{MARK} tenant", event, ""),
    ]
    for name, given, request_id in refused:
        with pytest.raises(Refused):
            daemon.call(name, given, request_id=request_id)
    with pytest.raises(grpc.RpcError):
        daemon.send(f"\x0a\x04acme\x1a\x7f{MARK}".encode()).result()
    broken = event.SerializeToString()[:-1]
    with pytest.raises(grpc.RpcError):
        daemon.send(b"\x0a\x06denies\x1a" + bytes([len(broken) & 0x7F | 0x80, len(broken) >> 7]) + broken).result()
    for worker in daemon.workers():
        worker.kill()
    daemon.call("denies", event)
    log = json.dumps(daemon.lines) + "".join(daemon.stray)
    assert daemon.events("login.decided")
    assert daemon.events("login.refused")
    metrics = daemon.get("/metrics")[1]
    for mark in (MARK, SECRET, "example.com"):
        assert mark not in log, re.findall(f".{{80}}{mark}.{{80}}", log)
        assert mark not in metrics
    # A tenant is named by its processor time alone, in a bounded number of series; an action or a user by nothing.
    others = "\n".join(
        line for line in metrics.splitlines() if not line.startswith("vestibule_tenant_cpu_seconds_total{")
    )
    assert others.count("\n") > 100
    assert not re.search("tells-all|denies|auth0", others)


def test_three_hundred_logins_leave_nothing_behind(serve: Serve) -> None:
    """After 300 logins of good and hostile tenants, eight at a time, the daemon holds what a warm one holds."""
    flags = ("--pool-workers-per-tenant", "2", "--sandbox-action-timeout-ms", "300", "--pool-queue-wait-ms", "30000")
    daemon = serve(*flags, blank=2)
    hostile = {"loops": LOOP, "crashes": CRASHES, "hoards": HOARDS, "raises": RAISES, "wipes": WIPES}
    names = [f"good-{at}" for at in range(4)]
    daemon.publish(
        *(define(name, GATE) for name in names),
        *(define(name, source, timeout_ms=60, on_error=OnError.DENY) for name, source in hostile.items()),
    )

    for name in (*names, *hostile):
        daemon.call(name)
    warm = beyond_workers(daemon)

    def login(at: int) -> None:
        if at % 3:
            event, wanted = ((ADA, MFA), (BOB, ALLOW))[at % 2]
            decision = daemon.call(names[at % 4], event)
            assert (decision.outcome, decision.degraded) == (wanted, False)
        else:
            decision = daemon.call(list(hostile)[at // 3 % 5])
            assert (decision.outcome, decision.degraded) == (DENY, True)

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(login, range(300)))
    assert beyond_workers(daemon) == warm
    assert daemon.metric("vestibule_decisions_degraded_total") == 100 + len(hostile)
    assert daemon.metric("grpc_server_handled_total", grpc_code="OK") == 300 + len(names) + len(hostile)
    assert daemon.metric("vestibule_zygote_starts_total") == 1


@pytest.mark.parametrize("service", ["", SERVICE])
def test_health_is_reported_and_watched_for_each_service(daemon: Daemon, service: str) -> None:
    """Check and Watch say SERVING for the server and for its service; another name is unknown."""
    with grpc.insecure_channel(daemon.target) as channel:
        stub = health(channel)
        request = health_pb2.HealthCheckRequest(service=service)
        assert stub.Check(request, timeout=10).status == health_pb2.HealthCheckResponse.SERVING
        watch = stub.Watch(request, timeout=10)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
        with pytest.raises(grpc.RpcError) as unknown:
            stub.Check(health_pb2.HealthCheckRequest(service="other"), timeout=10)
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


def test_reflection_is_enough_for_grpcurl(daemon: Daemon) -> None:
    """The service is listed, and its symbol leads to the file that describes its method."""
    with grpc.insecure_channel(daemon.target) as channel:
        ask: Any = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        requests = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
        ]
        listed, described = ask(iter(requests), timeout=10)
    names = [service.name for service in listed.list_services_response.service]
    assert {SERVICE, "grpc.health.v1.Health"} <= set(names)
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(data)
        for data in described.file_descriptor_response.file_descriptor_proto
    ]
    by_name = {file.name: file for file in files}
    main = by_name["vestibule/v1/runtime_service.proto"]
    methods = ["ExecutePostLogin", "ContinuePostLogin", "GetTenant", "StreamPostLogin"]
    assert [method.name for method in main.service[0].method] == methods
