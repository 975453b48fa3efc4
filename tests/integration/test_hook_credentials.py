"""Doors of a daemon that asks for credentials: Envoy needs a key or a certificate, a hook the tenant's own secret."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from pathlib import Path

import grpc
import pytest
from vestibule.envoy.v1 import external_auth_pb2 as envoy

from runtime.doors.dialects.checks import METHOD, SERVICE
from tests.calls import unary
from tests.conformance.test_envoy_checks import check
from tests.fixtures.certificates import Certificate, issue
from tests.fixtures.daemons import Serve
from tests.fixtures.hooks import body_of, signed, tenant
from tests.integration.test_credentials import Desk, bearer


@pytest.fixture
def desk(tmp_path: Path, serve: Serve) -> Desk:
    """A daemon with TLS that asks for credentials, with a tenant that opens every door."""
    made = Desk(tmp_path, serve, "fast")
    made.daemon.publish(tenant())
    made.login()
    return made


def ask(desk: Desk, certificate: Certificate | None, key: str = "") -> str | int:
    """Send a check as Envoy does; return the code that Envoy reads, or the error's."""
    with desk.channel(certificate) as channel:
        call = unary(channel, f"/{SERVICE}/{METHOD}", envoy.CheckResponse.FromString)
        try:
            metadata = bearer(key) if key else ()
            return int(call(check().SerializeToString(), timeout=10, metadata=metadata).status.code)
        except grpc.RpcError as error:
            return str(error.code().name)


def test_envoy_shows_a_certificate_or_a_key(desk: Desk) -> None:
    """The scope `execute` for the tenant is needed, by certificate or by key; nothing else gets an answer."""
    assert ask(desk, desk.gateway) == 0
    assert ask(desk, desk.gateway, desk.key("execute", tenant="acme")) == 0
    assert ask(desk, desk.gateway, desk.key("execute", tenant="umbrella")) == "PERMISSION_DENIED"
    assert ask(desk, desk.gateway, desk.key("read", "author", "operator")) == "PERMISSION_DENIED"
    assert ask(desk, desk.gateway, "vk_no") == "UNAUTHENTICATED"
    assert ask(desk, issue("stranger", by=desk.authority, dns=("other.example.com",))) == "UNAUTHENTICATED"


def test_a_hook_has_the_tenants_secret_and_no_key(desk: Desk) -> None:
    """A product that signs is let in without an API key, and a key is no signature."""
    trust = ssl.create_default_context(cadata=desk.authority.pem.decode())
    trust.load_cert_chain(*map(str, desk.gateway.write(desk.root, "gateway")))

    def send(headers: dict[str, str]) -> int:
        request = urllib.request.Request(f"{desk.http}/doors/kratos/acme", body_of("kratos", "ada"), headers)
        try:
            with urllib.request.urlopen(request, context=trust, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    headers = signed("kratos", body_of("kratos", "ada"))
    assert send(headers) == 204
    assert send(headers | {"authorization": f"Bearer {desk.key('execute')}"}) == 401
