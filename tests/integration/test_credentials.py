"""Who may call a daemon: TLS, client certificates, API keys and sockets, from real clients on both fronts.

Each refusal stands beside its control: the same call with the right credentials is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import stat
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from vestibule.v1 import runtime_service_pb2

from runtime.callers import key_text
from runtime.catalog import api_keys
from runtime.catalog.api_keys import ApiKey
from runtime.catalog.sqlite import SqliteDatabase
from runtime.cli import main
from runtime.errors import StartError
from runtime.ops.listening import check_free
from runtime.rpc.health import Health
from tests.calls import METHOD, Refused, health, unary
from tests.fixtures.certificates import Certificate, issue
from tests.fixtures.commands import vestibule
from tests.fixtures.daemons import Daemon, Serve, served
from tests.fixtures.tenants import ADA, define
from tests.fixtures.waiting import until
from tests.fronts import STOCK_LATER

SOURCE = "def on_execute_post_login(event, api):\n    pass"
# What the operator's page promises of a key that was made or revoked.
EFFECTIVE_S = 2.0
ALLOW = 1
GET_TENANT = "/vestibule.v1.ActionRuntimeService/GetTenant"


class Desk:
    """A daemon with TLS that asks for credentials, its authority, and clients of every kind."""

    def __init__(self, root: Path, start: Callable[..., Daemon], front: str) -> None:
        self.root = root
        self.authority = issue("authority", authority=True)
        self.gateway = issue("gateway", by=self.authority, dns=("gateway.example.com",))
        self.secrets: list[str] = []
        issue("server", by=self.authority).write(root, "server")
        self.authority.write(root, "authority")
        (root / "rules").write_text("dns:gateway.example.com execute acme\ncn:reader read *\n")
        self.daemon = start(
            "--auth-mode", "required", "--rpc-front", front, "--http-listen", "127.0.0.1:0", "--tls-metrics",
            "--tls-cert-file", str(root / "server.pem"), "--tls-key-file", str(root / "server.key"),
            "--tls-client-ca-file", str(root / "authority.pem"), "--auth-certificates-file", str(root / "rules"),
        )  # fmt: skip
        started = self.daemon.wait_for("daemon.started")
        self.http, self.metrics = f"https://{started['http_listen']}", f"https://{started['metrics_listen']}"
        self.daemon.publish(define("acme", SOURCE), define("umbrella", SOURCE))

    def key(self, *scopes: str, tenant: str = "*", expires_in_s: int | None = None) -> str:
        """Make a key and wait until the daemon knows it."""
        made = key_text.generate()
        self.secrets.append(made.secret)
        now = int(time.time())
        ends = None if expires_in_s is None else now + expires_in_s
        api_keys.add(
            SqliteDatabase(self.daemon.path),
            ApiKey(made.key_id, key_text.digest(made.secret), "", scopes, tenant, now, ends),
        )
        until(lambda: self.reason(str(made)) != "KEY_UNKNOWN", "the key is known")
        return str(made)

    def channel(self, certificate: Certificate | None, authority: Certificate | None = None) -> grpc.Channel:
        """Open a connection of its own."""
        pair = (certificate.key, certificate.pem) if certificate else (None, None)
        made = grpc.ssl_channel_credentials((authority or self.authority).pem, *pair)
        options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
        return grpc.secure_channel(self.daemon.target, made, options)

    def login(
        self,
        tenant: str = "acme",
        metadata: Sequence[tuple[str, str | bytes]] = (),
        certificate: Certificate | None = None,
        authority: Certificate | None = None,
    ) -> int:
        """Decide a login over a connection of its own; the gateway's certificate is shown unless another one is given.

        Raises: Refused.
        """
        request = runtime_service_pb2.ExecutePostLoginRequest(tenant_id=tenant, event=ADA)
        with self.channel(certificate or self.gateway, authority) as channel:
            call = unary(channel, METHOD, runtime_service_pb2.ExecutePostLoginResponse.FromString)
            try:
                return int(call(request.SerializeToString(), timeout=10, metadata=metadata).decision.outcome)
            except grpc.RpcError as error:
                raise Refused(error) from None

    def reason(self, key: str, tenant: str = "acme") -> str:
        """Return the reason for which a key is refused over gRPC; nothing when it is answered."""
        try:
            self.login(tenant, bearer(key))
        except Refused as refused:
            return refused.reason
        return ""

    def http_reason(self, authorization: str | None, tenant: str = "acme") -> tuple[int, str]:
        """Return the status and the reason of an answer by HTTP."""
        body = {"tenantId": tenant, "event": {"user": {"userId": "a"}, "client": {"clientId": "c"}}}
        headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
        url = f"{self.http}/vestibule.v1.ActionRuntimeService/ExecutePostLogin"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, context=self.context(self.gateway), timeout=10) as answer:
                return answer.status, ""
        except urllib.error.HTTPError as error:
            with error:
                details = json.loads(error.read())["details"]
                return error.code, details[0]["debug"]["reason"]

    def context(self, certificate: Certificate | None = None) -> ssl.SSLContext:
        """Return TLS for a client of ours."""
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        if certificate is not None:
            context.load_cert_chain(*certificate.write(self.root, "client"))
        return context

    def metric(self, name: str, **labels: str) -> float:
        """Return one number of the port of metrics, which has TLS."""
        with urllib.request.urlopen(f"{self.metrics}/metrics", context=self.context(), timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name) and all(f'{key}="{value}"' in line for key, value in labels.items()):
                    return float(line.rpartition(" ")[2])
        raise AssertionError(name)

    def put(self, name: str, data: bytes, event: str = "files.reloaded") -> dict[str, Any]:
        """Replace a file, have it read again at once, and return what the log says of it."""
        seen = len(self.daemon.lines)
        (self.root / name).write_bytes(data)
        self.daemon.process.send_signal(signal.SIGHUP)
        return self.daemon.wait_for(event, after=seen, what="certificates" if name == "rules" else "tls")

    def shown(self, address: str) -> bytes:
        """Return the certificate that a port shows to a new connection."""
        host, _, port = address.rpartition(":")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2", "http/1.1"])
        with socket.create_connection((host, int(port)), 10) as plain, context.wrap_socket(plain) as connection:
            shown = connection.getpeercert(binary_form=True)
        assert shown is not None
        return shown

    def addresses(self) -> list[str]:
        """List the ports with TLS."""
        return [self.daemon.target, self.http.removeprefix("https://"), self.metrics.removeprefix("https://")]


def bearer(key: str) -> list[tuple[str, str | bytes]]:
    return [("authorization", f"Bearer {key}")]


@pytest.fixture(scope="module", params=STOCK_LATER)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One daemon for each front; when its tests have ended no secret is in its log."""
    root = tmp_path_factory.mktemp("callers")
    with contextlib.ExitStack() as stack:
        made = Desk(root, lambda *flags: stack.enter_context(served(root, *flags)), request.param)
        made.key("execute")  # refused until it is known
        yield made
        made.daemon.stop()
        log = json.dumps(made.daemon.lines) + "".join(made.daemon.stray)
        assert "login.refused" in log
        assert made.secrets
        assert not [secret for secret in made.secrets if secret in log]


def refusals(desk: Desk, reason: str) -> float:
    return desk.metric("vestibule_callers_refused_total", reason=reason.lower())


def test_a_key_does_what_its_scopes_and_its_tenant_allow(desk: Desk) -> None:
    """A gateway's key decides its tenant's logins; another tenant, existing or not, and another scope are refused."""
    key = desk.key("execute", tenant="acme")
    assert desk.reason(key) == ""
    desk.daemon.wait_for("login.decided", caller=f"key {key.split('_')[1]}")
    assert desk.http_reason(f"Bearer {key}") == (200, "")
    for tenant in ("umbrella", "no-such-tenant"):
        assert desk.reason(key, tenant) == "TENANT_NOT_ALLOWED"
        assert desk.http_reason(f"Bearer {key}", tenant) == (403, "TENANT_NOT_ALLOWED")
    reader = desk.key("read", "author", "operator")
    assert desk.reason(reader) == "SCOPE_MISSING"
    assert desk.http_reason(f"Bearer {reader}") == (403, "SCOPE_MISSING")
    everyone = desk.key("execute")
    assert desk.reason(everyone, "umbrella") == ""
    assert desk.reason(everyone, "no-such-tenant") == "UNKNOWN_TENANT"


def test_a_key_is_refused_within_two_seconds_of_its_end(desk: Desk) -> None:
    """A running daemon takes a new key, and then no revoked and no expired one; each is counted by its reason."""
    began = time.monotonic()
    key = desk.key("execute")
    assert time.monotonic() - began < EFFECTIVE_S
    assert desk.reason(key) == ""
    before = {reason: refusals(desk, reason) for reason in ("KEY_REVOKED", "KEY_EXPIRED")}
    api_keys.revoke(SqliteDatabase(desk.daemon.path), key.split("_")[1])
    began = time.monotonic()
    until(lambda: desk.reason(key) == "KEY_REVOKED", "the key is refused")
    assert time.monotonic() - began < EFFECTIVE_S
    assert desk.http_reason(f"Bearer {key}") == (401, "KEY_REVOKED")
    brief = desk.key("execute", expires_in_s=2)
    until(lambda: desk.reason(brief) == "KEY_EXPIRED", "the key is refused")
    assert all(refusals(desk, reason) > count for reason, count in before.items())


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ([("authorization", "Bearer vk_aaaaaaaaaa_" + "b" * 52)], "KEY_UNKNOWN"),
        ([("authorization", "Basic dXNlcjpwYXNz")], "CREDENTIALS_MALFORMED"),
        ([("authorization", "\x20!~" * 1000)], "CREDENTIALS_MALFORMED"),
        ([("authorization", "")], "CREDENTIALS_MALFORMED"),
        ([("authorization", "Bearer"), ("authorization", "Bearer")], "CREDENTIALS_MALFORMED"),
    ],
)
def test_wrong_credentials_are_named_and_counted(desk: Desk, metadata: Any, reason: str) -> None:
    """A typed error, also beside a good certificate, and a count; the control is the certificate alone."""
    before = refusals(desk, reason)
    with pytest.raises(Refused) as refused:
        desk.login(metadata=metadata)
    assert (refused.value.code, refused.value.reason) == ("UNAUTHENTICATED", reason)
    assert refused.value.details["ErrorInfo"].domain == "vestibule"
    assert refusals(desk, reason) == before + 1
    if len(metadata) == 1 and metadata[0][1]:
        assert desk.http_reason(metadata[0][1].strip()) == (401, reason)
    assert desk.login() == ALLOW


def test_a_certificate_does_what_its_rule_allows(desk: Desk) -> None:
    """The gateway's decides for its tenant; one without a rule, and one with another scope, are refused by name."""
    assert desk.login() == ALLOW
    desk.daemon.wait_for("login.decided", caller="certificate dns:gateway.example.com")
    assert desk.http_reason(None) == (200, "")
    for certificate, tenant, reason in (
        (desk.gateway, "umbrella", "TENANT_NOT_ALLOWED"),
        (issue("stranger", by=desk.authority), "acme", "CERTIFICATE_UNKNOWN"),
        (issue("reader", by=desk.authority), "acme", "SCOPE_MISSING"),
    ):
        with pytest.raises(Refused) as refused:
            desk.login(tenant, certificate=certificate)
        assert refused.value.reason == reason
    assert desk.http_reason(None, "umbrella") == (403, "TENANT_NOT_ALLOWED")


def test_a_command_has_the_same_credentials(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """By gRPC and by HTTP, a command shows a certificate and a key; without either it learns nothing."""
    desk.gateway.write(desk.root, "gateway")
    key_file = desk.root / "reader.key"
    key_file.touch(0o600)
    key_file.write_text(desk.key("read"))
    known = "--tls-ca", str(desk.root / "authority.pem"), "--api-key-file", str(key_file)
    certificate = "--tls-cert", str(desk.root / "gateway.pem"), "--tls-key", str(desk.root / "gateway.key")
    for target in (desk.daemon.target, desk.http):
        assert main.main(["list", "--target", target, *known, *certificate]) == 0
        assert "umbrella" in capsys.readouterr().out
        assert main.main(["delete", "acme", "--yes", "--target", target, *known, *certificate]) == 1
        assert "SCOPE_MISSING" in capsys.readouterr().err
        assert main.main(["list", "--target", target, *known]) == 5
        assert "--tls-cert and --tls-key" in capsys.readouterr().err


def test_a_tenant_is_shown_to_its_own_callers_alone(desk: Desk) -> None:
    """GetTenant and a tenant's health, with any scope for it; the daemon's own health is everyone's, the control."""
    strangers = issue("stranger", by=desk.authority)
    for certificate, tenant, wanted in (
        (desk.gateway, "acme", "OK"),
        (issue("reader", by=desk.authority), "umbrella", "OK"),
        (desk.gateway, "umbrella", "PERMISSION_DENIED"),
        (desk.gateway, "no-such-tenant", "PERMISSION_DENIED"),
        (strangers, "acme", "UNAUTHENTICATED"),
    ):
        with desk.channel(certificate) as channel:
            request = runtime_service_pb2.GetTenantRequest(tenant_id=tenant).SerializeToString()
            about = health_pb2.HealthCheckRequest(service=f"tenant:{tenant}")
            codes = [
                code_of(lambda: unary(channel, GET_TENANT)(request, timeout=10)),  # noqa: B023 - called at once
                code_of(lambda: health(channel).Check(about, timeout=10)),  # noqa: B023  called at once
                code_of(lambda: next(health(channel).Watch(about, timeout=10))),  # noqa: B023  called at once
            ]
            assert codes == [wanted] * 3
            assert code_of(lambda: health(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)) == "OK"


def code_of(call: Callable[[], object]) -> str:
    try:
        call()
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def test_no_handshake_succeeds_with_a_wrong_certificate(desk: Desk) -> None:
    """None, an expired one, a future one and another authority's get no connection, by gRPC as by HTTP."""
    other = issue("authority", authority=True)
    name = ("gateway.example.com",)
    hour = timedelta(hours=1)
    wrong = {
        "expired": issue("gateway", by=desk.authority, dns=name, begins=-2 * hour, ends=-hour),
        "future": issue("gateway", by=desk.authority, dns=name, begins=hour, ends=2 * hour),
        "of another authority": issue("gateway", by=other, dns=name),
        "its own": issue("gateway", dns=name),
    }
    for kind, certificate in wrong.items():
        with pytest.raises(Refused) as refused:
            desk.login(certificate=certificate)
        assert (kind, refused.value.code, refused.value.details) == (kind, "UNAVAILABLE", {})
        with pytest.raises(OSError, match=r"(?i)alert|reset|closed|eof"):
            urllib.request.urlopen(f"{desk.http}/", context=desk.context(certificate), timeout=10)
    with desk.channel(None) as channel, pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
        unary(channel, METHOD)(b"", timeout=10)
    # The other way round: a client does not take a daemon of another authority.
    with pytest.raises(Refused):
        desk.login(authority=other)
    assert desk.login() == ALLOW


def test_a_plain_client_gets_no_answer(desk: Desk) -> None:
    """Without TLS nothing is answered, and nothing hangs."""
    with grpc.insecure_channel(desk.daemon.target) as channel, pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
        unary(channel, METHOD)(b"", timeout=10)
    with pytest.raises(OSError):  # noqa: PT011 - closed in one of several ways
        urllib.request.urlopen(desk.http.replace("https", "http"), timeout=10)


def test_files_are_read_again_when_they_change(desk: Desk) -> None:
    """Each port shows the new certificate to new connections; a bad one is refused, said, and changes nothing."""
    seen = len(desk.daemon.lines)
    renewed = issue("server", by=desk.authority, ends=timedelta(hours=2))
    old = [desk.shown(address) for address in desk.addresses()]
    renewed.write(desk.root, "server")
    desk.daemon.wait_for("files.reloaded", after=seen, what="tls")
    assert [desk.shown(address) for address in desk.addresses()] == [renewed.der] * 3 != old
    ends = renewed.certificate.not_valid_after_utc.timestamp()
    assert desk.metric("vestibule_certificate_expiry_timestamp_seconds", certificate="server") == ends
    failed = desk.put("server.key", b"garbage", "files.failed")
    assert failed["level"] == "error"
    assert "server.key" in failed["faults"][0]
    assert desk.metric("vestibule_caller_files_healthy", files="tls") == 0
    assert [desk.shown(address) for address in desk.addresses()] == [renewed.der] * 3
    assert desk.login() == ALLOW
    desk.put("server.key", renewed.key)
    assert desk.metric("vestibule_caller_files_healthy", files="tls") == 1


def test_authorities_and_rules_are_read_again_when_they_change(desk: Desk) -> None:
    """An authority that is added lets its clients in, one that is removed keeps them out; a rule likewise."""
    added = issue("second authority", authority=True)
    client = issue("gateway", by=added, dns=("gateway.example.com",))
    with pytest.raises(Refused):
        desk.login(certificate=client)
    for authorities, answered in ((desk.authority.pem + added.pem, True), (desk.authority.pem, False)):
        desk.put("authority.pem", authorities)
        with contextlib.nullcontext() if answered else pytest.raises(Refused):
            assert desk.login(certificate=client) == ALLOW
        assert desk.http_reason(None) == (200, "")
    rules = (desk.root / "rules").read_bytes()
    for data, reason in ((b"cn:reader read *\n", "CERTIFICATE_UNKNOWN"), (rules, "")):
        desk.put("rules", data)
        with pytest.raises(Refused, match="no rule") if reason else contextlib.nullcontext():
            assert desk.login() == ALLOW


def test_a_session_outlives_no_authority(desk: Desk) -> None:
    """A client that resumes its TLS session is refused once its authority is taken away; before, it resumes."""
    added = issue("second authority", authority=True)
    context = desk.context(issue("gateway", by=added, dns=("gateway.example.com",)))
    context.set_alpn_protocols(["h2"])
    host, _, port = desk.daemon.target.rpartition(":")

    def greeted(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool]:
        """Connect and read the server's greeting; return the session, and whether it was resumed."""
        with (
            socket.create_connection((host, int(port)), 10) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as connection,
        ):
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
            if not connection.recv(9):
                raise ConnectionResetError
            return connection.session, bool(connection.session_reused)

    desk.put("authority.pem", desk.authority.pem + added.pem)
    try:
        session, _ = greeted(None)
        assert greeted(session)[1]
    finally:
        desk.put("authority.pem", desk.authority.pem)
    with pytest.raises(OSError):  # noqa: PT011 - refused in one of several ways
        greeted(session)
    assert desk.login() == ALLOW


def test_half_a_handshake_holds_up_no_other_client(desk: Desk) -> None:
    """Sixty clients stall on each port, at once and in the middle; logins are decided and metrics read meanwhile."""
    with contextlib.ExitStack() as stalled:
        for address in desk.addresses():
            host, _, port = address.rpartition(":")
            for number in range(60):
                client = stalled.enter_context(socket.create_connection((host, int(port)), 10))
                if number % 2:
                    # The head of a ClientHello of 512 bytes that does not come.
                    client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        for _ in range(5):
            assert desk.login() == ALLOW
        assert desk.http_reason(None) == (200, "")
        assert desk.metric("vestibule_caller_files_healthy", files="tls") == 1


def test_health_is_open_and_reflection_is_not(desk: Desk) -> None:
    """A probe needs no key, within TLS; known callers alone learn of the service."""
    path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    with desk.channel(issue("stranger", by=desk.authority)) as channel:
        state = health(channel).Check(health_pb2.HealthCheckRequest(), timeout=10).status
        assert state == health_pb2.HealthCheckResponse.SERVING
        ask: Any = channel.stream_stream(
            path,
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
            list(ask(iter([question]), timeout=10))
        answers = list(ask(iter([question]), timeout=10, metadata=bearer(desk.key("read"))))
        assert answers[0].list_services_response.service


def test_strangers_cannot_make_the_daemon_hold_much(desk: Desk) -> None:
    """A message over 4 MiB is not taken in, and a watch keeps no long name, which it may be held by for days."""
    watch = Health(lambda _: None, lambda *_: asyncio.sleep(0)).methods()["Watch"]
    with desk.channel(issue("stranger", by=desk.authority)) as channel:
        call = unary(channel, METHOD)
        for size, code in ((5 << 20, "RESOURCE_EXHAUSTED"), (3 << 20, "UNAUTHENTICATED")):
            with pytest.raises(grpc.RpcError, match=code):
                call(b"x" * size, timeout=10)
        stream: Any = channel.unary_stream(
            "/grpc.health.v1.Health/Watch", response_deserializer=health_pb2.HealthCheckResponse.FromString
        )
        long = health_pb2.HealthCheckRequest(service="x" * (3 << 20)).SerializeToString()
        states = stream(long, timeout=10)
        assert next(states).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        states.cancel()
    assert watch.request_deserializer is not None
    assert watch.request_deserializer(long).ByteSize() < 256
    name = health_pb2.HealthCheckRequest(service="tenant:" + "a" * 64)
    assert watch.request_deserializer(name.SerializeToString()) == name


def test_a_tenants_key_learns_nothing_of_another_tenant(desk: Desk) -> None:
    """GetTenant and the health of a tenant answer for the key's own, and refuse the others alike, there or not."""
    metadata = bearer(desk.key("read", tenant="acme"))

    def ask(tenant: str) -> list[str]:
        """Return the reasons for which both are refused; nothing for one that is answered."""
        request = runtime_service_pb2.GetTenantRequest(tenant_id=tenant).SerializeToString()
        check = health_pb2.HealthCheckRequest(service=f"tenant:{tenant}")
        reasons = []
        with desk.channel(desk.gateway) as channel:
            describe = unary(channel, METHOD.replace("ExecutePostLogin", "GetTenant"))
            for call, asked in ((describe, request), (health(channel).Check, check)):
                try:
                    call(asked, timeout=10, metadata=metadata)
                except grpc.RpcError as error:
                    reasons.append(Refused(error).reason)
        return reasons

    assert ask("acme") == []
    assert ask("umbrella") == ask("no-such-tenant") == ["TENANT_NOT_ALLOWED"] * 2


@pytest.mark.long
def test_half_a_handshake_is_hung_up_on(desk: Desk) -> None:
    """Each port closes a connection that stalls, in ten seconds at most and some for a busy machine."""
    for address in desk.addresses():
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port)), 10) as client:
            client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            client.settimeout(30)
            with contextlib.suppress(ConnectionError):
                while client.recv(100):
                    continue


def test_the_daemon_is_ready_by_a_call_through_its_own_tls(desk: Desk) -> None:
    """Its own certificate opens the port, and gives nothing there: no rule names it."""
    with urllib.request.urlopen(f"{desk.metrics}/readyz", context=desk.context(), timeout=10) as answer:
        assert answer.read() == b"ok\n"
    assert not desk.daemon.events("daemon.port_silent")
    assert desk.daemon.wait_for("daemon.started")["tls"] is True


def test_the_command_calls_with_tls_and_a_key(desk: Desk, tmp_path: Path) -> None:
    """`execute` takes the authority, a certificate and a key from files, and the key from the environment."""
    event = tmp_path / "event.json"
    event.write_text('{"user": {"user_id": "a"}, "client": {"client_id": "c"}}')
    certificate, private = issue("stranger", by=desk.authority).write(tmp_path, "own")
    key = tmp_path / "api.key"
    key.touch(0o600)
    key.write_text(desk.key("execute") + "\n")
    flags = ["execute", "--tenant", "acme", "--event", str(event), "--target", desk.daemon.target, "--tls-ca",
             str(desk.root / "authority.pem"), "--tls-cert", str(certificate), "--tls-key", str(private)]  # fmt: skip
    assert vestibule(*flags, "--api-key-file", str(key)).returncode == 0
    assert vestibule(*flags, environment={"VESTIBULE_API_KEY": key.read_text()}).returncode == 0
    refused = vestibule(*flags)
    assert refused.returncode == 1
    assert "CERTIFICATE_UNKNOWN" in refused.stderr
    unreachable = vestibule(*flags[:7])
    assert unreachable.returncode == 5
    assert "If it has TLS, give --tls-ca" in unreachable.stderr
    for path in (key, private):
        path.chmod(0o644)
        exposed = vestibule(*flags, "--api-key-file", str(key))
        assert exposed.returncode == 2
        assert f"{path}: has mode 0644" in exposed.stderr
        path.chmod(0o600)


@pytest.mark.parametrize("front", STOCK_LATER)
def test_a_socket_has_its_mode_and_ends_with_the_daemon(serve: Serve, tmp_path: Path, front: str) -> None:
    """A dead socket in its place is replaced, a live one refused; clients need no key; both ports may be one."""
    path, door = tmp_path / "v.sock", tmp_path / "http.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    flags = ["--listen", f"unix:{path}", "--http-listen", f"unix:{door}", "--listen-mode", "0660", "--rpc-front", front]
    daemon = serve(*flags)
    daemon.publish(define("acme", SOURCE))
    for each in (path, door):
        assert stat.S_IMODE(os.lstat(each).st_mode) == 0o660
    assert daemon.target == f"unix:{path}"
    assert daemon.call("acme").outcome == ALLOW
    assert daemon.get("/readyz") == (200, "ok\n")
    event = tmp_path / "event.json"
    event.write_text('{"user": {"user_id": "a"}, "client": {"client_id": "c"}}')
    called = vestibule("execute", "--tenant", "acme", "--event", str(event), "--target", f"unix:{path}")
    assert called.returncode == 0, called.stderr
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(door))
        client.sendall(b"GET /openapi.json HTTP/1.0\r\n\r\n")
        assert client.recv(8).startswith(b"HTTP/1.1")
    store = f"sqlite:{daemon.path}"
    second = vestibule("serve", "--store", store, "--metrics-listen", "127.0.0.1:0", *flags)
    assert second.returncode == 1
    assert "another process listens there" in second.stderr
    assert daemon.call("acme").outcome == ALLOW
    assert daemon.stop() == 0
    assert not path.exists()
    assert not door.exists()


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    """A file in the place of the socket, and a folder that is not there, are refused in words; a free path is not."""
    file = tmp_path / "file"
    file.write_text("precious")
    for path, problem in ((file, "a file that is no socket is there"), (tmp_path / "no" / "v", "there is no folder")):
        with pytest.raises(StartError, match=problem) as refused:
            check_free("listen", f"unix:{path}")
        assert "--listen" in str(refused.value)
    assert file.read_text() == "precious"
    check_free("listen", f"unix:{tmp_path / 'free'}")


def test_an_open_port_says_so(serve: Serve) -> None:
    """What `insecure` allows is in the log; without it the daemon does not start and names the remedy."""
    refused = vestibule("serve", "--listen", "0.0.0.0:0")
    assert refused.returncode == 2
    assert "--insecure" in refused.stderr
    daemon = serve("--listen", "0.0.0.0:0", "--insecure")
    assert daemon.wait_for("daemon.insecure")["problem"].endswith("and it has no TLS")
    assert daemon.wait_for("callers.none")["remedy"].startswith("every call is refused: make a key with")
    # It asks for credentials all the same.
    with pytest.raises(Refused) as denied:
        daemon.call("acme")
    assert denied.value.reason == "NO_CREDENTIALS"
