"""Live values: what a call changes in the event of its own action and of later ones, and limits that depend on it."""

import json
import time
from typing import Any

import pytest
from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from runtime.core.aggregate import aggregate
from runtime.core.model import Command, Execution, OnError, Settings, Verdict
from runtime.login import event_json, messages
from runtime.login.questions import carried
from sandbox.action import alarm, execution
from sandbox.action.alarm import ACTION_FILENAME, install
from sandbox.action.api import CommandRecorder, make_api
from sandbox.action.event import Event
from sandbox.action.live import FlowState
from sandbox.contract import surface
from sandbox.contract.surface import ENTRY
from sandbox.language import compiler
from tests.event_facts import EventFacts


def message(**members: Any) -> event_pb2.PostLoginEvent:
    return event_json.from_json(members)


STORED = message(
    transaction={"id": "t", "metadata": {"old": 1}},
    session={"id": "s", "metadata": {"old": "x"}, "cookie": {"mode": "persistent"}},
    refreshToken={"id": "r", "metadata": {"old": "x"}},
)


def begin(event: event_pb2.PostLoginEvent, flow: FlowState | None = None) -> tuple[Any, Any, CommandRecorder]:
    view = Event(event, {})
    recorder = CommandRecorder(view, flow)
    return view, make_api(recorder), recorder


def after(*recorders: CommandRecorder) -> FlowState:
    """Return the flow in which these executions have completed."""
    flow = FlowState()
    for recorder in recorders:
        for op, args in recorder.commands:
            if (call := surface.CALLS[op]).carried:
                flow.replay(call, (op, args))
    return flow


@pytest.mark.parametrize("owner", ["transaction", "session", "refresh_token"])
def test_metadata_changes_at_once_and_for_later_actions(owner: str) -> None:
    """Set and deleted members show in this action, in the same dict, and in the next; the event stays as it was."""
    untouched = STORED.SerializeToString(deterministic=True)
    event, api, recorder = begin(STORED)
    held = getattr(event, owner).metadata
    group = getattr(api, owner)
    group.set_metadata("new", "v").transaction.setMetadata("other", 2.5)
    group.set_metadata("old", None)
    assert held["new"] == "v"
    assert "old" not in held
    later, _, _ = begin(STORED, after(recorder))
    assert getattr(later, owner).metadata == held
    assert later.transaction.metadata["other"] == 2.5
    assert begin(STORED)[0].transaction.metadata == {"old": 1}
    assert STORED.SerializeToString(deterministic=True) == untouched


def test_what_tenant_code_writes_into_the_dict_is_not_stored() -> None:
    """The dict is the action's own: what it writes there neither counts nor reaches a later action."""
    event, api, recorder = begin(STORED)
    dict.update(event.transaction.metadata, mine="x" * 20_000)
    api.transaction.set_metadata("k", True)
    later, _, _ = begin(STORED, after(recorder))
    assert later.transaction.metadata == {"old": 1, "k": True}


def test_a_transaction_comes_into_being_and_a_refresh_token_does_not() -> None:
    """Without a transaction the event gets one with the metadata; without a refresh token only the command is kept."""
    event, api, recorder = begin(event_pb2.PostLoginEvent())
    assert event.transaction is None
    api.transaction.set_metadata("k", "v").refresh_token.set_metadata("k", "v")
    assert event.transaction is not None
    assert event.transaction.metadata == {"k": "v"}
    assert event.refresh_token is None
    assert len(recorder.commands) == 2


def test_metadata_of_a_session_that_has_none() -> None:
    """Absent metadata becomes a dict with the first member, and evicting empties it."""
    event, api, recorder = begin(message(session={"id": "s"}))
    assert event.session.metadata is None
    api.session.set_metadata("k", "v")
    assert event.session.metadata == {"k": "v"}
    api.session.evict_metadata()
    assert event.session.metadata == {}
    assert begin(message(session={"id": "s"}), after(recorder))[0].session.metadata == {}


def test_the_cookie_mode_changes_at_once() -> None:
    """The event's cookie shows the mode that was chosen, here and later, and the shared message is not written to."""
    event, api, recorder = begin(STORED)
    assert event.session.cookie.mode == "persistent"
    api.session.set_cookie_mode("non-persistent")
    assert event.session.cookie.mode == "non-persistent"
    assert begin(STORED, after(recorder))[0].session.cookie.mode == "non-persistent"
    assert STORED.session.cookie.mode == "persistent"


@pytest.mark.parametrize(
    ("key", "value", "kind", "text"),
    [
        ("k" * 65, 1, ValueError, "key must be text of 1 to 64 characters"),
        ("", 1, ValueError, "key must be text of 1 to 64 characters"),
        ("k", "x" * 8193, ValueError, "at most 8192"),
        ("k", "é" * 4097, ValueError, "at most 8192 bytes"),
        ("k", 2**53 + 1, ValueError, "integers within 2**53"),
        ("k", float("nan"), ValueError, "a finite number"),
        ("k", [1], TypeError, "got a list of 1"),
        ("k", {"a": 1}, TypeError, "got a dict of 1"),
    ],
)
def test_transaction_metadata_is_scalar_and_small(key: str, value: Any, kind: type[Exception], text: str) -> None:
    """A key, a value or a type beyond the limits raises at the call, names the limit and changes nothing."""
    event, api, recorder = begin(STORED)
    with pytest.raises(kind) as caught:
        api.transaction.set_metadata(key, value)
    assert text in str(caught.value)
    assert str(caught.value).startswith("api.transaction.set_metadata: ")
    assert event.transaction is not None
    assert event.transaction.metadata == {"old": 1}
    assert recorder.commands == []


def test_the_total_is_of_what_is_stored() -> None:
    """16 kB hold for the event's members and those of all actions together; a replaced value counts once."""
    _, api, recorder = begin(STORED)
    for _ in range(5):
        api.transaction.set_metadata("a", "x" * 8000)
    later, second_api, second = begin(STORED, after(recorder))
    with pytest.raises(ValueError, match="transaction metadata must be at most 16384 bytes as JSON; this makes"):
        second_api.transaction.set_metadata("b", "x" * 8192).transaction.set_metadata("c", "x" * 300)
    assert set(later.transaction.metadata) == {"old", "a", "b"}
    second_api.transaction.set_metadata("a", None).transaction.set_metadata("c", "x" * 300)
    surface.parse_all(second.encoded())
    with pytest.raises(surface.CommandError, match="transaction metadata of one login must be at most 16384"):
        list(surface.validate_each([("transaction.set_metadata", {"key": k, "value": "x" * 8000}) for k in "abc"]))


def test_session_metadata_counts_what_the_event_had() -> None:
    """25 entries hold for those of the event and those of earlier actions together."""
    event = message(session={"id": "s", "metadata": {f"k{n}": "v" for n in range(24)}})
    _, api, recorder = begin(event)
    api.session.set_metadata("k0", "w").session.set_metadata("k24", "v")
    _, later, _ = begin(event, after(recorder))
    with pytest.raises(ValueError, match="session metadata must have at most 25 entries"):
        later.session.set_metadata("k25", "v")
    later.session.delete_metadata("k3").session.set_metadata("k25", "v")


def test_the_primary_user_is_set_once_in_a_flow() -> None:
    """A second call raises in the same action and in a later one; the daemon refuses it in one execution too."""
    _, api, recorder = begin(STORED)
    api.authentication.set_primary_user("auth0|1")
    with pytest.raises(ValueError, match="the primary user was set already"):
        api.authentication.setPrimaryUser("auth0|2")
    _, later, _ = begin(STORED, after(recorder))
    with pytest.raises(ValueError, match="it can be set once in a login"):
        later.authentication.set_primary_user("auth0|2")
    twice = [("authentication.set_primary_user", {"primary_user_id": "u"})] * 2
    with pytest.raises(surface.CommandError, match="primary user can be set 1 time in one login"):
        list(surface.validate_each(twice))


@pytest.mark.parametrize(("user", "kind"), [("", ValueError), ("u" * 129, ValueError), (7, TypeError)])
def test_a_primary_user_is_an_id(user: Any, kind: type[Exception]) -> None:
    """An id has 1 to 128 characters."""
    _, api, _ = begin(STORED)
    with pytest.raises(kind, match="primary_user_id must be text of 1 to 128 characters"):
        api.authentication.set_primary_user(user)


def ran(*commands: tuple[str, dict[str, Any]], verdict: Verdict = Verdict.COMPLETED) -> Execution:
    made = tuple(Command(op, args) for op, args in commands)
    return Execution("a", "0" * 64, OnError.REQUIRE_MFA, verdict, made)


SET = ("transaction.set_metadata", {"key": "k", "value": 1})
SCOPE = ("access_token.add_scope", {"scope": "s"})
USER = ("authentication.set_primary_user", {"primary_user_id": "u"})


def test_the_decision_carries_them() -> None:
    """The last value of a member and the first primary user reach the gateway; the user only with tokens."""
    flow = [ran(SET, USER), ran(("transaction.set_metadata", {"key": "k", "value": None}))]
    effects = messages.encode(aggregate(flow, Settings(), EventFacts()), "d", 1, 1)
    assert dict(effects.on_any_outcome.transaction_metadata) == {"k": None}
    assert effects.on_success.primary_user_id == "u"
    denied = messages.encode(
        aggregate([*flow, ran(("access.deny", {"reason": "r"}))], Settings(), EventFacts()), "d", 1, 1
    )
    assert dict(denied.on_any_outcome.transaction_metadata) == {"k": None}
    assert not denied.HasField("on_success")


def test_a_second_worker_learns_what_the_first_one_did() -> None:
    """Live commands of completed executions are replayed, and nothing else is."""
    question = worker_pb2.RunFlow.FromString(carried([ran(SET, SCOPE), ran(USER), ran(verdict=Verdict.RAISED)]))
    assert [(c.op, json.loads(c.args_json)) for c in question.earlier] == [SET, USER]
    assert carried([ran(SCOPE)]) == b""
    assert carried([]) == b""


@pytest.mark.parametrize(("tail", "kept"), [("", 1), ("    raise ValueError\n", 0)])
def test_an_action_that_fails_leaves_nothing_to_later_ones(tail: str, kept: int) -> None:
    """What an action that raises had set is dropped; the control keeps it."""
    install()
    source = f"def on_execute_post_login(event, api):\n    api.transaction.set_metadata('k', 1)\n{tail}"
    flow = FlowState()
    execution.execute(
        compiler.compile_action(source, ACTION_FILENAME),
        ENTRY,
        STORED,
        {},
        0,
        bytes(16),
        time.monotonic_ns(),
        10**9,
        64,
        flow,
    )
    alarm.disarm()
    assert flow.live == [SET][:kept]
    assert flow.spending.commands == kept


CLAIM = ("id_token.set_custom_claim", {"name": "c", "value": "x" * 60_000})


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (
            lambda api: api.id_token.set_custom_claim("a", "x" * 60_000),
            lambda api: api.access_token.set_custom_claim("b", "x" * 60_000),
            "set_custom_claim: the custom claims of one login must be at most 102400 bytes as JSON; this makes 1200",
        ),
        (
            lambda api: api.user.set_user_metadata("a", "x" * 20_000),
            lambda api: api.user.set_user_metadata("a", "x" * 20_000),
            "the user_metadata of one login must be at most 32768 bytes as JSON",
        ),
        (
            lambda api: api.user.set_app_metadata("a", "x" * 20_000),
            lambda api: api.user.set_app_metadata("a", "x" * 20_000),
            "the app_metadata of one login must be at most 32768 bytes as JSON",
        ),
        (
            lambda api: [api.saml_response.set_attribute(f"a{n}", "x" * 1500) for n in range(5)],
            lambda api: [api.saml_response.set_attribute(f"b{n}", "x" * 1500) for n in range(5)],
            "the SAML attributes of one login must be at most 10240 bytes as JSON",
        ),
        (
            lambda api: [api.saml_response.set_attribute(f"a{n}", 1) for n in range(60)],
            lambda api: [api.saml_response.set_attribute(f"b{n}", 1) for n in range(60)],
            "the SAML attributes of one login must have at most 100 entries",
        ),
    ],
    ids=["claims", "user metadata", "app metadata", "SAML bytes", "SAML entries"],
)
def test_the_actions_of_a_flow_share_its_limits(first: Any, second: Any, text: str) -> None:
    """What an earlier action set counts, in the same worker and in another; either action alone is fine."""
    flow = FlowState()
    _, api, recorder = begin(STORED, flow)
    first(api)
    recorder.leave()
    for later in (flow, after(recorder)):
        _, api, _ = begin(STORED, later)
        with pytest.raises(ValueError, match=r"^api\.") as caught:
            second(api)
        assert text in str(caught.value)
    second(begin(STORED)[1])


def test_an_action_that_does_not_complete_has_spent_nothing() -> None:
    """Until an execution leaves its part to the flow, the flow has spent what it had before."""
    flow = FlowState()
    _, api, _ = begin(STORED, flow)
    api.user.set_user_metadata("a", "x" * 20_000)
    _, api, recorder = begin(STORED, flow)
    api.user.set_user_metadata("a", "x" * 20_000)
    recorder.leave()
    _, api, _ = begin(STORED, flow)
    with pytest.raises(ValueError, match="user_metadata"):
        api.user.set_user_metadata("a", "x" * 20_000)


def test_what_the_daemon_sends_another_worker_is_what_counts() -> None:
    """Commands that spend a budget of the login are carried, and nothing else that leaves the event alone."""
    question = worker_pb2.RunFlow.FromString(carried([ran(SET, CLAIM, SCOPE)]))
    assert [command.op for command in question.earlier] == [SET[0], CLAIM[0]]
    assert {op for op, call in surface.CALLS.items() if call.carried and not call.live} == {
        "access_token.set_custom_claim",
        "id_token.set_custom_claim",
        "saml_response.set_attribute",
        "user.set_app_metadata",
        "user.set_user_metadata",
    }
