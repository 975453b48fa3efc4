"""Queries: answered from the event inside the sandbox, recorded nowhere, refused as commands."""

from collections.abc import Callable
from typing import Any

import pytest
from vestibule.v1 import event_pb2

from runtime.login import event_json
from sandbox.action.api import CommandRecorder, make_api
from sandbox.action.event import Event
from sandbox.contract import surface


def ask(**members: Any) -> Any:
    event = event_json.from_json(members)
    return make_api(CommandRecorder(Event(event, {})))


@pytest.mark.parametrize(
    ("members", "possible"),
    [
        ({}, True),
        ({"transaction": {"protocol": "oidc-basic-profile"}}, True),
        ({"request": {"query": {"prompt": "login"}}}, True),
        ({"request": {"query": {"prompt": "none"}}}, False),
        *(
            ({"transaction": {"protocol": protocol}}, False)
            for protocol in ("oauth2-resource-owner", "oauth2-refresh-token", "oauth2-password", "oauth2-webauthn")
        ),
    ],
)
def test_a_redirect_needs_a_browser(members: dict[str, Any], possible: bool) -> None:
    """Not in a silent login, nor in the four protocols without a browser; a missing protocol does not hinder."""
    api = ask(**members)
    assert api.redirect.can_redirect() is possible
    assert api.redirect.canRedirect() is possible


def test_asking_changes_no_event() -> None:
    """Looking for a member of the query does not add it."""
    event = event_pb2.PostLoginEvent()
    make_api(CommandRecorder(Event(event, {}))).redirect.can_redirect()
    assert event == event_pb2.PostLoginEvent()


def test_no_rule_was_executed() -> None:
    """There are no Rules."""
    assert ask().rules.was_executed("rul_1") is False
    assert ask().rules.wasExecuted("rul_1") is False


def test_roles_are_those_of_the_event() -> None:
    """All roles in pages, or those of the names asked for, once each."""
    api = ask(authorization={"roles": [f"r{n}" for n in range(60)]})
    page = api.roles.get_user_effective_roles()
    assert (len(page["roles"]), page["next"]) == (50, "50")
    assert api.roles.getUserEffectiveRoles({"take": 20, "from": "50"}) == {
        "roles": [{"name": f"r{n}"} for n in range(50, 60)]
    }
    assert api.roles.get_user_effective_roles_by_names(["r1", "x", "r1", "r0"]) == {
        "roles": [{"name": "r1"}, {"name": "r0"}]
    }
    assert ask(authorization={"roles": []}).roles.get_user_effective_roles() == {"roles": []}


def test_an_event_without_roles_has_no_roles_to_answer() -> None:
    """Without event.authorization the question raises: an action that asks a role for a factor must not pass."""
    call: Callable[[Any], object]
    for call in (
        lambda api: api.roles.get_user_effective_roles(),
        lambda api: api.roles.getUserEffectiveRolesByNames(["r"]),
    ):
        with pytest.raises(ValueError, match="does not say which roles the user has"):
            call(ask())


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda api: api.roles.get_user_effective_roles(take=101),
            ValueError,
            "take must be a whole number from 1 to 100",
        ),
        (lambda api: api.roles.get_user_effective_roles(take="5"), TypeError, "take must be a whole number"),
        (lambda api: api.roles.get_user_effective_roles(from_="x"), ValueError, "from_ must be the `next`"),
        (lambda api: api.roles.get_user_effective_roles(from_="9" * 65), ValueError, "from_ must be text"),
        (lambda api: api.roles.get_user_effective_roles_by_names([]), ValueError, "a list of 1 to 50"),
        (lambda api: api.roles.get_user_effective_roles_by_names(["r"] * 51), ValueError, "a list of 1 to 50"),
        (lambda api: api.roles.get_user_effective_roles_by_ids(["rol_1"]), ValueError, "does not carry ids of roles"),
        (lambda api: api.groups.get_user_groups(), ValueError, "does not carry groups"),
        (lambda api: api.groups.hasGroupMembership(["g"]), ValueError, "does not carry groups"),
        (lambda api: api.rules.was_executed(), TypeError, "rule_id is missing"),
    ],
)
def test_what_cannot_be_answered_raises(call: Any, kind: type[Exception], text: str) -> None:
    """A wrong argument raises, and a question that the event cannot answer: an empty answer could wave everybody by."""
    with pytest.raises(kind) as caught:
        call(ask(authorization={"roles": ["r"]}))
    assert text in str(caught.value)
    assert str(caught.value).startswith("api.")


def test_a_query_records_nothing_and_is_no_command() -> None:
    """An honest worker never reports one; one that does is a liar."""
    recorder = CommandRecorder(Event(event_pb2.PostLoginEvent(), {}))
    make_api(recorder).rules.was_executed("rul_1")
    assert recorder.encoded() == []
    for op in surface.CALLS.keys() - surface.RECORDED:
        with pytest.raises(surface.CommandError, match="unknown operation"):
            surface.validate(op, {})
