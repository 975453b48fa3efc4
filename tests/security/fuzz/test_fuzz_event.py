"""Event bytes and event JSON of any content: what an action sees of them is plain data, or they are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.errors import InvalidEvent
from runtime.login import event_json, event_rules
from sandbox.action import event, views
from sandbox.contract.frozen import EventDict, EventList, EventSecrets
from tests.effort import effort
from tests.security.fuzz.damage import Edit, damaged, edits
from tests.security.fuzz.findings import seeds
from tests.security.test_reach import EVENT

GOOD = event_json.from_json(EVENT).SerializeToString()

PLAIN = (str, bytes, int, float, bool, type(None))
DEPTH_MAX = 40
"""Deeper than this the walk does not go; a view that leads back to itself would never end."""

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=25,
)
paths = st.lists(st.sampled_from(["user", "request", "client", "app_metadata", "geoip", "name", "identities", "stats"]))


def seen(thing: Any, depth: int = 0) -> int:
    """Walk all that an action can read of an event; return how many values there are."""
    assert depth < DEPTH_MAX
    if type(thing) in PLAIN:
        return 1
    if type(thing) is EventList:
        return sum(seen(item, depth + 1) for item in thing)
    if type(thing) in (EventDict, EventSecrets):
        assert all(type(key) is str for key in thing)
        return sum(seen(item, depth + 1) for item in thing.values())
    assert isinstance(thing, views.View), f"a {type(thing)} within an event"
    names = [name for name in dir(type(thing)) if isinstance(getattr(type(thing), name), property)]
    assert repr(thing).isprintable()
    return sum(seen(getattr(thing, name), depth + 1) for name in names)


def judged(data: bytes) -> bool:
    """Read an event as a worker does, unless the daemon refuses it; tell whether it was taken."""
    try:
        message = event.parse(data)
        # What every event must have is not of interest here.
        message.user.user_id, message.client.client_id = "u", "c"
        event_rules.hold(message, None)
    except (DecodeError, InvalidEvent):
        return False
    assert seen(event.Event(message, {"KEY": "value"}))
    return True


def test_control_the_good_event_is_read() -> None:
    """Control: what is damaged below is an event with many values."""
    assert judged(GOOD)
    assert seen(event.Event(event.parse(GOOD), {})) > 30


@pytest.mark.parametrize("line", seeds("events.txt"))
def test_seeds_of_events(line: str) -> None:
    """Events that were of interest once are taken or refused as noted."""
    taken, _, data = line.partition(" ")
    assert judged(bytes.fromhex(data)) is (taken == "taken")


@effort(150)
@given(edits)
def test_any_damage_to_an_event_is_plain_data_or_refused(harm: list[Edit]) -> None:
    """A damaged event cannot be parsed, or shows an action nothing but plain data and views."""
    judged(damaged(GOOD, harm))


@effort(100)
@given(st.integers(0, len(GOOD)))
@example(0)
def test_an_event_cut_anywhere_is_read_or_refused(length: int) -> None:
    """An event that ends early is an event with less in it, or none."""
    judged(GOOD[:length])


@effort(150)
@given(values, paths)
def test_any_json_is_an_event_or_refused(value: Any, path: list[str]) -> None:
    """JSON of any shape, anywhere in an event, is read or refused by name, and what is read survives the wire."""
    for name in path:
        value = {name: value}
    try:
        message = event_json.from_json(value)
    except InvalidEvent:
        return
    assert judged(message.SerializeToString())


@effort(150)
@given(edits)
def test_any_damage_to_json_text_is_refused_in_our_words(harm: list[Edit]) -> None:
    """Damaged JSON text is an event or an InvalidEvent, never another error."""
    try:
        message = event_json.loads(damaged(json.dumps(EVENT).encode(), harm))
    except InvalidEvent:
        return
    assert judged(message.SerializeToString())
