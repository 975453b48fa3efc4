from vestibule.worker.v1 import worker_pb2 as _worker_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SuspendedFlow(_message.Message):
    __slots__ = ("tenant_id", "user_id", "transaction_id", "flow_digest", "position", "continuing", "executions", "completed", "awaited", "issued_at_ms", "expires_at_ms", "id", "client_id", "protocol", "prompt_id", "completed_at_ms", "enrolled", "known_methods", "epoch")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    FLOW_DIGEST_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CONTINUING_FIELD_NUMBER: _ClassVar[int]
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    AWAITED_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_ID_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_FIELD_NUMBER: _ClassVar[int]
    KNOWN_METHODS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    user_id: str
    transaction_id: str
    flow_digest: bytes
    position: int
    continuing: bool
    executions: _containers.RepeatedCompositeFieldContainer[EarlierExecution]
    completed: _containers.RepeatedScalarFieldContainer[int]
    awaited: _containers.RepeatedCompositeFieldContainer[AwaitedStep]
    issued_at_ms: int
    expires_at_ms: int
    id: bytes
    client_id: str
    protocol: str
    prompt_id: str
    completed_at_ms: _containers.RepeatedScalarFieldContainer[int]
    enrolled: _containers.RepeatedScalarFieldContainer[int]
    known_methods: _containers.RepeatedScalarFieldContainer[int]
    epoch: bytes
    def __init__(self, tenant_id: _Optional[str] = ..., user_id: _Optional[str] = ..., transaction_id: _Optional[str] = ..., flow_digest: _Optional[bytes] = ..., position: _Optional[int] = ..., continuing: _Optional[bool] = ..., executions: _Optional[_Iterable[_Union[EarlierExecution, _Mapping]]] = ..., completed: _Optional[_Iterable[int]] = ..., awaited: _Optional[_Iterable[_Union[AwaitedStep, _Mapping]]] = ..., issued_at_ms: _Optional[int] = ..., expires_at_ms: _Optional[int] = ..., id: _Optional[bytes] = ..., client_id: _Optional[str] = ..., protocol: _Optional[str] = ..., prompt_id: _Optional[str] = ..., completed_at_ms: _Optional[_Iterable[int]] = ..., enrolled: _Optional[_Iterable[int]] = ..., known_methods: _Optional[_Iterable[int]] = ..., epoch: _Optional[bytes] = ...) -> None: ...

class EarlierExecution(_message.Message):
    __slots__ = ("binding", "verdict", "commands", "continued", "error_type", "error_message", "error_line", "error_file")
    BINDING_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    CONTINUED_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ERROR_LINE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FILE_FIELD_NUMBER: _ClassVar[int]
    binding: int
    verdict: int
    commands: _containers.RepeatedCompositeFieldContainer[_worker_pb2.Command]
    continued: bool
    error_type: str
    error_message: str
    error_line: int
    error_file: str
    def __init__(self, binding: _Optional[int] = ..., verdict: _Optional[int] = ..., commands: _Optional[_Iterable[_Union[_worker_pb2.Command, _Mapping]]] = ..., continued: _Optional[bool] = ..., error_type: _Optional[str] = ..., error_message: _Optional[str] = ..., error_line: _Optional[int] = ..., error_file: _Optional[str] = ...) -> None: ...

class AwaitedStep(_message.Message):
    __slots__ = ("factors", "enroll")
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    ENROLL_FIELD_NUMBER: _ClassVar[int]
    factors: _containers.RepeatedScalarFieldContainer[int]
    enroll: bool
    def __init__(self, factors: _Optional[_Iterable[int]] = ..., enroll: _Optional[bool] = ...) -> None: ...
