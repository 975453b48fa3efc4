from vestibule.worker.v1 import worker_pb2 as _worker_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ZygoteRequest(_message.Message):
    __slots__ = ("spawn", "kill", "place")
    SPAWN_FIELD_NUMBER: _ClassVar[int]
    KILL_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    spawn: Spawn
    kill: Kill
    place: Place
    def __init__(self, spawn: _Optional[_Union[Spawn, _Mapping]] = ..., kill: _Optional[_Union[Kill, _Mapping]] = ..., place: _Optional[_Union[Place, _Mapping]] = ...) -> None: ...

class Spawn(_message.Message):
    __slots__ = ("id", "profile", "self_test")
    ID_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    SELF_TEST_FIELD_NUMBER: _ClassVar[int]
    id: int
    profile: SpawnProfile
    self_test: str
    def __init__(self, id: _Optional[int] = ..., profile: _Optional[_Union[SpawnProfile, _Mapping]] = ..., self_test: _Optional[str] = ...) -> None: ...

class SpawnProfile(_message.Message):
    __slots__ = ("memory_bytes", "cpu_s", "omit", "forks")
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    CPU_S_FIELD_NUMBER: _ClassVar[int]
    OMIT_FIELD_NUMBER: _ClassVar[int]
    FORKS_FIELD_NUMBER: _ClassVar[int]
    memory_bytes: int
    cpu_s: int
    omit: _containers.RepeatedScalarFieldContainer[str]
    forks: bool
    def __init__(self, memory_bytes: _Optional[int] = ..., cpu_s: _Optional[int] = ..., omit: _Optional[_Iterable[str]] = ..., forks: _Optional[bool] = ...) -> None: ...

class Kill(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class Place(_message.Message):
    __slots__ = ("id", "cpus", "child")
    ID_FIELD_NUMBER: _ClassVar[int]
    CPUS_FIELD_NUMBER: _ClassVar[int]
    CHILD_FIELD_NUMBER: _ClassVar[int]
    id: int
    cpus: _containers.RepeatedScalarFieldContainer[int]
    child: int
    def __init__(self, id: _Optional[int] = ..., cpus: _Optional[_Iterable[int]] = ..., child: _Optional[int] = ...) -> None: ...

class ZygoteReport(_message.Message):
    __slots__ = ("started", "start_failed", "spawned", "spawn_failed", "exited")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    START_FAILED_FIELD_NUMBER: _ClassVar[int]
    SPAWNED_FIELD_NUMBER: _ClassVar[int]
    SPAWN_FAILED_FIELD_NUMBER: _ClassVar[int]
    EXITED_FIELD_NUMBER: _ClassVar[int]
    started: Started
    start_failed: StartFailed
    spawned: Spawned
    spawn_failed: SpawnFailed
    exited: Exited
    def __init__(self, started: _Optional[_Union[Started, _Mapping]] = ..., start_failed: _Optional[_Union[StartFailed, _Mapping]] = ..., spawned: _Optional[_Union[Spawned, _Mapping]] = ..., spawn_failed: _Optional[_Union[SpawnFailed, _Mapping]] = ..., exited: _Optional[_Union[Exited, _Mapping]] = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("layers",)
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    layers: _containers.RepeatedCompositeFieldContainer[_worker_pb2.Layer]
    def __init__(self, layers: _Optional[_Iterable[_Union[_worker_pb2.Layer, _Mapping]]] = ...) -> None: ...

class StartFailed(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Spawned(_message.Message):
    __slots__ = ("id", "pid")
    ID_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    id: int
    pid: int
    def __init__(self, id: _Optional[int] = ..., pid: _Optional[int] = ...) -> None: ...

class SpawnFailed(_message.Message):
    __slots__ = ("id", "errno", "reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    ERRNO_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    id: int
    errno: int
    reason: str
    def __init__(self, id: _Optional[int] = ..., errno: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Exited(_message.Message):
    __slots__ = ("id", "exit_code")
    ID_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    id: int
    exit_code: int
    def __init__(self, id: _Optional[int] = ..., exit_code: _Optional[int] = ...) -> None: ...
