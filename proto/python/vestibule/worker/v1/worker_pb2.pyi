import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExecuteEnvelope(_message.Message):
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
    event: bytes
    auth0_event: bytes
    gateway: bytes
    view: int
    continuation: bytes
    completed: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, tenant_id: _Optional[str] = ..., request_id: _Optional[str] = ..., event: _Optional[bytes] = ..., auth0_event: _Optional[bytes] = ..., gateway: _Optional[bytes] = ..., view: _Optional[int] = ..., continuation: _Optional[bytes] = ..., completed: _Optional[_Iterable[int]] = ...) -> None: ...

class StreamEnvelope(_message.Message):
    __slots__ = ("items", "cancel")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[StreamedLogin]
    cancel: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, items: _Optional[_Iterable[_Union[StreamedLogin, _Mapping]]] = ..., cancel: _Optional[_Iterable[int]] = ...) -> None: ...

class StreamedLogin(_message.Message):
    __slots__ = ("id", "execute", "resume", "timeout", "traceparent")
    ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    id: int
    execute: bytes
    resume: bytes
    timeout: _duration_pb2.Duration
    traceparent: str
    def __init__(self, id: _Optional[int] = ..., execute: _Optional[bytes] = ..., resume: _Optional[bytes] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., traceparent: _Optional[str] = ...) -> None: ...

class StreamAnswers(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[StreamedAnswer]
    def __init__(self, items: _Optional[_Iterable[_Union[StreamedAnswer, _Mapping]]] = ...) -> None: ...

class StreamedAnswer(_message.Message):
    __slots__ = ("id", "execute", "resume", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: int
    execute: bytes
    resume: bytes
    error: bytes
    def __init__(self, id: _Optional[int] = ..., execute: _Optional[bytes] = ..., resume: _Optional[bytes] = ..., error: _Optional[bytes] = ...) -> None: ...

class RunFlow(_message.Message):
    __slots__ = ("nonce", "event", "flow", "now_ns", "seed", "budget_us", "check_only", "output_bytes", "earlier", "return_code", "cache", "deadline_ns", "template", "measure")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    FLOW_FIELD_NUMBER: _ClassVar[int]
    NOW_NS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    BUDGET_US_FIELD_NUMBER: _ClassVar[int]
    CHECK_ONLY_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_BYTES_FIELD_NUMBER: _ClassVar[int]
    EARLIER_FIELD_NUMBER: _ClassVar[int]
    RETURN_CODE_FIELD_NUMBER: _ClassVar[int]
    CACHE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_NS_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    MEASURE_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    event: bytes
    flow: bytes
    now_ns: int
    seed: bytes
    budget_us: int
    check_only: bool
    output_bytes: int
    earlier: _containers.RepeatedCompositeFieldContainer[Command]
    return_code: bool
    cache: _containers.RepeatedCompositeFieldContainer[CacheRecord]
    deadline_ns: int
    template: bytes
    measure: bool
    def __init__(self, nonce: _Optional[int] = ..., event: _Optional[bytes] = ..., flow: _Optional[bytes] = ..., now_ns: _Optional[int] = ..., seed: _Optional[bytes] = ..., budget_us: _Optional[int] = ..., check_only: _Optional[bool] = ..., output_bytes: _Optional[int] = ..., earlier: _Optional[_Iterable[_Union[Command, _Mapping]]] = ..., return_code: _Optional[bool] = ..., cache: _Optional[_Iterable[_Union[CacheRecord, _Mapping]]] = ..., deadline_ns: _Optional[int] = ..., template: _Optional[bytes] = ..., measure: _Optional[bool] = ...) -> None: ...

class CacheRecord(_message.Message):
    __slots__ = ("key", "value", "expires_at_ms")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    expires_at_ms: int
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ..., expires_at_ms: _Optional[int] = ...) -> None: ...

class FlowSteps(_message.Message):
    __slots__ = ("steps", "policy")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    policy: PolicySettings
    def __init__(self, steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., policy: _Optional[_Union[PolicySettings, _Mapping]] = ...) -> None: ...

class PolicySettings(_message.Message):
    __slots__ = ("policy", "step_up", "exempt_refresh", "factors")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    STEP_UP_FIELD_NUMBER: _ClassVar[int]
    EXEMPT_REFRESH_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    policy: str
    step_up: bool
    exempt_refresh: bool
    factors: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, policy: _Optional[str] = ..., step_up: _Optional[bool] = ..., exempt_refresh: _Optional[bool] = ..., factors: _Optional[_Iterable[str]] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("action", "revision", "source", "budget_us", "secrets", "stop_on_failure", "handler", "code", "uses", "limited", "inspection")
    class SecretsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    BUDGET_US_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    STOP_ON_FAILURE_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    LIMITED_FIELD_NUMBER: _ClassVar[int]
    INSPECTION_FIELD_NUMBER: _ClassVar[int]
    action: str
    revision: bytes
    source: str
    budget_us: int
    secrets: _containers.ScalarMap[str, str]
    stop_on_failure: bool
    handler: str
    code: bytes
    uses: _containers.RepeatedScalarFieldContainer[str]
    limited: bool
    inspection: Inspection
    def __init__(self, action: _Optional[str] = ..., revision: _Optional[bytes] = ..., source: _Optional[str] = ..., budget_us: _Optional[int] = ..., secrets: _Optional[_Mapping[str, str]] = ..., stop_on_failure: _Optional[bool] = ..., handler: _Optional[str] = ..., code: _Optional[bytes] = ..., uses: _Optional[_Iterable[str]] = ..., limited: _Optional[bool] = ..., inspection: _Optional[_Union[Inspection, _Mapping]] = ...) -> None: ...

class Inspection(_message.Message):
    __slots__ = ("budget_us", "knows_secrets", "secrets")
    BUDGET_US_FIELD_NUMBER: _ClassVar[int]
    KNOWS_SECRETS_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    budget_us: int
    knows_secrets: bool
    secrets: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, budget_us: _Optional[int] = ..., knows_secrets: _Optional[bool] = ..., secrets: _Optional[_Iterable[str]] = ...) -> None: ...

class FlowReply(_message.Message):
    __slots__ = ("nonce", "steps", "wall_us", "cpu_us", "retire", "codes")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    WALL_US_FIELD_NUMBER: _ClassVar[int]
    CPU_US_FIELD_NUMBER: _ClassVar[int]
    RETIRE_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    steps: _containers.RepeatedCompositeFieldContainer[StepReport]
    wall_us: _containers.RepeatedScalarFieldContainer[int]
    cpu_us: _containers.RepeatedScalarFieldContainer[int]
    retire: bool
    codes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, nonce: _Optional[int] = ..., steps: _Optional[_Iterable[_Union[StepReport, _Mapping]]] = ..., wall_us: _Optional[_Iterable[int]] = ..., cpu_us: _Optional[_Iterable[int]] = ..., retire: _Optional[bool] = ..., codes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class FlowReplyEnvelope(_message.Message):
    __slots__ = ("nonce", "steps", "wall_us", "cpu_us", "retire", "codes")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    WALL_US_FIELD_NUMBER: _ClassVar[int]
    CPU_US_FIELD_NUMBER: _ClassVar[int]
    RETIRE_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    steps: _containers.RepeatedScalarFieldContainer[bytes]
    wall_us: _containers.RepeatedScalarFieldContainer[int]
    cpu_us: _containers.RepeatedScalarFieldContainer[int]
    retire: bool
    codes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, nonce: _Optional[int] = ..., steps: _Optional[_Iterable[bytes]] = ..., wall_us: _Optional[_Iterable[int]] = ..., cpu_us: _Optional[_Iterable[int]] = ..., retire: _Optional[bool] = ..., codes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class StepReport(_message.Message):
    __slots__ = ("verdict", "commands", "error_type", "error_message", "error_line", "output", "output_truncated", "faults", "covered", "error_file")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ERROR_LINE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    COVERED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FILE_FIELD_NUMBER: _ClassVar[int]
    verdict: int
    commands: _containers.RepeatedCompositeFieldContainer[Command]
    error_type: str
    error_message: str
    error_line: int
    output: str
    output_truncated: bool
    faults: _containers.RepeatedCompositeFieldContainer[Fault]
    covered: _containers.RepeatedCompositeFieldContainer[Covered]
    error_file: str
    def __init__(self, verdict: _Optional[int] = ..., commands: _Optional[_Iterable[_Union[Command, _Mapping]]] = ..., error_type: _Optional[str] = ..., error_message: _Optional[str] = ..., error_line: _Optional[int] = ..., output: _Optional[str] = ..., output_truncated: _Optional[bool] = ..., faults: _Optional[_Iterable[_Union[Fault, _Mapping]]] = ..., covered: _Optional[_Iterable[_Union[Covered, _Mapping]]] = ..., error_file: _Optional[str] = ...) -> None: ...

class Covered(_message.Message):
    __slots__ = ("file", "arcs")
    FILE_FIELD_NUMBER: _ClassVar[int]
    ARCS_FIELD_NUMBER: _ClassVar[int]
    file: str
    arcs: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, file: _Optional[str] = ..., arcs: _Optional[_Iterable[int]] = ...) -> None: ...

class Command(_message.Message):
    __slots__ = ("op", "args_json")
    OP_FIELD_NUMBER: _ClassVar[int]
    ARGS_JSON_FIELD_NUMBER: _ClassVar[int]
    op: str
    args_json: str
    def __init__(self, op: _Optional[str] = ..., args_json: _Optional[str] = ...) -> None: ...

class Fault(_message.Message):
    __slots__ = ("line", "column", "message", "file", "code", "end_line", "end_column")
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    END_LINE_FIELD_NUMBER: _ClassVar[int]
    END_COLUMN_FIELD_NUMBER: _ClassVar[int]
    line: int
    column: int
    message: str
    file: str
    code: str
    end_line: int
    end_column: int
    def __init__(self, line: _Optional[int] = ..., column: _Optional[int] = ..., message: _Optional[str] = ..., file: _Optional[str] = ..., code: _Optional[str] = ..., end_line: _Optional[int] = ..., end_column: _Optional[int] = ...) -> None: ...

class Ready(_message.Message):
    __slots__ = ("layers",)
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    layers: _containers.RepeatedCompositeFieldContainer[Layer]
    def __init__(self, layers: _Optional[_Iterable[_Union[Layer, _Mapping]]] = ...) -> None: ...

class Layer(_message.Message):
    __slots__ = ("name", "active", "detail")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    name: str
    active: bool
    detail: str
    def __init__(self, name: _Optional[str] = ..., active: _Optional[bool] = ..., detail: _Optional[str] = ...) -> None: ...
