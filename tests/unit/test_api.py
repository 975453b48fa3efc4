"""The api object: what an action can reach on it, and what calling it records."""

from typing import Any

import pytest
from vestibule.v1 import event_pb2

from sandbox.action.api import Api, CommandRecorder, make_api
from sandbox.action.event import Event
from sandbox.contract import surface
from sandbox.contract.values import camel
from sandbox.reach.attributes import guarded_getattr
from sandbox.reach.interrupts import LimitExceeded, reset


@pytest.fixture
def recorder() -> CommandRecorder:
    return CommandRecorder(Event(event_pb2.PostLoginEvent(), {}))


@pytest.fixture
def api(recorder: CommandRecorder) -> Api:
    return make_api(recorder)


def test_every_call_of_the_table_is_reachable_in_both_spellings(api: Any) -> None:
    """Each operation is a method of its group, under the Python name and under Auth0's."""
    for call in surface.SURFACE:
        for group in (call.group, camel(call.group)):
            assert group in type(api)._exposed_
            for name in (call.name, camel(call.name)):
                assert name in type(getattr(api, group))._exposed_
                assert callable(getattr(getattr(api, group), name))


def test_nothing_else_is_exposed(api: Any) -> None:
    """Exposed names are those of the table, and none begins with an underscore."""
    groups = {call.group for call in surface.SURFACE}
    assert type(api)._exposed_ == groups | {camel(name) for name in groups}
    for group in groups:
        names = {call.name for call in surface.SURFACE if call.group == group}
        exposed = type(getattr(api, group))._exposed_
        assert exposed == names | {camel(name) for name in names}
        assert not any(name.startswith("_") for name in exposed)


def test_calls_are_recorded_in_order_and_chain(api: Any, recorder: CommandRecorder) -> None:
    """Every call returns the api, and the record is in call order, arguments by Python name."""
    chained = api.user.set_user_metadata("seen", True).idToken.setCustomClaim("https://example.com/x", [1])
    assert chained is api
    api.multifactor.enable("any", {"allowRememberBrowser": False})
    api.access.deny("no")
    assert recorder.commands == [
        ("user.set_user_metadata", {"key": "seen", "value": True}),
        ("id_token.set_custom_claim", {"name": "https://example.com/x", "value": [1]}),
        ("multifactor.enable", {"provider": "any", "allow_remember_browser": False}),
        ("access.deny", {"reason": "no"}),
    ]
    assert recorder.encoded()[2] == ("multifactor.enable", '{"provider":"any","allow_remember_browser":false}')


def test_a_wrong_call_records_nothing(api: Any, recorder: CommandRecorder) -> None:
    """A refused call leaves no trace in the record."""
    with pytest.raises(ValueError, match="provider must be one of"):
        api.multifactor.enable("sms")
    assert recorder.encoded() == []


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (
            lambda api: guarded_getattr(api, "mutifactor"),
            "api has no attribute 'mutifactor'; did you mean 'multifactor'?",
        ),
        (
            lambda api: guarded_getattr(api.multifactor, "enabel"),
            "api.multifactor has no attribute 'enabel'; did you mean 'enable'?",
        ),
        (lambda api: guarded_getattr(api.multifactor, "disable"), "api.multifactor has no attribute 'disable'"),
        (lambda api: guarded_getattr(api, "idtoken"), "did you mean 'id_token'?"),
    ],
)
def test_a_misspelt_name_raises_with_a_hint(api: Any, read: Any, message: str) -> None:
    """A typo is an error that names the nearest word."""
    with pytest.raises(AttributeError) as caught:
        read(api)
    assert message in str(caught.value)


def test_the_api_is_read_only(api: Any) -> None:
    """Neither the api nor a group can be written to, not even by trusted code."""
    for target in (api, api.multifactor):
        with pytest.raises(AttributeError, match="read-only"):
            target.enable = None
        with pytest.raises(AttributeError, match="read-only"):
            del target.enable


def test_no_address_shows(api: Any) -> None:
    """Neither repr nor hash tells where an object lies."""
    for thing in (api, api.multifactor, api.multifactor.enable):
        assert "0x" not in repr(thing)
    for thing in (api, api.multifactor):
        with pytest.raises(TypeError, match="unhashable"):
            hash(thing)


def test_the_hundred_and_first_call_ends_the_execution(api: Any, recorder: CommandRecorder) -> None:
    """Too many calls is a limit of the execution: it cannot be caught as an Exception."""
    try:
        for _ in range(surface.MAX_COMMANDS):
            api.multifactor.enable("any")
        with pytest.raises(LimitExceeded) as caught:
            api.multifactor.enable("any")
    finally:
        reset()
    assert caught.value.error_type == "CommandsLimitExceeded"
    assert not isinstance(caught.value, Exception)
    assert len(recorder.commands) == surface.MAX_COMMANDS


def test_totals_are_enforced_at_the_call(api: Any, recorder: CommandRecorder) -> None:
    """Claims of both tokens share a total; a refused call does not count towards it."""
    api.id_token.set_custom_claim("a", "x" * 60_000)
    with pytest.raises(ValueError, match="custom claims of one login must be at most 102400 bytes"):
        api.access_token.set_custom_claim("b", "x" * 60_000)
    api.access_token.set_custom_claim("b", "x" * 30_000)
    api.user.set_app_metadata("c", "x" * 30_000)
    api.user.set_user_metadata("c", "x" * 30_000)
    assert len(recorder.commands) == 4


def test_a_kept_api_object_records_nothing_later(api: Any, recorder: CommandRecorder) -> None:
    """Once the record was read the execution is over, and the api with it."""
    api.multifactor.enable("any")
    recorder.encoded()
    with pytest.raises(RuntimeError, match="the action has ended"):
        api.multifactor.enable("none")
    assert len(recorder.commands) == 1


def test_everything_recorded_is_accepted_by_the_daemon(api: Any, recorder: CommandRecorder) -> None:
    """What the recorder accepts passes validation unchanged, so an honest worker is never a liar."""
    api.multifactor.enable("duo", provider_options={"host": "h", "username": None})
    api.access.deny("é", "detail")
    api.validation.error("code", "message")
    api.user.set_app_metadata("k", {"a": (1, 2), "b": 5e-324})
    api.access_token.set_custom_claim("k", None)
    assert surface.parse_all(recorder.encoded()) == [args for _, args in recorder.commands]
