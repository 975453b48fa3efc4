from vestibule.v1 import decision_pb2 as _decision_pb2
from vestibule.v1 import event_pb2 as _event_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExecutePostLoginRequest(_message.Message):
    __slots__ = ("tenant_id", "request_id", "event")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    request_id: str
    event: _event_pb2.PostLoginEvent
    def __init__(self, tenant_id: _Optional[str] = ..., request_id: _Optional[str] = ..., event: _Optional[_Union[_event_pb2.PostLoginEvent, _Mapping]] = ...) -> None: ...

class ExecutePostLoginResponse(_message.Message):
    __slots__ = ("decision", "request_id")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    request_id: str
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...
