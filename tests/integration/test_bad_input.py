"""What bad input gets from a real daemon and its commands: one clear answer, and the next login right."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vestibule.v1 import decision_pb2, event_pb2, runtime_service_pb2

from runtime.core.model import OnError, Policy
from tests.calls import Refused, result
from tests.fixtures.commands import vestibule
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.tenants import ADA, ALLOW, BOB, DENY, GATE, MFA, define, write_directory

ENTRY = "def on_execute_post_login(event, api):\n    pass\n"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all of these: what one bad input leaves behind, the next login would meet."""
    with served(tmp_path_factory.mktemp("bad")) as daemon:
        daemon.publish(
            define("acme", GATE),
            define("always", policy=Policy.ALWAYS),
            define("never"),
        )
        yield daemon


@pytest.fixture(autouse=True)
def _next_login_is_right(daemon: Daemon) -> Iterator[None]:
    """Whatever a test sent, the logins after it are decided rightly."""
    yield
    assert daemon.call("acme", ADA).outcome == MFA
    assert daemon.call("acme", BOB).outcome == ALLOW


def request(**fields: Any) -> bytes:
    """Serialize a request for acme with some fields replaced."""
    given: dict[str, Any] = {"tenant_id": "acme", "request_id": "r-1", "event": ADA} | fields
    return runtime_service_pb2.ExecutePostLoginRequest(**given).SerializeToString()


def wrapped(event: bytes) -> bytes:
    """Put an event's bytes, whatever they are, into a request for acme (fields 1 and 3)."""
    assert len(event) < 128
    return b"\x0a\x04acme\x1a" + bytes([len(event)]) + event


def said(**members: Any) -> bytes:
    """Serialize a request for acme with Auth0's JSON."""
    request = runtime_service_pb2.ExecutePostLoginRequest(tenant_id="acme")
    request.auth0_event.update({"user": {"user_id": "u"}, "client": {"client_id": "app"}, **members})
    return request.SerializeToString()


NO_INSTANT = (
    b"\x2a\x05\x0a\x03app" + b"\xa2\x01\x03\x0a\x01u" + event_pb2.PostLoginEvent(
        session={"expires_at": {"seconds": 1 << 62}}
    ).SerializeToString()
)  # fmt: skip


@pytest.mark.parametrize(
    ("data", "code", "reason", "field"),
    [
        (b"\xff\xff\xff\xff", "INVALID_ARGUMENT", "INVALID_REQUEST", "request"),
        (b"not protobuf at all", "INVALID_ARGUMENT", "INVALID_REQUEST", "request"),
        (request()[:-3], "INVALID_ARGUMENT", "INVALID_REQUEST", "request"),
        (b"\x0a\x04acme\x12\x02\xff\xfe", "INVALID_ARGUMENT", "INVALID_REQUEST", "request"),
        (b"", "INVALID_ARGUMENT", "INVALID_REQUEST", "tenant_id"),
        (request(tenant_id=""), "INVALID_ARGUMENT", "INVALID_REQUEST", "tenant_id"),
        (request(tenant_id="../../etc"), "INVALID_ARGUMENT", "INVALID_REQUEST", "tenant_id"),
        (request(tenant_id="acme\0"), "INVALID_ARGUMENT", "INVALID_REQUEST", "tenant_id"),
        (request(tenant_id="a" * 65), "INVALID_ARGUMENT", "INVALID_REQUEST", "tenant_id"),
        (request(request_id="a\nb"), "INVALID_ARGUMENT", "INVALID_REQUEST", "request_id"),
        (request(tenant_id="unknown"), "NOT_FOUND", "UNKNOWN_TENANT", ""),
        (request(event=None), "INVALID_ARGUMENT", "INVALID_EVENT", "event"),
        (wrapped(b"\xff\xff\xff"), "INVALID_ARGUMENT", "INVALID_EVENT", "event"),
        (wrapped(b"\x0a\x7f"), "INVALID_ARGUMENT", "INVALID_EVENT", "event"),
        (wrapped(b""), "INVALID_ARGUMENT", "INVALID_EVENT", "event.user.user_id"),
        (said(facts={"x": "y" * (64 << 10)}), "INVALID_ARGUMENT", "INVALID_EVENT", "event.facts"),
        (said(session={"expires_at": "soon"}), "INVALID_ARGUMENT", "INVALID_EVENT", "event.session.expires_at"),
        (wrapped(NO_INSTANT), "INVALID_ARGUMENT", "INVALID_EVENT", "event.session.expires_at"),
    ],
    ids=[
        "garbage",
        "text",
        "cut off",
        "not UTF-8",
        "empty",
        "no tenant",
        "path as tenant",
        "NUL in tenant",
        "long tenant",
        "newline in request id",
        "unknown tenant",
        "no event",
        "garbage event",
        "cut off event",
        "empty event",
        "large facts",
        "text for an instant",
        "impossible instant",
    ],
)
def test_a_bad_request_is_a_status(daemon: Daemon, data: bytes, code: str, reason: str, field: str) -> None:
    """The status and its details name what is wrong; no decision is made."""
    before = daemon.metric("grpc_server_handled_total", grpc_code=code)
    with pytest.raises(Refused) as refused:
        result(daemon.send(data))
    assert (refused.value.code, refused.value.reason) == (code, reason)
    assert "BadRequest" in refused.value.details or not field
    if field:
        (violation,) = refused.value.details["BadRequest"].field_violations
        assert violation.field == field
    assert daemon.metric("grpc_server_handled_total", grpc_code=code) == before + 1


def sized(event_bytes: int) -> event_pb2.PostLoginEvent:
    """Make an event of exactly this size."""
    event = event_pb2.PostLoginEvent()
    event.CopyFrom(ADA)
    event.user.name = "x" * 4096
    event.user.name += "x" * (event_bytes - event.ByteSize())
    while event.ByteSize() > event_bytes:
        event.user.name = event.user.name[: len(event.user.name) - (event.ByteSize() - event_bytes)]
    assert event.ByteSize() == event_bytes
    return event


def test_the_largest_event_is_decided_and_one_byte_more_is_not(daemon: Daemon) -> None:
    """An event of 1 MiB is decided; a larger one is refused in the same words whatever its size."""
    assert daemon.call("acme", sized(1 << 20)).outcome == MFA
    for size in ((1 << 20) + 1, 2 << 20, 5 << 20, 40 << 20):
        with pytest.raises(Refused, match=f"{size} bytes are more than the 1048576 allowed") as refused:
            daemon.call("acme", sized(size))
        assert (refused.value.code, refused.value.reason) == ("INVALID_ARGUMENT", "INVALID_EVENT")
        assert [violation.field for violation in refused.value.details["BadRequest"].field_violations] == ["event"]


def test_what_a_newer_gateway_says_is_passed_over(daemon: Daemon) -> None:
    """Unknown fields of the request and of the event change nothing."""
    unknown = b"\xfa\x3f\x03new"  # field 1023, three bytes
    assert result(daemon.send(request() + unknown)).outcome == MFA
    assert result(daemon.send(wrapped(ADA.SerializeToString() + unknown))).outcome == MFA


def test_a_tenant_without_a_flow_gets_its_policys_decision(daemon: Daemon) -> None:
    """No action is no error: the tenant's policy decides."""
    decision = daemon.call("always")
    assert (decision.outcome, decision.degraded, len(decision.executions)) == (MFA, False, 0)
    assert decision.multifactor.origin == decision_pb2.Multifactor.ORIGIN_POLICY
    assert daemon.call("never").outcome == ALLOW


BAD_SOURCES = {
    "syntax": "def on_execute_post_login(event, api):\n    if event.user\n",
    "nul": ENTRY + "# \0\n",
    "too-long": ENTRY + "#" * 100_000 + "\n",
    "surrogate": ENTRY + "x = '\\ud800'\n" + "\ufeff",
    "no-handler": "x = 1\n",
    "import-os": "import os\n" + ENTRY,
    "deep": ENTRY + "x = " + "(" * 5000 + ")" * 5000 + "\n",
    "empty": "",
    "class": "class A:\n    pass\n" + ENTRY,
}


def test_a_store_with_bad_sources_gives_rejected(daemon: Daemon) -> None:
    """Sources that no apply would have let in are the verdict `rejected` and follow on_error; nothing dies of them."""
    before = daemon.metric("vestibule_worker_exits_total", reason="died")
    daemon.publish(*(define(f"bad-{name}", source) for name, source in BAD_SOURCES.items()))
    daemon.publish(define("bad-denied", BAD_SOURCES["syntax"], on_error=OnError.DENY))
    for name in BAD_SOURCES:
        decision = daemon.call(f"bad-{name}", BOB)
        (execution,) = decision.executions
        assert decision_pb2.Verdict.Name(execution.verdict) == "VERDICT_REJECTED", name
        assert (decision.outcome, decision.degraded) == (MFA, True), name
        assert execution.error.message, name
    syntax = daemon.call("bad-syntax", BOB).executions[0].error
    assert syntax.line == 2
    assert daemon.call("bad-denied", BOB).outcome == DENY
    assert daemon.metric("vestibule_worker_exits_total", reason="died") == before


def test_apply_refuses_bad_sources_whole(tmp_path: Path) -> None:
    """Every fault of every file is listed with its place, exit code 3, and no store is made."""
    bad: list[str | bytes] = [
        BAD_SOURCES["syntax"],
        BAD_SOURCES["nul"],
        BAD_SOURCES["too-long"],
        b"\xff\xfe = 1\n",
        BAD_SOURCES["class"],
    ]
    directory = write_directory(tmp_path, "acme", GATE, *bad)
    store = tmp_path / "flows.db"
    refused = vestibule("apply", str(directory), "--store", f"sqlite:{store}")
    assert refused.returncode == 3
    actions = directory / "acme" / "actions"
    for place in (
        "a1.py:2:",
        "a2.py:3:3: holds a NUL",
        "a3.py: is larger than 100000 bytes",
        "a4.py:1:1: is UTF-16",
        "a5.py:1:",
    ):
        assert f"{actions}/{place}" in refused.stderr, refused.stderr
    assert f"{actions}/a0.py" not in refused.stderr
    assert "5 faults" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not store.exists()


def test_the_largest_source_is_accepted(daemon: Daemon) -> None:
    """An action of exactly 100 kB runs."""
    source = GATE + "#" * (100_000 - len(GATE))
    daemon.publish(define("large", source))
    decision = daemon.call("large")
    assert (decision.outcome, decision.degraded) == (MFA, False)


def one_line(*arguments: str, code: int, environment: dict[str, str] | None = None) -> str:
    """Run a command that must fail with one line on standard error."""
    failed = vestibule(*arguments, environment=environment)
    assert failed.returncode == code, failed.stderr
    assert failed.stderr.count("\n") == 1, failed.stderr
    assert "Traceback" not in failed.stderr
    return failed.stderr


def test_serve_on_ports_in_use(daemon: Daemon, tmp_path: Path) -> None:
    """A second daemon on the ports of the first says so in one line and exits; the first one keeps serving."""
    store = ("--store", f"sqlite:{tmp_path / 'x.db'}", "--log-level", "error")
    grpc_port = ("--listen", daemon.target, "--metrics-listen", "127.0.0.1:0")
    line = one_line("serve", *store, *grpc_port, code=1)
    assert f"cannot listen on {daemon.target}: address already in use" in line
    http_port = ("--listen", "127.0.0.1:0", "--metrics-listen", daemon.http.removeprefix("http://"))
    line = one_line("serve", *store, *http_port, code=1)
    assert "address already in use" in line
    assert "--metrics-listen or VESTIBULE_METRICS_LISTEN" in line


def test_configuration_faults_are_listed_together(tmp_path: Path) -> None:
    """Faults of file, environment and flags are listed at once, each with its source; nothing is started."""
    file = tmp_path / "vestibule.toml"
    file.write_text('drain_s = -1\n[pool]\nblank_wrokers = 3\n[sandbox]\nisolation = "none"\n')
    flags = ("--config", str(file), "--pool-max-workers", "none", "--listen", "nowhere")
    failed = vestibule("serve", *flags, environment={"VESTIBULE_LOG_LEVEL": "loud", "VESTIBULE_POOL_BLANKS": "1"})
    assert failed.returncode == 2
    for part in (
        "drain_s",
        "did you mean pool.blank_workers?",
        "sandbox.isolation",
        "flag --pool-max-workers",
        "flag --listen",
        "environment VESTIBULE_LOG_LEVEL",
        "environment VESTIBULE_POOL_BLANKS",
    ):
        assert part in failed.stderr, failed.stderr
    assert "7 faults" in failed.stderr
    assert "daemon.started" not in failed.stderr
    assert "Traceback" not in failed.stderr


def test_an_unknown_flag_is_a_usage_fault() -> None:
    """The flag is named, help is pointed to, exit code 2."""
    failed = vestibule("serve", "--lisen", "127.0.0.1:0")
    assert failed.returncode == 2
    assert "--lisen" in failed.stderr
    assert "--help" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_execute_without_a_daemon_is_exit_5(tmp_path: Path) -> None:
    """A target without a daemon is an exit code of its own."""
    event = tmp_path / "event.json"
    event.write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        target = f"127.0.0.1:{free.getsockname()[1]}"
    assert "no daemon answers" in one_line(
        "execute", "--tenant", "acme", "--event", str(event), "--target", target, code=5
    )
