"""Every setting of the daemon: declared once, read once into frozen values, passed on as arguments.

Here settings are read: flags win over the environment, the environment over the file, the file over the defaults.
pydantic checks each source by itself. pydantic-settings is not used: it checks only what is left when all are merged,
so it would lose where a value came from, pass over a fault that another source hides, and miss a misspelt variable.
"""

import dataclasses
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo

from runtime.config.environment import ENV_PREFIX, is_injected
from runtime.config.kinds import (
    Address,
    LayerNames,
    Number,
    OneOf,
    OptionalAddress,
    OptionalPath,
    Size,
    Store,
    Switch,
    Whole,
    split_address,
    wording_of,
)
from runtime.errors import ConfigError, Fault
from sandbox.contract.did_you_mean import nearest

MAX_LIFETIME_S = 86_400
"""No suspended login lives longer; the store keeps what was deployed before for as long."""

T = TypeVar("T")


_CLOSED = ConfigDict(extra="forbid")


def _setting(default: T, doc: str) -> T:
    """Declare a setting: its default, and its line of the reference."""
    return Field(default, description=doc)


def _number(default: T, low: float, high: float, doc: str) -> T:
    """Declare a setting with bounds, which are allowed too."""
    return Field(default, ge=low, le=high, description=doc)


@dataclass(frozen=True, slots=True, config=_CLOSED)
class SandboxConfig:
    """What holds one execution."""

    isolation: OneOf[Literal["tenant", "login"]] = _setting(
        "tenant",
        "tenant: a worker serves one tenant for life; login: a worker serves one login and is never used again.",
    )
    action_timeout_ms: Whole = _number(
        1000, 1, 60_000, "Processor time of one action that has no budget of its own (timeout_ms of its binding)."
    )
    flow_timeout_ms: Whole = _number(5000, 1, 120_000, "Processor time of all actions of one login together.")
    kill_grace_ms: Whole = _number(
        10, 1, 5_000, "How long after its budget an action that cannot be interrupted is killed."
    )
    memory_bytes: Size = _number(128 << 20, 32 << 20, 8 << 30, "Address space that tenant code may add to its worker.")
    output_bytes: Size = _number(8192, 0, 1 << 20, "Printed and logged text kept of one execution.")
    reply_bytes: Size = _number(
        524_288,
        4096,
        16 << 20,
        "Largest answer of a worker. An action that asks for more is exhausted; a worker that sends more is killed.",
    )
    max_executions: Whole = _number(10_000, 1, 1_000_000_000, "Flows after which a worker is replaced.")
    required_layers: LayerNames = _setting(
        ("seccomp", "landlock", "rlimits", "no_new_privs"),
        "Layers without which the daemon refuses to start; the others are used where the host allows them.",
    )
    uid: Whole = _number(65534, 1, 4_294_967_294, "User and group of workers when the daemon runs as root.")


@dataclass(frozen=True, slots=True, config=_CLOSED)
class PoolConfig:
    """How many workers there are, and who waits."""

    blank_workers: Whole = _number(4, 0, 1024, "Workers kept ready for tenants that have none.")
    max_workers: Whole = _number(4096, 1, 100_000, "Workers of all tenants together.")
    workers_per_tenant: Whole = _number(4, 1, 1024, "Workers of one tenant.")
    queue_per_tenant: Whole = _number(64, 0, 65_536, "Logins of one tenant that may wait for a worker.")
    queue_wait_ms: Whole = _number(1000, 0, 60_000, "How long a login may wait for a worker.")
    memory_bytes: Size = _number(
        0,
        0,
        1 << 50,
        "Private memory of all workers together. Beyond it the workers that were idle longest are evicted, and no new "
        "ones are made. 0: three quarters of the machine's memory, or of the control group's.",
    )
    idle_s: Number = _number(300.0, 0.1, 604_800, "Idle time after which a tenant's worker is let go.")
    long_run_share: Number = _number(
        0.05,
        0,
        1,
        "Share of all processors that one tenant may spend in executions of more than some milliseconds; beyond it, "
        "and while others log in, it is kept to one half of the processors. 0: no tenant is.",
    )


@dataclass(frozen=True, slots=True, config=_CLOSED)
class LimitsConfig:
    """What a caller may ask."""

    event_bytes: Size = _number(1 << 20, 1024, 16 << 20, "Largest event, serialized.")
    max_in_flight: Whole = _number(512, 1, 65_536, "Logins decided at the same time; one more is refused at once.")
    tenant_share: Number = _number(
        0.1,
        0.001,
        1,
        "Share of max_in_flight that one tenant may hold, and one login at least: nine that loop leave a tenth to the "
        "others. 1: no limit for one tenant.",
    )


@dataclass(frozen=True, slots=True, config=_CLOSED)
class GrpcConfig:
    """How long clients keep their connections."""

    max_connection_age_s: Number = _number(
        1800.0,
        0,
        604_800,
        "Age at which a connection is closed in good order, give or take a tenth, so that gateways find new replicas. "
        "0: never.",
    )
    max_connection_age_grace_s: Number = _number(
        60.0,
        0,
        3600,
        "How long streams of a connection that has reached its age are kept; a login always has the time it may take.",
    )


@dataclass(frozen=True, slots=True, config=_CLOSED)
class HttpConfig:
    """What clients of the HTTP port may take."""

    max_connections: Whole = _number(
        1024, 1, 65_536, "Connections at a time; one more closes the one that has waited longest for a request."
    )
    request_s: Number = _number(
        10.0, 0.1, 600, "How long a request may take to arrive; a connection whose request takes longer is closed."
    )
    idle_s: Number = _number(75.0, 0.1, 3600, "How long a connection is kept between two requests.")


@dataclass(frozen=True, slots=True, config=_CLOSED)
class RpcConfig:
    """How calls are taken in."""

    front: OneOf[Literal["fast", "stock"]] = _setting(
        "fast",
        "fast: our own accept loop on private names of grpcio, where the installed build was tested with it; stock: "
        "grpc.aio alone, which takes about a fifth more of the processor for each login.",
    )


@dataclass(frozen=True, slots=True, config=_CLOSED)
class DrainConfig:
    """What comes before the drain."""

    delay_s: Number = _number(
        1.0,
        0,
        600,
        "How long after SIGTERM new logins are still decided, while health and /readyz say that no more should come.",
    )


@dataclass(frozen=True, slots=True, config=_CLOSED)
class CatalogConfig:
    """What is asked of the tenants' store."""

    allow_empty: Switch = _setting(
        False, "Whether a daemon whose store has no tenant is ready; a daemon without a store never is."
    )


@dataclass(frozen=True, slots=True, config=_CLOSED)
class ContinuationConfig:
    """How suspended logins are kept by the gateway."""

    keys_file: OptionalPath = _setting(
        "",
        "Keys that seal suspended logins, one a line: the first seals, all open. None: a key that ends with the "
        "process, and with it every login that it suspended.",
    )
    lifetime_s: Number = _number(
        900.0, 1, MAX_LIFETIME_S, "How long a suspended login may be continued, by its user's return."
    )


@dataclass(frozen=True, slots=True, config=_CLOSED)
class LogConfig:
    """What is written about it."""

    format: OneOf[Literal["auto", "json", "console"]] = _setting("auto", "auto: console on a terminal, otherwise json.")
    level: OneOf[Literal["debug", "info", "warning", "error"]] = _setting("info", "Least severe line that is written.")
    sample: Number = _number(
        1.0, 0, 1, "Share of login.decided lines that is written; degraded logins are always written."
    )


@dataclass(frozen=True, slots=True, config=_CLOSED)
class Config:
    """The effective configuration."""

    listen: Address = _setting("127.0.0.1:50051", "gRPC address.")
    http_listen: OptionalAddress = _setting(
        "", "HTTP address of the service in JSON, and of the other doors. None: there is no such port."
    )
    metrics_listen: Address = _setting("127.0.0.1:9464", "HTTP address of /metrics, /livez and /readyz.")
    store: Store = _setting("sqlite:vestibule.db", "Where the tenants' flows are.")
    drain_s: Number = _number(10.0, 0, 3600, "How long logins in flight may take once draining begins.")
    sandbox: SandboxConfig = Field(default_factory=SandboxConfig)
    pool: PoolConfig = Field(default_factory=PoolConfig)
    limits: LimitsConfig = Field(default_factory=LimitsConfig)
    grpc: GrpcConfig = Field(default_factory=GrpcConfig)
    http: HttpConfig = Field(default_factory=HttpConfig)
    rpc: RpcConfig = Field(default_factory=RpcConfig)
    drain: DrainConfig = Field(default_factory=DrainConfig)
    catalog: CatalogConfig = Field(default_factory=CatalogConfig)
    continuation: ContinuationConfig = Field(default_factory=ContinuationConfig)
    log: LogConfig = Field(default_factory=LogConfig)


_READ: Final = TypeAdapter(Config)


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One line of the reference. `key` is its path in the file, such as `sandbox.memory_bytes`."""

    key: str
    field: FieldInfo
    default: Any
    doc: str
    kind: str

    @property
    def env(self) -> str:
        """The environment variable."""
        return ENV_PREFIX + self.key.replace(".", "_").upper()

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return "--" + self.key.replace(".", "-").replace("_", "-")

    def text(self, value: Any) -> str:
        """Write a value the way it is read."""
        return wording_of(self.field).text(value)


SECTIONS: Final = {
    name: type(section)
    for name in Config.__dataclass_fields__
    if dataclasses.is_dataclass(section := getattr(Config(), name))
}
"""The settings that are tables in the file."""


def _declared(section: type, prefix: str = "") -> Iterator[Setting]:
    fields: Mapping[str, FieldInfo] = section.__pydantic_fields__  # type: ignore[attr-defined]  # of every section
    for name, field in fields.items():
        if name not in SECTIONS or prefix:
            wording = wording_of(field)
            kind = wording.filled(wording.name, field)
            yield Setting(prefix + name, field, field.default, field.description or "", kind)


SETTINGS: Final = (
    *_declared(Config),
    *(setting for name, section in SECTIONS.items() for setting in _declared(section, f"{name}.")),
)
_BY_KEY: Final = {setting.key: setting for setting in SETTINGS}
_BY_ENV: Final = {setting.env: setting for setting in SETTINGS}


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and for each key where its value came from."""

    config: Config
    sources: Mapping[str, str]
    ignored: tuple[Fault, ...] = ()
    """Variables with our prefix that nothing reads: misspelt, or of another version."""

    def value(self, key: str) -> Any:
        """Return the effective value of a setting."""
        return attrgetter(key)(self.config)


def load(
    *, file: Path | None = None, env: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
) -> Loaded:
    """Read file, environment and flags (by key, unset ones absent or None) into one configuration.

    Raises: ConfigError, with every fault of every source. A variable that is no setting is none: a platform may put
    anything there, and that must not stop a daemon; see `Loaded.ignored`.
    """
    env = env or {}
    if file is None and env.get("VESTIBULE_CONFIG"):
        file = Path(env["VESTIBULE_CONFIG"])
    in_file, faults = _of_file(file)
    in_env = {setting.key: env[name] for name, setting in sorted(_BY_ENV.items()) if name in env}
    in_flags = {key: value for key, value in (flags or {}).items() if value is not None}
    ignored = tuple(
        Fault(f"environment {name}", "is not a setting" + _nearest(name, _BY_ENV))
        for name in sorted(env)
        if name.startswith(ENV_PREFIX) and name not in _BY_ENV and not is_injected(name, env)
    )
    values: dict[str, Any] = {}
    sources = {setting.key: "default" for setting in SETTINGS}
    for source, found in ((f"file {file}, {{key}}", in_file), ("environment {env}", in_env), ("flag {flag}", in_flags)):
        places = {s.key: source.format(key=s.key, env=s.env, flag=s.flag) for s in SETTINGS}
        faults += [Fault(places.get(key, f"file {file}, {key}"), message) for key, message in _faults(found)]
        values |= found
        sources |= {key: places[key] for key in found if key in places}
    if not faults:
        config = _READ.validate_python(_nested(values))
        faults = _contradictions(config, sources)
    if faults:
        raise ConfigError([*faults, *ignored])
    return Loaded(config, sources, ignored)


def _of_file(path: Path | None) -> tuple[dict[str, Any], list[Fault]]:
    """Return what the file holds by key, and why it cannot be read."""
    if path is None:
        return {}, []
    try:
        document = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        why = f"cannot be read: {error.strerror}; give another path with --config"
    except UnicodeDecodeError:
        why = "is not UTF-8 text; write it as TOML"
    except tomllib.TOMLDecodeError as error:
        why = f"is not TOML: {error}"
    else:
        values: dict[str, Any] = {}
        for name, value in document.items():
            table = isinstance(value, dict) and name in SECTIONS
            values |= {f"{name}.{key}": inner for key, inner in value.items()} if table else {name: value}
        return values, []
    return {}, [Fault(f"file {path}", why)]


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Put the values of each section into a table of their own, as the model has them."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        table = found.setdefault(section, {}) if section else found
        table[name] = value
    return found


def _faults(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say what is wrong with the values of one source, by key."""
    try:
        _READ.validate_python(_nested(found))
    except ValidationError as refused:
        for error in refused.errors(include_url=False):
            key = ".".join([part for part in error["loc"] if isinstance(part, str)])
            if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
                message = "is not a setting" + _nearest(key, _BY_KEY)
            elif key in SECTIONS:
                message = f"is not a table; write [{key}] and its keys below it"
            else:
                field = _BY_KEY[key].field
                message = wording_of(field).explain(error, field)
            yield key, message


def _nearest(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known, 0.6)
    return f"; did you mean {near}?" if near else "; `vestibule check-config --reference` lists them all"


def _contradictions(config: Config, sources: Mapping[str, str]) -> list[Fault]:
    """Name settings that are right alone and wrong together."""
    faults = []

    def at_most(low: str, high: str, remedy: str) -> None:
        least, most = attrgetter(low)(config), attrgetter(high)(config)
        if least > most:
            message = f"{least} is more than {high} {most} ({sources[high]}); {remedy}"
            faults.append(Fault(f"{low} ({sources[low]})", message))

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
    taken = {config.listen: "gRPC"}
    for setting, name in (("metrics_listen", "metrics"), ("http_listen", "HTTP")):
        address = getattr(config, setting)
        if address and address in taken and split_address(address)[1] != 0:
            where = f"{setting} ({sources[setting]})"
            faults.append(Fault(where, f"{address} is also the {taken[address]} address; choose another port"))
        taken.setdefault(address, name)
    return faults
