"""AuthZEN by HTTP: the cases of its certification, on a tenant whose rules are an action; then what logins get."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runtime.catalog.hook_door import HookDoor
from runtime.core.model import Policy
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.http_client import Answer, ask
from tests.fixtures.tenants import LOOP, define

RULES = """\
STATUS = {"record-1": "active", "record-2": "archived"}

def on_execute_post_login(event, api):
    asked = event.facts["authzen"]
    subject, action, resource = asked["subject"], asked["action"], asked["resource"]
    about = resource.get("properties", {})
    if action["name"] == "read":
        permitted = True
    elif action["name"] == "write":
        archived = about.get("status", STATUS.get(resource["id"])) == "archived"
        role = subject.get("properties", {}).get("role")
        permitted = role == "admin" if archived else subject["id"] == "alice"
    else:
        permitted = action.get("properties", {}).get("soft") is True
    if not permitted:
        api.access.deny("The rules of this tenant forbid it.")
"""
STEP_UP = """\
def on_execute_post_login(event, api):
    if event.user.email == "ada@example.com" and event.client.client_id == "cid_42":
        api.multifactor.enable("any")
    if event.user.email == "eve@example.com":
        api.access.deny("No.\\nNever.")
    if event.user.email == "form@example.com":
        api.prompt.render("form-1")
    if event.authorization and "admins" in event.authorization.roles:
        api.access.deny("not by this door")

def on_continue_post_login(event, api):
    api.user.set_app_metadata("seen", True)
"""
ONE, MANY = "/t/rules/access/v1/evaluation", "/t/rules/access/v1/evaluations"
SUBJECT, RECORD = {"type": "user", "id": "alice"}, {"type": "record", "id": "record-1"}
READ: dict[str, Any] = {"subject": SUBJECT, "action": {"name": "read"}, "resource": RECORD}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with the certification's tenant, and one that asks for a factor."""
    with served(tmp_path_factory.mktemp("daemon"), "--http-listen", "127.0.0.1:0") as daemon:
        tenants = (define("rules", RULES), define("login", STEP_UP), define("loop", LOOP))
        daemon.publish(*tenants, define("always", policy=Policy.ALWAYS))
        yield daemon


def record(user: str, does: str, at: str = "record-1", **properties: dict[str, Any]) -> dict[str, Any]:
    """Return a question of the certification's fixture; `properties` by object."""
    asked: dict[str, Any] = {
        "subject": {"type": "user", "id": user},
        "action": {"name": does},
        "resource": {"type": "record", "id": at},
    }
    for name, given in properties.items():
        asked[name]["properties"] = given
    return asked


DECIDED = (
    (record("alice", "read"), True),
    (record("alice", "write"), True),
    (record("bob", "read"), True),
    (record("bob", "write"), False),
    (record("alice", "write", resource={"status": "archived"}), False),
    (record("alice", "write", at="record-2", subject={"role": "admin"}), True),
    (record("alice", "delete", action={"soft": True}), True),
    (record("alice", "delete", action={"soft": False}), False),
)


@pytest.mark.parametrize(("asked", "decision"), DECIDED)
def test_the_decisions_of_the_certification(daemon: Daemon, asked: dict[str, Any], decision: bool) -> None:
    """Each of the eight checked decisions, three times alike."""
    answers = [ask(daemon.doors, ONE, asked) for _ in range(3)]
    assert {(answer.status, answer.headers["content-type"]) for answer in answers} == {(200, "application/json")}
    assert [answer.json["decision"] for answer in answers] == [decision] * 3


def without(path: str) -> dict[str, Any]:
    """Return the good question without one member."""
    asked = copy.deepcopy(READ)
    outer, _, inner = path.partition(".")
    if inner:
        del asked[outer][inner]
    else:
        del asked[outer]
    return asked


BAD: dict[str, dict[str, Any]] = {
    **{f"no {path}": {"body": without(path)} for path in ("subject", "action", "resource")},
    **{f"no {path}": {"body": without(path)} for path in ("subject.type", "subject.id", "action.name")},
    **{f"no {path}": {"body": without(path)} for path in ("resource.type", "resource.id")},
    "a subject of text": {"body": READ | {"subject": "alice"}},
    "a name that is a number": {"body": READ | {"action": {"name": 5}}},
    "properties that are a list": {"body": READ | {"action": {"name": "read", "properties": []}}},
    "a context of text": {"body": READ | {"context": "x"}},
    "a wrong kind of a known name": {"body": READ | {"subject": {**SUBJECT, "properties": {"email": 5}}}},
    "obligations that are text": {"body": READ | {"context": {"supported_obligations": "step-up"}}},
    "a gateway that is none": {"body": READ | {"context": {"gateway": {"webauthn": "yes"}}}},
    "malformed JSON": {"body": b"{"},
    "nothing": {"body": b""},
    "a list": {"body": b"[]"},
    "a name twice": {"body": b'{"subject":{},"subject":{}}'},
    "ten thousand levels": {"body": b'{"a":' * 10_000},
    "thirty levels": {"body": b'{"context":' * 30 + b"1" + b"}" * 30},
    "ten mebibytes": {"body": b" " * (10 << 20)},
    "another type": {"body": json.dumps(READ).encode(), "content_type": "text/plain"},
    "no tenant's name": {"path": "/t/NOBODY/access/v1/evaluation", "body": READ},
}


@pytest.mark.parametrize("sent", BAD.values(), ids=BAD.keys())
def test_a_bad_question_is_a_400(daemon: Daemon, sent: dict[str, Any]) -> None:
    """What is missing, of the wrong kind or no JSON is refused in words, and no action runs."""
    answer = ask(daemon.doors, **{"path": ONE, **sent}, x_request_id="mine")
    assert (answer.status, answer.headers["x-request-id"]) == (400, "mine")
    assert answer.json["message"]
    assert answer.json["reason"] in ("INVALID_REQUEST", "INVALID_EVENT")


def test_other_verbs_and_tenants(daemon: Daemon) -> None:
    """GET and PUT are not answered; a tenant that is not there is a 404, and a login without time is a 503."""
    for method in ("GET", "PUT", "DELETE"):
        assert ask(daemon.doors, ONE, READ, method=method).status == 405
    assert ask(daemon.doors, "/t/nobody/access/v1/evaluation", READ).status == 404
    assert ask(daemon.doors, "/t/rules/access/evaluation", READ).status == 404


def test_unknown_members_change_nothing(daemon: Daemon) -> None:
    """Members, properties and a context that the specification leaves to others do not change a decision."""
    more = {
        "x": 1,
        "subject": {**SUBJECT, "y": [], "properties": {"department": "Sales", "n": 5}},
        "action": {"name": "read", "z": {}, "properties": {"method": "GET"}},
        "resource": {**RECORD, "q": "1", "properties": {"owner": "x"}},
        "context": {"time": "2026-10-26T01:22-07:00", "ip": "198.51.100.7"},
    }
    answer = ask(daemon.doors, ONE, READ | more, content_type="application/json; charset=utf-8")
    assert answer.json["decision"] is True
    assert answer.json["context"]["decision_id"]


def batch(daemon: Daemon, items: list[Any], **defaults: Any) -> Answer:
    return ask(daemon.doors, MANY, {**defaults, "evaluations": items})


def decisions(answer: Answer) -> list[bool]:
    assert answer.status == 200
    assert "decision" not in answer.json
    return [item["decision"] for item in answer.json["evaluations"]]


def test_a_batch_inherits_whole_objects(daemon: Daemon) -> None:
    """Defaults are taken, an item's own object replaces the default whole, and the order is kept."""
    bob = {"type": "user", "id": "bob"}
    found = batch(daemon, [{}, {"subject": bob}, {"subject": bob, "action": {"name": "write"}}], **READ)
    assert decisions(found) == [True, True, False]
    found = batch(
        daemon,
        [{"action": {"name": "delete"}}, {}],
        **READ | {"action": {"name": "delete", "properties": {"soft": True}}},
    )
    assert decisions(found) == [False, True]
    assert decisions(batch(daemon, [READ, record("bob", "write"), READ])) == [True, False, True]


def test_a_bad_item_is_a_denial_in_its_place(daemon: Daemon) -> None:
    """A good batch with a bad item is answered; that item denies, and says why."""
    bads: tuple[Any, ...] = (without("resource"), {"subject": {}}, 5, None, {**READ, "subject": "x"})
    for bad in bads:
        answer = batch(daemon, [READ, bad, READ])
        assert decisions(answer) == [True, False, True]
        error = answer.json["evaluations"][1]["context"]["error"]
        assert (error["status"], bool(error["message"])) == (400, True)
    without_subject = {"action": READ["action"], "resource": RECORD}
    assert decisions(batch(daemon, [{}, {}], **without_subject)) == [False, False]


def test_a_batch_of_nothing_is_one_question(daemon: Daemon) -> None:
    """Without evaluations the answer has one decision, and no list."""
    for body in (READ, READ | {"evaluations": []}):
        answer = ask(daemon.doors, MANY, body)
        assert answer.json["decision"] is True
        assert "evaluations" not in answer.json
    assert ask(daemon.doors, MANY, {"evaluations": []}).status == 400


@pytest.mark.parametrize(
    ("semantic", "wanted"),
    [("execute_all", [True, False, True]), ("deny_on_first_deny", [True, False]), ("permit_on_first_permit", [True])],
)
def test_a_batch_ends_where_it_is_decided(daemon: Daemon, semantic: str, wanted: list[bool]) -> None:
    """The short forms end the results at the item that decides."""
    items = [READ, record("bob", "write"), READ]
    assert decisions(batch(daemon, items, options={"evaluations_semantic": semantic})) == wanted


def test_batches_that_are_refused(daemon: Daemon) -> None:
    """An unknown semantic, a list that is none, and more than is decided at a time are a 400."""
    assert batch(daemon, [READ], options={"evaluations_semantic": "bogus"}).status == 400
    assert batch(daemon, [READ], options=[]).status == 400
    assert ask(daemon.doors, MANY, READ | {"evaluations": {}}).status == 400
    assert batch(daemon, [READ] * 101).status == 400


def test_the_metadata_names_the_endpoints(daemon: Daemon) -> None:
    """The well-known document has the required members, equal to the identifier that was asked for."""
    answer = ask(daemon.doors, "/.well-known/authzen-configuration/t/rules", method="GET", host="pdp.example.com")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"].startswith("max-age=")
    base = "http://pdp.example.com/t/rules"
    assert answer.json == {
        "policy_decision_point": base,
        "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
        "supported_obligations": ["step-up", "custom"],
    }
    for host in ("a b", "x/../y", "<x>"):
        assert ask(daemon.doors, "/.well-known/authzen-configuration/t/rules", method="GET", host=host).status == 400


def login(email: str, client: str = "cid_42", **context: Any) -> dict[str, Any]:
    return {
        "subject": {"type": "user", "id": "auth0|7", "properties": {"email": email}},
        "action": {"name": "login"},
        "resource": {"type": "application", "id": client, "properties": {"name": "Payroll"}},
        "context": context,
    }


def decide(daemon: Daemon, asked: dict[str, Any], tenant: str = "login", **headers: str) -> Any:
    answer = ask(daemon.doors, f"/t/{tenant}/access/v1/evaluation", asked, **headers)
    assert answer.status == 200, answer.body
    return answer.json


def test_a_second_factor_is_an_obligation(daemon: Daemon) -> None:
    """MFA_REQUIRED is a denial with a step-up that names one factor only where there is only one."""
    found = decide(daemon, login("ada@example.com"))
    assert found["decision"] is False
    (obligation,) = found["context"]["obligations"]
    assert obligation["type"] == "step-up"
    assert obligation["id"]
    assert obligation["properties"]["acr_value"] == "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
    assert obligation["properties"]["amr_values"][0] == "mfa"
    assert found["context"]["reason_code"] == "mfa_required"
    assert decide(daemon, login("bob@example.com"))["decision"] is True
    # The application of another type is another one.
    other = login("ada@example.com") | {"resource": {"type": "record", "id": "cid_42"}}
    assert decide(daemon, other)["decision"] is True


def test_a_tenant_names_the_class_that_a_step_up_asks_for(daemon: Daemon) -> None:
    """`doors.authzen.acr` of a tenant counts from the next question on."""
    made = define("classes", STEP_UP)
    door = HookDoor("authzen", "native", (), {"acr": "urn:acme:loa2"})
    daemon.publish(replace(made, flow=replace(made.flow, doors={"authzen": door})))
    (obligation,) = decide(daemon, login("ada@example.com"), "classes")["context"]["obligations"]
    assert obligation["properties"]["acr_value"] == "urn:acme:loa2"


def test_the_callers_trace_is_in_the_log(daemon: Daemon) -> None:
    """As gRPC's is; what is no trace is passed over."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for sent, logged in ((trace, trace), ("nonsense", None)):
        found = decide(daemon, login("bob@example.com"), traceparent=sent)
        line = daemon.wait_for("login.decided", decision_id=found["context"]["decision_id"])
        assert line.get("traceparent") == logged


def test_an_obligation_that_the_caller_cannot_meet_is_not_sent(daemon: Daemon) -> None:
    """A caller that says what it supports, and not this, is refused and reads why; it is never let in."""
    for supported in ([], ["custom"], ["notification", "Step-Up"]):
        found = decide(daemon, login("ada@example.com", supported_obligations=supported))
        assert (found["decision"], found["context"]["reason_code"]) == (False, "mfa_required")
        assert "obligations" not in found["context"]
    found = decide(daemon, login("ada@example.com", supported_obligations=["step-up"]))
    assert [obligation["type"] for obligation in found["context"]["obligations"]] == ["step-up"]


def test_a_factor_that_was_presented_just_now_permits(daemon: Daemon) -> None:
    """Asked again with the factor, the login is permitted; with an old one, or another method, it is not."""
    now = datetime.now(UTC)

    def again(name: str, at: Any) -> bool:
        methods = [{"name": "pwd", "timestamp": now.isoformat()}, {"name": name, "timestamp": at}]
        permitted: bool = decide(daemon, login("ada@example.com", authentication={"methods": methods}))["decision"]
        return permitted

    assert again("mfa", now.isoformat())
    assert not again("mfa", (now - timedelta(minutes=6)).isoformat())
    assert not again("mfa", (now + timedelta(minutes=6)).isoformat())
    assert not again("phr", now.isoformat())
    # The factor satisfies a requirement and lifts no denial.
    methods = [{"name": "mfa", "timestamp": now.isoformat()}]
    assert decide(daemon, login("eve@example.com", authentication={"methods": methods}))["decision"] is False


def test_a_policy_and_a_denial(daemon: Daemon) -> None:
    """The tenant's policy is a step-up too; a denial has its author's words for the user, and its reason."""
    assert decide(daemon, login("bob@example.com"), "always")["decision"] is False
    found = decide(daemon, login("eve@example.com"))
    assert found["decision"] is False
    assert (found["context"]["reason_user"], found["context"]["reason_code"]) == ("No. Never.", "denied")
    assert "obligations" not in found["context"]


def test_roles_and_the_user_are_where_actions_look(daemon: Daemon) -> None:
    """Properties of the subject are members of the user, and its roles are those of the authorization."""
    asked = login("bob@example.com")
    asked["subject"]["properties"]["roles"] = ["admins"]
    asked["subject"]["properties"]["user_id"] = "somebody-else"
    assert decide(daemon, asked)["context"]["reason_user"] == "not by this door"


def test_a_suspended_login_is_continued_by_who_can(daemon: Daemon) -> None:
    """A form is a custom obligation for a caller that names it; sent back, its continuation goes to the action."""
    assert decide(daemon, login("form@example.com"))["context"]["reason_code"] == "interaction_required"
    found = decide(daemon, login("form@example.com", supported_obligations=["custom"]))
    (obligation,) = found["context"]["obligations"]
    properties = obligation["properties"]
    assert (properties["vendor"], properties["action"]) == ("vestibule", "continue")
    assert properties["step"] == {"prompt": {"id": "form-1"}}
    assert properties["expires_at"].endswith("Z")
    back = login("form@example.com", continuation=properties["continuation"], prompt={"id": "form-1", "fields": {}})
    assert decide(daemon, back)["decision"] is True
    assert ask(daemon.doors, "/t/login/access/v1/evaluation", login("a", continuation="?")).status == 400


def test_three_equal_requests_have_one_answer(daemon: Daemon) -> None:
    """Under one request id the decision is the same to the bit, in a batch too."""
    answers = [decide(daemon, login("ada@example.com"), x_request_id="same") for _ in range(3)]
    assert answers[0]["decision"] is False
    assert {answer["decision"] for answer in answers} == {False}
    assert decide(daemon, login("ada@example.com"), x_request_id="\xfc" * 200)["decision"] is False


def test_no_decision_is_no_permit(daemon: Daemon) -> None:
    """A flow that fails counts as its binding's on_error: a denial that says it is degraded."""
    found = decide(daemon, login("bob@example.com"), "loop")
    assert (found["decision"], found["context"]["degraded"]) == (False, True)
