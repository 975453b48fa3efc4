"""The tables of the configuration, one class each: settings with their defaults, bounds and lines of the reference.

Must not import pydantic, which takes longer than all else that `vestibule run` imports: `settings` reads by these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runtime.config.declaring import bounded, declared
from sandbox.contract.layers import WORKER_UID

if TYPE_CHECKING:
    from runtime.config.kinds import (
        LayerNames,
        Names,
        Number,
        OneOf,
        OptionalName,
        OptionalPath,
        OptionalUrl,
        Size,
        StateStore,
        Switch,
        Whole,
    )

MAX_LIFETIME_S = 86_400
"""No suspended login lives longer; the store keeps what was deployed before for as long."""


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """What holds one execution."""

    isolation: OneOf[Literal["tenant", "login"]] = declared(
        "tenant",
        "tenant: a worker serves one tenant for life; login: a worker serves one login and is never used again.",
    )
    action_timeout_ms: Whole = bounded(
        1000, 1, 60_000, "Processor time of one action that has no budget of its own (timeout_ms of its binding)."
    )
    flow_timeout_ms: Whole = bounded(5000, 1, 120_000, "Processor time of all actions of one login together.")
    kill_grace_ms: Whole = bounded(
        10, 1, 5_000, "How long after its budget an action that cannot be interrupted is killed."
    )
    memory_bytes: Size = bounded(128 << 20, 32 << 20, 8 << 30, "Address space that tenant code may add to its worker.")
    output_bytes: Size = bounded(8192, 0, 1 << 20, "Printed and logged text kept of one execution.")
    reply_bytes: Size = bounded(
        524_288,
        4096,
        16 << 20,
        "Largest answer of a worker. An action that asks for more is exhausted; a worker that sends more is killed.",
    )
    max_executions: Whole = bounded(10_000, 1, 1_000_000_000, "Flows after which a worker is replaced.")
    required_layers: LayerNames = declared(
        ("seccomp", "landlock", "rlimits", "no_new_privs"),
        "Layers without which the daemon refuses to start; the others are used where the host allows them.",
    )
    zygote_renew_s: Number = bounded(
        14_400.0,
        0,
        604_800,
        "Age, give or take a tenth, at which the zygote is replaced by a new one, whose workers have other addresses. "
        "0: never.",
    )
    zygote_renew_crashes: Whole = bounded(
        64,
        0,
        1_000_000,
        "Crashes of workers after which it is replaced too, before their code learns its addresses. 0: never.",
    )
    uid: Whole = bounded(WORKER_UID, 1, 4_294_967_294, "User and group of workers when the daemon runs as root.")


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """How many workers there are, and who waits."""

    blank_workers: Whole = bounded(4, 0, 1024, "Workers kept ready for tenants that have none.")
    max_workers: Whole = bounded(4096, 1, 100_000, "Workers of all tenants together.")
    workers_per_tenant: Whole = bounded(4, 1, 1024, "Workers of one tenant.")
    queue_per_tenant: Whole = bounded(64, 0, 65_536, "Logins of one tenant that may wait for a worker.")
    queue_wait_ms: Whole = bounded(1000, 0, 60_000, "How long a login may wait for a worker.")
    memory_bytes: Size = bounded(
        0,
        0,
        1 << 50,
        "Private memory of all workers together. Beyond it the workers that were idle longest are evicted, and no new "
        "ones are made. 0: three quarters of the machine's memory, or of the control group's.",
    )
    idle_s: Number = bounded(300.0, 0.1, 604_800, "Idle time after which a tenant's worker is let go.")
    long_run_share: Number = bounded(
        0.05,
        0,
        1,
        "Share of all processors that one tenant may spend in executions of more than some milliseconds; beyond it, "
        "and while others log in, it is kept to one half of the processors. 0: no tenant is.",
    )


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """What a caller may ask."""

    event_bytes: Size = bounded(1 << 20, 1024, 16 << 20, "Largest event, serialized.")
    facts_bytes: Size = bounded(64 << 10, 0, 16 << 20, "Largest `facts` of an event, serialized. 0: none.")
    max_in_flight: Whole = bounded(512, 1, 65_536, "Logins decided at the same time; one more is refused at once.")
    stream_in_flight: Whole = bounded(
        256,
        1,
        65_536,
        "Logins that a stream may have in flight or answered and unsent, before no more of it is read; also what one "
        "message of it may hold.",
    )
    max_streams: Whole = bounded(1024, 0, 65_536, "Streams open at the same time. 0: none.")
    tenant_share: Number = bounded(
        0.1,
        0.001,
        1,
        "Share of max_in_flight that one tenant may hold, and one login at least: nine that loop leave a tenth to the "
        "others. 1: no limit for one tenant.",
    )


@dataclass(frozen=True, slots=True)
class GrpcConfig:
    """How many connections clients have, and how long they keep them."""

    max_connections: Whole = bounded(
        2048, 1, 65_536, "Connections at a time, those in a handshake too; one more is hung up on."
    )
    max_connection_age_s: Number = bounded(
        1800.0,
        0,
        604_800,
        "Age at which a connection is closed in good order, give or take a tenth, so that gateways find new replicas. "
        "0: never.",
    )
    max_connection_age_grace_s: Number = bounded(
        60.0,
        0,
        3600,
        "How long streams of a connection that has reached its age are kept; a login always has the time it may take.",
    )


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """What clients of the HTTP port may take."""

    max_connections: Whole = bounded(
        1024, 1, 65_536, "Connections at a time; one more closes the one that has waited longest for a request."
    )
    request_s: Number = bounded(
        10.0, 0.1, 600, "How long a request may take to arrive; a connection whose request takes longer is closed."
    )
    idle_s: Number = bounded(75.0, 0.1, 3600, "How long a connection is kept between two requests.")
    public_url: OptionalUrl = declared(
        "", "What callers reach the HTTP port by, for AuthZEN's metadata. None: the scheme and host of the request."
    )


@dataclass(frozen=True, slots=True)
class RpcConfig:
    """How calls are taken in."""

    front: OneOf[Literal["fast", "stock"]] = declared(
        "fast",
        "fast: our own accept loop on private names of grpcio, where the installed build was tested with it; stock: "
        "grpc.aio alone, which takes about a fifth more of the processor for each login.",
    )


@dataclass(frozen=True, slots=True)
class DrainConfig:
    """What comes before the drain."""

    delay_s: Number = bounded(
        1.0,
        0,
        600,
        "How long after SIGTERM new logins are still decided, while health and /readyz say that no more should come.",
    )


@dataclass(frozen=True, slots=True)
class CatalogConfig:
    """What is asked of the tenants' store."""

    allow_empty: Switch = declared(
        False, "Whether a daemon whose store has no tenant is ready; a daemon without a store never is."
    )
    state_store: StateStore = declared(
        "",
        "With a directory as the store: where claims, earlier flows, versions, holds and API keys lie. None: no login "
        "can be suspended.",
    )
    secrets_dir: OptionalPath = declared(
        "", "With a directory as the store: folder with DIR/TENANT/NAME for each {file: NAME} of a tenant."
    )
    keys_file: OptionalPath = declared(
        "",
        "Keys that open a sealed store, one a line: the first seals, all open. Read again when it changes. None: the "
        "store must be plain.",
    )
    keys_env: OptionalName = declared(
        "", "Name of the environment variable that holds such keys, where they are in no file."
    )


@dataclass(frozen=True, slots=True)
class ContinuationConfig:
    """How suspended logins are kept by the gateway."""

    keys_file: OptionalPath = declared(
        "",
        "Keys that seal suspended logins, one a line: the first seals, all open. None: a key that ends with the "
        "process, and with it every login that it suspended.",
    )
    lifetime_s: Number = bounded(
        900.0, 1, MAX_LIFETIME_S, "How long a suspended login may be continued, by its user's return."
    )


@dataclass(frozen=True, slots=True)
class LogConfig:
    """What is written about it."""

    format: OneOf[Literal["auto", "json", "console"]] = declared("auto", "auto: console on a terminal, otherwise json.")
    level: OneOf[Literal["debug", "info", "warning", "error"]] = declared("info", "Least severe line that is written.")
    sample: Number = bounded(
        1.0, 0, 1, "Share of login.decided lines that is written; degraded logins are always written."
    )
    executions: Names = declared(
        (),
        "Tenants whose actions' messages and output are written to login.decided, and kept in the store for "
        "`vestibule logs`; * for all. Their secrets are masked, what they print of users is not.",
    )
    executions_s: Number = bounded(86_400.0, 60, 2_592_000, "How long an execution is kept.")
    executions_bytes: Size = bounded(4 << 20, 1 << 16, 1 << 30, "How much is kept of a tenant; its oldest go first.")
