"""What a gateway adds to the event, facts and attributes, and its instants: plain data that no other execution sees."""

from typing import Any

import pytest
from vestibule.v1 import event_pb2

from runtime.login import event_json
from sandbox.action.event import Event, parse
from sandbox.action.event_data import instant_text
from sandbox.reach.attributes import guarded_getattr


def view(json: dict[str, Any]) -> Any:
    return Event(parse(event_json.from_json(json).SerializeToString()), {})


ADDED = {"groups": ["admins", {"id": 7}], "https://acme.example/level": 3, "_id": "x", "get": 1}
EVENT = view(
    {
        "user": {"user_id": "u", **ADDED},
        "transaction": {"protocol": "samlp", "brand": {"name": "b"}},
        "facts": {"device": {"managed": True, "score": 4}},
    }
)
EMPTY = view({"transaction": {}})


def test_facts_and_attributes_are_plain_data() -> None:
    """An action reads dicts and lists with sorted keys and whole numbers as int."""
    assert EVENT.facts == {"device": {"managed": True, "score": 4}}
    assert type(EVENT.facts["device"]["score"]) is int
    assert EVENT.user.attributes == ADDED
    assert list(EVENT.user.attributes) == sorted(ADDED)
    assert EVENT.transaction.attributes == {"brand": {"name": "b"}}


def test_where_nothing_was_sent_they_are_empty() -> None:
    """An action may ask for a member without a test of the whole."""
    assert EMPTY.facts == EMPTY.user.attributes == EMPTY.transaction.attributes == {}
    assert EMPTY.facts.get("device") is None
    assert EMPTY.get("facts.device.managed", False) is False


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("facts.device.managed", True),
        ("user.attributes.groups.0", "admins"),
        ("user.groups.0", "admins"),
        ("user.groups.1.id", 7),
        ("user.groups.2", "default"),
        ("user.https://acme", "default"),
        ("user.teams", "default"),
        ("transaction.brand.name", "b"),
        ("user.email", "default"),
    ],
)
def test_a_path_finds_what_the_identity_provider_added(path: str, value: Any) -> None:
    """A ported test of `user.groups` does not read as absent because this contract keeps it in `attributes`."""
    assert EVENT.get(path, "default") == value


def test_a_key_finds_it_too() -> None:
    """A claim with a URL for a name has no other way."""
    assert EVENT.user["https://acme.example/level"] == 3
    assert EVENT.user["groups"] is EVENT.user.attributes["groups"]
    assert EVENT.user["user_id"] == "u"


@pytest.mark.parametrize("name", ["teams", "_id", "__class__", "_message", "emial"])
def test_a_key_that_is_not_there_raises(name: str) -> None:
    """A name with an underscore is never a member, whatever the identity provider calls its own."""
    with pytest.raises(KeyError, match=r"event\.user has no attribute"):
        EVENT.user[name]


def test_only_open_objects_have_more_members_than_the_reference() -> None:
    """A typo in another object raises, whatever was added to the user."""
    for part in (EVENT, EVENT.request, EVENT.client):
        with pytest.raises(KeyError, match="has no attribute 'groups'"):
            part["groups"]


def test_an_attribute_says_where_to_read_it() -> None:
    """Known members alone are attributes: a later version may name one of these."""
    with pytest.raises(AttributeError) as caught:
        guarded_getattr(EVENT.user, "groups")
    assert str(caught.value) == "event.user has no attribute 'groups'; read event.user.attributes['groups']"
    with pytest.raises(AttributeError) as caught:
        guarded_getattr(EVENT.user, "teams")
    assert "attributes" not in str(caught.value)


def test_a_member_of_the_event_is_never_shadowed() -> None:
    """A gateway that sends an attribute by the name of a member changes nothing of the member."""
    message = event_pb2.PostLoginEvent()
    message.user.user_id = "u"
    message.user.attributes.update({"user_id": "other", "email_verified": True, "get": "x", "attributes": "y"})
    event = Event(message, {})
    assert (event["user"]["user_id"], event.get("user.user_id")) == ("u", "u")
    assert event.get("user.email_verified") is False
    assert event["user"]["attributes"]["user_id"] == "other"
    assert event["user"].get("user_id") == "u"


def test_what_an_execution_writes_into_them_stays_its_own() -> None:
    """Two executions of one flow share the message and no dict, and the members themselves are read-only."""
    message = event_json.from_json({"facts": {"a": [1]}, "user": {"groups": [1]}})
    first, second = Event(message, {}), Event(message, {})
    shown: Any = first
    list.append(shown.facts["a"], 2)
    list.append(shown.user["groups"], 2)
    dict.update(shown.user.attributes, more=1)
    assert shown.facts is shown.facts
    assert (second.get("facts"), second.get("user.attributes")) == ({"a": [1]}, {"groups": [1]})
    assert Event(message, {}).get("user.groups") == [1]
    with pytest.raises(AttributeError, match="event is read-only"):
        shown.facts = {}
    with pytest.raises(AttributeError, match="event is read-only"):
        shown.user.attributes = {}


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2024-01-31T12:00:00Z", "2024-01-31T12:00:00.000Z"),
        ("2024-01-31T12:00:00.120Z", "2024-01-31T12:00:00.120Z"),
        ("2024-01-31T12:00:00.000120Z", "2024-01-31T12:00:00.000120Z"),
        ("2024-01-31T12:00:00.000000120Z", "2024-01-31T12:00:00.000000120Z"),
        ("2024-01-31T14:00:00+02:00", "2024-01-31T12:00:00.000Z"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
    ],
)
def test_an_instant_reads_as_auth0_writes_it(sent: str, read: str) -> None:
    """Milliseconds as JavaScript writes them; what is finer is kept."""
    event = view({"user": {"created_at": sent}, "authentication": {"methods": [{"timestamp": sent}]}})
    assert event.user.created_at == event.user.createdAt == read
    assert event.authentication.methods[0].timestamp == read


def test_an_absent_instant_stays_absent() -> None:
    """One that Auth0 always sends reads as empty text, any other as None."""
    event = view({"session": {}, "refresh_token": {}, "anonymous_session": {}, "authentication": {"methods": [{}]}})
    required = [
        event.user.created_at, event.user.updated_at, event.refresh_token.created_at,
        event.authentication.methods[0].timestamp,
    ]  # fmt: skip
    assert required == [""] * 4
    assert event.user.last_password_reset is event.session.expires_at is event.anonymous_session.created_at is None
    assert event.refresh_token.idle_expires_at is None
    assert event.get("session.expires_at", "never") == "never"


def test_the_epoch_is_an_instant_and_not_absent() -> None:
    """A Timestamp with both members zero is there."""
    message = event_pb2.PostLoginEvent()
    message.session.created_at.SetInParent()
    shown: Any = Event(parse(message.SerializeToString()), {})
    assert shown.session.created_at == instant_text(message.session.created_at) == "1970-01-01T00:00:00.000Z"
