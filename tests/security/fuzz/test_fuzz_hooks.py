"""Hooks damaged in any byte against a real daemon: no damage lets a user in whom the flow refuses, and none hurts.

Signed damage is what a broken product sends, unsigned damage what an attacker does. The action lets one user in, whose
name no damage makes.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vestibule.envoy.v1 import external_auth_pb2 as envoy

from runtime.doors.dialects.checks import METHOD, SERVICE
from tests.calls import unary
from tests.conformance.hook_cases import NAMES
from tests.conformance.test_envoy_checks import check
from tests.effort import effort
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.hooks import Answer, HookPort, body_of, signed, tenant
from tests.fixtures.waiting import PATIENCE_S
from tests.security.fuzz.damage import Edit, damaged, edits

ONE = "the one user who is let in: 6f1ed002ab5595859014ebf0951522d9"
STRICT = f"""\
def on_execute_post_login(event, api):
    if event.user.user_id != {ONE!r}:
        api.access.deny("no")
"""
dialects: st.SearchStrategy[str] = st.sampled_from(NAMES)


@dataclass
class Target:
    """A daemon and its HTTP port."""

    daemon: Daemon
    port: HookPort
    channel: grpc.Channel

    def check(self, data: bytes) -> envoy.CheckResponse | str:
        """Send a check of these very bytes; return the answer, or the code of the error."""
        try:
            answer: envoy.CheckResponse = unary(self.channel, f"/{SERVICE}/{METHOD}", envoy.CheckResponse.FromString)(
                data, timeout=PATIENCE_S
            )
        except grpc.RpcError as error:
            return str(error.code().name)
        return answer


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One daemon for all."""
    with served(tmp_path_factory.mktemp("daemon"), "--http-listen", "127.0.0.1:0") as daemon:
        daemon.publish(tenant("acme", STRICT))
        with grpc.insecure_channel(daemon.target) as channel:
            yield Target(daemon, HookPort(daemon), channel)


def lets_in(dialect: str, answer: Answer) -> bool:
    """Say whether the product would read an answer as a yes."""
    if dialect == "kratos" or dialect == "hydra":
        return answer.status in (200, 204)
    if dialect == "supabase":
        return answer.status == 200 and b'"claims"' in answer.body
    if dialect == "zitadel":
        return answer.status == 200 and b"forwardedStatusCode" not in answer.body
    if dialect == "cas-policy":
        return answer.status == 200
    return answer.status != 200 or not answer.body


@pytest.mark.parametrize("dialect", NAMES)
def test_control_the_one_user_is_let_in_and_no_other(target: Target, dialect: str) -> None:
    """Control: the same call is a yes for the one, and a no for another."""
    assert lets_in(dialect, target.port.ask(dialect, ONE))
    assert not lets_in(dialect, target.port.ask(dialect, "mallory"))


@effort(120)
@given(dialects, edits)
def test_signed_damage_is_a_refusal(target: Target, dialect: str, harm: list[Edit]) -> None:
    """A body that is authentic and damaged is the caller's fault, or another user, whom the flow refuses."""
    data = damaged(body_of(dialect, "mallory"), harm)
    answer = target.port.send(f"/doors/{dialect}/acme", data, signed(dialect, data))
    assert not lets_in(dialect, answer), answer
    assert answer.status in (200, 400, 403), answer


@effort(120)
@given(dialects, edits, edits)
def test_unsigned_damage_is_not_authentic(target: Target, dialect: str, harm: list[Edit], other: list[Edit]) -> None:
    """A changed body or signature of a genuine call is refused; a call that is whole is let in."""
    good = body_of(dialect, ONE)
    headers = signed(dialect, good)
    (name,) = [key for key in headers if key in ("authorization", "zitadel-signature", "webhook-signature")]
    # A control in a header is no header: the port refuses the request before any dialect sees it.
    value = "".join(filter(str.isprintable, damaged(headers[name].encode(), other).decode("latin-1")))
    data = damaged(good, harm) if dialect in ("zitadel", "supabase") else good
    answer = target.port.send(f"/doors/{dialect}/acme", data, headers | {name: value})
    if lets_in(dialect, answer):
        same = value.strip() == headers[name] or name != "authorization"
        assert data == good
        assert same or value.split()[1:] == headers[name].split()[1:], value


@effort(60)
@given(edits)
def test_damaged_requests_hurt_no_other(target: Target, harm: list[Edit]) -> None:
    """A request damaged in any byte, its line and headers too, is answered or cut off; the next one is served."""
    data = body_of("kratos", "mallory")
    lines = [f"{key}: {value}" for key, value in signed("kratos", data).items()]
    head = ["POST /doors/kratos/acme HTTP/1.1", "host: a", f"content-length: {len(data)}", "connection: close", *lines]
    raw = damaged("\r\n".join([*head, "", ""]).encode() + data, harm)
    host, _, number = str(target.daemon.wait_for("daemon.started")["http_listen"]).rpartition(":")
    with socket.create_connection((host, int(number)), timeout=PATIENCE_S) as sent:
        sent.sendall(raw)
        sent.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := sent.recv(65536):
                answer += part
        except ConnectionError:
            pass
    assert not answer.startswith((b"HTTP/1.1 204", b"HTTP/1.1 5")), answer
    assert target.port.ask("kratos", ONE).status == 204


@effort(120)
@given(edits)
def test_damaged_checks_are_refused(target: Target, harm: list[Edit]) -> None:
    """Envoy's message damaged in any byte is an error of the caller's, or another user, whom the flow refuses."""
    data = damaged(check({"sub": "mallory"}).SerializeToString(), harm)
    answer = target.check(data)
    if isinstance(answer, str):
        assert answer in ("INVALID_ARGUMENT", "UNAUTHENTICATED"), answer
    else:
        assert answer.status.code == 7


def test_control_a_good_check_passes(target: Target) -> None:
    """Control: the check of the one user passes."""
    answer = target.check(check({"sub": ONE}).SerializeToString())
    assert not isinstance(answer, str)
    assert answer.status.code == 0


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize(
    "data",
    [b"[" * 10_000, b'{"a":' * 10_000, b"x" * (10 << 20), b'{"id":1,"id":2}', b"\xff\xfe",
     b'{"n":' + b"9" * 100_000 + b"}"],
    ids=["deep", "deep objects", "10 MiB", "twice", "bytes", "digits"],
)  # fmt: skip
def test_large_deep_and_double_bodies(target: Target, dialect: str, data: bytes) -> None:
    """Ten mebibytes, ten thousand levels and a member twice are refused at every door, at once."""
    answer = target.port.send(f"/doors/{dialect}/acme", data, signed(dialect, data))
    assert not lets_in(dialect, answer)
    assert answer.status in (200, 400, 413)
