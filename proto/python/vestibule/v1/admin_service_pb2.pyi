import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TenantVersion(_message.Message):
    __slots__ = ("tenant_id", "number", "create_time", "author", "message", "origin", "copy_of", "content_hash", "changes", "files", "store_revision")
    class Origin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ORIGIN_UNSPECIFIED: _ClassVar[TenantVersion.Origin]
        ORIGIN_APPLY: _ClassVar[TenantVersion.Origin]
        ORIGIN_ROLLBACK: _ClassVar[TenantVersion.Origin]
        ORIGIN_DELETE: _ClassVar[TenantVersion.Origin]
        ORIGIN_FOUND: _ClassVar[TenantVersion.Origin]
        ORIGIN_GRADUAL: _ClassVar[TenantVersion.Origin]
        ORIGIN_REPORT_ONLY: _ClassVar[TenantVersion.Origin]
        ORIGIN_PROMOTE: _ClassVar[TenantVersion.Origin]
    ORIGIN_UNSPECIFIED: TenantVersion.Origin
    ORIGIN_APPLY: TenantVersion.Origin
    ORIGIN_ROLLBACK: TenantVersion.Origin
    ORIGIN_DELETE: TenantVersion.Origin
    ORIGIN_FOUND: TenantVersion.Origin
    ORIGIN_GRADUAL: TenantVersion.Origin
    ORIGIN_REPORT_ONLY: TenantVersion.Origin
    ORIGIN_PROMOTE: TenantVersion.Origin
    class FilesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    COPY_OF_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    STORE_REVISION_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    number: int
    create_time: _timestamp_pb2.Timestamp
    author: str
    message: str
    origin: TenantVersion.Origin
    copy_of: int
    content_hash: str
    changes: _containers.RepeatedCompositeFieldContainer[Change]
    files: _containers.ScalarMap[str, str]
    store_revision: int
    def __init__(self, tenant_id: _Optional[str] = ..., number: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., author: _Optional[str] = ..., message: _Optional[str] = ..., origin: _Optional[_Union[TenantVersion.Origin, str]] = ..., copy_of: _Optional[int] = ..., content_hash: _Optional[str] = ..., changes: _Optional[_Iterable[_Union[Change, _Mapping]]] = ..., files: _Optional[_Mapping[str, str]] = ..., store_revision: _Optional[int] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("what", "name", "how")
    WHAT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    what: str
    name: str
    how: str
    def __init__(self, what: _Optional[str] = ..., name: _Optional[str] = ..., how: _Optional[str] = ...) -> None: ...

class Hold(_message.Message):
    __slots__ = ("version", "expire_time", "create_time", "author", "message")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    version: int
    expire_time: _timestamp_pb2.Timestamp
    create_time: _timestamp_pb2.Timestamp
    author: str
    message: str
    def __init__(self, version: _Optional[int] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., author: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Trial(_message.Message):
    __slots__ = ("version", "percent", "denied_points", "degraded_points")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    DENIED_POINTS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_POINTS_FIELD_NUMBER: _ClassVar[int]
    version: int
    percent: int
    denied_points: int
    degraded_points: int
    def __init__(self, version: _Optional[int] = ..., percent: _Optional[int] = ..., denied_points: _Optional[int] = ..., degraded_points: _Optional[int] = ...) -> None: ...

class TenantSummary(_message.Message):
    __slots__ = ("version", "hold", "trial")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    version: TenantVersion
    hold: Hold
    trial: Trial
    def __init__(self, version: _Optional[_Union[TenantVersion, _Mapping]] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ..., trial: _Optional[_Union[Trial, _Mapping]] = ...) -> None: ...

class ListTenantsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "read_mask")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class ListTenantsResponse(_message.Message):
    __slots__ = ("tenants", "next_page_token", "store_id")
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    tenants: _containers.RepeatedCompositeFieldContainer[TenantSummary]
    next_page_token: str
    store_id: str
    def __init__(self, tenants: _Optional[_Iterable[_Union[TenantSummary, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., store_id: _Optional[str] = ...) -> None: ...

class ListTenantVersionsRequest(_message.Message):
    __slots__ = ("tenant_id", "page_size", "page_token", "read_mask")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    page_size: int
    page_token: str
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, tenant_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class ListTenantVersionsResponse(_message.Message):
    __slots__ = ("versions", "next_page_token", "hold", "last_trial_end")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    LAST_TRIAL_END_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[TenantVersion]
    next_page_token: str
    hold: Hold
    last_trial_end: str
    def __init__(self, versions: _Optional[_Iterable[_Union[TenantVersion, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ..., last_trial_end: _Optional[str] = ...) -> None: ...

class GetTenantVersionRequest(_message.Message):
    __slots__ = ("tenant_id", "number", "read_mask")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    number: int
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, tenant_id: _Optional[str] = ..., number: _Optional[int] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class GetTenantVersionResponse(_message.Message):
    __slots__ = ("version", "hold", "newest_number", "store_id")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    NEWEST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    version: TenantVersion
    hold: Hold
    newest_number: int
    store_id: str
    def __init__(self, version: _Optional[_Union[TenantVersion, _Mapping]] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ..., newest_number: _Optional[int] = ..., store_id: _Optional[str] = ...) -> None: ...

class CompareTenantVersionsRequest(_message.Message):
    __slots__ = ("tenant_id", "base", "other")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    base: int
    other: int
    def __init__(self, tenant_id: _Optional[str] = ..., base: _Optional[int] = ..., other: _Optional[int] = ...) -> None: ...

class CompareTenantVersionsResponse(_message.Message):
    __slots__ = ("changes", "sources")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[Change]
    sources: _containers.RepeatedCompositeFieldContainer[SourceDiff]
    def __init__(self, changes: _Optional[_Iterable[_Union[Change, _Mapping]]] = ..., sources: _Optional[_Iterable[_Union[SourceDiff, _Mapping]]] = ...) -> None: ...

class SourceDiff(_message.Message):
    __slots__ = ("action", "diff")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    action: str
    diff: str
    def __init__(self, action: _Optional[str] = ..., diff: _Optional[str] = ...) -> None: ...

class ApplyTenantsRequest(_message.Message):
    __slots__ = ("request_id", "tenants", "message", "validate_only", "trial", "remove_tenant_ids")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    REMOVE_TENANT_IDS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    tenants: _containers.RepeatedCompositeFieldContainer[TenantSource]
    message: str
    validate_only: bool
    trial: Trial
    remove_tenant_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request_id: _Optional[str] = ..., tenants: _Optional[_Iterable[_Union[TenantSource, _Mapping]]] = ..., message: _Optional[str] = ..., validate_only: _Optional[bool] = ..., trial: _Optional[_Union[Trial, _Mapping]] = ..., remove_tenant_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class TenantSource(_message.Message):
    __slots__ = ("tenant_id", "files", "env_secrets", "file_secrets", "expected_version")
    class FilesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class EnvSecretsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class FileSecretsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    ENV_SECRETS_FIELD_NUMBER: _ClassVar[int]
    FILE_SECRETS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    files: _containers.ScalarMap[str, str]
    env_secrets: _containers.ScalarMap[str, str]
    file_secrets: _containers.ScalarMap[str, str]
    expected_version: int
    def __init__(self, tenant_id: _Optional[str] = ..., files: _Optional[_Mapping[str, str]] = ..., env_secrets: _Optional[_Mapping[str, str]] = ..., file_secrets: _Optional[_Mapping[str, str]] = ..., expected_version: _Optional[int] = ...) -> None: ...

class ApplyTenantsResponse(_message.Message):
    __slots__ = ("tenants", "warnings", "store_id", "store_revision")
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    STORE_REVISION_FIELD_NUMBER: _ClassVar[int]
    tenants: _containers.RepeatedCompositeFieldContainer[AppliedTenant]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    store_id: str
    store_revision: int
    def __init__(self, tenants: _Optional[_Iterable[_Union[AppliedTenant, _Mapping]]] = ..., warnings: _Optional[_Iterable[str]] = ..., store_id: _Optional[str] = ..., store_revision: _Optional[int] = ...) -> None: ...

class AppliedTenant(_message.Message):
    __slots__ = ("tenant_id", "version", "result", "changes", "hold")
    class Result(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        RESULT_UNSPECIFIED: _ClassVar[AppliedTenant.Result]
        RESULT_CREATED: _ClassVar[AppliedTenant.Result]
        RESULT_CHANGED: _ClassVar[AppliedTenant.Result]
        RESULT_UNCHANGED: _ClassVar[AppliedTenant.Result]
        RESULT_ON_TRIAL: _ClassVar[AppliedTenant.Result]
        RESULT_REMOVED: _ClassVar[AppliedTenant.Result]
    RESULT_UNSPECIFIED: AppliedTenant.Result
    RESULT_CREATED: AppliedTenant.Result
    RESULT_CHANGED: AppliedTenant.Result
    RESULT_UNCHANGED: AppliedTenant.Result
    RESULT_ON_TRIAL: AppliedTenant.Result
    RESULT_REMOVED: AppliedTenant.Result
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    version: int
    result: AppliedTenant.Result
    changes: _containers.RepeatedCompositeFieldContainer[Change]
    hold: Hold
    def __init__(self, tenant_id: _Optional[str] = ..., version: _Optional[int] = ..., result: _Optional[_Union[AppliedTenant.Result, str]] = ..., changes: _Optional[_Iterable[_Union[Change, _Mapping]]] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ...) -> None: ...

class RollbackTenantRequest(_message.Message):
    __slots__ = ("request_id", "tenant_id", "to_version", "expected_version", "message", "force")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    TO_VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    tenant_id: str
    to_version: int
    expected_version: int
    message: str
    force: bool
    def __init__(self, request_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., to_version: _Optional[int] = ..., expected_version: _Optional[int] = ..., message: _Optional[str] = ..., force: _Optional[bool] = ...) -> None: ...

class RollbackTenantResponse(_message.Message):
    __slots__ = ("version", "changed", "missing_secrets", "to_version", "hold")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    MISSING_SECRETS_FIELD_NUMBER: _ClassVar[int]
    TO_VERSION_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    version: TenantVersion
    changed: bool
    missing_secrets: _containers.RepeatedScalarFieldContainer[str]
    to_version: int
    hold: Hold
    def __init__(self, version: _Optional[_Union[TenantVersion, _Mapping]] = ..., changed: _Optional[bool] = ..., missing_secrets: _Optional[_Iterable[str]] = ..., to_version: _Optional[int] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ...) -> None: ...

class PromoteTenantRequest(_message.Message):
    __slots__ = ("request_id", "tenant_id", "message")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    tenant_id: str
    message: str
    def __init__(self, request_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class PromoteTenantResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: TenantVersion
    def __init__(self, version: _Optional[_Union[TenantVersion, _Mapping]] = ...) -> None: ...

class AbandonTenantRequest(_message.Message):
    __slots__ = ("request_id", "tenant_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    tenant_id: str
    def __init__(self, request_id: _Optional[str] = ..., tenant_id: _Optional[str] = ...) -> None: ...

class AbandonTenantResponse(_message.Message):
    __slots__ = ("trial",)
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    trial: Trial
    def __init__(self, trial: _Optional[_Union[Trial, _Mapping]] = ...) -> None: ...

class DeleteTenantRequest(_message.Message):
    __slots__ = ("request_id", "tenant_id", "expected_version", "message")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    tenant_id: str
    expected_version: int
    message: str
    def __init__(self, request_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., expected_version: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class DeleteTenantResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: TenantVersion
    def __init__(self, version: _Optional[_Union[TenantVersion, _Mapping]] = ...) -> None: ...

class HoldTenantRequest(_message.Message):
    __slots__ = ("request_id", "tenant_id", "version", "policy_only", "ttl", "message", "force")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POLICY_ONLY_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    tenant_id: str
    version: int
    policy_only: bool
    ttl: _duration_pb2.Duration
    message: str
    force: bool
    def __init__(self, request_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., version: _Optional[int] = ..., policy_only: _Optional[bool] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., message: _Optional[str] = ..., force: _Optional[bool] = ...) -> None: ...

class HoldTenantResponse(_message.Message):
    __slots__ = ("hold", "missing_secrets")
    HOLD_FIELD_NUMBER: _ClassVar[int]
    MISSING_SECRETS_FIELD_NUMBER: _ClassVar[int]
    hold: Hold
    missing_secrets: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, hold: _Optional[_Union[Hold, _Mapping]] = ..., missing_secrets: _Optional[_Iterable[str]] = ...) -> None: ...

class ReleaseTenantRequest(_message.Message):
    __slots__ = ("request_id", "tenant_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    tenant_id: str
    def __init__(self, request_id: _Optional[str] = ..., tenant_id: _Optional[str] = ...) -> None: ...

class ReleaseTenantResponse(_message.Message):
    __slots__ = ("released",)
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    released: bool
    def __init__(self, released: _Optional[bool] = ...) -> None: ...

class ListAuditRecordsRequest(_message.Message):
    __slots__ = ("tenant_id", "page_size", "page_token")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    page_size: int
    page_token: str
    def __init__(self, tenant_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAuditRecordsResponse(_message.Message):
    __slots__ = ("records", "next_page_token")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[AuditRecord]
    next_page_token: str
    def __init__(self, records: _Optional[_Iterable[_Union[AuditRecord, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AuditRecord(_message.Message):
    __slots__ = ("time", "caller", "method", "tenant_ids", "request_id", "code", "message")
    TIME_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    TENANT_IDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    caller: str
    method: str
    tenant_ids: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    code: str
    message: str
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., caller: _Optional[str] = ..., method: _Optional[str] = ..., tenant_ids: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ..., code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class KeptExecution(_message.Message):
    __slots__ = ("time", "action", "revision", "verdict", "error_type", "error_message", "line", "output", "output_truncated", "wall_us", "cpu_us", "continued", "request_id", "decision_id", "outcome", "tenant_version", "file")
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    WALL_US_FIELD_NUMBER: _ClassVar[int]
    CPU_US_FIELD_NUMBER: _ClassVar[int]
    CONTINUED_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TENANT_VERSION_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    action: str
    revision: str
    verdict: str
    error_type: str
    error_message: str
    line: int
    output: str
    output_truncated: bool
    wall_us: int
    cpu_us: int
    continued: bool
    request_id: str
    decision_id: str
    outcome: str
    tenant_version: int
    file: str
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., action: _Optional[str] = ..., revision: _Optional[str] = ..., verdict: _Optional[str] = ..., error_type: _Optional[str] = ..., error_message: _Optional[str] = ..., line: _Optional[int] = ..., output: _Optional[str] = ..., output_truncated: _Optional[bool] = ..., wall_us: _Optional[int] = ..., cpu_us: _Optional[int] = ..., continued: _Optional[bool] = ..., request_id: _Optional[str] = ..., decision_id: _Optional[str] = ..., outcome: _Optional[str] = ..., tenant_version: _Optional[int] = ..., file: _Optional[str] = ...) -> None: ...

class ListExecutionsRequest(_message.Message):
    __slots__ = ("tenant_id", "page_size", "page_token", "failed_only")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FAILED_ONLY_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    page_size: int
    page_token: str
    failed_only: bool
    def __init__(self, tenant_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., failed_only: _Optional[bool] = ...) -> None: ...

class ListExecutionsResponse(_message.Message):
    __slots__ = ("executions", "next_page_token")
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    executions: _containers.RepeatedCompositeFieldContainer[KeptExecution]
    next_page_token: str
    def __init__(self, executions: _Optional[_Iterable[_Union[KeptExecution, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class FollowExecutionsRequest(_message.Message):
    __slots__ = ("tenant_id", "last", "failed_only")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    FAILED_ONLY_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    last: int
    failed_only: bool
    def __init__(self, tenant_id: _Optional[str] = ..., last: _Optional[int] = ..., failed_only: _Optional[bool] = ...) -> None: ...

class FollowExecutionsResponse(_message.Message):
    __slots__ = ("executions",)
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    executions: _containers.RepeatedCompositeFieldContainer[KeptExecution]
    def __init__(self, executions: _Optional[_Iterable[_Union[KeptExecution, _Mapping]]] = ...) -> None: ...
