"""One login told in every form that a gateway may choose: the actions read the same event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from vestibule.v1 import event_pb2, runtime_service_pb2

from tests.calls import Refused, result
from tests.fixtures.commands import vestibule
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.http_client import EXECUTE, ask
from tests.fixtures.tenants import define

READS = """\
def on_execute_post_login(event, api):
    transaction = event.transaction
    read = [
        event.facts, event.user.attributes, event.get("user.groups"), event.user.created_at, event.user.updated_at,
        event.user.last_password_reset, event.user.enrolled_factors, event.user.multifactor,
        [(method.name, method.timestamp) for method in event.authentication.methods],
        transaction.acr_values, transaction.requested_scopes, transaction.ui_locales, transaction.attributes,
        transaction.requested_authorization_details, event.client.refresh_token.policies[0].scope,
        [item.client_id for item in event.session.clients], event.stats.logins_count,
    ]
    api.access.deny(str(read))
"""
JSON: dict[str, Any] = {
    "user": {
        "user_id": "u",
        "created_at": "2024-03-01T08:00:00.123Z",
        "enrolledFactors": [],
        "groups": ["admins", "staff"],
        "level": 3,
    },
    "client": {"client_id": "app", "refresh_token": {"policies": [{"audience": "a"}]}},
    "authentication": {"methods": [{"name": "pwd", "timestamp": "2026-11-24T09:00:00+01:00"}]},
    "transaction": {
        "acr_values": [],
        "requested_scopes": ["openid"],
        "requested_authorization_details": [{"type": "payment", "amount": 12.5}],
        "brand": {"name": "b"},
    },
    "session": {"id": "s", "clients": [{"client_id": "app"}]},
    "stats": {"logins_count": 7},
    "facts": {"device": {"managed": True}},
}
READ = (
    "[{'device': {'managed': True}}, {'groups': ['admins', 'staff'], 'level': 3}, ['admins', 'staff'],"
    " '2024-03-01T08:00:00.123Z', '', None, [], None, [('pwd', '2026-11-24T08:00:00.000Z')],"
    " [], ['openid'], None, {'brand': {'name': 'b'}}, [{'amount': 12.5, 'type': 'payment'}], None, ['app'], 7]"
)


def message() -> event_pb2.PostLoginEvent:
    """The same as a gateway sets it, member by member."""
    event = event_pb2.PostLoginEvent()
    event.user.user_id = "u"
    event.user.created_at.FromJsonString("2024-03-01T08:00:00.123Z")
    event.user.enrolled_factors.SetInParent()
    event.user.attributes.update({"groups": ["admins", "staff"], "level": 3})
    event.client.client_id = "app"
    event.client.refresh_token.policies.values.add(audience="a")
    event.authentication.methods.add(name="pwd").timestamp.FromJsonString("2026-11-24T08:00:00Z")
    event.transaction.acr_values.SetInParent()
    event.transaction.requested_scopes.values.append("openid")
    event.transaction.requested_authorization_details.values.add().update({"type": "payment", "amount": 12.5})
    event.transaction.attributes.update({"brand": {"name": "b"}})
    event.session.id = "s"
    event.session.clients.values.add(client_id="app")
    event.stats.logins_count = 7
    event.facts.update({"device": {"managed": True}})
    return event


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that takes facts of a hundred bytes, and whose tenant says what it reads."""
    with served(
        tmp_path_factory.mktemp("forms"), "--limits-facts-bytes", "100", "--http-listen", "127.0.0.1:0"
    ) as daemon:
        daemon.publish(define("acme", READS))
        yield daemon


def shown(decision: Any) -> str:
    """Return the text of the denial, whatever member of the decision has it."""
    (text,) = [value for value in texts(json_format.MessageToDict(decision)) if value.startswith("[{")]
    return text


def texts(value: Any) -> Iterator[str]:
    """Every text below a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def test_the_message(daemon: Daemon) -> None:
    assert shown(daemon.call("acme", message())) == READ


def test_auth0s_json_in_a_request(daemon: Daemon) -> None:
    request = runtime_service_pb2.ExecutePostLoginRequest(tenant_id="acme")
    request.auth0_event.update(JSON)
    assert shown(result(daemon.send(request.SerializeToString()))) == READ


def test_both_over_http(daemon: Daemon) -> None:
    """The message as ProtoJSON, whose wrapped lists are objects, and Auth0's JSON as it is."""
    for login in ({"event": json_format.MessageToDict(message())}, {"auth0Event": JSON}, {"auth0_event": JSON}):
        answer = ask(daemon.doors, EXECUTE, {"tenantId": "acme", **login})
        assert answer.status == 200, answer
        assert {text for text in texts(answer.json) if text.startswith("[{")} == {READ}


def test_the_commands(daemon: Daemon, tmp_path: Path) -> None:
    """`execute` asks the daemon, `run` needs none."""
    (tmp_path / "event.json").write_text(json.dumps(JSON))
    (tmp_path / "action.py").write_text(READS)
    event = ("--event", str(tmp_path / "event.json"))
    for command in (
        ("execute", "--target", daemon.target, "--tenant", "acme", *event),
        ("run", str(tmp_path / "action.py"), *event),
    ):
        done = vestibule(*command)
        found = {value for value in texts(json.loads(done.stdout)) if value.startswith("[{")}
        assert found == {READ}, done.stdout + done.stderr


def test_the_limit_of_facts_is_the_setting(daemon: Daemon) -> None:
    """What is more than the operator allows is refused and named."""
    event = message()
    event.facts.update({"more": "x" * 100})
    with pytest.raises(Refused, match=r"event.facts: \d+ bytes are more than the 100 allowed") as refused:
        daemon.call("acme", event)
    assert (refused.value.code, refused.value.reason) == ("INVALID_ARGUMENT", "INVALID_EVENT")
