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
    OUTCOME_MFA_REQUIRED_BY_TOKEN: _ClassVar[Outcome]
    OUTCOME_SUSPEND_BY_TOKEN: _ClassVar[Outcome]

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
    FACTOR_PHONE: _ClassVar[Factor]

class PhoneMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PHONE_METHOD_UNSPECIFIED: _ClassVar[PhoneMethod]
    PHONE_METHOD_SMS: _ClassVar[PhoneMethod]
    PHONE_METHOD_VOICE: _ClassVar[PhoneMethod]
    PHONE_METHOD_BOTH: _ClassVar[PhoneMethod]

class CookieMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COOKIE_MODE_UNSPECIFIED: _ClassVar[CookieMode]
    COOKIE_MODE_PERSISTENT: _ClassVar[CookieMode]
    COOKIE_MODE_NON_PERSISTENT: _ClassVar[CookieMode]

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
OUTCOME_MFA_REQUIRED_BY_TOKEN: Outcome
OUTCOME_SUSPEND_BY_TOKEN: Outcome
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
FACTOR_PHONE: Factor
PHONE_METHOD_UNSPECIFIED: PhoneMethod
PHONE_METHOD_SMS: PhoneMethod
PHONE_METHOD_VOICE: PhoneMethod
PHONE_METHOD_BOTH: PhoneMethod
COOKIE_MODE_UNSPECIFIED: CookieMode
COOKIE_MODE_PERSISTENT: CookieMode
COOKIE_MODE_NON_PERSISTENT: CookieMode
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
    __slots__ = ("outcome", "multifactor", "denial", "on_any_outcome", "on_success", "suspension", "degraded", "degraded_reasons", "decision_id", "catalog_revision", "wall_time", "contributions", "executions", "tenant_version")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    MULTIFACTOR_FIELD_NUMBER: _ClassVar[int]
    DENIAL_FIELD_NUMBER: _ClassVar[int]
    ON_ANY_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ON_SUCCESS_FIELD_NUMBER: _ClassVar[int]
    SUSPENSION_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_REASONS_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    CATALOG_REVISION_FIELD_NUMBER: _ClassVar[int]
    WALL_TIME_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    TENANT_VERSION_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    multifactor: Multifactor
    denial: Denial
    on_any_outcome: EffectsOnAnyOutcome
    on_success: EffectsOnSuccess
    suspension: Suspension
    degraded: bool
    degraded_reasons: _containers.RepeatedScalarFieldContainer[str]
    decision_id: str
    catalog_revision: int
    wall_time: _duration_pb2.Duration
    contributions: _containers.RepeatedCompositeFieldContainer[Contribution]
    executions: _containers.RepeatedCompositeFieldContainer[ExecutionReport]
    tenant_version: int
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., multifactor: _Optional[_Union[Multifactor, _Mapping]] = ..., denial: _Optional[_Union[Denial, _Mapping]] = ..., on_any_outcome: _Optional[_Union[EffectsOnAnyOutcome, _Mapping]] = ..., on_success: _Optional[_Union[EffectsOnSuccess, _Mapping]] = ..., suspension: _Optional[_Union[Suspension, _Mapping]] = ..., degraded: _Optional[bool] = ..., degraded_reasons: _Optional[_Iterable[str]] = ..., decision_id: _Optional[str] = ..., catalog_revision: _Optional[int] = ..., wall_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., contributions: _Optional[_Iterable[_Union[Contribution, _Mapping]]] = ..., executions: _Optional[_Iterable[_Union[ExecutionReport, _Mapping]]] = ..., tenant_version: _Optional[int] = ...) -> None: ...

class Multifactor(_message.Message):
    __slots__ = ("status", "provider", "origin", "challenge", "choice", "enroll", "verify_email_first", "recovery_code_allowed", "remember", "memory", "forget_remembered_browser", "records_amr", "provider_options", "notes")
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATUS_UNSPECIFIED: _ClassVar[Multifactor.Status]
        STATUS_REQUIRED: _ClassVar[Multifactor.Status]
        STATUS_REMEMBERED: _ClassVar[Multifactor.Status]
        STATUS_LIFTED: _ClassVar[Multifactor.Status]
        STATUS_FAILED: _ClassVar[Multifactor.Status]
    STATUS_UNSPECIFIED: Multifactor.Status
    STATUS_REQUIRED: Multifactor.Status
    STATUS_REMEMBERED: Multifactor.Status
    STATUS_LIFTED: Multifactor.Status
    STATUS_FAILED: Multifactor.Status
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
    class RememberMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REMEMBER_MODE_UNSPECIFIED: _ClassVar[Multifactor.RememberMode]
        REMEMBER_MODE_NONE: _ClassVar[Multifactor.RememberMode]
        REMEMBER_MODE_CHECKBOX: _ClassVar[Multifactor.RememberMode]
        REMEMBER_MODE_AUTOMATIC: _ClassVar[Multifactor.RememberMode]
    REMEMBER_MODE_UNSPECIFIED: Multifactor.RememberMode
    REMEMBER_MODE_NONE: Multifactor.RememberMode
    REMEMBER_MODE_CHECKBOX: Multifactor.RememberMode
    REMEMBER_MODE_AUTOMATIC: Multifactor.RememberMode
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    ENROLL_FIELD_NUMBER: _ClassVar[int]
    VERIFY_EMAIL_FIRST_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_CODE_ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REMEMBER_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    FORGET_REMEMBERED_BROWSER_FIELD_NUMBER: _ClassVar[int]
    RECORDS_AMR_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    status: Multifactor.Status
    provider: Provider
    origin: Multifactor.Origin
    challenge: _containers.RepeatedScalarFieldContainer[Factor]
    choice: bool
    enroll: _containers.RepeatedScalarFieldContainer[Factor]
    verify_email_first: bool
    recovery_code_allowed: bool
    remember: Multifactor.RememberMode
    memory: BrowserMemory
    forget_remembered_browser: bool
    records_amr: bool
    provider_options: ProviderOptions
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, status: _Optional[_Union[Multifactor.Status, str]] = ..., provider: _Optional[_Union[Provider, str]] = ..., origin: _Optional[_Union[Multifactor.Origin, str]] = ..., challenge: _Optional[_Iterable[_Union[Factor, str]]] = ..., choice: _Optional[bool] = ..., enroll: _Optional[_Iterable[_Union[Factor, str]]] = ..., verify_email_first: _Optional[bool] = ..., recovery_code_allowed: _Optional[bool] = ..., remember: _Optional[_Union[Multifactor.RememberMode, str]] = ..., memory: _Optional[_Union[BrowserMemory, _Mapping]] = ..., forget_remembered_browser: _Optional[bool] = ..., records_amr: _Optional[bool] = ..., provider_options: _Optional[_Union[ProviderOptions, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class BrowserMemory(_message.Message):
    __slots__ = ("lifetime", "idle_lifetime", "expires_at")
    LIFETIME_FIELD_NUMBER: _ClassVar[int]
    IDLE_LIFETIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    lifetime: _duration_pb2.Duration
    idle_lifetime: _duration_pb2.Duration
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, lifetime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., idle_lifetime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

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

class Denial(_message.Message):
    __slots__ = ("reason", "description", "validation_code")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[Denial.Reason]
        REASON_DENIED: _ClassVar[Denial.Reason]
        REASON_VALIDATION_ERROR: _ClassVar[Denial.Reason]
        REASON_ON_ERROR: _ClassVar[Denial.Reason]
        REASON_SESSION_REVOKED: _ClassVar[Denial.Reason]
        REASON_REFRESH_TOKEN_REVOKED: _ClassVar[Denial.Reason]
        REASON_INTERACTION_REQUIRED: _ClassVar[Denial.Reason]
        REASON_NO_USABLE_FACTOR: _ClassVar[Denial.Reason]
        REASON_PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL: _ClassVar[Denial.Reason]
        REASON_MFA_GRANT_NOT_ALLOWED: _ClassVar[Denial.Reason]
        REASON_EMAIL_MISSING: _ClassVar[Denial.Reason]
        REASON_ENROLLMENT_NOT_POSSIBLE: _ClassVar[Denial.Reason]
        REASON_TOKEN_EXCHANGE_NOT_SUPPORTED: _ClassVar[Denial.Reason]
        REASON_EXPERIENCE_NOT_SUPPORTED: _ClassVar[Denial.Reason]
        REASON_CUSTOMIZATION_OFF: _ClassVar[Denial.Reason]
        REASON_TOO_MANY_COMMANDS: _ClassVar[Denial.Reason]
        REASON_CHALLENGE_FIRST: _ClassVar[Denial.Reason]
    REASON_UNSPECIFIED: Denial.Reason
    REASON_DENIED: Denial.Reason
    REASON_VALIDATION_ERROR: Denial.Reason
    REASON_ON_ERROR: Denial.Reason
    REASON_SESSION_REVOKED: Denial.Reason
    REASON_REFRESH_TOKEN_REVOKED: Denial.Reason
    REASON_INTERACTION_REQUIRED: Denial.Reason
    REASON_NO_USABLE_FACTOR: Denial.Reason
    REASON_PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL: Denial.Reason
    REASON_MFA_GRANT_NOT_ALLOWED: Denial.Reason
    REASON_EMAIL_MISSING: Denial.Reason
    REASON_ENROLLMENT_NOT_POSSIBLE: Denial.Reason
    REASON_TOKEN_EXCHANGE_NOT_SUPPORTED: Denial.Reason
    REASON_EXPERIENCE_NOT_SUPPORTED: Denial.Reason
    REASON_CUSTOMIZATION_OFF: Denial.Reason
    REASON_TOO_MANY_COMMANDS: Denial.Reason
    REASON_CHALLENGE_FIRST: Denial.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_CODE_FIELD_NUMBER: _ClassVar[int]
    reason: Denial.Reason
    description: str
    validation_code: str
    def __init__(self, reason: _Optional[_Union[Denial.Reason, str]] = ..., description: _Optional[str] = ..., validation_code: _Optional[str] = ...) -> None: ...

class Suspension(_message.Message):
    __slots__ = ("mfa", "redirect", "prompt", "action", "continuation", "expires_at")
    MFA_FIELD_NUMBER: _ClassVar[int]
    REDIRECT_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    mfa: MfaSteps
    redirect: Redirect
    prompt: RenderPrompt
    action: str
    continuation: bytes
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, mfa: _Optional[_Union[MfaSteps, _Mapping]] = ..., redirect: _Optional[_Union[Redirect, _Mapping]] = ..., prompt: _Optional[_Union[RenderPrompt, _Mapping]] = ..., action: _Optional[str] = ..., continuation: _Optional[bytes] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MfaSteps(_message.Message):
    __slots__ = ("steps", "hide_remember_browser", "verify_email_first")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[MfaSteps.Kind]
        KIND_CHALLENGE: _ClassVar[MfaSteps.Kind]
        KIND_ENROLL: _ClassVar[MfaSteps.Kind]
    KIND_UNSPECIFIED: MfaSteps.Kind
    KIND_CHALLENGE: MfaSteps.Kind
    KIND_ENROLL: MfaSteps.Kind
    class MfaStep(_message.Message):
        __slots__ = ("kind", "factors", "choice", "ignored")
        KIND_FIELD_NUMBER: _ClassVar[int]
        FACTORS_FIELD_NUMBER: _ClassVar[int]
        CHOICE_FIELD_NUMBER: _ClassVar[int]
        IGNORED_FIELD_NUMBER: _ClassVar[int]
        kind: MfaSteps.Kind
        factors: _containers.RepeatedCompositeFieldContainer[FactorOption]
        choice: bool
        ignored: _containers.RepeatedCompositeFieldContainer[IgnoredFactor]
        def __init__(self, kind: _Optional[_Union[MfaSteps.Kind, str]] = ..., factors: _Optional[_Iterable[_Union[FactorOption, _Mapping]]] = ..., choice: _Optional[bool] = ..., ignored: _Optional[_Iterable[_Union[IgnoredFactor, _Mapping]]] = ...) -> None: ...
    STEPS_FIELD_NUMBER: _ClassVar[int]
    HIDE_REMEMBER_BROWSER_FIELD_NUMBER: _ClassVar[int]
    VERIFY_EMAIL_FIRST_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[MfaSteps.MfaStep]
    hide_remember_browser: bool
    verify_email_first: bool
    def __init__(self, steps: _Optional[_Iterable[_Union[MfaSteps.MfaStep, _Mapping]]] = ..., hide_remember_browser: _Optional[bool] = ..., verify_email_first: _Optional[bool] = ...) -> None: ...

class FactorOption(_message.Message):
    __slots__ = ("factor", "preferred_method", "otp_fallback")
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    PREFERRED_METHOD_FIELD_NUMBER: _ClassVar[int]
    OTP_FALLBACK_FIELD_NUMBER: _ClassVar[int]
    factor: Factor
    preferred_method: PhoneMethod
    otp_fallback: bool
    def __init__(self, factor: _Optional[_Union[Factor, str]] = ..., preferred_method: _Optional[_Union[PhoneMethod, str]] = ..., otp_fallback: _Optional[bool] = ...) -> None: ...

class IgnoredFactor(_message.Message):
    __slots__ = ("factor", "reason")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[IgnoredFactor.Reason]
        REASON_DISABLED: _ClassVar[IgnoredFactor.Reason]
        REASON_NOT_ENROLLED: _ClassVar[IgnoredFactor.Reason]
        REASON_ALREADY_ENROLLED: _ClassVar[IgnoredFactor.Reason]
        REASON_NOT_ENROLABLE: _ClassVar[IgnoredFactor.Reason]
        REASON_NOT_SERVABLE: _ClassVar[IgnoredFactor.Reason]
    REASON_UNSPECIFIED: IgnoredFactor.Reason
    REASON_DISABLED: IgnoredFactor.Reason
    REASON_NOT_ENROLLED: IgnoredFactor.Reason
    REASON_ALREADY_ENROLLED: IgnoredFactor.Reason
    REASON_NOT_ENROLABLE: IgnoredFactor.Reason
    REASON_NOT_SERVABLE: IgnoredFactor.Reason
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    factor: Factor
    reason: IgnoredFactor.Reason
    def __init__(self, factor: _Optional[_Union[Factor, str]] = ..., reason: _Optional[_Union[IgnoredFactor.Reason, str]] = ...) -> None: ...

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

class EffectsOnAnyOutcome(_message.Message):
    __slots__ = ("user_metadata", "app_metadata", "transaction_metadata", "session", "refresh_token")
    USER_METADATA_FIELD_NUMBER: _ClassVar[int]
    APP_METADATA_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_METADATA_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    user_metadata: _struct_pb2.Struct
    app_metadata: _struct_pb2.Struct
    transaction_metadata: _struct_pb2.Struct
    session: SessionChanges
    refresh_token: RefreshTokenChanges
    def __init__(self, user_metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., app_metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., transaction_metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., session: _Optional[_Union[SessionChanges, _Mapping]] = ..., refresh_token: _Optional[_Union[RefreshTokenChanges, _Mapping]] = ...) -> None: ...

class EffectsOnSuccess(_message.Message):
    __slots__ = ("id_token_claims", "access_token_claims", "scopes_added", "scopes_removed", "primary_user_id", "recorded_methods", "saml_response")
    ID_TOKEN_CLAIMS_FIELD_NUMBER: _ClassVar[int]
    ACCESS_TOKEN_CLAIMS_FIELD_NUMBER: _ClassVar[int]
    SCOPES_ADDED_FIELD_NUMBER: _ClassVar[int]
    SCOPES_REMOVED_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_USER_ID_FIELD_NUMBER: _ClassVar[int]
    RECORDED_METHODS_FIELD_NUMBER: _ClassVar[int]
    SAML_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    id_token_claims: _struct_pb2.Struct
    access_token_claims: _struct_pb2.Struct
    scopes_added: _containers.RepeatedScalarFieldContainer[str]
    scopes_removed: _containers.RepeatedScalarFieldContainer[str]
    primary_user_id: str
    recorded_methods: _containers.RepeatedScalarFieldContainer[str]
    saml_response: SamlResponse
    def __init__(self, id_token_claims: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., access_token_claims: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., scopes_added: _Optional[_Iterable[str]] = ..., scopes_removed: _Optional[_Iterable[str]] = ..., primary_user_id: _Optional[str] = ..., recorded_methods: _Optional[_Iterable[str]] = ..., saml_response: _Optional[_Union[SamlResponse, _Mapping]] = ...) -> None: ...

class SamlResponse(_message.Message):
    __slots__ = ("attributes", "audience", "recipient", "destination", "create_upn_claim", "passthrough_claims_with_no_mapping", "map_unknown_claims_as_is", "map_identities", "signature_algorithm", "digest_algorithm", "encryption_algorithm", "lifetime_in_seconds", "sign_response", "name_identifier_format", "name_identifier_probes", "authn_context_class_ref", "signing_cert", "include_attribute_name_format", "typed_attributes", "encryption_cert", "encryption_public_key", "cert", "key", "relay_state", "issuer")
    class SignatureAlgorithm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SIGNATURE_ALGORITHM_UNSPECIFIED: _ClassVar[SamlResponse.SignatureAlgorithm]
        SIGNATURE_ALGORITHM_RSA_SHA256: _ClassVar[SamlResponse.SignatureAlgorithm]
        SIGNATURE_ALGORITHM_RSA_SHA1: _ClassVar[SamlResponse.SignatureAlgorithm]
    SIGNATURE_ALGORITHM_UNSPECIFIED: SamlResponse.SignatureAlgorithm
    SIGNATURE_ALGORITHM_RSA_SHA256: SamlResponse.SignatureAlgorithm
    SIGNATURE_ALGORITHM_RSA_SHA1: SamlResponse.SignatureAlgorithm
    class DigestAlgorithm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        DIGEST_ALGORITHM_UNSPECIFIED: _ClassVar[SamlResponse.DigestAlgorithm]
        DIGEST_ALGORITHM_SHA256: _ClassVar[SamlResponse.DigestAlgorithm]
        DIGEST_ALGORITHM_SHA1: _ClassVar[SamlResponse.DigestAlgorithm]
    DIGEST_ALGORITHM_UNSPECIFIED: SamlResponse.DigestAlgorithm
    DIGEST_ALGORITHM_SHA256: SamlResponse.DigestAlgorithm
    DIGEST_ALGORITHM_SHA1: SamlResponse.DigestAlgorithm
    class EncryptionAlgorithm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ENCRYPTION_ALGORITHM_UNSPECIFIED: _ClassVar[SamlResponse.EncryptionAlgorithm]
        ENCRYPTION_ALGORITHM_AES256_GCM: _ClassVar[SamlResponse.EncryptionAlgorithm]
        ENCRYPTION_ALGORITHM_AES256_CBC: _ClassVar[SamlResponse.EncryptionAlgorithm]
    ENCRYPTION_ALGORITHM_UNSPECIFIED: SamlResponse.EncryptionAlgorithm
    ENCRYPTION_ALGORITHM_AES256_GCM: SamlResponse.EncryptionAlgorithm
    ENCRYPTION_ALGORITHM_AES256_CBC: SamlResponse.EncryptionAlgorithm
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    CREATE_UPN_CLAIM_FIELD_NUMBER: _ClassVar[int]
    PASSTHROUGH_CLAIMS_WITH_NO_MAPPING_FIELD_NUMBER: _ClassVar[int]
    MAP_UNKNOWN_CLAIMS_AS_IS_FIELD_NUMBER: _ClassVar[int]
    MAP_IDENTITIES_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    DIGEST_ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTION_ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_IN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SIGN_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    NAME_IDENTIFIER_FORMAT_FIELD_NUMBER: _ClassVar[int]
    NAME_IDENTIFIER_PROBES_FIELD_NUMBER: _ClassVar[int]
    AUTHN_CONTEXT_CLASS_REF_FIELD_NUMBER: _ClassVar[int]
    SIGNING_CERT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ATTRIBUTE_NAME_FORMAT_FIELD_NUMBER: _ClassVar[int]
    TYPED_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTION_CERT_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTION_PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    CERT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    RELAY_STATE_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    attributes: _struct_pb2.Struct
    audience: str
    recipient: str
    destination: str
    create_upn_claim: bool
    passthrough_claims_with_no_mapping: bool
    map_unknown_claims_as_is: bool
    map_identities: bool
    signature_algorithm: SamlResponse.SignatureAlgorithm
    digest_algorithm: SamlResponse.DigestAlgorithm
    encryption_algorithm: SamlResponse.EncryptionAlgorithm
    lifetime_in_seconds: int
    sign_response: bool
    name_identifier_format: str
    name_identifier_probes: _containers.RepeatedScalarFieldContainer[str]
    authn_context_class_ref: str
    signing_cert: str
    include_attribute_name_format: bool
    typed_attributes: bool
    encryption_cert: str
    encryption_public_key: str
    cert: str
    key: str
    relay_state: str
    issuer: str
    def __init__(self, attributes: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., audience: _Optional[str] = ..., recipient: _Optional[str] = ..., destination: _Optional[str] = ..., create_upn_claim: _Optional[bool] = ..., passthrough_claims_with_no_mapping: _Optional[bool] = ..., map_unknown_claims_as_is: _Optional[bool] = ..., map_identities: _Optional[bool] = ..., signature_algorithm: _Optional[_Union[SamlResponse.SignatureAlgorithm, str]] = ..., digest_algorithm: _Optional[_Union[SamlResponse.DigestAlgorithm, str]] = ..., encryption_algorithm: _Optional[_Union[SamlResponse.EncryptionAlgorithm, str]] = ..., lifetime_in_seconds: _Optional[int] = ..., sign_response: _Optional[bool] = ..., name_identifier_format: _Optional[str] = ..., name_identifier_probes: _Optional[_Iterable[str]] = ..., authn_context_class_ref: _Optional[str] = ..., signing_cert: _Optional[str] = ..., include_attribute_name_format: _Optional[bool] = ..., typed_attributes: _Optional[bool] = ..., encryption_cert: _Optional[str] = ..., encryption_public_key: _Optional[str] = ..., cert: _Optional[str] = ..., key: _Optional[str] = ..., relay_state: _Optional[str] = ..., issuer: _Optional[str] = ...) -> None: ...

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
    cookie_mode: CookieMode
    evict_metadata: bool
    metadata: _struct_pb2.Struct
    def __init__(self, revoke: _Optional[bool] = ..., preserve_refresh_tokens: _Optional[bool] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., idle_expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cookie_mode: _Optional[_Union[CookieMode, str]] = ..., evict_metadata: _Optional[bool] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("type", "message", "line", "file")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    type: str
    message: str
    line: int
    file: str
    def __init__(self, type: _Optional[str] = ..., message: _Optional[str] = ..., line: _Optional[int] = ..., file: _Optional[str] = ...) -> None: ...
