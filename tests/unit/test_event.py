"""The event views: what reads as what, what is private, what a typo does."""

import gc
import json
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from vestibule.v1 import event_pb2

from runtime.login import event_json
from sandbox.action.event import Event, parse
from sandbox.action.views import View
from sandbox.contract.event_fields import OPEN_OBJECTS, REQUIRED_INSTANTS, REQUIRED_OBJECTS, is_instant, wrapped
from sandbox.contract.frozen import EventDict, EventList, EventSecrets
from sandbox.reach import guards
from sandbox.reach.attributes import guarded_getattr


def view(json: dict[str, Any] | None = None, secrets: dict[str, str] | None = None) -> Any:
    return Event(parse(event_json.from_json(json or {}).SerializeToString()), secrets or {})


def every_view() -> list[tuple[str, type[View]]]:
    """All view classes with the path of each, root first."""
    found: list[tuple[str, type[View]]] = []
    todo: list[tuple[str, type[View]]] = [("", Event)]
    while todo:
        path, cls = todo.pop()
        found.append((path, cls))
        for name, below in cls._below_.items():
            if isinstance(below, type):
                todo.append((f"{path}.{name}" if path else name, below))
    return found


def every_field() -> list[tuple[str, Any]]:
    """All fields of the event with the path of each; a list's items share the path of the list."""
    found: list[tuple[str, Any]] = []
    todo: list[tuple[str, Any]] = [("", event_pb2.PostLoginEvent.DESCRIPTOR)]
    while todo:
        prefix, message = todo.pop()
        for field in message.fields:
            found.append((f"{prefix}{field.name}", field))
            below = (wrapped(field) or field).message_type
            if below is not None and below.file.name == message.file.name:
                todo.append((f"{prefix}{field.name}.", below))
    return found


EMPTY = view()


def test_members_are_read_in_both_spellings() -> None:
    """snake_case names and the reference's camelCase lead to the same object."""
    event = view(
        {
            "user": {"user_id": "u", "enrolledFactors": [{"type": "phone", "options": {"preferredMethod": "sms"}}]},
            "authentication": {"riskAssessment": {"assessments": {"NewDevice": {"code": "match"}}}},
            "request": {"geoip": {"cityName": "Oslo", "countryCode3": "NOR", "latitude": 59.9}},
        }
    )
    assert event.user.enrolled_factors is event.user.enrolledFactors
    assert event.user.enrolled_factors[0].options == {"preferredMethod": "sms"}
    assert event.authentication.riskAssessment.assessments.NewDevice.code == "match"
    assert event.authentication.risk_assessment.assessments.new_device.code == "match"
    assert event.authentication.risk_assessment.assessments.UntrustedIP is None
    assert (event.request.geoip.city_name, event.request.geoip.cityName) == ("Oslo", "Oslo")
    assert (event.request.geoip.countryCode3, event.request.geoip.latitude) == ("NOR", 59.9)
    assert event["user"]["user_id"] == "u"


def test_required_objects_read_as_empty_and_optional_ones_as_none() -> None:
    """What Auth0 always sends can be read without a test even when the gateway left it out."""
    for path in REQUIRED_OBJECTS:
        parent, _, name = path.rpartition(".")
        holder = EMPTY.get(parent) if parent else EMPTY
        if holder is not None:
            value = getattr(holder, name)
            assert value == {} or isinstance(value, View), path
    for name in ("agent", "authentication", "organization", "transaction", "session", "refresh_token", "experiment"):
        assert getattr(EMPTY, name) is None
    assert EMPTY.user.user_id == ""
    assert EMPTY.user.email_verified is False
    assert EMPTY.stats.logins_count == 0
    assert EMPTY.request.geoip.city_name is None
    assert EMPTY.connection.metadata is None


def test_the_tables_name_members_that_exist() -> None:
    """A path of a presence table that no event has would silently do nothing."""
    objects: set[str] = set()
    instants: set[str] = set()
    for path, field in every_field():
        if is_instant(field):
            instants.add(path)
        elif field.message_type is not None and not field.is_repeated and wrapped(field) is None:
            objects.add(path)
    assert objects >= REQUIRED_OBJECTS
    assert instants >= REQUIRED_INSTANTS
    assert objects >= OPEN_OBJECTS
    assert {f"{path}.attributes" for path in OPEN_OBJECTS} <= REQUIRED_OBJECTS


@pytest.mark.parametrize(
    "path", [path for path, field in every_field() if wrapped(field) and path.startswith(("user.", "transaction."))]
)
def test_an_optional_list_tells_absent_from_empty(path: str) -> None:
    """Absent is None, empty is [], full is a list."""
    group, _, name = path.partition(".")
    absent = view({group: {"metadata": {}}})
    assert getattr(getattr(absent, group), name) is None
    empty = view({group: {name: []}})
    assert getattr(getattr(empty, group), name) == []


def test_required_lists_are_empty_lists() -> None:
    """A list that Auth0 always sends is never None."""
    event = view({"authentication": {}, "authorization": {}, "session_transfer_token": {}})
    assert event.authentication.methods == []
    assert event.authorization.roles == []
    assert event.session_transfer_token.scope == []
    assert event.user.identities == []


def test_lists_hold_plain_values_or_views() -> None:
    """No protobuf container is handed out."""
    event = view(
        {
            "authorization": {"roles": ["a", "b"]},
            "authentication": {"methods": [{"name": "pwd", "timestamp": "2024-07-11T13:02:20.849Z"}]},
            "transaction": {"requested_authorization_details": [{"type": "t", "n": 1}], "acr_values": ["x"]},
        }
    )
    assert event.authorization.roles == ["a", "b"]
    assert [method.name for method in event.authentication.methods] == ["pwd"]
    assert event.authentication.methods[0].type is None
    assert event.transaction.requested_authorization_details == [{"type": "t", "n": 1}]
    assert event.transaction.acr_values == ["x"]


def test_no_protobuf_object_can_be_reached() -> None:
    """Every exposed member of every view, on an event with everything in it, is plain data or a view."""
    message = full(event_pb2.PostLoginEvent())
    todo: list[Any] = [Event(parse(message.SerializeToString()), {"A": "b"})]
    seen = 0
    while todo:
        thing = todo.pop()
        seen += 1
        if isinstance(thing, View):
            todo.extend(getattr(thing, name) for name in type(thing)._below_ if name != "reason")
        elif type(thing) is EventList:
            todo.extend(thing)
        elif type(thing) in (EventDict, EventSecrets):
            todo.extend(thing.values())
        else:
            assert type(thing) in (str, int, float, bool), thing
            assert thing is not None
    assert seen > 300


def full(message: Any) -> Any:
    """Set every field of a message, recursively, so that nothing in it reads as absent."""
    for field in message.DESCRIPTOR.fields:
        target = getattr(message, field.name)
        if field.message_type is None:
            value = "x" if field.type == field.TYPE_STRING else 1
            if field.is_repeated:
                target.append(value)
            else:
                setattr(message, field.name, value)
        elif field.message_type.name == "Timestamp":
            target.FromJsonString("2024-07-11T13:02:20.849Z")
        elif field.message_type.name == "Struct":
            (target.add() if field.is_repeated else target).update({"k": [1, {"l": "v"}, True, 1.5]})
        else:
            full(target.add() if field.is_repeated else target)
    return message


def test_names_that_begin_with_an_underscore_are_never_exposed() -> None:
    """The message behind a view is out of reach of an allow-list of names."""
    for path, cls in every_view():
        assert not any(name.startswith("_") for name in cls._exposed_), path
        assert "get" in cls._exposed_


def test_struct_members_are_plain_data_with_sorted_keys() -> None:
    """Integral numbers are int, the order of keys is the same in every process, null is None."""
    data = {"z": 5, "a": 1.5, "m": {"t": True, "n": None, "l": [1, "x", {"q": -0.0}]}, "big": 1e300}
    event = view({"user": {"user_metadata": data}})
    read = event.user.user_metadata
    assert read == {"a": 1.5, "big": 1e300, "m": {"l": [1, "x", {"q": 0}], "n": None, "t": True}, "z": 5}
    assert list(read) == sorted(data)
    assert type(read["z"]) is int
    assert type(read["big"]) is float
    assert type(read["m"]["t"]) is bool


def test_what_an_execution_writes_into_a_dict_stays_its_own() -> None:
    """Two executions of one flow share the message and no dict, also where C code goes past the refusals of one."""
    message = parse(event_json.from_json({"user": {"user_metadata": {"a": [1]}}}).SerializeToString())
    secrets = {"KEY": "value"}
    first, second = Event(message, secrets), Event(message, secrets)
    list.append(first.user.user_metadata["a"], 2)
    dict.update(first.user.user_metadata, b=1)
    dict.update(first.secrets, KEY="other")
    dict.update(first.configuration, x=1)
    assert first.user.user_metadata == {"a": [1, 2], "b": 1}
    assert first.user.user_metadata is first.user.userMetadata
    assert first.secrets is first.secrets
    assert second.user.user_metadata == {"a": [1]}
    assert second.secrets == {"KEY": "value"}
    assert second.configuration == {}
    assert secrets == {"KEY": "value"}
    assert Event(message, secrets).user.user_metadata == {"a": [1]}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("user.user_id", "u"),
        ("user.nickname", "default"),
        ("organization", "default"),
        ("organization.metadata.factors", "default"),
        ("organization.display_name", "default"),
        ("authentication.methods.0.name", "pwd"),
        ("authentication.methods.1.name", "default"),
        ("authentication.methods.99999999999.name", "default"),
        ("authentication.risk_assessment.confidence", "default"),
        ("authentication.riskAssessment.assessments.NewDevice.code", "default"),
        ("user.user_metadata.list.1.deep", "x"),
        ("user.userMetadata.list.1.deep", "x"),
        ("user.user_metadata.list.7", "default"),
        ("user.user_metadata.list.-1", "default"),
        ("user.user_metadata.list.²", "default"),
        ("user.user_metadata.none", "default"),
        ("user.user_metadata.list.0.below_a_number", "default"),
        ("user.user_metadata.False", "default"),
        ("user.email_verified", False),
        ("user.department", "default"),
        ("transaction.ext-brand", "default"),
        ("secrets.KEY", "s"),
        ("secrets.OTHER", "default"),
        ("configuration.x", "default"),
        ("stats.logins_count", 0),
    ],
)
def test_get_is_null_safe(path: str, value: Any) -> None:
    """A path answers its value, or the default wherever something on the way is absent."""
    event = view(
        {
            "user": {"user_id": "u", "user_metadata": {"list": [1, {"deep": "x"}], "none": None}},
            "authentication": {"methods": [{"name": "pwd", "timestamp": "2024-07-11T13:02:20.849Z"}]},
        },
        {"KEY": "s"},
    )
    assert event.get(path, "default") == value


def test_get_works_on_every_view_and_defaults_to_none() -> None:
    """The path starts at the view."""
    event = view({"organization": {"id": "o", "metadata": {"factors": "otp"}}})
    assert event.organization.get("metadata.factors") == "otp"
    assert event.organization.get("metadata.nothing") is None
    assert event.request.geoip.get("cityName", "") == ""


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("user.emial", "event.user has no attribute 'emial'; did you mean 'email'?"),
        ("organization.metdata.x", "event.organization has no attribute 'metdata'; did you mean 'metadata'?"),
        ("organization.nothing", "event.organization has no attribute 'nothing'"),
        ("orgnization", "event has no attribute 'orgnization'; did you mean 'organization'?"),
        (
            "authentication.methods.0.nmae",
            "event.authentication.methods[] has no attribute 'nmae'; did you mean 'name'?",
        ),
        (
            "authentication.methods.name",
            "event.authentication.methods is a list: give an index before 'name', such as 0",
        ),
        ("user.email.domain", "event.user.email has nothing below it"),
        ("user.__class__", "event.user has no attribute '__class__'"),
        ("user._message", "event.user has no attribute '_message'"),
        ("user.enrolled_factors.values", "event.user.enrolled_factors is a list: give an index before 'values'"),
        ("", "event has no attribute ''"),
    ],
)
def test_get_refuses_a_path_that_no_event_has(path: str, message: str) -> None:
    """A typo raises even where this event has nothing: it must not read as absent and skip a factor."""
    with pytest.raises(AttributeError) as caught:
        EMPTY.get(path, "default")
    assert message in str(caught.value)


def test_get_takes_text_of_bounded_length() -> None:
    """A path of another type or without end is refused."""
    with pytest.raises(TypeError, match="path must be text"):
        EMPTY.get(5)
    with pytest.raises(ValueError, match="at most 512"):
        EMPTY.get("a" * 513)


@pytest.mark.parametrize(
    ("read", "kind", "message"),
    [
        (
            lambda e: guarded_getattr(e.user, "emial"),
            AttributeError,
            "event.user has no attribute 'emial'; did you mean 'email'?",
        ),
        (lambda e: guarded_getattr(e.user, "app_metdata"), AttributeError, "did you mean 'app_metadata'?"),
        (lambda e: guarded_getattr(e, "usr"), AttributeError, "event has no attribute 'usr'; did you mean 'user'?"),
        (lambda e: guarded_getattr(e, "actor"), AttributeError, "event has no attribute 'actor'"),
        (lambda e: e["usr"], KeyError, "did you mean 'user'?"),
        (lambda e: e["get"], KeyError, "event has no attribute 'get'"),
        (lambda e: e["_message"], KeyError, "event has no attribute '_message'"),
        (lambda e: e[0], TypeError, "a member's name must be text"),
        (lambda e: "usr" in e, AttributeError, "did you mean 'user'?"),
        (lambda e: "emial" in e.user, AttributeError, "did you mean 'email'?"),
        (lambda e: "_message" in e.user, AttributeError, "event.user has no attribute '_message'"),
        (lambda e: 5 in e.user, TypeError, "a member's name must be text"),
        (lambda e: e["keys"], KeyError, "event has no attribute 'keys'"),
        (lambda e: hash(e.user), TypeError, "unhashable"),
    ],
)
def test_a_wrong_read_raises(read: Any, kind: type[Exception], message: str) -> None:
    """A missing member, and a use that a view does not have, raise with a message that helps."""
    with pytest.raises(kind) as caught:
        read(EMPTY)
    assert message in str(caught.value)


def test_the_event_is_read_only() -> None:
    """Attributes and items of every view refuse to be written, for trusted code as well."""
    for target in (EMPTY, EMPTY.user):
        with pytest.raises(AttributeError, match="event is read-only"):
            target.user_id = "x"
        with pytest.raises(AttributeError, match="event is read-only"):
            del target.user_id
        with pytest.raises(AttributeError, match="event is read-only"):
            target._message = None
        with pytest.raises(TypeError):
            target["user_id"] = "x"


def test_repr_shows_members_and_no_secret() -> None:
    """A printed view says where it is in the event and which members are there."""
    event = view({"user": {"user_id": "u", "app_metadata": {"n": 1}}, "organization": {"id": "o"}}, {"K": "hidden"})
    assert repr(event.organization) == (
        "<event.organization {'id': 'o', 'name': '', 'display_name': '', 'metadata': {}}>"
    )
    assert repr(event.user).startswith("<event.user {'user_id': 'u', 'app_metadata': {'n': 1}, ")
    assert "'secrets': {'K': '***'}" in repr(event)
    assert repr(event.secrets) == f"{event.secrets}" == "{'K': '***'}"
    assert "hidden" not in repr(event) + str(event.to_dict()) + json.dumps(event.to_dict())
    assert event.secrets["K"] == "hidden"


def test_a_view_can_be_looked_at() -> None:
    """Members that are there are listed once, in the event's order; an absent one reads as None and is not listed."""
    event = view({"user": {"user_id": "u", "email": "a@b.c", "groups": ["x"]}, "session": {"id": "s"}})
    user = event.user
    assert list(user) == list(user.keys())
    assert len(user) == len(list(user.items())) == len(user.values())
    assert dict(user.items())["email"] == dict(user)["email"] == "a@b.c"
    assert "nickname" not in list(user)
    assert ("email" in user, "nickname" in user, "groups" in user, "department" in user) == (True, False, True, False)
    assert ("appMetadata" in user, "app_metadata" in user, "organization" in event) == (True, True, False)
    assert bool(event.session.device) is False
    assert view({"transaction": {}}).transaction, "what is there is true, with members or without"
    plain = user.to_dict()
    assert plain["attributes"] == {"groups": ["x"]}
    plain["attributes"]["groups"].append("y")
    assert user.attributes == {"groups": ["x"]}
    assert json.loads(json.dumps(event.to_dict()))["session"]["id"] == "s"


def test_data_is_read_only_and_says_what_to_do() -> None:
    """Each way to change a dict or a list of the event raises with its path and the remedy."""
    event = view({"user": {"app_metadata": {"a": {"b": [1]}}, "groups": ["x"]}, "facts": {"n": 1}})
    metadata = event.user.app_metadata
    changes: tuple[Callable[[], object], ...] = (
        lambda: metadata.update(x=1),
        lambda: metadata.__setitem__("x", 1),
        lambda: metadata["a"].setdefault("x", 1),
        lambda: metadata["a"]["b"].append(2),
        lambda: guards.guarded_write(metadata["a"]["b"]),
    )
    for change in changes:
        with pytest.raises(TypeError, match=r"app_metadata is read-only: call api\.user\.set_app_metadata"):
            change()
    with pytest.raises(AttributeError, match="app_metadata is read-only"):
        guarded_getattr(metadata, "update")
    with pytest.raises(TypeError, match=r"event\.facts is read-only: copy it with dict\(\.\.\.\)"):
        guards.guarded_write(event.facts)
    with pytest.raises(AttributeError, match=r"copy it with list\(\.\.\.\) or copy.deepcopy"):
        guarded_getattr(event.user.attributes["groups"], "sort")
    assert metadata == {"a": {"b": [1]}}


def test_lists_are_lists() -> None:
    """They equal lists, are instances of list, add up with lists, and `+=` leaves the event as it is."""
    event = view({"transaction": {"acr_values": ["x"], "prompt": []}})
    values: Any = event.transaction.acr_values
    assert isinstance(values, list)
    assert values == ["x"]
    assert (values.__add__(["y"]), ["y"].__add__(values), values[:1]) == (["x", "y"], ["y", "x"], ["x"])
    assert event.transaction.prompt == []
    more = values
    more += ["y"]
    more.append("z")
    assert (more, values) == (["x", "y", "z"], ["x"])
    data: Any = event.transaction.metadata
    data |= {"k": 1}
    assert (data, event.transaction.metadata) == ({"k": 1}, {})


def test_views_are_identical_within_an_execution() -> None:
    """Reading twice gives one object, and objects compare by identity."""
    event = view()
    assert event.user is event.user
    assert event.user == event.user
    assert event.user != view().user


def test_an_event_is_freed_without_the_cycle_collector() -> None:
    """Views refer downwards only, so a worker with a frozen collector does not grow."""

    class Holder(dict):  # type: ignore[type-arg]  # of anything
        """A dict that can be watched."""

    secrets = Holder()
    watch = weakref.ref(secrets)
    gc.disable()
    try:
        event = Event(parse(full(event_pb2.PostLoginEvent()).SerializeToString()), secrets)
        _ = (event.user.identities, event.session.device.last_ip, event.get("authentication.methods.0.name"))
        del event, secrets
        assert watch() is None
    finally:
        gc.enable()


def test_malformed_bytes_are_refused() -> None:
    """Only an event parses."""
    with pytest.raises(DecodeError):
        parse(b"\xff\xff\xff")


def test_numbers_that_json_does_not_have_stay_floats() -> None:
    """A NaN in a Struct, which only a faulty gateway sends, does no harm."""
    message = event_pb2.PostLoginEvent()
    message.user.user_metadata.fields["x"].number_value = float("nan")
    message.user.user_metadata.fields["y"].number_value = float("inf")
    message.user.user_metadata.fields["z"].SetInParent()
    metadata: Any = Event(message, {}).user.user_metadata
    assert metadata["x"] != metadata["x"]
    assert metadata["y"] == float("inf")
    assert metadata["z"] is None
