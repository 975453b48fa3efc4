"""Two processes behind one port, as they are deployed: continuations, PostgreSQL, IPv6 and TLS."""

from __future__ import annotations

import contextlib
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from vestibule.v1 import decision_pb2, runtime_service_pb2

from runtime.catalog.opening import open_database
from tests.calls import CONTINUE, METHOD, Refused, result, unary
from tests.fixtures.certificates import issue
from tests.fixtures.postgresql import running
from tests.fixtures.several import Several, decide, several
from tests.fixtures.suspensions import AFTER, CHALLENGE, OTP, SUSPEND, event
from tests.fixtures.tenants import ALLOW, GATE, MFA, define
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.long


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store that is there, and empty."""
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path / 'flows.db'}"
        return
    with running() as cluster:
        url = cluster.url(cluster.database())
        with contextlib.closing(open_database(url)) as opened:
            opened.prepare()
        yield url


def process_of(daemon: Several, channel: grpc.Channel, tenant: str) -> int:
    """Return which process a connection leads to: the one that decides its login."""
    decided = decide(channel, tenant)
    number: int = daemon.wait_for("login.decided", decision_id=decided.decision_id)["process"]
    return number


@contextlib.contextmanager
def one_of_each(daemon: Several, tenant: str) -> Iterator[list[grpc.Channel]]:
    """Give a connection to each process, in their order."""
    found: dict[int, grpc.Channel] = {}
    with contextlib.ExitStack() as opened:

        def both() -> bool:
            for channel in opened.enter_context(daemon.channels(4)):
                found[process_of(daemon, channel, tenant)] = channel
            return len(found) == 2

        until(both, "a connection to each process")
        yield [found[0], found[1]]


def suspend(channel: grpc.Channel, name: str) -> bytes:
    """Begin a login that its action suspends."""
    login = event(transaction__id=name)
    request = runtime_service_pb2.ExecutePostLoginRequest(tenant_id="asks", event=login)
    call = unary(channel, METHOD, runtime_service_pb2.ExecutePostLoginResponse.FromString)
    decision = result(call.future(request.SerializeToString(), timeout=PATIENCE_S))
    assert decision.outcome == SUSPEND
    return decision.suspension.continuation


def resume(channel: grpc.Channel, name: str, continuation: bytes) -> decision_pb2.Decision:
    """Continue it. Raises: Refused."""
    request = runtime_service_pb2.ContinuePostLoginRequest(
        tenant_id="asks", event=event("otp", transaction__id=name), continuation=continuation, completed=[OTP]
    )
    call = unary(channel, CONTINUE, runtime_service_pb2.ContinuePostLoginResponse.FromString)
    return result(call.future(request.SerializeToString(), timeout=PATIENCE_S))


def test_what_one_process_suspended_the_other_continues(tmp_path: Path, store: str) -> None:
    """Both ways, with a key that the supervisor made; used once, it is refused by both."""
    with several(tmp_path, store=store) as daemon:
        daemon.publish(define("acme", GATE), define("asks", CHALLENGE, AFTER))
        with one_of_each(daemon, "acme") as channels:
            for number, (first, second) in enumerate((channels, channels[::-1])):
                name = f"t-{number}"
                continuation = suspend(first, name)
                decision = resume(second, name, continuation)
                assert decision.outcome == ALLOW
                lines = daemon.wait_for("login.decided", decision_id=decision.decision_id)
                assert lines["process"] == 1 - number
                for channel in channels:
                    with pytest.raises(Refused) as refused:
                        resume(channel, name, continuation)
                    assert refused.value.reason == "CONTINUATION_USED"


def test_ipv6_and_tls_on_every_process(tmp_path: Path) -> None:
    """gRPC and HTTP, with certificates that are replaced while they serve: the new one is shown by both processes."""
    authority = issue("authority", authority=True)
    authority.write(tmp_path, "authority")
    issue("server", by=authority).write(tmp_path, "server")
    tls = ("--tls-cert-file", str(tmp_path / "server.pem"), "--tls-key-file", str(tmp_path / "server.key"))
    ports = ("--listen", "[::1]:0", "--http-listen", "[::1]:0", "--metrics-listen", "[::1]:0")
    with several(tmp_path, *ports, *tls) as daemon:
        assert daemon.target.startswith("[::1]:")
        daemon.publish(define("acme", GATE))
        credentials = grpc.ssl_channel_credentials(authority.pem)
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.ssl_target_name_override", "localhost")]

        def decided_by_both() -> bool:
            for _ in range(4):
                with grpc.secure_channel(daemon.target, credentials, options) as channel:
                    assert decide(channel, "acme").outcome == MFA
            return {line["process"] for line in daemon.events("login.decided")} == {0, 1}

        until(decided_by_both, "logins decided by both processes")
        with grpc.insecure_channel(daemon.target) as plain, pytest.raises(Refused):
            decide(plain, "acme", timeout_s=5)
        context = ssl.create_default_context(cadata=authority.pem.decode())
        context.check_hostname = False
        with urllib.request.urlopen(f"https://{daemon.doors}/openapi.json", context=context) as answer:
            assert answer.status == 200
        issue("server", by=authority).write(tmp_path, "server")
        for number in range(2):
            daemon.wait_for("files.reloaded", process=number)
        until(decided_by_both, "logins with the new certificate")
        assert daemon.get("/readyz")[0] == 200
