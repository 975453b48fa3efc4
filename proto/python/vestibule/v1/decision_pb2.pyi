import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_ALLOW: _ClassVar[Outcome]
    OUTCOME_MFA_REQUIRED: _ClassVar[Outcome]
    OUTCOME_DENY: _ClassVar[Outcome]
    OUTCOME_SUSPEND: _ClassVar[Outcome]

class Provider(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROVIDER_UNSPECIFIED: _ClassVar[Provider]
    PROVIDER_ANY: _ClassVar[Provider]
    PROVIDER_GUARDIAN: _ClassVar[Provider]
    PROVIDER_GOOGLE_AUTHENTICATOR: _ClassVar[Provider]
    PROVIDER_DUO: _ClassVar[Provider]
    PROVIDER_NONE: _ClassVar[Provider]

class Factor(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FACTOR_UNSPECIFIED: _ClassVar[Factor]
    FACTOR_PUSH_NOTIFICATION: _ClassVar[Factor]
    FACTOR_SMS: _ClassVar[Factor]
    FACTOR_VOICE: _ClassVar[Factor]
    FACTOR_OTP: _ClassVar[Factor]
    FACTOR_EMAIL: _ClassVar[Factor]
    FACTOR_WEBAUTHN_ROAMING: _ClassVar[Factor]
    FACTOR_WEBAUTHN_PLATFORM: _ClassVar[Factor]
    FACTOR_RECOVERY_CODE: _ClassVar[Factor]
    FACTOR_DUO: _ClassVar[Factor]

class FactorType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FACTOR_TYPE_UNSPECIFIED: _ClassVar[FactorType]
    FACTOR_TYPE_OTP: _ClassVar[FactorType]
    FACTOR_TYPE_RECOVERY_CODE: _ClassVar[FactorType]
    FACTOR_TYPE_EMAIL: _ClassVar[FactorType]
    FACTOR_TYPE_PUSH_NOTIFICATION: _ClassVar[FactorType]
    FACTOR_TYPE_PHONE: _ClassVar[FactorType]
    FACTOR_TYPE_WEBAUTHN_ROAMING: _ClassVar[FactorType]
    FACTOR_TYPE_WEBAUTHN_PLATFORM: _ClassVar[FactorType]

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_COMPLETED: _ClassVar[Verdict]
    VERDICT_RAISED: _ClassVar[Verdict]
    VERDICT_REJECTED: _ClassVar[Verdict]
    VERDICT_TIMED_OUT: _ClassVar[Verdict]
    VERDICT_EXHAUSTED: _ClassVar[Verdict]
    VERDICT_VIOLATED: _ClassVar[Verdict]
    VERDICT_CRASHED: _ClassVar[Verdict]
    VERDICT_SKIPPED: _ClassVar[Verdict]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_ALLOW: Outcome
OUTCOME_MFA_REQUIRED: Outcome
OUTCOME_DENY: Outcome
OUTCOME_SUSPEND: Outcome
PROVIDER_UNSPECIFIED: Provider
PROVIDER_ANY: Provider
PROVIDER_GUARDIAN: Provider
PROVIDER_GOOGLE_AUTHENTICATOR: Provider
PROVIDER_DUO: Provider
PROVIDER_NONE: Provider
FACTOR_UNSPECIFIED: Factor
FACTOR_PUSH_NOTIFICATION: Factor
FACTOR_SMS: Factor
FACTOR_VOICE: Factor
FACTOR_OTP: Factor
FACTOR_EMAIL: Factor
FACTOR_WEBAUTHN_ROAMING: Factor
FACTOR_WEBAUTHN_PLATFORM: Factor
FACTOR_RECOVERY_CODE: Factor
FACTOR_DUO: Factor
FACTOR_TYPE_UNSPECIFIED: FactorType
FACTOR_TYPE_OTP: FactorType
FACTOR_TYPE_RECOVERY_CODE: FactorType
FACTOR_TYPE_EMAIL: FactorType
FACTOR_TYPE_PUSH_NOTIFICATION: FactorType
FACTOR_TYPE_PHONE: FactorType
FACTOR_TYPE_WEBAUTHN_ROAMING: FactorType
FACTOR_TYPE_WEBAUTHN_PLATFORM: FactorType
VERDICT_UNSPECIFIED: Verdict
VERDICT_COMPLETED: Verdict
VERDICT_RAISED: Verdict
VERDICT_REJECTED: Verdict
VERDICT_TIMED_OUT: Verdict
VERDICT_EXHAUSTED: Verdict
VERDICT_VIOLATED: Verdict
VERDICT_CRASHED: Verdict
VERDICT_SKIPPED: Verdict

class Decision(_message.Message):
    __slots__ = ("outcome", "multifactor", "access", "side_effects", "degraded", "degraded_reasons", "contributions", "executions", "decision_id", "catalog_revision", "wall_time", "suspension")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    MULTIFACTOR_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    SIDE_EFFECTS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_REASONS_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    CATALOG_REVISION_FIELD_NUMBER: _ClassVar[int]
    WALL_TIME_FIELD_NUMBER: _ClassVar[int]
    SUSPENSION_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    multifactor: Multifactor
    access: Access
    side_effects: SideEffects
    degraded: bool
    degraded_reasons: _containers.RepeatedScalarFieldContainer[str]
    contributions: _containers.RepeatedCompositeFieldContainer[Contribution]
    executions: _containers.RepeatedCompositeFieldContainer[ExecutionReport]
    decision_id: str
    catalog_revision: int
    wall_time: _duration_pb2.Duration
    suspension: Suspension
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., multifactor: _Optional[_Union[Multifactor, _Mapping]] = ..., access: _Optional[_Union[Access, _Mapping]] = ..., side_effects: _Optional[_Union[SideEffects, _Mapping]] = ..., degraded: _Optional[bool] = ..., degraded_reasons: _Optional[_Iterable[str]] = ..., contributions: _Optional[_Iterable[_Union[Contribution, _Mapping]]] = ..., executions: _Optional[_Iterable[_Union[ExecutionReport, _Mapping]]] = ..., decision_id: _Optional[str] = ..., catalog_revision: _Optional[int] = ..., wall_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., suspension: _Optional[_Union[Suspension, _Mapping]] = ...) -> None: ...

class Multifactor(_message.Message):
    __slots__ = ("provider", "allow_remember_browser", "provider_options", "factors", "origin", "ignore_remembered_browser", "resolution")
    class Origin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ORIGIN_UNSPECIFIED: _ClassVar[Multifactor.Origin]
        ORIGIN_ACTION: _ClassVar[Multifactor.Origin]
        ORIGIN_POLICY: _ClassVar[Multifactor.Origin]
        ORIGIN_ON_ERROR: _ClassVar[Multifactor.Origin]
    ORIGIN_UNSPECIFIED: Multifactor.Origin
    ORIGIN_ACTION: Multifactor.Origin
    ORIGIN_POLICY: Multifactor.Origin
    ORIGIN_ON_ERROR: Multifactor.Origin
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    ALLOW_REMEMBER_BROWSER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    IGNORE_REMEMBERED_BROWSER_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    provider: Provider
    allow_remember_browser: bool
    provider_options: ProviderOptions
    factors: _containers.RepeatedScalarFieldContainer[Factor]
    origin: Multifactor.Origin
    ignore_remembered_browser: bool
    resolution: Resolution
    def __init__(self, provider: _Optional[_Union[Provider, str]] = ..., allow_remember_browser: _Optional[bool] = ..., provider_options: _Optional[_Union[ProviderOptions, _Mapping]] = ..., factors: _Optional[_Iterable[_Union[Factor, str]]] = ..., origin: _Optional[_Union[Multifactor.Origin, str]] = ..., ignore_remembered_browser: _Optional[bool] = ..., resolution: _Optional[_Union[Resolution, _Mapping]] = ...) -> None: ...

class Resolution(_message.Message):
    __slots__ = ("kind", "failure", "challenge", "choice", "enroll", "enrollment_required", "verify_email_first", "recovery_code_allowed", "remember", "remembered_until", "forget_remembered_browser", "records_amr", "notes")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Resolution.Kind]
        KIND_PROMPT: _ClassVar[Resolution.Kind]
        KIND_SATISFIED_BY_REMEMBERED_BROWSER: _ClassVar[Resolution.Kind]
        KIND_MFA_REQUIRED_TOKEN: _ClassVar[Resolution.Kind]
        KIND_FAILED: _ClassVar[Resolution.Kind]
    KIND_UNSPECIFIED: Resolution.Kind
    KIND_PROMPT: Resolution.Kind
    KIND_SATISFIED_BY_REMEMBERED_BROWSER: Resolution.Kind
    KIND_MFA_REQUIRED_TOKEN: Resolution.Kind
    KIND_FAILED: Resolution.Kind
    class Failure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FAILURE_UNSPECIFIED: _ClassVar[Resolution.Failure]
        FAILURE_NO_USABLE_FACTOR: _ClassVar[Resolution.Failure]
        FAILURE_PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL: _ClassVar[Resolution.Failure]
        FAILURE_INTERACTION_REQUIRED: _ClassVar[Resolution.Failure]
        FAILURE_MFA_GRANT_NOT_ALLOWED: _ClassVar[Resolution.Failure]
        FAILURE_EMAIL_MISSING: _ClassVar[Resolution.Failure]
        FAILURE_ENROLLMENT_NOT_POSSIBLE: _ClassVar[Resolution.Failure]
        FAILURE_TOKEN_EXCHANGE_NOT_SUPPORTED: _ClassVar[Resolution.Failure]
    FAILURE_UNSPECIFIED: Resolution.Failure
    FAILURE_NO_USABLE_FACTOR: Resolution.Failure
    FAILURE_PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL: Resolution.Failure
    FAILURE_INTERACTION_REQUIRED: Resolution.Failure
    FAILURE_MFA_GRANT_NOT_ALLOWED: Resolution.Failure
    FAILURE_EMAIL_MISSING: Resolution.Failure
    FAILURE_ENROLLMENT_NOT_POSSIBLE: Resolution.Failure
    FAILURE_TOKEN_EXCHANGE_NOT_SUPPORTED: Resolution.Failure
    class RememberMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REMEMBER_MODE_UNSPECIFIED: _ClassVar[Resolution.RememberMode]
        REMEMBER_MODE_NONE: _ClassVar[Resolution.RememberMode]
        REMEMBER_MODE_CHECKBOX: _ClassVar[Resolution.RememberMode]
        REMEMBER_MODE_AUTOMATIC: _ClassVar[Resolution.RememberMode]
    REMEMBER_MODE_UNSPECIFIED: Resolution.RememberMode
    REMEMBER_MODE_NONE: Resolution.RememberMode
    REMEMBER_MODE_CHECKBOX: Resolution.RememberMode
    REMEMBER_MODE_AUTOMATIC: Resolution.RememberMode
    KIND_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    ENROLL_FIELD_NUMBER: _ClassVar[int]
    ENROLLMENT_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    VERIFY_EMAIL_FIRST_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_CODE_ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REMEMBER_FIELD_NUMBER: _ClassVar[int]
    REMEMBERED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    FORGET_REMEMBERED_BROWSER_FIELD_NUMBER: _ClassVar[int]
    RECORDS_AMR_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    kind: Resolution.Kind
    failure: Resolution.Failure
    challenge: _containers.RepeatedScalarFieldContainer[Factor]
    choice: bool
    enroll: _containers.RepeatedScalarFieldContainer[Factor]
    enrollment_required: bool
    verify_email_first: bool
    recovery_code_allowed: bool
    remember: Resolution.RememberMode
    remembered_until: _timestamp_pb2.Timestamp
    forget_remembered_browser: bool
    records_amr: bool
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, kind: _Optional[_Union[Resolution.Kind, str]] = ..., failure: _Optional[_Union[Resolution.Failure, str]] = ..., challenge: _Optional[_Iterable[_Union[Factor, str]]] = ..., choice: _Optional[bool] = ..., enroll: _Optional[_Iterable[_Union[Factor, str]]] = ..., enrollment_required: _Optional[bool] = ..., verify_email_first: _Optional[bool] = ..., recovery_code_allowed: _Optional[bool] = ..., remember: _Optional[_Union[Resolution.RememberMode, str]] = ..., remembered_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., forget_remembered_browser: _Optional[bool] = ..., records_amr: _Optional[bool] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class ProviderOptions(_message.Message):
    __slots__ = ("host", "ikey", "skey", "username")
    HOST_FIELD_NUMBER: _ClassVar[int]
    IKEY_FIELD_NUMBER: _ClassVar[int]
    SKEY_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    host: str
    ikey: str
    skey: str
    username: str
    def __init__(self, host: _Optional[str] = ..., ikey: _Optional[str] = ..., skey: _Optional[str] = ..., username: _Optional[str] = ...) -> None: ...

class Access(_message.Message):
    __slots__ = ("reason", "kind", "code")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Access.Kind]
        KIND_DENIED: _ClassVar[Access.Kind]
        KIND_VALIDATION_ERROR: _ClassVar[Access.Kind]
        KIND_ON_ERROR: _ClassVar[Access.Kind]
        KIND_SESSION_REVOKED: _ClassVar[Access.Kind]
        KIND_REFRESH_TOKEN_REVOKED: _ClassVar[Access.Kind]
        KIND_MFA_FAILED: _ClassVar[Access.Kind]
        KIND_INTERACTION_REQUIRED: _ClassVar[Access.Kind]
    KIND_UNSPECIFIED: Access.Kind
    KIND_DENIED: Access.Kind
    KIND_VALIDATION_ERROR: Access.Kind
    KIND_ON_ERROR: Access.Kind
    KIND_SESSION_REVOKED: Access.Kind
    KIND_REFRESH_TOKEN_REVOKED: Access.Kind
    KIND_MFA_FAILED: Access.Kind
    KIND_INTERACTION_REQUIRED: Access.Kind
    REASON_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    kind: Access.Kind
    code: str
    def __init__(self, reason: _Optional[str] = ..., kind: _Optional[_Union[Access.Kind, str]] = ..., code: _Optional[str] = ...) -> None: ...

class Suspension(_message.Message):
    __slots__ = ("mfa", "redirect", "prompt", "action", "continuation", "expires_at")
    MFA_FIELD_NUMBER: _ClassVar[int]
    REDIRECT_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    mfa: MfaQueue
    redirect: Redirect
    prompt: RenderPrompt
    action: str
    continuation: bytes
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, mfa: _Optional[_Union[MfaQueue, _Mapping]] = ..., redirect: _Optional[_Union[Redirect, _Mapping]] = ..., prompt: _Optional[_Union[RenderPrompt, _Mapping]] = ..., action: _Optional[str] = ..., continuation: _Optional[bytes] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MfaQueue(_message.Message):
    __slots__ = ("steps", "mfa_required_token", "hide_remember_browser", "verify_email_first")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[MfaQueue.Kind]
        KIND_CHALLENGE: _ClassVar[MfaQueue.Kind]
        KIND_ENROLL: _ClassVar[MfaQueue.Kind]
    KIND_UNSPECIFIED: MfaQueue.Kind
    KIND_CHALLENGE: MfaQueue.Kind
    KIND_ENROLL: MfaQueue.Kind
    class MfaStep(_message.Message):
        __slots__ = ("kind", "factors", "choice", "ignored")
        KIND_FIELD_NUMBER: _ClassVar[int]
        FACTORS_FIELD_NUMBER: _ClassVar[int]
        CHOICE_FIELD_NUMBER: _ClassVar[int]
        IGNORED_FIELD_NUMBER: _ClassVar[int]
        kind: MfaQueue.Kind
        factors: _containers.RepeatedCompositeFieldContainer[FactorRequest]
        choice: bool
        ignored: _containers.RepeatedCompositeFieldContainer[IgnoredFactor]
        def __init__(self, kind: _Optional[_Union[MfaQueue.Kind, str]] = ..., factors: _Optional[_Iterable[_Union[FactorRequest, _Mapping]]] = ..., choice: _Optional[bool] = ..., ignored: _Optional[_Iterable[_Union[IgnoredFactor, _Mapping]]] = ...) -> None: ...
    STEPS_FIELD_NUMBER: _ClassVar[int]
    MFA_REQUIRED_TOKEN_FIELD_NUMBER: _ClassVar[int]
    HIDE_REMEMBER_BROWSER_FIELD_NUMBER: _ClassVar[int]
    VERIFY_EMAIL_FIRST_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[MfaQueue.MfaStep]
    mfa_required_token: bool
    hide_remember_browser: bool
    verify_email_first: bool
    def __init__(self, steps: _Optional[_Iterable[_Union[MfaQueue.MfaStep, _Mapping]]] = ..., mfa_required_token: _Optional[bool] = ..., hide_remember_browser: _Optional[bool] = ..., verify_email_first: _Optional[bool] = ...) -> None: ...

class FactorRequest(_message.Message):
    __slots__ = ("type", "preferred_method", "otp_fallback")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PREFERRED_METHOD_FIELD_NUMBER: _ClassVar[int]
    OTP_FALLBACK_FIELD_NUMBER: _ClassVar[int]
    type: FactorType
    preferred_method: str
    otp_fallback: bool
    def __init__(self, type: _Optional[_Union[FactorType, str]] = ..., preferred_method: _Optional[str] = ..., otp_fallback: _Optional[bool] = ...) -> None: ...

class IgnoredFactor(_message.Message):
    __slots__ = ("type", "reason")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    type: FactorType
    reason: str
    def __init__(self, type: _Optional[_Union[FactorType, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class Redirect(_message.Message):
    __slots__ = ("url",)
    URL_FIELD_NUMBER: _ClassVar[int]
    url: str
    def __init__(self, url: _Optional[str] = ...) -> None: ...

class RenderPrompt(_message.Message):
    __slots__ = ("id", "fields", "vars")
    ID_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    VARS_FIELD_NUMBER: _ClassVar[int]
    id: str
    fields: _struct_pb2.Struct
    vars: _struct_pb2.Struct
    def __init__(self, id: _Optional[str] = ..., fields: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., vars: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class SideEffects(_message.Message):
    __slots__ = ("user_metadata", "app_metadata", "id_token_claims", "access_token_claims", "scopes_added", "scopes_removed", "session", "refresh_token", "transaction_metadata", "primary_user_id", "saml_response", "recorded_methods")
    USER_METADATA_FIELD_NUMBER: _ClassVar[int]
    APP_METADATA_FIELD_NUMBER: _ClassVar[int]
    ID_TOKEN_CLAIMS_FIELD_NUMBER: _ClassVar[int]
    ACCESS_TOKEN_CLAIMS_FIELD_NUMBER: _ClassVar[int]
    SCOPES_ADDED_FIELD_NUMBER: _ClassVar[int]
    SCOPES_REMOVED_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_METADATA_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_USER_ID_FIELD_NUMBER: _ClassVar[int]
    SAML_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    RECORDED_METHODS_FIELD_NUMBER: _ClassVar[int]
    user_metadata: _struct_pb2.Struct
    app_metadata: _struct_pb2.Struct
    id_token_claims: _struct_pb2.Struct
    access_token_claims: _struct_pb2.Struct
    scopes_added: _containers.RepeatedScalarFieldContainer[str]
    scopes_removed: _containers.RepeatedScalarFieldContainer[str]
    session: SessionChanges
    refresh_token: RefreshTokenChanges
    transaction_metadata: _struct_pb2.Struct
    primary_user_id: str
    saml_response: _struct_pb2.Struct
    recorded_methods: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, user_metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., app_metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., id_token_claims: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., access_token_claims: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., scopes_added: _Optional[_Iterable[str]] = ..., scopes_removed: _Optional[_Iterable[str]] = ..., session: _Optional[_Union[SessionChanges, _Mapping]] = ..., refresh_token: _Optional[_Union[RefreshTokenChanges, _Mapping]] = ..., transaction_metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., primary_user_id: _Optional[str] = ..., saml_response: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., recorded_methods: _Optional[_Iterable[str]] = ...) -> None: ...

class SessionChanges(_message.Message):
    __slots__ = ("revoke", "preserve_refresh_tokens", "expires_at", "idle_expires_at", "cookie_mode", "evict_metadata", "metadata")
    REVOKE_FIELD_NUMBER: _ClassVar[int]
    PRESERVE_REFRESH_TOKENS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    IDLE_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    COOKIE_MODE_FIELD_NUMBER: _ClassVar[int]
    EVICT_METADATA_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    revoke: bool
    preserve_refresh_tokens: bool
    expires_at: _timestamp_pb2.Timestamp
    idle_expires_at: _timestamp_pb2.Timestamp
    cookie_mode: str
    evict_metadata: bool
    metadata: _struct_pb2.Struct
    def __init__(self, revoke: _Optional[bool] = ..., preserve_refresh_tokens: _Optional[bool] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., idle_expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cookie_mode: _Optional[str] = ..., evict_metadata: _Optional[bool] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class RefreshTokenChanges(_message.Message):
    __slots__ = ("revoke", "expires_at", "idle_expires_at", "evict_metadata", "metadata")
    REVOKE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    IDLE_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    EVICT_METADATA_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    revoke: bool
    expires_at: _timestamp_pb2.Timestamp
    idle_expires_at: _timestamp_pb2.Timestamp
    evict_metadata: bool
    metadata: _struct_pb2.Struct
    def __init__(self, revoke: _Optional[bool] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., idle_expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., evict_metadata: _Optional[bool] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Contribution(_message.Message):
    __slots__ = ("action", "operation", "won", "summary")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    WON_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    action: str
    operation: str
    won: bool
    summary: str
    def __init__(self, action: _Optional[str] = ..., operation: _Optional[str] = ..., won: _Optional[bool] = ..., summary: _Optional[str] = ...) -> None: ...

class ExecutionReport(_message.Message):
    __slots__ = ("action", "revision_sha256", "verdict", "wall_time", "cpu_time", "error", "output", "output_truncated", "continued", "earlier")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REVISION_SHA256_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    WALL_TIME_FIELD_NUMBER: _ClassVar[int]
    CPU_TIME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    CONTINUED_FIELD_NUMBER: _ClassVar[int]
    EARLIER_FIELD_NUMBER: _ClassVar[int]
    action: str
    revision_sha256: str
    verdict: Verdict
    wall_time: _duration_pb2.Duration
    cpu_time: _duration_pb2.Duration
    error: ExecutionError
    output: str
    output_truncated: bool
    continued: bool
    earlier: bool
    def __init__(self, action: _Optional[str] = ..., revision_sha256: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., wall_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., cpu_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., error: _Optional[_Union[ExecutionError, _Mapping]] = ..., output: _Optional[str] = ..., output_truncated: _Optional[bool] = ..., continued: _Optional[bool] = ..., earlier: _Optional[bool] = ...) -> None: ...

class ExecutionError(_message.Message):
    __slots__ = ("type", "message", "line")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    type: str
    message: str
    line: int
    def __init__(self, type: _Optional[str] = ..., message: _Optional[str] = ..., line: _Optional[int] = ...) -> None: ...
