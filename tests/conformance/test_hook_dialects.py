"""The golden cases of hook dialects: what a genuine call asks about, and the reply to every decision and trouble."""

import json
from typing import Any

import pytest
from vestibule.v1 import decision_pb2 as pb

from runtime.catalog.door_sections import SECTIONS
from runtime.doors.dialects.base import HookCall, HookReply, Trouble, plain
from runtime.doors.dialects.ruling import rule
from runtime.doors.dialects.table import DIALECTS
from runtime.errors import InvalidEvent
from runtime.login import event_json
from runtime.ops.labels import HOOK_DIALECTS, HOOK_RESULTS
from tests.conformance.hook_cases import NAMES, OUTCOMES, body, case, decision, door

REPLIES = [(name, at) for name in NAMES for at in range(len(case(name)["replies"]))]


def call(name: str, changed: dict[str, Any] | None = None, **given: Any) -> HookCall:
    return HookCall(door(name, **given), case(name)["genuine"]["headers"], body(name, changed))


def same(reply: HookReply, wanted: dict[str, Any]) -> None:
    """Hold a reply to a case: what the case does not name is empty, or for a trouble anything."""
    assert reply.status == wanted["status"]
    if "json" in wanted:
        assert json.loads(reply.body) == wanted["json"]
        assert reply.media_type == "application/json"
    elif "text" in wanted:
        assert reply.body.decode() == wanted["text"]
        assert reply.media_type == "text/plain"
    assert dict(reply.headers) == wanted.get("headers", {})


def test_every_dialect_has_its_cases() -> None:
    """The table, the sections of a tenant file, the metric and the golden files name the same dialects."""
    assert sorted(DIALECTS) == NAMES
    assert {*DIALECTS, "envoy", "authzen"} == set(SECTIONS)
    assert {*DIALECTS, "envoy", "unknown"} == set(HOOK_DIALECTS)
    assert {trouble.value for trouble in Trouble} < set(HOOK_RESULTS)
    for name in NAMES:
        assert {reply["decision"] for reply in case(name)["replies"]} >= OUTCOMES, name


@pytest.mark.parametrize("name", NAMES)
def test_what_a_genuine_call_asks_about(name: str) -> None:
    """The login of a genuine call is as noted, and the event is one that the daemon takes."""
    asked = DIALECTS[name].to_login(call(name))
    assert asked is not None
    wanted = case(name)["asked"]
    assert asked.event == wanted["event"]
    assert (asked.call_id, asked.second_factor) == (wanted["call_id"], wanted["second_factor"])
    assert event_json.from_json(asked.event).user.user_id == wanted["event"]["user"]["user_id"]


@pytest.mark.parametrize(("name", "at"), REPLIES, ids=[f"{name}-{at}" for name, at in REPLIES])
def test_replies(name: str, at: int) -> None:
    """Each decision is answered as the product reads it."""
    wanted = case(name)["replies"][at]
    asked_by = call(name, wanted.get("set"), **wanted.get("door", {}))
    asked = DIALECTS[name].to_login(asked_by)
    assert asked is not None
    reply = DIALECTS[name].from_ruling(asked_by, asked, rule(decision(wanted["decision"]), asked_by.door, asked))
    same(reply, wanted["reply"])
    assert ("json" in wanted["reply"] or "text" in wanted["reply"]) == bool(reply.body)


@pytest.mark.parametrize("trouble", Trouble)
@pytest.mark.parametrize("name", NAMES)
def test_troubles(name: str, trouble: Trouble) -> None:
    """A call without a decision never gets the reply that lets a login in."""
    dialect = DIALECTS[name]
    reply = dialect.on_trouble(door(name), trouble, "what is wrong")
    same(reply, case(name)["troubles"][trouble.value])
    asked = dialect.to_login(call(name))
    assert asked is not None
    allowed = dialect.from_ruling(call(name), asked, rule(decision("allow"), door(name), asked))
    assert (reply.status, reply.body) != (allowed.status, allowed.body)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_malformed(name: str) -> None:
    """A member of a wrong type, or one that is missing, is the caller's fault, and named."""
    for wanted in case(name)["malformed"]:
        with pytest.raises(InvalidEvent) as refused:
            DIALECTS[name].to_login(call(name, wanted["set"]))
        assert refused.value.field


@pytest.mark.parametrize("value", [None, [], "text", 7, True, {}, {"user": None}, {"user": []}, {"claims": {}}])
@pytest.mark.parametrize("name", NAMES)
def test_any_json_is_a_login_or_the_callers_fault(name: str, value: Any) -> None:
    """Whatever JSON a call has, a map raises nothing else."""
    with pytest.raises(InvalidEvent):
        DIALECTS[name].to_login(HookCall(door(name), {}, value))


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_outcome_is_refused(name: str) -> None:
    """A decision of a later version is answered as a denial is."""
    asked_by = call(name)
    asked = DIALECTS[name].to_login(asked_by)
    assert asked is not None
    for outcome in (pb.OUTCOME_UNSPECIFIED, 77):
        unknown = decision("deny")
        unknown.outcome = outcome  # type: ignore[assignment]  # what a later version may send
        ruling = rule(unknown, asked_by.door, asked)
        assert ruling.act == "refuse"
        denied = rule(decision("deny"), asked_by.door, asked)
        replies = [DIALECTS[name].from_ruling(asked_by, asked, each) for each in (ruling, denied)]
        assert replies[0] == replies[1]


def test_calls_without_a_user_are_no_logins() -> None:
    """A grant in which no user logs in is answered without a decision."""
    for wanted in case("hydra")["not_a_login"]:
        assert DIALECTS["hydra"].to_login(call("hydra", wanted["set"])) is None
        same(DIALECTS["hydra"].not_a_login, wanted["reply"])


def test_texts_for_users_are_plain() -> None:
    """An author's text has one line, no control or format characters, and a cap."""
    assert plain("a\x00b\nc\u202ed\u2028e\ud800f\ue000g\t h") == "a b c d e f g h"
    assert plain("x" * 10_000) == "x" * 300
    assert plain("\n\u200b") == ""


def test_every_deadline_is_inside_the_products_budget() -> None:
    """A fifth of what a product waits is left for the way."""
    for dialect in DIALECTS.values():
        assert dialect.deadline_s == pytest.approx(0.8 * dialect.budget_s)
