"""What an expression of an action can be, without running it: samples of the objects that a login would show.

The samples are made by run time's own classes and read by its own guards, so that a name exists here exactly where it
exists there, and a refusal has the same words. Must not know scopes or statements.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from vestibule.v1 import event_pb2

from sandbox.action import api
from sandbox.action.event import Event
from sandbox.action.views import View
from sandbox.contract.call import Call
from sandbox.contract.event_fields import is_instant, is_struct, wrapped
from sandbox.contract.event_values import VOCABULARIES
from sandbox.contract.surface import CALLS
from sandbox.contract.values import camel
from sandbox.reach.attributes import guarded_getattr


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One thing that an expression can be.

    `kind` is how it came about: constant, view, items, data, text (of the event), secrets, api, group, call, method,
    function, module, member (of a module), datetime, or other. `sample` is an object of its type, `path` its name.
    """

    kind: str
    sample: Any
    path: str = ""
    item: Values = ()
    """What iteration gives."""
    words: tuple[str, ...] = ()
    """All that a text of the event can be; empty when it can be anything."""
    zoned: bool | None = None
    """Of a datetime, or of the text of one: has it a zone? None when that is not known."""
    owner: Value | None = None
    """Of a method: whose it is."""
    node: Any = None
    """Of a function: where it is defined."""
    call: Call | None = None


Values = tuple[Value, ...]
"""All that an expression can be; empty when that is not known."""

Look = Callable[[ast.AST], Values]
"""Says what an expression can be."""
NodeFinding = tuple[ast.AST, str, str]
"""A node, a code and a message."""

UNKNOWN: Final[Values] = ()
MANY: Final = 12
"""More possibilities than these are not kept apart."""


class NeverThere(Exception):
    """A name or an item that is never there, in the words of a login. `code` is the finding's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def union(*parts: Values) -> Values:
    """Return what an expression can be that is one of several; unknown when one of them is."""
    if not parts or not all(parts):
        return UNKNOWN
    found: dict[Any, Value] = {}
    for part in parts:
        for value in part:
            found[_identity(value)] = value
    return tuple(found.values()) if len(found) <= MANY else UNKNOWN


def _identity(value: Value) -> Any:
    if value.kind == "constant" and type(value.sample) in (str, int, float, bool, type(None)):
        return "constant", type(value.sample), value.sample
    return (value.kind, value.path, value.zoned) if value.path else id(value)


def constant(sample: Any) -> Value:
    return Value("constant", sample)


NONE: Final = constant(None)


def present(values: Values) -> Values:
    """Leave out None, which an author tests for; a rule about it cannot be seen here."""
    return tuple([value for value in values if not (value.kind == "constant" and value.sample is None)])


def event() -> Value:
    """Return the event of a login that nothing is known of."""
    view = Event(event_pb2.PostLoginEvent(), {})
    return Value("view", view, "event")


def api_of(view: View) -> Value:
    """Return the api of a login."""
    return Value("api", api.make_api(api.CommandRecorder(view)), "api")  # type: ignore[arg-type]  # an Event is one


def attribute(value: Value, name: str) -> Values:
    """Return what `value.name` can be. Raises: NeverThere."""
    if name[:1] == "_":
        return UNKNOWN  # the language's to refuse
    try:
        found = guarded_getattr(value.sample, name)
    except AttributeError as error:
        writes = name in getattr(type(value.sample), "_changing_", ())
        code = "event-write" if writes else _CODES.get(value.kind, "unknown-attribute")
        raise NeverThere(code, _said(value, error)) from None
    except Exception:  # noqa: BLE001 - a sample is empty: what reads it may fail where a login would not
        return UNKNOWN
    path = f"{value.path}.{name}" if value.path else ""
    if value.kind == "view":
        return _member(value.sample, name, path)
    if value.kind == "api":
        return (Value("group", found, found._path_),)
    if value.kind == "group":
        call = CALLS.get(f"{value.path.partition('.')[2]}.{snake(value, name)}")
        return (Value("call", found, path, call=call),) if call is not None else UNKNOWN
    if value.kind in ("module", "member"):
        return (Value("member", found, path),)
    if callable(found):
        return (Value("method", found, name, owner=value),)
    return UNKNOWN


_CODES: Final = {"view": "unknown-member", "api": "unknown-call", "group": "unknown-call"}


def _said(value: Value, error: AttributeError) -> str:
    view = value.sample
    if value.kind == "view" and type(view)._open_ and "did you mean" not in str(error):
        return f"{error}; what an identity provider sent is in {view._path_}.attributes"
    return str(error)


def snake(group: Value, name: str) -> str:
    """Return Python's spelling of a call of a group."""
    of_group = group.path.partition(".")[2]
    calls = [call for call in CALLS.values() if call.group == of_group]
    return next((call.name for call in calls if name in (call.name, camel(call.name))), name)


def _member(view: View, name: str, path: str) -> Values:
    """Return what a member of a view can be, by its descriptor."""
    if name == "secrets" and isinstance(view, Event):
        return (Value("secrets", view.secrets, path),)
    below = type(view)._below_.get(name)
    field = _field(view, name)
    if below is None or field is None:
        found = guarded_getattr(view, name)
        if below is None:
            return (Value("method", found, name, owner=Value("view", view, path.rpartition(".")[0])),)
        return (Value("data", found, path),) if isinstance(found, dict) else UNKNOWN
    listed = wrapped(field) or field
    plain = f"{_plain(type(view)._path_)}{field.name}"
    if listed.is_repeated:
        item: Values = UNKNOWN
        if isinstance(below, type):
            item = (Value("view", below(_empty(listed)), f"{path}[]"),)
        elif not is_struct(listed):
            item = (Value("text", _SAMPLES[listed.cpp_type], f"{path}[]", words=VOCABULARIES.get(plain, ())),)
        return (Value("items", _shown(view, field, name), path, item=item),)
    if is_instant(field):
        return (Value("text", "", path, zoned=True),)
    if isinstance(below, type):
        return (Value("view", below(_empty(field)), path),)
    if is_struct(field):
        return (Value("data", _shown(view, field, name), path),)
    if field.message_type is not None:
        return UNKNOWN
    return (Value("text", _SAMPLES[field.cpp_type], path, words=VOCABULARIES.get(plain, ())),)


def _empty(field: FieldDescriptor) -> Any:
    """Return a message of a field, with nothing in it."""
    if field.message_type is None:
        raise TypeError(field.full_name)
    return GetMessageClass(field.message_type)()


def _shown(view: View, field: FieldDescriptor, name: str) -> Any:
    """Return an empty list or object as a login shows it."""
    message = type(view._message)()
    if field.message_type is not None and not field.is_repeated:
        getattr(message, field.name).SetInParent()
    # A root has the secrets beside its message.
    holder = Event(message, {}) if isinstance(view, Event) else type(view)(message)
    return guarded_getattr(holder, name)


def _field(view: View, name: str) -> FieldDescriptor | None:
    for field in view._message.DESCRIPTOR.fields:
        if name in (field.name, field.json_name):
            found: FieldDescriptor = field
            return found
    return None


def _plain(path: str) -> str:
    """Return the path of a view as the tables have it: without the root and the marks of lists."""
    inner = path.replace("[]", "").partition(".")[2]
    return f"{inner}." if inner else ""


_SAMPLES: Final[dict[int, Any]] = {
    FieldDescriptor.CPPTYPE_STRING: "",
    FieldDescriptor.CPPTYPE_BOOL: False,
    FieldDescriptor.CPPTYPE_DOUBLE: 0.0,
    FieldDescriptor.CPPTYPE_FLOAT: 0.0,
    **dict.fromkeys(
        (
            FieldDescriptor.CPPTYPE_INT32,
            FieldDescriptor.CPPTYPE_INT64,
            FieldDescriptor.CPPTYPE_UINT32,
            FieldDescriptor.CPPTYPE_UINT64,
            FieldDescriptor.CPPTYPE_ENUM,
        ),
        0,
    ),
}


def subscript(value: Value, key: Any) -> Values:
    """Return what `value[key]` can be, of a constant key. Raises: NeverThere."""
    if value.kind == "view" and type(key) is str:
        if key not in type(value.sample)._below_:
            if type(value.sample)._open_:
                return UNKNOWN
            try:
                value.sample[key]
            except KeyError as error:
                raise NeverThere("unknown-member", str(error.args[0])) from None
            return UNKNOWN
        return attribute(value, key)
    if value.kind == "items" and type(key) is int:
        return value.item
    return UNKNOWN


def contained(value: Value, name: str) -> None:
    """Look for a member by `name in value`. Raises: NeverThere, where a login would raise."""
    if value.kind == "view":
        try:
            name in value.sample  # noqa: B015 - it raises for a name that is never there
        except AttributeError as error:
            raise NeverThere("unknown-member", str(error)) from None


def path_of(value: Value, path: str, default: Values) -> Values:
    """Return what `event.get(path, default)` can be. Raises: NeverThere."""
    try:
        value.sample.get(path)
    except AttributeError as error:
        raise NeverThere("unknown-path", str(error)) from None
    except (TypeError, ValueError) as error:
        raise NeverThere("unknown-path", str(error)) from None
    found: Values = (value,)
    for name in path.split("."):
        (step,) = found if len(found) == 1 else (None,)
        if step is None:
            return UNKNOWN
        if step.kind == "items":
            found = step.item
        elif step.kind == "view" and name in type(step.sample)._below_:
            found = attribute(step, name)
        else:
            return UNKNOWN
    return union(found, default)
