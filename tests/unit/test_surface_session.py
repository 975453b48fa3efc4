"""Sessions, refresh tokens and scopes: what the calls accept, what they fold to, and what reaches the gateway."""

from collections.abc import Callable
from typing import Any

import pytest
from vestibule.v1 import decision_pb2, event_pb2

from runtime.core.aggregate import aggregate, ends_flow
from runtime.core.model import Command, Execution, OnError, Settings, Verdict
from runtime.login import messages
from sandbox.action.api import CommandRecorder, make_api
from sandbox.action.event import Event
from sandbox.contract import surface
from tests.event_facts import EventFacts


def record(event: event_pb2.PostLoginEvent) -> tuple[Any, CommandRecorder]:
    recorder = CommandRecorder(Event(event, {}))
    return make_api(recorder), recorder


def with_session(protocol: str = "oidc-basic-profile") -> event_pb2.PostLoginEvent:
    event = event_pb2.PostLoginEvent()
    event.session.id = "s"
    event.transaction.protocol = protocol
    return event


def execution(recorder: CommandRecorder) -> Execution:
    texts = recorder.encoded()
    commands = tuple(Command(op, args) for (op, _), args in zip(texts, surface.parse_all(texts), strict=True))
    return Execution("a", "0" * 64, OnError.REQUIRE_MFA, Verdict.COMPLETED, commands)


def decide(
    *recorders: CommandRecorder,
) -> tuple[decision_pb2.EffectsOnAnyOutcome, decision_pb2.EffectsOnSuccess]:
    decision = aggregate([execution(recorder) for recorder in recorders], Settings(), EventFacts())
    message = messages.encode(decision, "d", 1, 1)
    return message.on_any_outcome, message.on_success


def test_the_last_call_for_a_scope_wins() -> None:
    """A scope is added or removed, never both, and only by its last call."""
    api, recorder = record(with_session())
    api.access_token.add_scope("a").accessToken.removeScope("b").access_token.remove_scope("a").accessToken.addScope(
        "c"
    )
    _, effects = decide(recorder)
    assert (list(effects.scopes_added), list(effects.scopes_removed)) == (["c"], ["a", "b"])


@pytest.mark.parametrize("scope", ["", "a b", 'a"', "a\\", "\u00e9", "x" * 257, "a\n"])
def test_a_scope_is_one_token(scope: str) -> None:
    """What a token could not carry raises at the call."""
    api, recorder = record(with_session())
    with pytest.raises(ValueError, match=r"api\.access_token\.add_scope: scope must be one scope"):
        api.access_token.add_scope(scope)
    assert recorder.commands == []


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda api: api.session.revoke("why", preserve_refresh_tokens=True), "session_revoked"),
        (lambda api: api.session.revoke("why", {"preserveRefreshTokens": True}), "session_revoked"),
        (lambda api: api.refreshToken.revoke("why"), "refresh_token_revoked"),
    ],
)
def test_revoking_denies(call: Any, kind: str) -> None:
    """A revocation refuses the login, ends the flow, and tells the gateway what to revoke."""
    api, recorder = record(with_session("oauth2-refresh-token"))
    call(api)
    api.access_token.add_scope("a")
    api.session.set_metadata("k", "v")
    ran = execution(recorder)
    assert ends_flow(ran)
    decision = aggregate([ran], Settings(), EventFacts())
    message = messages.encode(decision, "d", 1, 1)
    assert decision.outcome == "deny"
    assert decision.denial is not None
    assert (decision.denial.reason, decision.denial.description) == (kind, "why")
    assert message.denial.reason == decision_pb2.Denial.Reason.Value(f"REASON_{kind.upper()}")
    effects = message.on_any_outcome
    assert (effects.session.revoke, effects.refresh_token.revoke) == (
        kind == "session_revoked",
        kind != "session_revoked",
    )
    assert effects.session.preserve_refresh_tokens == (kind == "session_revoked")
    assert dict(effects.session.metadata) == {"k": "v"}
    assert not message.HasField("on_success")


def test_a_refresh_token_is_revoked_in_an_exchange_only() -> None:
    """In any other protocol the call raises and records nothing."""
    api, recorder = record(with_session())
    with pytest.raises(ValueError, match="only in a refresh token exchange"):
        api.refresh_token.revoke("why")
    assert recorder.commands == []


def test_session_calls_need_a_session() -> None:
    """Without a session each of them raises; those of the refresh token do not, because one may be issued."""
    api, recorder = record(event_pb2.PostLoginEvent())
    call: Callable[[], object]
    for call in (
        lambda: api.session.revoke("why"),
        lambda: api.session.set_expires_at(1),
        lambda: api.session.set_idle_expires_at(1),
        lambda: api.session.set_cookie_mode("persistent"),
        lambda: api.session.set_metadata("k", "v"),
        lambda: api.session.delete_metadata("k"),
        lambda: api.session.evict_metadata(),
    ):
        with pytest.raises(ValueError, match=r"api\.session\.\w+: there is no session"):
            call()
    assert recorder.commands == []
    api.refresh_token.set_metadata("k", "v")
    assert len(recorder.commands) == 1


@pytest.mark.parametrize("group", ["session", "refresh_token"])
def test_the_earliest_expiry_wins(group: str) -> None:
    """Over all actions of the flow the earliest instant counts, for both kinds of expiry."""
    first_api, first = record(with_session())
    getattr(first_api, group).set_expires_at(2000)
    getattr(first_api, group).set_idle_expires_at(1500.9)
    second_api, second = record(with_session())
    getattr(second_api, group).set_expires_at(1000)
    getattr(second_api, group).set_idle_expires_at(1700)
    effects, _ = decide(first, second)
    part = getattr(effects, group)
    assert (part.expires_at.ToMilliseconds(), part.idle_expires_at.ToMilliseconds()) == (1000, 1500)


@pytest.mark.parametrize("value", [0, -1, 0.5, float("nan"), float("inf"), 10**15, 2**80])
def test_an_expiry_is_a_positive_instant(value: Any) -> None:
    """What is no instant of milliseconds raises at the call."""
    api, _ = record(with_session())
    with pytest.raises(ValueError, match="must be a positive number of milliseconds"):
        api.session.set_expires_at(value)


@pytest.mark.parametrize("value", [True, "1", None, [1]])
def test_an_expiry_is_a_number(value: Any) -> None:
    """A wrong type is a TypeError."""
    api, _ = record(with_session())
    with pytest.raises(TypeError, match="must be a positive number of milliseconds"):
        api.refresh_token.set_idle_expires_at(value)


@pytest.mark.parametrize("group", ["session", "refresh_token"])
def test_metadata_is_set_deleted_and_evicted(group: str) -> None:
    """What was set before an eviction goes with it; a deletion is a null."""
    api, recorder = record(with_session())
    part = getattr(api, group)
    part.set_metadata("gone", "x")
    part.evict_metadata()
    part.set_metadata("a", "1")
    part.setMetadata("b", None)
    part.delete_metadata("c")
    effects, _ = decide(recorder)
    changes = getattr(effects, group)
    assert changes.evict_metadata
    assert dict(changes.metadata) == {"a": "1", "b": None, "c": None}


@pytest.mark.parametrize("key", ["", "a.b", "a b", "\u00e9", "k" * 256])
def test_metadata_keys_have_few_characters(key: str) -> None:
    """A key is 1 to 255 letters, digits, underscores and hyphens."""
    api, _ = record(with_session())
    with pytest.raises(ValueError, match="key must be 1 to 255 of the characters"):
        api.session.set_metadata(key, "v")


def test_metadata_values_are_short_text() -> None:
    """A value has at most 255 characters, and the limit is named."""
    api, _ = record(with_session())
    api.session.set_metadata("k", "v" * 255)
    with pytest.raises(ValueError, match="text of at most 255 characters"):
        api.session.set_metadata("k", "v" * 256)
    with pytest.raises(TypeError, match="text of at most 255 characters"):
        api.session.set_metadata("k", 5)


def test_metadata_has_at_most_25_entries() -> None:
    """The 26th key of an execution raises; the 25 before it, set again, do not; nor does the refresh token's own."""
    api, recorder = record(with_session())
    for number in range(25):
        api.session.set_metadata(f"k{number}", "v")
    with pytest.raises(ValueError, match="the session metadata must have at most 25 entries"):
        api.session.set_metadata("k25", "v")
    api.session.set_metadata("k0", "w").refresh_token.set_metadata("k25", "v")
    assert len(recorder.commands) == 27
    with pytest.raises(surface.CommandError, match="at most 25 entries"):
        list(surface.validate_each([("session.set_metadata", {"key": f"k{n}", "value": "v"}) for n in range(26)]))


def test_the_last_cookie_mode_wins() -> None:
    """The mode is one of two words."""
    api, recorder = record(with_session())
    api.session.set_cookie_mode("persistent").session.setCookieMode("non-persistent")
    with pytest.raises(ValueError, match="mode must be one of persistent, non-persistent"):
        api.session.set_cookie_mode("forever")
    effects, _ = decide(recorder)
    assert effects.session.cookie_mode == decision_pb2.COOKIE_MODE_NON_PERSISTENT


def test_a_flow_without_such_calls_has_no_such_effects() -> None:
    """The control: the message of a simple login carries none of it."""
    api, recorder = record(with_session())
    api.multifactor.enable("any")
    decision = aggregate([execution(recorder)], Settings(), EventFacts())
    assert decision.effects is None
    message = messages.encode(decision, "d", 1, 1)
    assert not message.HasField("on_any_outcome")
    assert not message.HasField("on_success")


@pytest.mark.parametrize(("access", "kept"), [("online", 0), ("offline", 2)])
def test_an_online_refresh_token_has_neither_expiry_nor_metadata(access: str, kept: int) -> None:
    """Both raise for an online token; the control is an offline one."""
    event = with_session()
    event.refresh_token.access = access
    api, recorder = record(event)
    call: Callable[[], object]
    for call in (lambda: api.refresh_token.set_expires_at(1), lambda: api.refresh_token.set_metadata("k", "v")):
        if kept:
            call()
        else:
            with pytest.raises(ValueError, match="the refresh token is an online one"):
                call()
    assert len(recorder.commands) == kept
