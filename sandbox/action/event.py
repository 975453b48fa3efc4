"""The `event` an action is given: read-only views of the protobuf message, made as they are read.

Knows the event's shape, which it takes from the descriptors and from the tables of the contract. Must never hand out a
protobuf object, nor let one execution see what another wrote into a dict. One message for a flow, one `Event` for each
execution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import attrgetter
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from vestibule.v1 import event_pb2

from sandbox.action.event_data import instant_text, struct_data
from sandbox.action.policy import MessageFacts, PolicyView, judged
from sandbox.action.views import ABSENT, ITEM, ROOT, View, set_cache, set_message
from sandbox.contract.event_fields import (
    METHODS,
    OPEN_OBJECTS,
    OWN_MEMBERS,
    REQUIRED_INSTANTS,
    REQUIRED_OBJECTS,
    is_instant,
    is_struct,
    wrapped,
)
from sandbox.contract.frozen import EventDict, EventList, EventSecrets, frozen_dict
from sandbox.contract.policy_rule import Chosen, purpose


def parse(data: bytes) -> event_pb2.PostLoginEvent:
    """Parse an event once for all executions of a flow.

    Raises:
        google.protobuf.message.DecodeError: the bytes are not an event.
    """
    return event_pb2.PostLoginEvent.FromString(data)


class Event(View):
    """`event`: the root view. Members of the message are added below, from its descriptor."""

    __slots__ = ("_policy", "_secrets")
    _path_ = ROOT

    def __init__(
        self, message: event_pb2.PostLoginEvent, secrets: Mapping[str, str], policy: Chosen | None = None
    ) -> None:
        """Make the view for one execution.

        Args:
            message: shared by the executions of a flow, and never written to.
            secrets: of this action's revision; copied when read.
            policy: the tenant's; none stands for one that asks for nothing.
        """
        set_message(self, message)
        set_cache(self, {})
        _set_secrets(self, secrets)
        _set_policy(self, policy)

    @property
    def secrets(self) -> EventSecrets:
        """The secrets of this action's revision."""
        value: EventSecrets | None = self._cache.get("secrets")
        if value is None:
            value = self._cache["secrets"] = EventSecrets(self._secrets)
            value._path_ = f"{ROOT}.secrets"
        return value

    @property
    def configuration(self) -> EventDict:
        """Configuration of an installed integration: empty for an action of the tenant's own. Source: 1.4."""
        value: EventDict | None = self._cache.get("configuration")
        if value is None:
            value = self._cache["configuration"] = frozen_dict({}, f"{ROOT}.configuration")
        return value

    @property
    def policy(self) -> PolicyView:
        """What the tenant's policy alone would decide. Computed when it is read."""
        value: PolicyView | None = self._cache.get("policy")
        if value is None:
            value = self._cache["policy"] = PolicyView(judged(self._message, self._policy))
        return value

    @property
    def purpose(self) -> str:
        """Why the flow runs."""
        return purpose(MessageFacts(self._message))


_set_secrets = cast("Any", Event.__dict__["_secrets"]).__set__
_set_policy = cast("Any", Event.__dict__["_policy"]).__set__


# --- Getters. Each is the `fget` of a property, so it costs one call; those of plain scalars are C functions. ---


def _optional_scalar(name: str) -> Callable[[View], Any]:
    def read(view: View) -> Any:
        message = view._message
        return getattr(message, name) if message.HasField(name) else None

    return read


def _cached(name: str, make: Callable[[View], Any]) -> Callable[[View], Any]:
    def read(view: View) -> Any:
        cache = view._cache
        value = cache.get(name, ABSENT)
        if value is ABSENT:
            value = cache[name] = make(view)
        return value

    return read


def _instant(name: str, absent: str | None) -> Callable[[View], Any]:
    def make(view: View) -> Any:
        message = view._message
        return instant_text(getattr(message, name)) if message.HasField(name) else absent

    return make


def _object(name: str, made: Callable[[Any], Any]) -> Callable[[View], Any]:
    """Read a message member; `made` makes what an action sees of it."""

    def make(view: View) -> Any:
        message = view._message
        return made(getattr(message, name)) if message.HasField(name) else None

    return make


def _required_object(name: str, make: Callable[[Any], Any]) -> Callable[[View], Any]:
    """As `_cached` of an `_object` that is never absent, in one call: actions read most of the event through these."""

    def read(view: View) -> Any:
        cache = view._cache
        value = cache.get(name)
        if value is None:
            # Reading an unset member answers an empty message and sets nothing.
            value = cache[name] = make(getattr(view._message, name))
        return value

    return read


def _list(name: str, path: str, optional: bool, item: Callable[[Any], Any] | None) -> Callable[[View], Any]:
    """Read a list; `item` makes what an action sees of each of its values, None when they are plain."""
    shown = f"{ROOT}.{path}"

    def make(view: View) -> Any:
        message = view._message
        if not optional:
            values = getattr(message, name)
        elif message.HasField(name):
            values = getattr(message, name).values
        else:
            return None
        # Not map(): of a few items that takes longer.
        made = EventList(values if item is None else [item(value) for value in values])
        made._path_ = shown
        return made

    return make


# --- Classes. ---


def _member(field: FieldDescriptor, path: str) -> tuple[Callable[[View], Any], type[View] | bool]:
    """Return the getter of a field, and what is below it: a view class, data (True) or nothing (False)."""
    name = field.name
    listed = wrapped(field) or field
    if listed.is_repeated:
        child = None
        item: Callable[[Any], Any] | None = None
        if is_struct(listed):
            item = partial(struct_data, f"{ROOT}.{path}")
        elif listed.message_type is not None:
            item = child = _view_class(listed.message_type, path, True)
        return _cached(name, _list(name, path, listed is not field, item)), child or True
    if is_instant(field):
        return _cached(name, _instant(name, "" if path in REQUIRED_INSTANTS else None)), False
    if field.message_type is not None:
        child = None if is_struct(field) else _view_class(field.message_type, path, False)
        made = child or partial(struct_data, f"{ROOT}.{path}")
        if path in REQUIRED_OBJECTS:
            return _required_object(name, made), child or True
        return _cached(name, _object(name, made)), child or True
    if field.has_presence:
        return _optional_scalar(name), False
    return cast("Callable[[View], Any]", attrgetter(f"_message.{name}")), False


def _view_class(message: Descriptor, path: str, is_item: bool) -> type[View]:
    shown = f"{ROOT}.{path}{ITEM if is_item else ''}"
    view = type(
        message.name,
        (View,),
        {"__slots__": (), "__module__": __name__, "_path_": shown, "_open_": path in OPEN_OBJECTS},
    )
    _add_members(view, message, path)
    return view


def _add_members(view: type[View], message: Descriptor, path: str) -> None:
    """Give a view class a property for each field, under its snake_case name and under its JSON name."""
    members: dict[str, type[View] | bool] = {}
    for field in message.fields:
        getter, below = _member(field, f"{path}.{field.name}" if path else field.name)
        for name in (field.name, field.json_name):
            setattr(view, name, property(getter))
            members[name] = below
    view._below_ = members
    view._listed_ = tuple([field.name for field in message.fields])
    view._exposed_ = frozenset(members) | frozenset(METHODS)
    if not members.keys().isdisjoint(METHODS):
        raise RuntimeError(f"{view._path_} has a member with the name of a method")


_add_members(Event, cast("Descriptor", event_pb2.PostLoginEvent.DESCRIPTOR), "")
Event._below_ |= {"secrets": True, "configuration": True, "policy": PolicyView, "purpose": False}
Event._listed_ += tuple(OWN_MEMBERS)
Event._exposed_ |= frozenset(OWN_MEMBERS)
