import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from vestibule.v1 import decision_pb2 as _decision_pb2
from vestibule.v1 import event_pb2 as _event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class View(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VIEW_UNSPECIFIED: _ClassVar[View]
    VIEW_BASIC: _ClassVar[View]
    VIEW_FULL: _ClassVar[View]
VIEW_UNSPECIFIED: View
VIEW_BASIC: View
VIEW_FULL: View

class ExecutePostLoginRequest(_message.Message):
    __slots__ = ("tenant_id", "request_id", "event", "auth0_event", "gateway", "view")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    AUTH0_EVENT_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    request_id: str
    event: _event_pb2.PostLoginEvent
    auth0_event: _struct_pb2.Struct
    gateway: GatewayContext
    view: View
    def __init__(self, tenant_id: _Optional[str] = ..., request_id: _Optional[str] = ..., event: _Optional[_Union[_event_pb2.PostLoginEvent, _Mapping]] = ..., auth0_event: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., gateway: _Optional[_Union[GatewayContext, _Mapping]] = ..., view: _Optional[_Union[View, str]] = ...) -> None: ...

class GatewayContext(_message.Message):
    __slots__ = ("remembered_browser", "mfa_grant_allowed", "webauthn", "actor", "duo_remembers_when_unset", "customize_mfa")
    REMEMBERED_BROWSER_FIELD_NUMBER: _ClassVar[int]
    MFA_GRANT_ALLOWED_FIELD_NUMBER: _ClassVar[int]
    WEBAUTHN_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    DUO_REMEMBERS_WHEN_UNSET_FIELD_NUMBER: _ClassVar[int]
    CUSTOMIZE_MFA_FIELD_NUMBER: _ClassVar[int]
    remembered_browser: RememberedBrowser
    mfa_grant_allowed: bool
    webauthn: bool
    actor: bool
    duo_remembers_when_unset: bool
    customize_mfa: bool
    def __init__(self, remembered_browser: _Optional[_Union[RememberedBrowser, _Mapping]] = ..., mfa_grant_allowed: _Optional[bool] = ..., webauthn: _Optional[bool] = ..., actor: _Optional[bool] = ..., duo_remembers_when_unset: _Optional[bool] = ..., customize_mfa: _Optional[bool] = ...) -> None: ...

class RememberedBrowser(_message.Message):
    __slots__ = ("user_id", "provider", "issued_at", "last_seen_at", "email_only")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_AT_FIELD_NUMBER: _ClassVar[int]
    EMAIL_ONLY_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    provider: _decision_pb2.Provider
    issued_at: _timestamp_pb2.Timestamp
    last_seen_at: _timestamp_pb2.Timestamp
    email_only: bool
    def __init__(self, user_id: _Optional[str] = ..., provider: _Optional[_Union[_decision_pb2.Provider, str]] = ..., issued_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_seen_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., email_only: _Optional[bool] = ...) -> None: ...

class ExecutePostLoginResponse(_message.Message):
    __slots__ = ("decision", "request_id")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    request_id: str
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ContinuePostLoginRequest(_message.Message):
    __slots__ = ("tenant_id", "request_id", "event", "auth0_event", "gateway", "view", "continuation", "completed")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    AUTH0_EVENT_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    request_id: str
    event: _event_pb2.PostLoginEvent
    auth0_event: _struct_pb2.Struct
    gateway: GatewayContext
    view: View
    continuation: bytes
    completed: _containers.RepeatedScalarFieldContainer[_decision_pb2.Factor]
    def __init__(self, tenant_id: _Optional[str] = ..., request_id: _Optional[str] = ..., event: _Optional[_Union[_event_pb2.PostLoginEvent, _Mapping]] = ..., auth0_event: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., gateway: _Optional[_Union[GatewayContext, _Mapping]] = ..., view: _Optional[_Union[View, str]] = ..., continuation: _Optional[bytes] = ..., completed: _Optional[_Iterable[_Union[_decision_pb2.Factor, str]]] = ...) -> None: ...

class ContinuePostLoginResponse(_message.Message):
    __slots__ = ("decision", "request_id")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    request_id: str
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class GetTenantRequest(_message.Message):
    __slots__ = ("tenant_id",)
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    def __init__(self, tenant_id: _Optional[str] = ...) -> None: ...

class GetTenantResponse(_message.Message):
    __slots__ = ("tenant_id", "experience", "factors", "policy", "flow_fingerprint", "catalog_revision", "memory", "actions", "ready")
    class Experience(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        EXPERIENCE_UNSPECIFIED: _ClassVar[GetTenantResponse.Experience]
        EXPERIENCE_NEW: _ClassVar[GetTenantResponse.Experience]
        EXPERIENCE_CLASSIC: _ClassVar[GetTenantResponse.Experience]
    EXPERIENCE_UNSPECIFIED: GetTenantResponse.Experience
    EXPERIENCE_NEW: GetTenantResponse.Experience
    EXPERIENCE_CLASSIC: GetTenantResponse.Experience
    class Policy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        POLICY_UNSPECIFIED: _ClassVar[GetTenantResponse.Policy]
        POLICY_NEVER: _ClassVar[GetTenantResponse.Policy]
        POLICY_ADAPTIVE: _ClassVar[GetTenantResponse.Policy]
        POLICY_ALWAYS: _ClassVar[GetTenantResponse.Policy]
    POLICY_UNSPECIFIED: GetTenantResponse.Policy
    POLICY_NEVER: GetTenantResponse.Policy
    POLICY_ADAPTIVE: GetTenantResponse.Policy
    POLICY_ALWAYS: GetTenantResponse.Policy
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    EXPERIENCE_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    FLOW_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CATALOG_REVISION_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    experience: GetTenantResponse.Experience
    factors: _containers.RepeatedScalarFieldContainer[_decision_pb2.Factor]
    policy: GetTenantResponse.Policy
    flow_fingerprint: str
    catalog_revision: int
    memory: _decision_pb2.BrowserMemory
    actions: _containers.RepeatedScalarFieldContainer[str]
    ready: bool
    def __init__(self, tenant_id: _Optional[str] = ..., experience: _Optional[_Union[GetTenantResponse.Experience, str]] = ..., factors: _Optional[_Iterable[_Union[_decision_pb2.Factor, str]]] = ..., policy: _Optional[_Union[GetTenantResponse.Policy, str]] = ..., flow_fingerprint: _Optional[str] = ..., catalog_revision: _Optional[int] = ..., memory: _Optional[_Union[_decision_pb2.BrowserMemory, _Mapping]] = ..., actions: _Optional[_Iterable[str]] = ..., ready: _Optional[bool] = ...) -> None: ...

class StreamPostLoginRequest(_message.Message):
    __slots__ = ("items", "cancel")
    class Item(_message.Message):
        __slots__ = ("id", "execute", "resume", "timeout", "traceparent")
        ID_FIELD_NUMBER: _ClassVar[int]
        EXECUTE_FIELD_NUMBER: _ClassVar[int]
        RESUME_FIELD_NUMBER: _ClassVar[int]
        TIMEOUT_FIELD_NUMBER: _ClassVar[int]
        TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
        id: int
        execute: ExecutePostLoginRequest
        resume: ContinuePostLoginRequest
        timeout: _duration_pb2.Duration
        traceparent: str
        def __init__(self, id: _Optional[int] = ..., execute: _Optional[_Union[ExecutePostLoginRequest, _Mapping]] = ..., resume: _Optional[_Union[ContinuePostLoginRequest, _Mapping]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., traceparent: _Optional[str] = ...) -> None: ...
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[StreamPostLoginRequest.Item]
    cancel: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, items: _Optional[_Iterable[_Union[StreamPostLoginRequest.Item, _Mapping]]] = ..., cancel: _Optional[_Iterable[int]] = ...) -> None: ...

class StreamPostLoginResponse(_message.Message):
    __slots__ = ("items",)
    class Item(_message.Message):
        __slots__ = ("id", "execute", "resume", "error")
        ID_FIELD_NUMBER: _ClassVar[int]
        EXECUTE_FIELD_NUMBER: _ClassVar[int]
        RESUME_FIELD_NUMBER: _ClassVar[int]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        id: int
        execute: ExecutePostLoginResponse
        resume: ContinuePostLoginResponse
        error: _status_pb2.Status
        def __init__(self, id: _Optional[int] = ..., execute: _Optional[_Union[ExecutePostLoginResponse, _Mapping]] = ..., resume: _Optional[_Union[ContinuePostLoginResponse, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[StreamPostLoginResponse.Item]
    def __init__(self, items: _Optional[_Iterable[_Union[StreamPostLoginResponse.Item, _Mapping]]] = ...) -> None: ...
