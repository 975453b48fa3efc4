"""What an event must say before an action judges it, and how actions see its addresses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1.event_pb2 import PostLoginEvent

from runtime.errors import InvalidEvent
from runtime.login import event_rules
from runtime.offline.event_line import Line


def event() -> PostLoginEvent:
    return PostLoginEvent(user={"user_id": "auth0|1"}, client={"client_id": "app"})


def address_paths(message: Any = PostLoginEvent.DESCRIPTOR, path: str = "") -> Iterator[str]:
    """Every text of an event that is called an address; metadata is the tenant's own."""
    descriptor: Descriptor = message
    for field in descriptor.fields:
        here = f"{path}.{field.name}" if path else field.name
        if field.message_type is not None and field.message_type.full_name.startswith("vestibule."):
            yield from address_paths(field.message_type, here)
        elif field.name == "ip" or field.name.endswith("_ip"):
            yield here


ADDRESSES = sorted(address_paths())


def put(message: PostLoginEvent, path: str, value: str) -> PostLoginEvent:
    *parents, name = path.split(".")
    part: Any = message
    for parent in parents:
        part = getattr(part, parent)
    setattr(part, name, value)
    return message


def of(message: PostLoginEvent, path: str) -> str:
    part: Any = message
    for name in path.split("."):
        part = getattr(part, name)
    return str(part)


def test_the_addresses_of_an_event_are_known() -> None:
    """The list that the tests below go through is not empty by accident."""
    assert ADDRESSES == [
        "authentication.risk_assessment.assessments.untrusted_ip.details.ip",
        "refresh_token.device.initial_ip",
        "refresh_token.device.last_ip",
        "request.ip",
        "session.device.initial_ip",
        "session.device.last_ip",
        "session_transfer_token.request.ip",
    ]


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("given", ["::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:192.0.2.1"])
def test_an_ipv4_mapped_address_is_written_as_ipv4(path: str, given: str) -> None:
    """An action that compares it with an IPv4 range finds it there."""
    message = put(event(), path, given)
    assert event_rules.hold(message, "acme")
    assert of(message, path) == "192.0.2.1"


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("given", ["192.0.2.1", "2001:DB8::1", "::1", "::192.0.2.1", ""])
def test_any_other_address_stays_as_it_is_written(path: str, given: str) -> None:
    """The gateway's own spelling reaches the action; one that is absent stays absent."""
    message = put(event(), path, given)
    assert not event_rules.hold(message, "acme")
    assert of(message, path) == given


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize(
    "given",
    ["unknown", "192.0.2", "192.0.2.1:80", "[::1]", "[::1]:80", "192.0.2.0/24", "192.0.2.1, 10.0.0.1", "010.0.0.1",
     "fe80::1%eth0", " 192.0.2.1", "::ffff:192.0.2.256", "\u0661.2.3.4", "1.2.3.4\0", "3221225985"],
)  # fmt: skip
def test_an_unreadable_address_is_the_gateways_fault(path: str, given: str) -> None:
    """The field is named, its content is not, and the remedy is."""
    with pytest.raises(InvalidEvent, match="is not an IPv4 or IPv6 address; send one address alone") as caught:
        event_rules.hold(put(event(), path, given), "acme")
    assert caught.value.field == f"event.{path}"
    assert given not in str(caught.value)


@given(st.text(max_size=60))
def test_no_text_is_a_fault_of_ours(text: str) -> None:
    """Whatever stands there is an address or refused, and is never changed but for the mapped ones."""
    message = put(event(), "request.ip", text)
    with contextlib.suppress(InvalidEvent):
        assert event_rules.hold(message, "acme") or message.request.ip == text


@pytest.mark.parametrize("path", ["user.user_id", "client.client_id"])
def test_what_every_login_has_must_be_there(path: str) -> None:
    """An action that compares an id with a list would let a login without one pass."""
    for message in (put(event(), path, ""), event()):
        message.ClearField("user" if path.startswith("user") else "client")
        with pytest.raises(InvalidEvent, match="is absent; send the id of the") as caught:
            event_rules.hold(message, "acme")
        assert caught.value.field == f"event.{path}"


def test_the_event_is_of_the_tenant_that_is_asked() -> None:
    """Another tenant's event is refused; one that names none, or an action that is run by itself, is not."""
    with pytest.raises(InvalidEvent, match="names another tenant than tenant_id, 'acme'") as caught:
        event_rules.hold(put(event(), "tenant.id", "globex"), "acme")
    assert caught.value.field == "event.tenant.id"
    assert not event_rules.hold(put(event(), "tenant.id", "acme"), "acme")
    assert not event_rules.hold(put(event(), "tenant.id", ""), "acme")
    assert not event_rules.hold(put(event(), "tenant.id", "globex"), None)


def test_a_line_of_vestibule_run_is_held_to_the_same() -> None:
    """What the daemon refuses, the command that runs without one refuses, and rewrites what it rewrites."""
    client = '"client": {"client_id": "app"}'
    user = '"user": {"user_id": "u"}'
    for text, field in (
        (f"{{{client}}}", "event.user.user_id"),
        (f"{{{user}}}", "event.client.client_id"),
        (f'{{{client}, {user}, "tenant": {{"id": "globex"}}}}', "event.tenant.id"),
        (f'{{{client}, {user}, "request": {{"ip": "x"}}}}', "event.request.ip"),
    ):
        with pytest.raises(InvalidEvent) as caught:
            Line(text, secrets_of=None, tenant="acme")
        assert caught.value.field == field
    line = Line(f'{{{client}, {user}, "request": {{"ip": "::ffff:192.0.2.1"}}}}', secrets_of="one")
    assert PostLoginEvent.FromString(line.event).request.ip == "192.0.2.1"


def instant_paths(message: Any = PostLoginEvent.DESCRIPTOR, path: str = "") -> Iterator[str]:
    """Every instant of an event; a list's first item stands for all."""
    descriptor: Descriptor = message
    for field in descriptor.fields:
        here = f"{path}.{field.name}" if path else field.name
        if field.message_type is None:
            continue
        if field.message_type.full_name == "google.protobuf.Timestamp":
            yield here
        elif field.message_type.full_name.startswith("vestibule."):
            yield from instant_paths(field.message_type, f"{here}[0]" if field.is_repeated else here)


INSTANTS = sorted(instant_paths())


def instant_of(message: Any, path: str) -> Any:
    for step in path.split("."):
        name, listed, _ = step.partition("[")
        message = getattr(message, name)
        if listed:
            message = message.add()
    return message


def test_the_instants_of_an_event_are_known() -> None:
    """The list that the tests below go through is not empty by accident."""
    assert len(INSTANTS) == 16
    assert {"user.created_at", "authentication.methods[0].timestamp", "session.idle_expires_at"} < set(INSTANTS)


@pytest.mark.parametrize("path", INSTANTS)
@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [(-62_135_596_801, 0), (253_402_300_800, 0), (-(1 << 63), 0), ((1 << 63) - 1, 0), (0, -1), (0, 1_000_000_000)],
)
def test_an_instant_out_of_range_is_refused_by_name(path: str, seconds: int, nanos: int) -> None:
    """No action could read it: it is the caller's fault and not the action's."""
    message = event()
    instant = instant_of(message, path)
    instant.seconds, instant.nanos = seconds, nanos
    with pytest.raises(InvalidEvent) as caught:
        event_rules.hold(message, "acme")
    assert caught.value.field == f"event.{path}"
    assert "is out of range; send seconds of the years 1 to 9999" in str(caught.value)


@pytest.mark.parametrize("path", INSTANTS)
@pytest.mark.parametrize(("seconds", "nanos"), [(-62_135_596_800, 0), (0, 0), (253_402_300_799, 999_999_999)])
def test_an_instant_that_an_action_can_read_is_taken(path: str, seconds: int, nanos: int) -> None:
    """The control: both ends of the range, and the epoch."""
    message = event()
    instant = instant_of(message, path)
    instant.SetInParent()
    instant.seconds, instant.nanos = seconds, nanos
    before = message.SerializeToString()
    assert not event_rules.hold(message, "acme")
    assert message.SerializeToString() == before


def test_facts_have_a_size() -> None:
    """One byte more than allowed is refused, and the size that is allowed is taken."""
    message = event()
    message.facts.update({"x": "y" * 1000})
    size = message.facts.ByteSize()
    event_rules.hold(message, "acme", size)
    with pytest.raises(InvalidEvent, match=f"{size} bytes are more than the {size - 1} allowed") as caught:
        event_rules.hold(message, "acme", size - 1)
    assert caught.value.field == "event.facts"
    message.facts.update({"x": "y" * event_rules.FACTS_BYTES})
    with pytest.raises(InvalidEvent, match=r"more than the 65536 allowed; send less, or raise limits\.facts_bytes"):
        event_rules.hold(message, "acme")
