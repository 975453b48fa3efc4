"""The whole of the configuration, as it is in effect: the settings without a table, and the tables.

Must not import pydantic, as `sections`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runtime.config.declaring import bounded, declared
from runtime.config.listeners import AuthConfig, TlsConfig
from runtime.config.sections import (
    CatalogConfig,
    ContinuationConfig,
    DrainConfig,
    GrpcConfig,
    HttpConfig,
    LimitsConfig,
    LogConfig,
    PoolConfig,
    RpcConfig,
    SandboxConfig,
)

if TYPE_CHECKING:
    from runtime.config.kinds import (
        Address,
        Listen,
        Mode,
        Number,
        OptionalListen,
        OptionalPath,
        Processes,
        Store,
        Switch,
    )


@dataclass(frozen=True, slots=True)
class Config:
    """The effective configuration."""

    listen: Listen = declared("127.0.0.1:50051", "gRPC address, or unix: and the path of a socket.")
    listen_mode: Mode = declared("0600", "Mode of a unix socket: who may connect to it.")
    insecure: Switch = declared(
        False, "Allow a port that other hosts can reach to have no TLS, or to ask for no credentials."
    )
    http_listen: OptionalListen = declared(
        "", "HTTP address of the service in JSON, and of the other doors. None: there is no such port."
    )
    metrics_listen: Address = declared("127.0.0.1:9464", "HTTP address of /metrics, /livez and /readyz.")
    store: Store = declared("sqlite:vestibule.db", "Where the tenants' flows are.")
    drain_s: Number = bounded(10.0, 0, 3600, "How long logins in flight may take once draining begins.")
    processes: Processes = declared(
        1,
        "Event loops behind the same ports, each a process with workers of its own, kept by a supervisor. auto: as "
        "many as there are processors. 1: one, and no supervisor.",
    )
    pid_file: OptionalPath = declared(
        "", "Where the supervisor of several processes writes its process id, for `vestibule restart`."
    )
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    pool: PoolConfig = field(default_factory=PoolConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    tls: TlsConfig = field(default_factory=TlsConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    grpc: GrpcConfig = field(default_factory=GrpcConfig)
    http: HttpConfig = field(default_factory=HttpConfig)
    rpc: RpcConfig = field(default_factory=RpcConfig)
    drain: DrainConfig = field(default_factory=DrainConfig)
    catalog: CatalogConfig = field(default_factory=CatalogConfig)
    continuation: ContinuationConfig = field(default_factory=ContinuationConfig)
    log: LogConfig = field(default_factory=LogConfig)
