"""The `event` an action is given: read-only views of the protobuf message, made as they are read.

Knows the event's shape, which it takes from the descriptors, and which members may be absent, which is a table here.
Must never hand out a protobuf object, nor let one execution see what another wrote into a dict. One message for a
flow, one `Event` for each execution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, ClassVar, Final, NoReturn, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from vestibule.v1 import event_pb2

from sandbox.contract.did_you_mean import did_you_mean, nearest
from sandbox.contract.event_fields import is_instant, is_struct, wrapped
from sandbox.contract.readonly import Members
from sandbox.contract.values import MAX_INT

# Source of the three tables: the post-login reference, section 1. Paths are of snake_case names; a list's items
# share the path of the list.

REQUIRED_OBJECTS: Final = frozenset(
    {
        "agent.agent_metadata",
        "authentication.risk_assessment.assessments",
        "client",
        "client.metadata",
        "connection",
        "custom_domain.domain_metadata",
        "experiment.config",
        "facts",
        "organization.metadata",
        "request",
        "request.body",
        "request.geoip",
        "request.query",
        "session_transfer_token.request",
        "stats",
        "tenant",
        "transaction.attributes",
        "transaction.metadata",
        "user",
        "user.app_metadata",
        "user.attributes",
        "user.user_metadata",
    }
)
"""Objects that Auth0 always sends, and ours: absent on the wire, they read as empty. Any other reads as None."""

REQUIRED_INSTANTS: Final = frozenset(
    {"authentication.methods.timestamp", "refresh_token.created_at", "user.created_at", "user.updated_at"}
)
"""Instants that Auth0 always sends: absent on the wire, they read as empty text. Any other instant reads as None."""

OPEN_OBJECTS: Final = frozenset({"transaction", "user"})
"""Objects that Auth0 documents as open: what an upstream provider added is in their `attributes`."""

_ROOT: Final = "event"
_PATH_CHARS: Final = 512
_ABSENT: Final = object()
_ITEM: Final = "[]"


def parse(data: bytes) -> event_pb2.PostLoginEvent:
    """Parse an event once for all executions of a flow.

    Raises:
        google.protobuf.message.DecodeError: the bytes are not an event.
    """
    return event_pb2.PostLoginEvent.FromString(data)


def plain_struct(struct: Struct) -> dict[str, Any]:
    """Convert a Struct to a fresh dict with sorted keys. Integral numbers become int: `5`, as in JSON, not `5.0`.

    Sorted, because a protobuf map has no order and its iteration varies from process to process, while an execution
    must come out the same wherever it runs.
    """
    # Not by items(): a protobuf map has it from `collections.abc`, in Python.
    fields = struct.fields
    return {name: _plain_value(fields[name]) for name in sorted(fields)}


def _plain_value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "number_value":
        number = value.number_value
        # A NaN and the infinities fail the comparison and stay floats.
        return int(number) if -MAX_INT <= number <= MAX_INT and number.is_integer() else number
    if kind == "struct_value":
        return plain_struct(value.struct_value)
    if kind == "list_value":
        return [_plain_value(item) for item in value.list_value.values]
    return None


_EPOCH: Final = datetime(1970, 1, 1)


def instant_text(instant: Timestamp) -> str:
    """Write an instant as JavaScript does, with milliseconds; what is finer is kept in six or nine digits."""
    nanos = instant.nanos
    if nanos % 1_000_000 == 0:
        fraction = f"{nanos // 1_000_000:03}"
    elif nanos % 1_000 == 0:
        fraction = f"{nanos // 1_000:06}"
    else:
        fraction = f"{nanos:09}"
    return f"{(_EPOCH + timedelta(seconds=instant.seconds)).isoformat()}.{fraction}Z"


class View(Members):
    """A read-only view of one message. Subclasses, one for each path of the event, are made from the descriptors.

    What is converted once stays with the view, so that within one execution `event.user.user_metadata` is always the
    same dict. A view refers to messages and to views below it, never up: it is freed without the cycle collector.
    """

    __slots__ = ("_cache", "_message")

    _exposed_ = frozenset({"get"})
    _read_only_ = "event is read-only"
    _open_: ClassVar[bool] = False
    # What is below each member: a view, data of free shape (True), or nothing (False).
    _below_: ClassVar[dict[str, type[View] | bool]] = {}

    _message: Any
    _cache: dict[str, Any]

    def __init__(self, message: Any) -> None:
        _set_message(self, message)
        _set_cache(self, {})

    def get(self, path: str, default: Any = None) -> Any:
        """Follow a dotted path and answer `default` where something on the way, or at its end, is absent.

        A path goes through views, dicts and indexes of lists: `authentication.methods.0.name`. A name that the event
        cannot have raises, as it would in `event.name`: a typo must not read as "absent".

        Raises:
            TypeError: the path is not text.
            AttributeError: the path names a member that does not exist.
        """
        if type(path) is not str:
            raise TypeError(f"{self._path_}.get: path must be text; got an object of type {type(path).__name__}")
        if len(path) > _PATH_CHARS:
            raise ValueError(f"{self._path_}.get: path must be at most {_PATH_CHARS} characters")
        names = path.split(".")
        _check_path(type(self), names)
        value: Any = self
        for name in names:
            value = _step(value, name)
            if value is None or value is _ABSENT:
                return default
        return value

    def __getitem__(self, name: str) -> Any:
        if type(name) is not str:
            raise TypeError(f"{self._path_}: a member's name must be text; got an object of type {type(name).__name__}")
        if name in self._exposed_ and name != "get":
            return getattr(self, name)
        value = _sent(self, name)
        if value is _ABSENT:
            raise KeyError(_unknown(type(self), name))
        return value

    def _absent_(self, name: str) -> NoReturn:
        if _sent(self, name) is not _ABSENT:
            raise AttributeError(f"{_unknown(type(self), name)}; read {self._path_}.attributes['{name[:64]}']")
        raise AttributeError(_unknown(type(self), name))


# The slots' own setters: `__setattr__` refuses, for trusted code too.
_set_message = cast("Any", View.__dict__["_message"]).__set__
_set_cache = cast("Any", View.__dict__["_cache"]).__set__


def _unknown(view: type[View], name: str) -> str:
    return f"{view._path_} has no attribute '{name[:64]}'{did_you_mean(name, view._exposed_)}"


def _is_typo(name: str, view: type[View]) -> bool:
    """Is it a member misspelt, and not another name that happens to be alike, such as one member and a word more?"""
    return nearest(name, [known for known in view._exposed_ if abs(len(known) - len(name)) < 3]) != ""


def _sent(view: View, name: str) -> Any:
    """Answer a member that an upstream provider added to an open object; _ABSENT where there is none."""
    if not view._open_ or name.startswith("_"):
        return _ABSENT
    attributes: dict[str, Any] = getattr(view, "attributes")  # noqa: B009 - the descriptors give it to open views
    return attributes.get(name, _ABSENT)


def _step(value: Any, name: str) -> Any:
    """Go one name down; _ABSENT where there is nothing."""
    kind = type(value)
    if kind is dict:
        return value.get(name, _ABSENT)
    if kind is tuple or kind is list:
        # isdecimal alone accepts other scripts' digits, which int would accept too.
        if name.isascii() and name.isdecimal() and len(name) < 10 and int(name) < len(value):
            return value[int(name)]
        return _ABSENT
    if issubclass(kind, View):
        return getattr(value, name) if name in kind._exposed_ else _sent(value, name)
    return _ABSENT


def _check_path(view: type[View], names: list[str]) -> None:
    """Refuse a path that no event could have, whatever is absent from this one. Dicts are free, so it stops there."""
    indexed = True
    for position, name in enumerate(names):
        if not indexed:
            if not (name.isascii() and name.isdecimal()):
                listed = view._path_.removesuffix(_ITEM)
                raise AttributeError(f"{listed} is a list: give an index before '{name[:64]}', such as 0")
            indexed = True
            continue
        below = view._below_.get(name)
        if below is None:
            if view._open_ and not name.startswith("_") and not _is_typo(name, view):
                return
            raise AttributeError(_unknown(view, name))
        if below is True:
            return
        if below is False:
            if position + 1 < len(names):
                raise AttributeError(f"{view._path_}.{name} has nothing below it; the path is '{'.'.join(names)[:64]}'")
            return
        view, indexed = below, not below._path_.endswith(_ITEM)


class Event(View):
    """`event`: the root view. Members of the message are added below, from its descriptor."""

    __slots__ = ("_secrets",)
    _path_ = _ROOT

    def __init__(self, message: event_pb2.PostLoginEvent, secrets: Mapping[str, str]) -> None:
        """Make the view for one execution.

        Args:
            message: shared by the executions of a flow, and never written to.
            secrets: of this action's revision; copied when read.
        """
        _set_message(self, message)
        _set_cache(self, {})
        _set_secrets(self, secrets)

    @property
    def secrets(self) -> dict[str, str]:
        """The secrets of this action's revision."""
        value: dict[str, str] | None = self._cache.get("secrets")
        if value is None:
            value = self._cache["secrets"] = dict(self._secrets)
        return value

    @property
    def configuration(self) -> dict[str, Any]:
        """Configuration of an installed integration: empty for an action of the tenant's own. Source: 1.4."""
        value: dict[str, Any] | None = self._cache.get("configuration")
        if value is None:
            value = self._cache["configuration"] = {}
        return value


_set_secrets = cast("Any", Event.__dict__["_secrets"]).__set__


# --- Getters. Each is the `fget` of a property, so it costs one call; those of plain scalars are C functions. ---


def _optional_scalar(name: str) -> Callable[[View], Any]:
    def read(view: View) -> Any:
        message = view._message
        return getattr(message, name) if message.HasField(name) else None

    return read


def _cached(name: str, make: Callable[[View], Any]) -> Callable[[View], Any]:
    def read(view: View) -> Any:
        cache = view._cache
        value = cache.get(name, _ABSENT)
        if value is _ABSENT:
            value = cache[name] = make(view)
        return value

    return read


def _instant(name: str, absent: str | None) -> Callable[[View], Any]:
    def make(view: View) -> Any:
        message = view._message
        return instant_text(getattr(message, name)) if message.HasField(name) else absent

    return make


def _object(name: str, child: type[View] | None) -> Callable[[View], Any]:
    """Read a message member: as a view, or as a dict when `child` is None because it is a Struct."""

    def make(view: View) -> Any:
        message = view._message
        if not message.HasField(name):
            return None
        member = getattr(message, name)
        return plain_struct(member) if child is None else child(member)

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


def _list(name: str, optional: bool, item: Callable[[Any], Any] | None) -> Callable[[View], Any]:
    """Read a list; `item` makes what an action sees of each of its values, None when they are plain."""

    def make(view: View) -> Any:
        message = view._message
        if not optional:
            values = getattr(message, name)
        elif message.HasField(name):
            values = getattr(message, name).values
        else:
            return None
        # Not tuple(map()): of a few items that takes longer.
        return tuple(values) if item is None else tuple([item(value) for value in values])

    return make


# --- Classes. ---


def _member(field: FieldDescriptor, path: str) -> tuple[Callable[[View], Any], type[View] | bool]:
    """Return the getter of a field, and what is below it: a view class, data (True) or nothing (False)."""
    name = field.name
    listed = wrapped(field) or field
    if listed.is_repeated:
        free = is_struct(listed)
        child = _view_class(listed.message_type, path, True) if listed.message_type is not None and not free else None
        return _cached(name, _list(name, listed is not field, plain_struct if free else child)), child or True
    if is_instant(field):
        return _cached(name, _instant(name, "" if path in REQUIRED_INSTANTS else None)), False
    if field.message_type is not None:
        child = None if is_struct(field) else _view_class(field.message_type, path, False)
        if path in REQUIRED_OBJECTS:
            return _required_object(name, child or plain_struct), child or True
        return _cached(name, _object(name, child)), child or True
    if field.has_presence:
        return _optional_scalar(name), False
    return cast("Callable[[View], Any]", attrgetter(f"_message.{name}")), False


def _view_class(message: Descriptor, path: str, is_item: bool) -> type[View]:
    shown = f"{_ROOT}.{path}{_ITEM if is_item else ''}"
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
    view._exposed_ = frozenset(members) | {"get"}


_add_members(Event, cast("Descriptor", event_pb2.PostLoginEvent.DESCRIPTOR), "")
Event._below_ |= {"secrets": True, "configuration": True}
Event._exposed_ |= {"secrets", "configuration"}
