"""Auth0's JSON of an event: both spellings, absent and empty told apart, faults named by their path."""

import contextlib
import json
import math
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1.event_pb2 import PostLoginEvent

from runtime.errors import InvalidEvent
from runtime.login import structs
from runtime.login.event_json import MAX_DEPTH, from_json, loads


def fault(text: str | bytes) -> str:
    with pytest.raises(InvalidEvent) as caught:
        loads(text)
    return str(caught.value)


def test_both_spellings_are_read() -> None:
    """A member is found by Auth0's name and by its snake_case name."""
    for user in (
        {"user_id": "u", "enrolledFactors": [{"type": "otp"}]},
        {"userId": "u", "enrolled_factors": [{"type": "otp"}]},
    ):
        event = from_json({"user": user})
        assert event.user.user_id == "u"
        assert event.user.enrolled_factors.values[0].type == "otp"
    risk = {"assessments": {"NewDevice": {"code": "match"}, "UntrustedIP": {"code": "x"}}}
    found = from_json({"authentication": {"riskAssessment": risk}}).authentication.risk_assessment.assessments
    assert (found.new_device.code, found.untrusted_ip.code) == ("match", "x")


def test_unknown_members_and_nulls_are_ignored() -> None:
    """A newer event parses; a known member that is null is absent."""
    event = from_json({"novelty": [1], "experiment": None, "user": {"user_id": "u", "email": None}, "stats": {"x": 1}})
    assert event == PostLoginEvent(user={"user_id": "u"}, stats={})


def test_what_an_open_object_does_not_name_is_an_attribute() -> None:
    """Members that the identity provider added to the user, and those of the transaction, are kept as they are."""
    added = {"groups": ["a", {"b": None}], "https://acme.example/level": 3, "department": None}
    event = from_json({"user": {"userId": "u", **added}, "transaction": {"brand": {"k": True}}, "client": {"x": 1}})
    assert _plain(event.user.attributes) == added
    assert _plain(event.transaction.attributes) == {"brand": {"k": True}}
    assert not from_json({"user": {"user_id": "u"}, "transaction": {}}).user.HasField("attributes")
    both = from_json({"user": {"attributes": {"a": 1, "email": "x"}, "b": 2}})
    assert _plain(both.user.attributes) == {"a": 1, "b": 2, "email": "x"}
    assert from_json({"user": {"attributes": {}}}).user.HasField("attributes")


def test_facts_are_read() -> None:
    """A gateway may put what it looked up into the same JSON."""
    assert _plain(from_json({"facts": {"device": {"managed": True}}}).facts) == {"device": {"managed": True}}


def test_a_struct_is_read_as_its_json_is() -> None:
    """Auth0's JSON that came as a Struct is the same event; its numbers are doubles, and that does not matter."""
    value: dict[str, Any] = {
        "user": {"user_id": "u", "enrolledFactors": [], "level": 2, "created_at": "2024-07-11T13:02:20.849Z"},
        "stats": {"logins_count": 7},
        "request": {"geoip": {"latitude": 5}},
        "experiment": None,
    }
    struct = Struct()
    struct.update(value)
    assert from_json(structs.read(struct, 100)) == from_json(value)
    struct.fields["organization"].Clear()  # a value without a kind
    assert from_json(structs.read(struct, 100)) == from_json(value)
    struct.fields["stats"].struct_value.fields["logins_count"].number_value = math.nan
    with pytest.raises(InvalidEvent, match=r"event.stats.logins_count: expected a whole number"):
        from_json(structs.read(struct, 100))


def test_absent_and_empty_lists_are_distinguished() -> None:
    """An optional list that is there and empty has a wrapper without values; an absent one has none."""
    event = from_json(
        {
            "user": {"enrolledFactors": [], "multifactor": None, "identities": [{}]},
            "transaction": {"acr_values": [], "prompt": ["login"]},
            "client": {"refresh_token": {"policies": [{"scope": []}, {}]}},
        }
    )
    assert event.user.HasField("enrolled_factors")
    assert not event.user.enrolled_factors.values
    assert not event.user.HasField("multifactor")
    assert event.transaction.HasField("acr_values")
    assert list(event.transaction.prompt.values) == ["login"]
    assert not event.transaction.HasField("ui_locales")
    assert [policy.HasField("scope") for policy in event.client.refresh_token.policies.values] == [True, False]


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("1970-01-01T00:00:00.000Z", 0, 0),
        ("2024-07-11T13:02:20.849Z", 1_720_702_940, 849_000_000),
        ("2018-11-13T20:20:39+00:00", 1_542_140_439, 0),
        ("2018-11-13T22:20:39+02:00", 1_542_140_439, 0),
        ("2018-11-13T20:20:39.000000001Z", 1_542_140_439, 1),
        ("1969-12-31T23:59:59.5Z", -1, 500_000_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
        ("9999-12-31T23:59:59.999999999Z", 253_402_300_799, 999_999_999),
    ],
)
def test_an_instant_is_read_to_the_nanosecond(text: str, seconds: int, nanos: int) -> None:
    """Auth0's text and any other of RFC 3339 is the same instant in the message."""
    instant = from_json({"user": {"created_at": text}}).user.created_at
    assert (instant.seconds, instant.nanos) == (seconds, nanos)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "is not an instant; write it as 2024-01-31T12:00:00.000Z"),
        ("yesterday", "is not an instant"),
        ("2024-01-31", "is not an instant"),
        ("2024-01-31T12:00:00", "is not an instant"),
        ("2024-01-31 12:00:00Z", "is not an instant"),
        ("2024-02-30T12:00:00Z", "is not an instant"),
        ("2024-01-31T24:00:01Z", "is not an instant"),
        ("2024-01-31T12:00:00.Z", "is not an instant"),
        ("2024-01-31T12:00:00.0000000001Z", "is not an instant"),
        ("2024-01-31T12:00:00+25:00", "is not an instant"),
        ("2024-01-31T12:00:00Z\n", "is not an instant"),
        ("\u0662024-01-31T12:00:00Z", "is not an instant"),
        ("0000-01-01T00:00:00Z", "is not an instant"),
        ("0001-01-01T00:00:00+00:01", "is out of range"),
        ("9999-12-31T23:59:59-00:01", "is out of range"),
        (1_542_140_439, "expected an instant such as 2024-01-31T12:00:00.000Z, got a number"),
        ({"seconds": 1}, "expected an instant such as 2024-01-31T12:00:00.000Z, got an object"),
    ],
)
def test_what_is_no_instant_is_a_fault(value: Any, said: str) -> None:
    """The member is named; the value is not repeated."""
    with pytest.raises(InvalidEvent) as caught:
        from_json({"authentication": {"methods": [{"name": "pwd"}, {"timestamp": value}]}})
    assert str(caught.value).startswith(f"event.authentication.methods[1].timestamp: {said}")


def test_present_and_empty_objects_are_distinguished() -> None:
    """An object that is there and empty is present."""
    event = from_json({"organization": {}, "user": {"user_metadata": {}}})
    assert event.HasField("organization")
    assert event.user.HasField("user_metadata")
    assert not event.user.HasField("app_metadata")


def test_free_objects_keep_every_kind_of_value() -> None:
    """Metadata, query and body hold any JSON."""
    value: Any = {"a": [1, 2.5, None, True, "x", {"b": {}}, []], "": "empty name"}
    event = from_json({"user": {"user_metadata": value}})
    assert json.loads(json.dumps(_plain(event.user.user_metadata))) == value


def _plain(struct: object) -> object:
    from google.protobuf import json_format

    return json_format.MessageToDict(struct)  # type: ignore[arg-type]  # a message of any type


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"user": {"email": 3}}', "event.user.email: expected a string, got a number"),
        ('{"user": {"email_verified": "yes"}}', "event.user.email_verified: expected true or false, got a string"),
        ('{"user": []}', "event.user: expected an object, got a list"),
        ('{"user": {"user_metadata": "x"}}', "event.user.user_metadata: expected an object, got a string"),
        ('{"user": {"identities": [{}, 3]}}', "event.user.identities[1]: expected an object, got a number"),
        ('{"user": {"multifactor": "guardian"}}', "event.user.multifactor: expected a list, got a string"),
        ('{"user": {"multifactor": [null]}}', "event.user.multifactor[0]: expected a string, got null"),
        ('{"stats": {"logins_count": 1.5}}', "event.stats.logins_count: expected a whole number, got a fraction"),
        ('{"stats": {"logins_count": true}}', "event.stats.logins_count: expected a whole number, got true or false"),
        ('{"stats": {"logins_count": 1e300}}', "event.stats.logins_count: is out of range"),
        ('{"request": {"geoip": {"latitude": "4"}}}', "event.request.geoip.latitude: expected a number, got a string"),
        ('{"user": {"user_id": "a", "userId": "b"}}', "event.user.user_id: is given twice, as user_id and userId"),
        ('{"user": {"name": "\\ud800"}}', "event.user.name: holds half of a surrogate pair"),
        ('{"user": {"user_metadata": {"\\udc00": 1}}}', "event.user.user_metadata: holds half of a surrogate pair"),
        ('{"user": {"user_metadata": {"a": [1e999]}}}', "event.user.user_metadata.a[0]: is too large for a number"),
        ('{"user": {"user_metadata": {"a": %s}}}' % ("9" * 5000), "is too large for a number"),
        ('{"a": 1, "a": 2}', "the name 'a' occurs twice in one object"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        (
            '{"user": {"groups": 1, "attributes": {"groups": 2}}}',
            "event.user.groups: is given twice, in attributes too",
        ),
        ('{"user": {"attributes": [1]}}', "event.user.attributes: expected an object, got a list"),
        ('{"user": {"groups": [1e999]}}', "event.user.groups[0]: is too large for a number"),
        ('{"user": {"\\ud800": 1}}', "event.user: holds half of a surrogate pair"),
        (
            '{"user": {"enrolledFactors": {"values": []}}}',
            "event.user.enrolled_factors: expected a list, got an object",
        ),
        ('{"user": {"enrolledFactors": [3]}}', "event.user.enrolled_factors[0]: expected an object, got a number"),
        ('{"facts": "x"}', "event.facts: expected an object, got a string"),
        ("[]", "event: expected an object, got a list"),
        ("null", "event: expected an object, got null"),
        ("", "the text is empty"),
        (" \n", "the text is empty"),
        ("{", "the text is not JSON: expecting property name"),
        ('{"a": 1} x', "the text is not JSON: extra data at line 1 column 10"),
        ("[" * 100_000, "nested too deeply"),
        ('"' + "x" * (5 << 20) + '"', "is larger than"),
        (b"\xff", "is not UTF-8 text (byte 0)"),
    ],
)
def test_a_fault_is_named(text: str | bytes, said: str) -> None:
    """The message says where, what was given and what is wanted."""
    assert said in fault(text)


@pytest.mark.parametrize(
    "given", [{"user": {"user_metadata": {"a": 10**400}}}, {"request": {"geoip": {"latitude": -(10**400)}}}]
)
def test_an_integer_beyond_all_doubles_is_a_fault(given: dict[str, Any]) -> None:
    """A line of `vestibule run` is decoded by the plain reader of JSON, which makes an integer of any size."""
    with pytest.raises(InvalidEvent, match="is too large for a number"):
        from_json(given)


def test_control_the_largest_double_is_accepted_as_an_integer() -> None:
    event = from_json({"user": {"user_metadata": {"a": 10**308}}})
    assert event.user.user_metadata["a"] == 1e308


def test_a_byte_order_mark_is_let_through() -> None:
    """Files of some editors begin with one."""
    assert loads(b'\xef\xbb\xbf{"user": {"user_id": "u"}}').user.user_id == "u"


def test_whole_numbers_come_in_every_json_spelling() -> None:
    """ProtoJSON writes 64-bit integers as strings; JavaScript writes 3.0 as 3."""
    for text in ("3", '"3"', "3.0"):
        assert loads('{"stats": {"logins_count": ' + text + "}}").stats.logins_count == 3


@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
def test_whatever_is_accepted_can_be_parsed_by_the_daemon(opening: str, closing: str) -> None:
    """The depth that is allowed here is one that protobuf parsers allow."""
    deepest = 0
    for depth in range(1, MAX_DEPTH + 5):
        inner = '{"k":' + opening * depth + "1" + closing * depth + "}"
        text = '{"refresh_token":{"session_transfer":{"parent_refresh_token":{"metadata":' + inner + "}}}}"
        try:
            event = loads(text)
        except InvalidEvent:
            break
        PostLoginEvent.FromString(event.SerializeToString())
        deepest = depth
    assert deepest >= 10


def _members() -> list[str]:
    found: set[str] = {"methods", "x"}
    queue: list[Any] = [PostLoginEvent.DESCRIPTOR]
    while queue:
        for field in queue.pop().fields:
            if field.name not in found:
                found |= {field.name, field.json_name}
                if field.message_type is not None and field.message_type.file.name.startswith("vestibule"):
                    queue.append(field.message_type)
    return sorted(found)


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_members()), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from([f.name for f in PostLoginEvent.DESCRIPTOR.fields]), _JSON, max_size=5))
def test_any_json_is_an_event_or_a_named_fault(value: dict[str, Any]) -> None:
    """Whatever the JSON, the answer is an event that the daemon can parse, or a fault that names its place."""
    named = "event"
    try:
        event = from_json(value)
        assert PostLoginEvent.FromString(event.SerializeToString()) == event
    except InvalidEvent as error:
        named = str(error)
    assert named.startswith("event")


@given(st.text(max_size=40) | st.binary(max_size=40))
def test_any_text_is_an_event_or_a_fault(text: str | bytes) -> None:
    """Text that is no JSON is a fault, never another error."""
    with contextlib.suppress(InvalidEvent):
        loads(text)
