"""ProtoJSON of a stranger: what the library makes of it, and a named refusal where the library is lenient."""

import functools
import json
import sys
from typing import Any

import pytest
from google.protobuf import descriptor_pool, json_format, struct_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1 import admin_service_pb2, runtime_service_pb2
from vestibule.v1.runtime_service_pb2 import ContinuePostLoginRequest, ExecutePostLoginRequest

from runtime.doors import bodies
from runtime.doors.json_request import serialized
from runtime.errors import InvalidRequest

LOGINS: tuple[type[Message], ...] = (ExecutePostLoginRequest, ContinuePostLoginRequest)
KINDS = tuple(
    GetMessageClass(method.input_type)
    for file in (admin_service_pb2, runtime_service_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if not method.client_streaming
)
"""Every message that a caller sends by HTTP."""
texts = st.text(st.characters(codec="utf-8"), max_size=5)
data = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
SCALARS = {
    FieldDescriptor.TYPE_STRING: texts,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=5),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    FieldDescriptor.TYPE_INT32: st.integers(-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.TYPE_INT64: st.integers(-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.TYPE_UINT32: st.integers(0, (1 << 32) - 1),
    FieldDescriptor.TYPE_UINT64: st.integers(0, (1 << 64) - 1),
}


@functools.cache
def of_kind(name: str) -> st.SearchStrategy[Message]:
    """Return messages of a kind, with any of its fields."""
    described = descriptor_pool.Default().FindMessageTypeByName(name)
    kind = GetMessageClass(described)
    if name == "google.protobuf.Struct":
        return st.dictionaries(texts, data, max_size=3).map(lambda members: json_format.ParseDict(members, kind()))
    if name in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
        return st.builds(kind, seconds=st.integers(0, 2_000_000_000), nanos=st.integers(0, 999_999_999))
    if name == "google.protobuf.FieldMask":
        return st.builds(kind, paths=st.lists(st.sampled_from(("version.tenant_id", "hold")), unique=True))
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for field in described.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            fields[field.name] = st.dictionaries(texts, texts, max_size=2)
            continue
        if field.message_type is not None:
            values: st.SearchStrategy[Any] = of_kind(field.message_type.full_name)
        elif field.enum_type is not None:
            values = st.sampled_from([value.number for value in field.enum_type.values])
        else:
            values = SCALARS[field.type]
        fields[field.name] = st.lists(values, max_size=2) if field.is_repeated else values
    # Those of a oneof one after the other: the last is the one that is kept.
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: kind(**given))


@given(st.sampled_from([kind.DESCRIPTOR.full_name for kind in KINDS]).flatmap(of_kind), st.booleans())
def test_what_the_library_writes_is_read(message: Message, own_names: bool) -> None:
    """Any message of the API, in either spelling of its names, is read as it was written."""
    text = json_format.MessageToJson(message, preserving_proto_field_name=own_names)
    kind = type(message)
    assert kind.FromString(serialized(bodies.as_json(text.encode()), kind)) == message


@given(st.dictionaries(texts, data, max_size=3), st.sampled_from(LOGINS))
def test_unknown_members_are_ignored(members: dict[str, Any], kind: type[Message]) -> None:
    """A member that the API does not have changes nothing, wherever it stands."""
    unknown = {f"x-{name}": value for name, value in members.items()}
    value = {"tenantId": "acme", "gateway": {"actor": True, **unknown}, **unknown}
    assert serialized(value, kind) == serialized({"tenantId": "acme", "gateway": {"actor": True}}, kind)


def test_defaults_are_absent() -> None:
    """What the wire would not have is not written: null, and the default of a field without presence."""
    assert serialized({"tenantId": "", "event": None, "view": "VIEW_UNSPECIFIED"}, ExecutePostLoginRequest) == b""
    sent = serialized({"gateway": {"webauthn": False, "actor": False}}, ExecutePostLoginRequest)
    gateway = ExecutePostLoginRequest.FromString(sent).gateway
    assert gateway.HasField("webauthn")
    assert len(gateway.SerializeToString()) == 2


REFUSED: tuple[tuple[Any, str, str], ...] = (
    ([], "request", "not an object"),
    ("x", "request", "not an object"),
    ({"tenantId": 5}, "tenant_id", "not text"),
    ({"tenantId": "\ud800"}, "tenant_id", "half of a character"),
    ({"tenantId": "a", "tenant_id": "b"}, "tenant_id", "given twice"),
    ({"event": 5}, "event", "not an object"),
    ({"event": {"user": {"emailVerified": "true"}}}, "event.user.email_verified", "neither true nor false"),
    ({"event": {"user": {"userMetadata": []}}}, "event.user.user_metadata", "not an object"),
    ({"event": {"user": {"userMetadata": {"a": "\udfff"}}}}, "event.user.user_metadata", "half of a character"),
    ({"event": {"user": {"userMetadata": {"a": 10**400}}}}, "event.user.user_metadata", "larger number"),
    ({"gateway": {"rememberedBrowser": {"provider": "PROVIDER_NEW"}}}, "gateway.remembered_browser.provider", "name"),
    ({"gateway": {"rememberedBrowser": {"provider": 99}}}, "gateway.remembered_browser.provider", "name"),
    ({"gateway": {"rememberedBrowser": {"issuedAt": "today"}}}, "gateway.remembered_browser.issued_at", "instant"),
    ({"gateway": {"rememberedBrowser": {"issuedAt": 5}}}, "gateway.remembered_browser.issued_at", "instant"),
    ({"continuation": "!"}, "continuation", "base64"),
    ({"continuation": "abcde"}, "continuation", "base64"),
    ({"continuation": [1]}, "continuation", "base64"),
    ({"completed": "X"}, "completed", "not a list"),
    ({"completed": ["X"]}, "completed[0]", "not a name"),
    ({"completed": [None]}, "completed[0]", "null"),
    ({"completed": [True]}, "completed[0]", "not a name"),
)


@pytest.mark.parametrize(("value", "field", "says"), REFUSED)
def test_what_is_wrong_is_named(value: Any, field: str, says: str) -> None:
    """Each refusal names the member and says what is wrong and what to send; it quotes nothing."""
    with pytest.raises(InvalidRequest) as refused:
        serialized(value, ContinuePostLoginRequest)
    assert refused.value.field == field
    assert says in refused.value.description
    assert "; " in refused.value.description


@pytest.mark.parametrize(
    ("value", "field", "says"),
    [
        ({"tenants": [{"files": []}]}, "tenants[0].files", "not an object"),
        ({"tenants": [{"files": {"a": 5}}]}, "tenants[0].files[0].value", "not text"),
        ({"tenants": [{"envSecrets": {"a": None}}]}, "tenants[0].env_secrets", "null"),
        ({"readMask": {"paths": []}}, "read_mask", "no mask"),
        ({"readMask": "version.tenant_id"}, "read_mask", "no mask"),
    ],
)
def test_what_is_wrong_in_an_administrators_call_is_named(value: Any, field: str, says: str) -> None:
    """Maps and masks too."""
    kind = admin_service_pb2.ApplyTenantsRequest if "tenants" in value else admin_service_pb2.ListTenantsRequest
    with pytest.raises(InvalidRequest, match=says) as refused:
        serialized(value, kind)
    assert refused.value.field == field


def test_control_the_library_takes_several_of_them() -> None:
    """Control: the library, told to ignore unknown members, reads an unknown factor and two spellings in silence."""
    for value in ({"completed": ["X"]}, {"tenantId": "a", "tenant_id": "b"}):
        json_format.ParseDict(value, ContinuePostLoginRequest(), ignore_unknown_fields=True)


def test_both_members_of_a_oneof_are_refused() -> None:
    """An event in both forms is a contradiction, whichever comes first."""
    both: tuple[dict[str, Any], ...] = ({"event": {}, "auth0Event": {}}, {"auth0_event": {}, "event": {}})
    for value in both:
        with pytest.raises(InvalidRequest, match="given twice"):
            serialized(value, ExecutePostLoginRequest)


def test_depth_has_an_end() -> None:
    """Data that is nested deeper than the stack is a refusal."""
    deep: dict[str, Any] = {}
    for _ in range(sys.getrecursionlimit()):  # property tests that ran before may have raised it
        deep = {"a": deep}
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        serialized({"event": {"user": {"userMetadata": deep}}}, ExecutePostLoginRequest)


def test_long_numbers_are_text_or_numbers() -> None:
    """A whole number may be text, and may have a zero fraction."""
    struct = struct_pb2.Struct()
    json_format.ParseDict({"a": 1.0}, struct)
    value = json.loads('{"event":{"user":{"userMetadata":{"a":1}}}}')
    assert (
        ExecutePostLoginRequest.FromString(serialized(value, ExecutePostLoginRequest)).event.user.user_metadata
        == struct
    )
