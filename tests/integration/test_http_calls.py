"""The service by HTTP: an official Connect client, curl's requests, and what a stranger may send."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from connectrpc.client import ConnectClientSync
from connectrpc.code import Code
from connectrpc.compat import google_protobuf_binary_codec, google_protobuf_json_codec
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from google.protobuf import json_format
from google.rpc import error_details_pb2
from jsonschema import Draft202012Validator
from vestibule.v1.runtime_service_pb2 import (
    ExecutePostLoginRequest,
    ExecutePostLoginResponse,
)

from runtime.catalog.sqlite import SqliteDatabase
from runtime.config.effective import Config
from runtime.config.sections import HttpConfig
from runtime.doors.port import HttpPort
from tests.fixtures.commands import clean_environment, serve_command
from tests.fixtures.daemons import Daemon, Serve, served
from tests.fixtures.http_client import EXECUTE, ask, connect, say
from tests.fixtures.tenants import ADA, ALLOW, BOB, GATE, LOOP, MFA, define
from tests.fixtures.waiting import PATIENCE_S, until

ANY_PORT = ("--http-listen", "127.0.0.1:0")
LOGIN: dict[str, Any] = {"tenantId": "gate", "event": json_format.MessageToDict(ADA)}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for the module, with an HTTP port and two tenants."""
    with served(tmp_path_factory.mktemp("daemon"), *ANY_PORT) as daemon:
        daemon.publish(define("gate", GATE), define("loop", LOOP))
        yield daemon


def head_of(length: int, host: str = "x") -> bytes:
    """Return the head of a call with so many bytes of JSON."""
    lines = (f"POST {EXECUTE} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


def official(daemon: Daemon, codec: str, request: ExecutePostLoginRequest, **options: Any) -> ExecutePostLoginResponse:
    """Call with the client of the Connect project. Raises: ConnectError."""
    method: MethodInfo[Any, Any] = MethodInfo(
        name="ExecutePostLogin",
        service_name="vestibule.v1.ActionRuntimeService",
        input=ExecutePostLoginRequest,
        output=ExecutePostLoginResponse,
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.UNARY,
    )
    codecs: dict[str, Any] = {"json": google_protobuf_json_codec(), "proto": google_protobuf_binary_codec()}
    with ConnectClientSync(f"http://{daemon.doors}", codec=codecs[codec]) as client:
        response: ExecutePostLoginResponse = client.execute_unary(request=request, method=method, **options)
        return response


@pytest.mark.parametrize("codec", ["json", "proto"])
def test_an_official_connect_client_is_answered_as_grpc_is(daemon: Daemon, codec: str) -> None:
    """The client, which compresses what it sends, gets the decisions that gRPC gives."""
    for event, outcome in ((ADA, MFA), (BOB, ALLOW)):
        response = official(daemon, codec, ExecutePostLoginRequest(tenant_id="gate", request_id="r", event=event))
        assert response.decision.outcome == outcome == daemon.call("gate", event).outcome
        assert response.request_id == "r"


@pytest.mark.parametrize("codec", ["json", "proto"])
def test_an_official_connect_client_reads_errors_with_details(daemon: Daemon, codec: str) -> None:
    """The code is the gRPC one, and the details are messages of google.rpc."""
    with pytest.raises(ConnectError) as refused:
        official(daemon, codec, ExecutePostLoginRequest(tenant_id="nobody", event=ADA))
    assert refused.value.code == Code.NOT_FOUND
    (detail,) = refused.value.details
    assert detail.type_name == "google.rpc.ErrorInfo"
    assert error_details_pb2.ErrorInfo.FromString(detail.message_bytes).reason == "UNKNOWN_TENANT"


def test_the_deadline_of_an_official_connect_client_is_kept(daemon: Daemon) -> None:
    """Connect-Timeout-Ms is the deadline of the login."""
    request = {"tenantId": "loop", "event": LOGIN["event"]}
    answer = ask(daemon.doors, EXECUTE, request, connect_timeout_ms="80")
    assert (answer.status, answer.json["code"]) == (504, "deadline_exceeded")
    with pytest.raises(ConnectError) as late:
        official(daemon, "proto", ExecutePostLoginRequest(tenant_id="loop", event=ADA), timeout_ms=200)
    assert late.value.code == Code.DEADLINE_EXCEEDED


def test_curl_is_answered_in_protojson(daemon: Daemon) -> None:
    """One POST of JSON is a login; both spellings are read, and the answer says enums by name."""
    both = ({"tenantId": "gate", "event": LOGIN["event"]}, {"tenant_id": "gate", "event": LOGIN["event"], "x": 1})
    for body in both:
        answer = ask(daemon.doors, EXECUTE, body, content_type="application/json; charset=utf-8")
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json["decision"]["outcome"] == "OUTCOME_MFA_REQUIRED"


def test_requests_and_answers_are_what_the_document_says(daemon: Daemon) -> None:
    """The document is served, and a real request, a real answer and a real error fit it."""
    served = ask(daemon.doors, "/openapi.json", method="GET")
    assert (served.status, served.headers["content-type"]) == (200, "application/json")
    document = served.json

    def faults(name: str, value: Any) -> list[str]:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        return [error.message for error in Draft202012Validator(schema).iter_errors(value)]

    answer, refused = ask(daemon.doors, EXECUTE, LOGIN), ask(daemon.doors, EXECUTE, LOGIN | {"tenantId": "nobody"})
    assert faults("ExecutePostLoginRequest", LOGIN) == []
    assert faults("ExecutePostLoginResponse", answer.json) == []
    assert faults("ConnectError", refused.json) == []
    assert faults("ConnectError", answer.json)


def test_a_request_id_comes_back(daemon: Daemon) -> None:
    """X-Request-ID is in every answer, and is the id of a login that has none of its own."""
    answer = ask(daemon.doors, EXECUTE, LOGIN, x_request_id="from-the-header")
    assert (answer.headers["x-request-id"], answer.json["requestId"]) == ("from-the-header", "from-the-header")
    answer = ask(daemon.doors, EXECUTE, LOGIN | {"requestId": "own"}, x_request_id="from-the-header")
    assert (answer.headers["x-request-id"], answer.json["requestId"]) == ("from-the-header", "own")
    assert ask(daemon.doors, "/nothing", method="GET", x_request_id="lost").headers["x-request-id"] == "lost"


def test_a_tenant_can_be_asked_about(daemon: Daemon) -> None:
    """GetTenant is served as the other methods are."""
    asked = EXECUTE.replace("ExecutePostLogin", "GetTenant")
    answer = ask(daemon.doors, asked, {"tenantId": "gate"})
    assert answer.status == 200
    assert (answer.json["tenantId"], answer.json["ready"], answer.json["actions"]) == ("gate", True, ["a0"])
    assert ask(daemon.doors, asked, {"tenantId": "nobody"}).json["code"] == "not_found"


def test_trailing_metadata_and_the_trace_are_headers(daemon: Daemon) -> None:
    """What gRPC has beside an answer is in headers, as Connect wants it; ids that headers cannot hold are quoted."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = ask(daemon.doors, EXECUTE, LOGIN | {"requestId": "\u20ac"}, traceparent=trace)
    assert answer.headers["trailer-vestibule-decision-id"] == answer.json["decision"]["decisionId"]
    assert answer.headers["trailer-vestibule-request-id"] == "%E2%82%AC"
    assert answer.headers["trailer-traceparent"] == trace
    refused = ask(daemon.doors, EXECUTE, LOGIN | {"tenantId": "nobody", "requestId": "r"}, traceparent="nonsense")
    assert refused.headers["trailer-vestibule-request-id"] == "r"
    assert "trailer-traceparent" not in refused.headers
    assert ask(daemon.doors, EXECUTE, LOGIN, x_request_id="\xfc").json["requestId"] == "\xfc"
    assert ask(daemon.doors, EXECUTE, LOGIN, x_request_id="x" * 129).status == 400


REFUSED: tuple[tuple[str, dict[str, Any], int, str, str], ...] = (
    ("another path", {"path": EXECUTE + "s"}, 404, "unimplemented", "NOT_OFFERED"),
    ("another case", {"path": EXECUTE.lower()}, 404, "unimplemented", "NOT_OFFERED"),
    ("another verb", {"method": "GET", "body": None}, 405, "unimplemented", "NOT_OFFERED"),
    ("a form", {"content_type": "application/x-www-form-urlencoded"}, 415, "unimplemented", "NOT_OFFERED"),
    ("a stream", {"content_type": "application/connect+json"}, 415, "unimplemented", "NOT_OFFERED"),
    ("grpc-web", {"content_type": "application/grpc-web"}, 415, "unimplemented", "NOT_OFFERED"),
    ("no type", {"content_type": ""}, 415, "unimplemented", "NOT_OFFERED"),
    ("another version", {"connect_protocol_version": "2"}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("no time", {"connect_timeout_ms": "0"}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("too many digits", {"connect_timeout_ms": "12345678901"}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("time in words", {"connect_timeout_ms": "1s"}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("brotli", {"content_encoding": "br"}, 501, "unimplemented", "NOT_OFFERED"),
    ("no gzip", {"content_encoding": "gzip"}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("nothing", {"body": b""}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("no JSON", {"body": b"{"}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("no text", {"body": b'{"tenantId":"\xff"}'}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("a list", {"body": b"[]"}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("NaN", {"body": b'{"tenantId":NaN}'}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("a name twice", {"body": b'{"tenantId":"a","tenantId":"gate"}'}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("a member twice", {"body": LOGIN | {"tenant_id": "b"}}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("ten thousand levels", {"body": b'{"a":' * 10_000}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("ten thousand lists", {"body": b"[" * 10_000 + b"]" * 10_000}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("ten mebibytes", {"body": b" " * (10 << 20)}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("a bomb", {"body": gzip.compress(b" " * (10 << 20)), "content_encoding": "gzip"}, 400, "invalid_argument", ""),
    ("half a gzip", {"body": gzip.compress(b"{}")[:-3], "content_encoding": "gzip"}, 400, "invalid_argument", ""),
    ("more than a gzip", {"body": gzip.compress(b"{}") * 2, "content_encoding": "gzip"}, 400, "invalid_argument", ""),
    ("no event", {"body": {"tenantId": "gate"}}, 400, "invalid_argument", "INVALID_EVENT"),
    ("a wrong kind", {"body": {"tenantId": "gate", "event": []}}, 400, "invalid_argument", "INVALID_REQUEST"),
    ("no protobuf", {"body": b"\xff\xff", "content_type": "application/proto"}, 400, "invalid_argument", ""),
    ("an unknown tenant", {"body": LOGIN | {"tenantId": "nobody"}}, 404, "not_found", "UNKNOWN_TENANT"),
)


@pytest.mark.parametrize(
    ("sent", "status", "code", "reason"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_cannot_be_answered_is_a_typed_error(
    daemon: Daemon, sent: dict[str, Any], status: int, code: str, reason: str
) -> None:
    """Each has its HTTP status and Connect's code, with details that say the same as those of gRPC."""
    sent = {"path": EXECUTE, "body": LOGIN, **sent}
    answer = ask(daemon.doors, **sent)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert answer.json["code"] == code
    assert answer.json["message"]
    details = {detail["type"]: detail for detail in answer.json["details"]}
    assert all("=" not in detail["value"] for detail in details.values())
    info = details["google.rpc.ErrorInfo"]["debug"]
    assert info["domain"] == "vestibule"
    assert info["reason"] == reason or not reason
    if reason == "INVALID_REQUEST":
        assert details["google.rpc.BadRequest"]["debug"]["fieldViolations"][0]["description"]
    # And the next one is right.
    assert ask(daemon.doors, EXECUTE, LOGIN).json["decision"]["outcome"] == "OUTCOME_MFA_REQUIRED"


def test_headers_that_help_the_caller(daemon: Daemon) -> None:
    """405 says which verb, 415 which types."""
    assert ask(daemon.doors, EXECUTE, method="GET").headers["allow"] == "POST"
    assert "application/json" in ask(daemon.doors, EXECUTE, b"x", content_type="text/plain").headers["accept-post"]


def test_large_answers_are_compressed_for_who_asks(daemon: Daemon) -> None:
    """Accept-Encoding: gzip gets gzip, once that is worth it."""
    claims = "".join(f'    api.id_token.set_custom_claim("c{n}", "{"x" * 400}")\n' for n in range(40))
    daemon.publish(define("large", f"def on_execute_post_login(event, api):\n{claims}"))
    plain = ask(daemon.doors, EXECUTE, LOGIN | {"tenantId": "large", "requestId": "r"})
    small = ask(daemon.doors, EXECUTE, LOGIN | {"tenantId": "large", "requestId": "r"}, accept_encoding="br, gzip")
    assert small.headers["content-encoding"] == "gzip"
    assert len(small.body) < len(plain.body) / 4
    decided = json.loads(gzip.decompress(small.body))["decision"]
    assert decided.keys() == plain.json["decision"].keys()


def test_a_connection_is_kept(daemon: Daemon) -> None:
    """Several logins go over one connection, errors between them too."""
    connection = connect(daemon.doors)
    try:
        assert ask(connection, EXECUTE, LOGIN).status == 200
        opened = connection.sock
        assert ask(connection, EXECUTE, b"{").status == 400
        assert ask(connection, EXECUTE, b" " * (2 << 20)).status == 400
        assert ask(connection, EXECUTE, LOGIN).status == 200
        assert connection.sock is opened
    finally:
        connection.close()


def test_a_caller_who_leaves_ends_its_login(daemon: Daemon) -> None:
    """A login whose caller has gone is cancelled: it holds no place for the rest of its budget."""
    body = json.dumps({"tenantId": "loop", "event": LOGIN["event"]}).encode()
    host, _, port = daemon.doors.rpartition(":")
    before = daemon.metric("grpc_server_handled_total", grpc_code="CANCELLED", transport="http")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(head_of(len(body)) + body)
        daemon.wait_in_flight(1)
    daemon.wait_in_flight(0)
    until(
        lambda: daemon.metric("grpc_server_handled_total", grpc_code="CANCELLED", transport="http") == before + 1,
        "a cancelled call",
    )


def test_half_a_request_is_nothing(daemon: Daemon) -> None:
    """A caller who leaves in its head or its body costs nothing and is counted."""
    whole = head_of(500) + b"{"
    before = daemon.metric("vestibule_http_requests_total", door="connect", status="499")
    for cut in (1, 20, len(whole) // 2, len(whole)):
        say(daemon.doors, whole[:cut], leave=True)
    until(
        lambda: daemon.metric("vestibule_http_requests_total", door="connect", status="499") == before + 1,
        "one request whose head was whole",
    )
    assert daemon.metric("vestibule_logins_in_flight") == 0


def test_what_is_no_http_is_refused(daemon: Daemon) -> None:
    """Bytes of another protocol, and a head without an end, end their connection."""
    tls, endless = b"\x16\x03\x01\x02\x00" * 9 + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 9000
    for junk in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", tls, endless):
        assert say(daemon.doors, junk).startswith(b"HTTP/1.1 4") or junk is endless
    two_lengths = head_of(3).replace(b"Host", b"Content-Length: 4\r\nHost") + b"{}  "
    assert say(daemon.doors, two_lengths).startswith(b"HTTP/1.1 400")


def test_requests_are_counted_like_calls(daemon: Daemon) -> None:
    """The families of gRPC have the calls by transport; that of the port has the requests by door and status."""
    names = ("grpc_server_handled_total", "grpc_server_started_total")
    before = [daemon.metric(name, transport="http", grpc_method="ExecutePostLogin") for name in names]
    ok = daemon.metric("vestibule_http_requests_total", door="connect", status="200")
    lost = daemon.metric("vestibule_http_requests_total", door="other", status="404")
    ask(daemon.doors, EXECUTE, LOGIN)
    ask(daemon.doors, "/nothing", method="GET")
    after = [
        daemon.metric("grpc_server_handled_total", transport="http", grpc_method="ExecutePostLogin", grpc_code="OK"),
        daemon.metric("grpc_server_started_total", transport="http", grpc_method="ExecutePostLogin"),
    ]
    assert after[1] == before[1] + 1
    assert daemon.metric("vestibule_http_requests_total", door="connect", status="200") == ok + 1
    assert daemon.metric("vestibule_http_requests_total", door="other", status="404") == lost + 1


def test_dawdlers_are_cut_off_and_room_is_made(serve: Serve) -> None:
    """A head or a body that does not come ends; beyond the limit of connections the one idle longest goes."""
    daemon = serve(*ANY_PORT, "--http-request-s", "0.4", "--http-max-connections", "3")
    daemon.publish(define("gate", GATE))
    assert say(daemon.doors, b"POST ") == b""
    late = say(daemon.doors, head_of(500) + b"{")
    assert late.startswith(b"HTTP/1.1 504")
    assert b"REQUEST_TOO_SLOW" in late
    kept = [connect(daemon.doors) for _ in range(5)]
    try:
        for connection in kept:
            assert ask(connection, EXECUTE, LOGIN).status == 200
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            ask(kept[0], EXECUTE, LOGIN)
        assert ask(kept[4], EXECUTE, LOGIN).status == 200
    finally:
        for connection in kept:
            connection.close()


async def test_an_answer_that_is_not_taken_ends_its_connection() -> None:
    """A client that never reads keeps neither its answer nor its connection, however many requests it has sent."""

    async def large(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % (32 << 20))]})
        await send({"type": "http.response.body", "body": b"x" * (32 << 20)})

    settings = HttpConfig(request_s=0.3, idle_s=0.1)
    port = HttpPort(large, dataclasses.replace(Config(), http_listen="127.0.0.1:0", http=settings))
    await port.start()
    loop = asyncio.get_running_loop()
    for sent in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3):
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.setblocking(False)
            await loop.sock_connect(raw, ("127.0.0.1", port.port))
            await loop.sock_sendall(raw, sent)
            async with asyncio.timeout(PATIENCE_S):
                while not port.connections:
                    await asyncio.sleep(0.01)
                while port.connections:
                    port.look_after_connections()
                    await asyncio.sleep(0.05)
    await port.stop(1)


def test_a_drain_answers_what_is_in_flight(serve: Serve) -> None:
    """SIGTERM lets a login end, closes idle connections, and takes no other one."""
    daemon = serve(*ANY_PORT)
    daemon.publish(define("gate", GATE), define("slow", LOOP, timeout_ms=300))
    idle = connect(daemon.doors)
    assert ask(idle, EXECUTE, LOGIN).status == 200
    answers: list[int] = []
    slow = LOGIN | {"tenantId": "slow"}
    asking = threading.Thread(target=lambda: answers.append(ask(daemon.doors, EXECUTE, slow).status))
    asking.start()
    daemon.wait_in_flight(1)
    began = time.monotonic()
    assert daemon.stop() == 0
    asking.join()
    assert answers == [200]
    assert time.monotonic() - began < 30
    idle.close()


def test_a_port_that_is_taken_is_one_clear_line(daemon: Daemon, tmp_path: Any) -> None:
    """A daemon whose HTTP address is in use does not start, and says which and what to do."""

    SqliteDatabase(tmp_path / "flows.db").prepare()
    command = serve_command(tmp_path / "flows.db", "--http-listen", daemon.doors, "--catalog-allow-empty", "true")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_environment(), check=False)
    assert ended.returncode != 0
    assert f"http_listen: cannot listen on {daemon.doors}: address already in use" in ended.stderr
