"""The application of the HTTP port without a port: who may ask, what is read before that, and what every answer has."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

import pytest

from runtime.callers import key_text
from runtime.callers.callers import Callers
from runtime.calls.calls import Calls
from runtime.catalog.api_keys import ApiKey, ApiKeys
from runtime.catalog.base import EMPTY
from runtime.config.effective import Config
from runtime.doors.app import Application
from runtime.doors.build import doors
from runtime.ops.log import build
from runtime.ops.metrics import Metrics

EXECUTE: Final = "/vestibule.v1.ActionRuntimeService/ExecutePostLogin"
ONE, MANY = "/t/acme/access/v1/evaluation", "/t/acme/access/v1/evaluations"


class Undecided:
    """Decides nothing; a test that gets this far has been let in."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def serves(self, _tenant: str) -> bool | None:
        return True

    async def decide(self, request: Any, _deadline: float) -> Any:
        self.asked.append(request.tenant)
        raise ZeroDivisionError("only-inside")

    describe = decide


class Rig:
    """The application of a port that asks for keys, with one key for logins of acme and one that only reads."""

    def __init__(self) -> None:
        self.decider, self.log = Undecided(), io.StringIO()
        config, metrics = Config(), Metrics("test")
        log = build(config.log, self.log)
        self.metrics = metrics
        calls = Calls(self.decider, config, metrics, log)
        made = {scope: key_text.generate() for scope in ("execute", "read")}
        self.keys = {scope: str(key) for scope, key in made.items()}
        kept = {
            key.key_id: ApiKey(key.key_id, key_text.digest(key.secret), scope, (scope,), "acme", 0)
            for scope, key in made.items()
        }
        callers = Callers(True, lambda: ApiKeys(secrets.token_bytes(4), kept))
        self.app = Application(doors(calls, callers, config, metrics, lambda: EMPTY), calls, metrics, log)
        self.read = False

    async def ask(
        self, path: str, body: bytes = b"{}", method: str = "POST", **headers: str
    ) -> tuple[int, Mapping[str, str], Any]:
        """Send a request; note whether its body was asked for."""
        self.read = False
        sent: list[Any] = []
        named = {"content-type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}

        async def receive() -> dict[str, Any]:
            self.read = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "client": None,
            "headers": [(name.encode(), text.encode()) for name, text in named.items()],
        }  # fmt: skip
        await self.app(scope, receive, send)
        head, *parts = sent
        text = b"".join(part["body"] for part in parts)
        found = {name.decode(): value.decode() for name, value in head["headers"]}
        return head["status"], found, json.loads(text) if text else None


@pytest.fixture
async def rig() -> Rig:
    return Rig()


QUESTION: Final = json.dumps(
    {
        "subject": {"type": "user", "id": "a"},
        "action": {"name": "login"},
        "resource": {"type": "application", "id": "b"},
    }
).encode()


@pytest.mark.parametrize("path", [EXECUTE, ONE, MANY])
@pytest.mark.parametrize(
    ("authorization", "status", "reason"),
    [
        (None, 401, "NO_CREDENTIALS"),
        ("Basic YTpi", 401, "CREDENTIALS_MALFORMED"),
        (f"Bearer vk_{'a' * 10}_{'b' * 52}", 401, "KEY_UNKNOWN"),
    ],
    ids=["none", "basic", "unknown"],
)
async def test_a_body_is_read_of_a_caller_alone(
    rig: Rig, path: str, authorization: str | None, status: int, reason: str
) -> None:
    """Without good credentials the answer is 401, says how to identify, and nothing was read or decided."""
    given = {} if authorization is None else {"authorization": authorization}
    found, headers, body = await rig.ask(path, QUESTION, x_request_id="r", **given)
    assert (found, headers["www-authenticate"], headers["x-request-id"]) == (status, "Bearer", "r")
    assert reason in json.dumps(body)
    assert not rig.read
    assert not rig.decider.asked


@pytest.mark.parametrize("path", [ONE, MANY])
async def test_a_scope_and_a_tenant_are_asked_for(rig: Rig, path: str) -> None:
    """A key that only reads, and one of another tenant, are a 403; the whole batch, not its items."""
    body = json.dumps({"evaluations": [json.loads(QUESTION)]}).encode()
    for key, tenant in (("read", "acme"), ("execute", "umbrella")):
        given = f"Bearer {rig.keys[key]}"
        status, headers, _ = await rig.ask(path.replace("acme", tenant), body, authorization=given)
        assert status == 403
        assert "www-authenticate" not in headers
    assert not rig.decider.asked


async def test_the_tenant_of_a_call_is_the_one_in_its_body(rig: Rig) -> None:
    """Connect's calls name the tenant in the message: a key of another one is refused when it was read."""
    given = f"Bearer {rig.keys['execute']}"
    event = {"user": {"userId": "u"}, "client": {"clientId": "c"}}
    for tenant, status in (("umbrella", 403), ("acme", 500)):
        sent = json.dumps({"tenantId": tenant, "event": event}).encode()
        assert (await rig.ask(EXECUTE, sent, authorization=given))[0] == status
    assert rig.decider.asked == ["acme"]


async def test_a_fault_of_ours_says_nothing_of_itself(rig: Rig) -> None:
    """An unforeseen error is 500 in each door's form, without its text; the log has its place and not its words."""
    given = f"Bearer {rig.keys['execute']}"
    for path in (EXECUTE, ONE):
        body = (
            QUESTION
            if path is ONE
            else b'{"tenantId":"acme","event":{"user":{"userId":"u"},"client":{"clientId":"c"}}}'
        )
        status, _, answer = await rig.ask(path, body, authorization=given)
        assert status == 500
        assert "only-inside" not in json.dumps(answer)
    assert '"login.failed"' in rig.log.getvalue()
    assert "only-inside" not in rig.log.getvalue()


async def test_what_is_public_needs_no_credentials(rig: Rig) -> None:
    """The metadata of a decision point and the OpenAPI document are for everyone, and name no tenant that is there."""
    for tenant in ("acme", "nobody"):
        path = f"/.well-known/authzen-configuration/t/{tenant}"
        status, headers, body = await rig.ask(path, method="GET", host="pdp.example.com")
        assert (status, body["policy_decision_point"]) == (200, f"http://pdp.example.com/t/{tenant}")
        assert headers["cache-control"] == "max-age=3600"
    assert (await rig.ask("/openapi.json", method="GET"))[0] == 200
    assert (await rig.ask("/.well-known/authzen-configuration/t/NOBODY", method="GET", host="x"))[0] == 400


@pytest.mark.parametrize("framings", [{"content_length": "2", "transfer_encoding": "chunked"}, {"content_length": "2"}])
async def test_a_request_with_two_ends_is_the_last_of_its_connection(rig: Rig, framings: dict[str, Any]) -> None:
    """A proxy may take the other end for the right one: what follows is not read. The control has one end."""
    status, headers, body = await rig.ask(EXECUTE, authorization=f"Bearer {rig.keys['execute']}", **framings)
    assert status == 400
    two = len(framings) == 2
    assert (headers.get("connection"), "Transfer-Encoding" in body["message"]) == ("close" if two else None, two)
    assert rig.read is not two


async def test_every_answer_has_safe_headers(rig: Rig) -> None:
    """No answer is cached unless it says so, and none is taken for another type."""
    for path in (EXECUTE, ONE, "/nothing"):
        _, headers, _ = await rig.ask(path)
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
