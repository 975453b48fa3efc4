"""Auth0's JSON of an event: both spellings, absent and empty told apart, faults named by their path."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1.event_pb2 import PostLoginEvent

from runtime.errors import InvalidEvent
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
        assert event.user.enrolled_factors[0].type == "otp"
    risk = {"assessments": {"NewDevice": {"code": "match"}, "UntrustedIP": {"code": "x"}}}
    found = from_json({"authentication": {"riskAssessment": risk}}).authentication.risk_assessment.assessments
    assert (found.new_device.code, found.untrusted_ip.code) == ("match", "x")


def test_unknown_members_and_nulls_are_ignored() -> None:
    """A newer event parses; null is absent, as ProtoJSON says."""
    event = from_json({"novelty": [1], "experiment": None, "user": {"user_id": "u", "email": None, "favourite": {}}})
    assert not event.HasField("experiment")
    assert not event.user.HasField("email")


def test_absent_and_empty_lists_are_distinguished() -> None:
    """A list that is there and empty is named in empty_lists; an absent one is not."""
    event = from_json(
        {
            "user": {"enrolledFactors": [], "identities": [{}]},
            "transaction": {"acr_values": [], "prompt": ["login"]},
            "client": {"refresh_token": {"policies": [{"scope": []}, {"scope": []}]}},
        }
    )
    assert list(event.empty_lists) == [
        "user.enrolled_factors",
        "transaction.acr_values",
        "client.refresh_token.policies.scope",
    ]


def test_named_empty_lists_are_kept() -> None:
    """What a gateway's own JSON names already is not named twice."""
    event = from_json({"empty_lists": ["user.enrolled_factors"], "user": {"enrolled_factors": []}})
    assert list(event.empty_lists) == ["user.enrolled_factors"]


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
