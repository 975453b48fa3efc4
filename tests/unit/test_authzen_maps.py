"""AuthZEN's maps: what a login is made of, and that no decision but ALLOW permits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf import json_format
from vestibule.v1 import decision_pb2
from vestibule.v1.runtime_service_pb2 import ContinuePostLoginRequest, ExecutePostLoginRequest

from runtime.doors import authzen_answer, authzen_request
from runtime.errors import InvalidRequest

ACR = "urn:acme:loa2"
NOW = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
ASKED: dict[str, Any] = {
    "subject": {
        "type": "user",
        "id": "auth0|7",
        "properties": {"email": "a@example.com", "userId": "x", "roles": ["r"]},
    },
    "action": {"name": "login", "properties": {"acr_values": "a b", "requested_scopes": ["openid"], "other": 1}},
    "resource": {"type": "application", "id": "cid", "properties": {"name": "Payroll", "audience": "https://api"}},
    "context": {"request": {"ip": "198.51.100.7"}, "gateway": {"webauthn": False}, "time": "now"},
}


def made(asked: dict[str, Any]) -> dict[str, Any]:
    """Return Auth0's JSON that a question becomes."""
    login = authzen_request.login(authzen_request.evaluation(asked), "acme", "r")
    event: dict[str, Any] = json_format.MessageToDict(login.auth0_event)
    return event


def test_the_four_objects_become_an_event() -> None:
    """Each known name has its place, the id cannot be replaced by a property, and the objects are there as sent."""
    event = made(ASKED)
    assert event.pop("facts") == {"authzen": ASKED}
    assert event == {
        "user": {"email": "a@example.com", "user_id": "auth0|7"},
        "authorization": {"roles": ["r"]},
        "client": {"name": "Payroll", "client_id": "cid"},
        "resource_server": {"identifier": "https://api"},
        "transaction": {"acr_values": ["a", "b"], "requested_scopes": ["openid"], "protocol": "oidc-basic-profile"},
        "request": {"ip": "198.51.100.7"},
    }
    login = authzen_request.login(authzen_request.evaluation(ASKED), "acme", "r")
    assert isinstance(login, ExecutePostLoginRequest)
    assert (login.tenant_id, login.request_id, login.gateway.webauthn) == ("acme", "r", False)
    assert login.gateway.HasField("webauthn")


@pytest.mark.parametrize(
    ("action", "protocol"),
    [
        ("refresh", "oauth2-refresh-token"),
        ("token_exchange", "oauth2-token-exchange"),
        ("step_up", "oidc-basic-profile"),
        ("can_read_todos", None),
    ],
)
def test_the_action_says_the_protocol(action: str, protocol: str | None) -> None:
    """The name of the action has its protocol; a property wins over it."""
    event = made(ASKED | {"action": {"name": action}})
    assert event["transaction"].get("protocol") == protocol
    event = made(ASKED | {"action": {"name": action, "properties": {"protocol": "samlp"}}})
    assert event["transaction"]["protocol"] == "samlp"


def test_ids_of_other_types_are_never_taken_for_users_and_applications() -> None:
    """A service is no user and a record is no application, whatever their ids."""
    event = made(ASKED | {"subject": {"type": "service", "id": "auth0|7"}, "resource": {"type": "record", "id": "cid"}})
    assert (event["user"]["user_id"], event["client"]["client_id"]) == ("service:auth0|7", "record:cid")


def test_a_continuation_makes_the_next_leg() -> None:
    """A continuation and what was completed are those of ContinuePostLogin."""
    more = {"continuation": "-_8", "completed": ["FACTOR_OTP"]}
    login = authzen_request.login(authzen_request.evaluation(ASKED | {"context": more}), "acme", "r")
    assert isinstance(login, ContinuePostLoginRequest)
    assert login.continuation == b"\xfb\xff"
    assert list(login.completed) == [decision_pb2.FACTOR_OTP]
    for wrong in ({"continuation": 5}, {"continuation": "*"}, {"continuation": "AA", "completed": ["X"]}):
        with pytest.raises(InvalidRequest, match=r"context\."):
            authzen_request.login(authzen_request.evaluation(ASKED | {"context": wrong}), "acme", "r")


@pytest.mark.parametrize("outcome", decision_pb2.Outcome.values())
def test_nothing_but_allow_permits(outcome: decision_pb2.Outcome) -> None:
    """Each outcome but one is a denial, whatever obligations the caller says it can meet."""
    decision = decision_pb2.Decision(outcome=outcome, decision_id="d")
    contexts: tuple[dict[str, Any], ...] = (
        {},
        {"supported_obligations": []},
        {"supported_obligations": ["step-up", "custom"]},
    )
    for context in contexts:
        asked = authzen_request.evaluation(ASKED | {"context": context})
        answer = authzen_answer.answer(decision, asked, NOW, ACR)
        assert answer["decision"] is (outcome == decision_pb2.OUTCOME_ALLOW)
        assert answer["decision"] or answer["context"]["reason_code"]


def test_an_outcome_of_a_later_version_is_a_denial() -> None:
    """A number that this version does not know permits nothing."""
    decision = decision_pb2.Decision.FromString(b"\x08\x63")
    assert decision.outcome == 99
    answer = authzen_answer.answer(decision, authzen_request.evaluation(ASKED), NOW, ACR)
    assert (answer["decision"], answer["context"]["reason_code"]) == (False, "unknown_outcome")


@pytest.mark.parametrize(
    ("challenge", "enroll", "words"),
    [
        (["FACTOR_OTP"], [], ["mfa", "otp"]),
        (["FACTOR_WEBAUTHN_ROAMING"], [], ["mfa", "hwk"]),
        (["FACTOR_OTP", "FACTOR_SMS"], [], ["mfa"]),
        (["FACTOR_OTP"], ["FACTOR_SMS"], ["mfa"]),
        (["FACTOR_PUSH_NOTIFICATION"], [], ["mfa"]),
        ([], ["FACTOR_OTP"], ["mfa"]),
    ],
)
def test_one_factor_is_named_where_there_is_only_one(challenge: list[str], enroll: list[str], words: list[str]) -> None:
    """amr_values must all be used, so it names a method only if no other would do."""
    multifactor = json_format.ParseDict({"challenge": challenge, "enroll": enroll}, decision_pb2.Multifactor())
    decision = decision_pb2.Decision(outcome=decision_pb2.OUTCOME_MFA_REQUIRED, multifactor=multifactor)
    answer = authzen_answer.answer(decision, authzen_request.evaluation(ASKED), NOW, ACR)
    assert answer["context"]["obligations"][0]["properties"]["amr_values"] == words


@pytest.mark.parametrize(
    ("method", "presented"),
    [
        ({"name": "mfa", "timestamp": "2026-05-01T09:56:00Z"}, True),
        ({"name": "mfa", "timestamp": "2026-05-01T11:56:00+02:00"}, True),
        ({"name": "mfa", "timestamp": "2026-05-01T09:54:59Z"}, False),
        ({"name": "mfa", "timestamp": "2026-05-01T10:02:00Z"}, False),
        ({"name": "mfa", "timestamp": "2026-05-01T09:59:00"}, False),
        ({"name": "mfa", "timestamp": "today"}, False),
        ({"name": "mfa", "timestamp": 5}, False),
        ({"name": "mfa"}, False),
        ({"name": "pwd", "timestamp": "2026-05-01T09:59:00Z"}, False),
        ("mfa", False),
    ],
)
def test_a_factor_counts_for_five_minutes(method: Any, presented: bool) -> None:
    """Only an entry of the name mfa with an instant of the last five minutes counts."""
    asked = authzen_request.evaluation(ASKED | {"context": {"authentication": {"methods": [method]}}})
    assert authzen_answer.presented(asked, NOW) is presented


@pytest.mark.parametrize(("values", "refused"), [(20_000, True), (15_000, False)])
def test_each_value_costs_the_loop_so_they_are_bounded(values: int, refused: bool) -> None:
    """A mebibyte of zeros would keep all other logins waiting for half a second."""
    asked = ASKED | {"context": {"many": [0] * values}}
    if refused:
        with pytest.raises(InvalidRequest, match="20000 values"):
            authzen_request.evaluation(asked)
    else:
        assert authzen_request.evaluation(asked).context == asked["context"]
