"""Every setting of the daemon: declared once, read once into frozen dataclasses, passed on as arguments.

Knows: names, kinds, defaults and texts of the settings, and the precedence flags > environment > file > defaults.
Must not know: what a setting does.
"""

import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from runtime.config.environment import ENV_PREFIX, is_injected
from runtime.config.kinds import (
    Address,
    Bool,
    Bytes,
    Choice,
    Choices,
    Float,
    Int,
    Kind,
    OptionalPath,
    Refused,
    Store,
    split_address,
)
from runtime.errors import ConfigError, Fault

T = TypeVar("T")

MAX_LIFETIME_S = 86_400
"""No suspended login lives longer; the store keeps what was deployed before for as long."""

# What a worker can be held by, as its report names it. A test compares this with the sandbox's own list.
LAYERS = (
    "seccomp",
    "landlock",
    "rlimits",
    "no_new_privs",
    "uid",
    "environment",
    "descriptors",
    "not_dumpable",
    "parent_death",
    "speculation",
    "namespaces.user",
    "namespaces.net",
    "namespaces.mount",
    "namespaces.ipc",
    "namespaces.uts",
    "namespaces.cgroup",
    "namespaces.pid",
)


def _setting(default: T, kind: Kind[T], doc: str) -> T:
    """Declare one setting: the dataclass field, its kind and its line of the reference."""
    return field(default=default, metadata={"kind": kind, "doc": doc})


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """What holds one execution."""

    isolation: str = _setting(
        "tenant",
        Choice(("tenant", "login")),
        "tenant: a worker serves one tenant for life; login: a worker serves one login and is never used again.",
    )
    action_timeout_ms: int = _setting(
        1000, Int(1, 60_000), "Processor time of one action that has no budget of its own (timeout_ms of its binding)."
    )
    flow_timeout_ms: int = _setting(5000, Int(1, 120_000), "Processor time of all actions of one login together.")
    kill_grace_ms: int = _setting(
        10, Int(1, 5_000), "How long after its budget an action that cannot be interrupted is killed."
    )
    memory_bytes: int = _setting(
        128 << 20, Bytes(32 << 20, 8 << 30), "Address space that tenant code may add to its worker."
    )
    output_bytes: int = _setting(8192, Bytes(0, 1 << 20), "Printed and logged text kept of one execution.")
    reply_bytes: int = _setting(
        524_288,
        Bytes(4096, 16 << 20),
        "Largest answer of a worker. An action that asks for more is exhausted; a worker that sends more is killed.",
    )
    max_executions: int = _setting(10_000, Int(1, 1_000_000_000), "Flows after which a worker is replaced.")
    required_layers: tuple[str, ...] = _setting(
        ("seccomp", "landlock", "rlimits", "no_new_privs"),
        Choices(LAYERS),
        "Layers without which the daemon refuses to start; the others are used where the host allows them.",
    )
    uid: int = _setting(65534, Int(1, 4_294_967_294), "User and group of workers when the daemon runs as root.")


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """How many workers there are, and who waits."""

    blank_workers: int = _setting(4, Int(0, 1024), "Workers kept ready for tenants that have none.")
    max_workers: int = _setting(4096, Int(1, 100_000), "Workers of all tenants together.")
    workers_per_tenant: int = _setting(4, Int(1, 1024), "Workers of one tenant.")
    queue_per_tenant: int = _setting(64, Int(0, 65_536), "Logins of one tenant that may wait for a worker.")
    queue_wait_ms: int = _setting(1000, Int(0, 60_000), "How long a login may wait for a worker.")
    memory_bytes: int = _setting(
        0,
        Bytes(0, 1 << 50),
        "Private memory of all workers together. Beyond it the workers that were idle longest are evicted, and no new "
        "ones are made. 0: three quarters of the machine's memory, or of the control group's.",
    )
    idle_s: float = _setting(300.0, Float(0.1, 604_800), "Idle time after which a tenant's worker is let go.")
    long_run_share: float = _setting(
        0.05,
        Float(0, 1),
        "Share of all processors that one tenant may spend in executions of more than some milliseconds; beyond it, "
        "and while others log in, it is kept to one half of the processors. 0: nobody is.",
    )


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """What a caller may ask."""

    event_bytes: int = _setting(1 << 20, Bytes(1024, 16 << 20), "Largest event, serialized.")
    max_in_flight: int = _setting(512, Int(1, 65_536), "Logins decided at the same time; one more is refused at once.")
    tenant_share: float = _setting(
        0.1,
        Float(0.001, 1),
        "Share of max_in_flight that one tenant may hold, and one login at least: nine that loop leave a tenth to the "
        "others. 1: no limit for one tenant.",
    )


@dataclass(frozen=True, slots=True)
class GrpcConfig:
    """How long clients keep their connections."""

    max_connection_age_s: float = _setting(
        1800.0,
        Float(0, 604_800),
        "Age at which a connection is closed in good order, give or take a tenth, so that gateways find new replicas. "
        "0: never.",
    )
    max_connection_age_grace_s: float = _setting(
        60.0,
        Float(0, 3600),
        "How long streams of a connection that has reached its age are kept; a login always has the time it may take.",
    )


@dataclass(frozen=True, slots=True)
class DrainConfig:
    """What comes before the drain."""

    delay_s: float = _setting(
        1.0,
        Float(0, 600),
        "How long after SIGTERM new logins are still decided, while health and /readyz say that no more should come.",
    )


@dataclass(frozen=True, slots=True)
class CatalogConfig:
    """What is asked of the tenants' store."""

    allow_empty: bool = _setting(
        False, Bool(), "Whether a daemon whose store has no tenant is ready; a daemon without a store never is."
    )


@dataclass(frozen=True, slots=True)
class ContinuationConfig:
    """How suspended logins are kept by the gateway."""

    keys_file: str = _setting(
        "",
        OptionalPath(),
        "Keys that seal suspended logins, one a line: the first seals, all open. None: a key that ends with the "
        "process, and with it every login that it suspended.",
    )
    lifetime_s: float = _setting(
        900.0, Float(1, MAX_LIFETIME_S), "How long a suspended login may be continued, by its user's return."
    )


@dataclass(frozen=True, slots=True)
class LogConfig:
    """What is written about it."""

    format: str = _setting("auto", Choice(("auto", "json", "console")), "auto: console on a terminal, otherwise json.")
    level: str = _setting("info", Choice(("debug", "info", "warning", "error")), "Least severe line that is written.")
    sample: float = _setting(
        1.0, Float(0, 1), "Share of login.decided lines that is written; degraded logins are always written."
    )


@dataclass(frozen=True, slots=True)
class Config:
    """The effective configuration."""

    listen: str = _setting("127.0.0.1:50051", Address(), "gRPC address.")
    metrics_listen: str = _setting("127.0.0.1:9464", Address(), "HTTP address of /metrics, /livez and /readyz.")
    store: str = _setting("sqlite:vestibule.db", Store(), "Where the tenants' flows are.")
    drain_s: float = _setting(10.0, Float(0, 3600), "How long logins in flight may take once draining begins.")
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    pool: PoolConfig = field(default_factory=PoolConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    grpc: GrpcConfig = field(default_factory=GrpcConfig)
    drain: DrainConfig = field(default_factory=DrainConfig)
    catalog: CatalogConfig = field(default_factory=CatalogConfig)
    continuation: ContinuationConfig = field(default_factory=ContinuationConfig)
    log: LogConfig = field(default_factory=LogConfig)


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the reference. `key` is its path in the file, such as `sandbox.memory_bytes`."""

    key: str
    kind: Kind[Any]
    default: Any
    doc: str

    @property
    def env(self) -> str:
        """The environment variable."""
        return ENV_PREFIX + self.key.replace(".", "_").upper()

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return "--" + self.key.replace(".", "-").replace("_", "-")


def _declared() -> tuple[Setting, ...]:
    found = []
    for outer in fields(Config):
        if "kind" in outer.metadata:
            found.append(Setting(outer.name, outer.metadata["kind"], outer.default, outer.metadata["doc"]))
            continue
        assert callable(outer.default_factory)
        for inner in fields(outer.default_factory()):
            key = f"{outer.name}.{inner.name}"
            found.append(Setting(key, inner.metadata["kind"], inner.default, inner.metadata["doc"]))
    return tuple(found)


SETTINGS: tuple[Setting, ...] = _declared()
_BY_KEY = {setting.key: setting for setting in SETTINGS}
_BY_ENV = {setting.env: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and for each key where its value came from."""

    config: Config
    sources: Mapping[str, str]
    ignored: tuple[Fault, ...] = ()
    """Variables with our prefix that nothing reads: misspelt, or of another version."""

    def value(self, key: str) -> Any:
        """Return the effective value of a setting."""
        return _get(self.config, key)


def load(
    *, file: Path | None = None, env: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
) -> Loaded:
    """Read file, environment and flags (by key, unset ones absent or None) into one configuration.

    Raises: ConfigError, with every fault of every source. A variable that is no setting is none: a platform may put
    anything there, and that must not stop a daemon; see `Loaded.ignored`.
    """
    faults: list[Fault] = []
    ignored: list[Fault] = []
    values: dict[str, Any] = {setting.key: setting.default for setting in SETTINGS}
    sources: dict[str, str] = {setting.key: "default" for setting in SETTINGS}

    def take(setting: Setting, raw: object, source: str) -> None:
        try:
            values[setting.key] = setting.kind.parse(raw)
        except Refused as refused:
            faults.append(Fault(source, str(refused)))
        sources[setting.key] = source

    if file is None and env and env.get("VESTIBULE_CONFIG"):
        file = Path(env["VESTIBULE_CONFIG"])
    if file is not None:
        _take_file(file, take, faults)
    for name, raw in sorted((env or {}).items()):
        if name in _BY_ENV:
            take(_BY_ENV[name], raw, f"environment {name}")
        elif name.startswith(ENV_PREFIX) and not is_injected(name, env or {}):
            ignored.append(Fault(f"environment {name}", "is not a setting" + _nearest(name, _BY_ENV)))
    for key, given in (flags or {}).items():
        if given is not None:
            take(_BY_KEY[key], given, f"flag {_BY_KEY[key].flag}")

    config = _build(values)
    if not faults:
        faults += _contradictions(config, sources)
    if faults:
        raise ConfigError([*faults, *ignored])
    return Loaded(config, sources, tuple(ignored))


def _take_file(path: Path, take: Callable[[Setting, object, str], None], faults: list[Fault]) -> None:
    try:
        document = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        faults.append(Fault(f"file {path}", f"cannot be read: {error.strerror}; give another path with --config"))
        return
    except UnicodeDecodeError:
        faults.append(Fault(f"file {path}", "is not UTF-8 text; write it as TOML"))
        return
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault(f"file {path}", f"is not TOML: {error}"))
        return
    groups = {setting.key.split(".")[0] for setting in SETTINGS if "." in setting.key}
    for name, value in document.items():
        if name in groups and isinstance(value, dict):
            entries = [(f"{name}.{inner}", inner_value) for inner, inner_value in value.items()]
        elif name in groups:
            faults.append(Fault(f"file {path}, {name}", f"is not a table; write [{name}] and its keys below it"))
            continue
        else:
            entries = [(name, value)]
        for key, raw in entries:
            if key in _BY_KEY:
                take(_BY_KEY[key], raw, f"file {path}, {key}")
            else:
                faults.append(Fault(f"file {path}, {key}", "is not a setting" + _nearest(key, _BY_KEY)))


def _nearest(name: str, known: Mapping[str, Setting]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else "; `vestibule check-config --reference` lists them all"


def _build(values: Mapping[str, Any]) -> Config:
    groups: dict[str, dict[str, Any]] = {}
    plain: dict[str, Any] = {}
    for key, value in values.items():
        group, _, name = key.rpartition(".")
        if group:
            groups.setdefault(group, {})[name] = value
        else:
            plain[name] = value
    return Config(
        sandbox=SandboxConfig(**groups["sandbox"]),
        pool=PoolConfig(**groups["pool"]),
        limits=LimitsConfig(**groups["limits"]),
        grpc=GrpcConfig(**groups["grpc"]),
        drain=DrainConfig(**groups["drain"]),
        catalog=CatalogConfig(**groups["catalog"]),
        continuation=ContinuationConfig(**groups["continuation"]),
        log=LogConfig(**groups["log"]),
        **plain,
    )


def _contradictions(config: Config, sources: Mapping[str, str]) -> list[Fault]:
    """Name settings that are right alone and wrong together."""
    faults = []

    def at_most(low: str, high: str, remedy: str) -> None:
        if _get(config, low) > _get(config, high):
            values = f"{_get(config, low)} is more than {high} {_get(config, high)} ({sources[high]})"
            faults.append(Fault(f"{low} ({sources[low]})", f"{values}; {remedy}"))

    at_most(
        "sandbox.action_timeout_ms", "sandbox.flow_timeout_ms", "an action cannot outlive its flow: lower the first"
    )
    at_most(
        "pool.blank_workers", "pool.max_workers", "blank workers count as workers: lower the first or raise the second"
    )
    at_most("pool.workers_per_tenant", "pool.max_workers", "lower the first or raise the second")
    if config.pool.memory_bytes:
        remedy = "one action could fill it: lower the first or raise the second"
        at_most("sandbox.memory_bytes", "pool.memory_bytes", remedy)
    if config.listen == config.metrics_listen and split_address(config.listen)[1] != 0:
        where = f"metrics_listen ({sources['metrics_listen']})"
        faults.append(Fault(where, f"{config.listen} is also the gRPC address; choose another port"))
    return faults


def _get(config: Config, key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    assert not is_dataclass(value)
    return value
