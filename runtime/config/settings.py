"""Every setting of the daemon: declared once, read once into frozen values, passed on as arguments.

Here settings are read: flags win over the environment, the environment over the file, the file over the defaults.
pydantic checks each source by itself. pydantic-settings is not used: it checks only what is left when all are merged,
so it would lose where a value came from, pass over a fault that another source hides, and miss a misspelt variable.
"""

import dataclasses
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo

from runtime.config import kinds, listeners, store_url
from runtime.config.addresses import split_address, unix_path
from runtime.config.effective import Config as Config  # what `load` returns
from runtime.config.environment import ENV_PREFIX, is_injected
from runtime.config.kinds import wording_of
from runtime.errors import ConfigError, Fault
from sandbox.contract.did_you_mean import nearest

SECTIONS: Final[Mapping[str, type]] = {
    each.name: cast("type", each.default_factory)
    for each in dataclasses.fields(Config)
    if each.default_factory is not dataclasses.MISSING
}
"""The settings that are tables in the file."""


def _model(of: type, tables: Mapping[str, type[BaseModel]]) -> type[BaseModel]:
    """Make the model that reads a class of the configuration; `tables` has those of its tables."""
    known = {**vars(kinds), **vars(sys.modules[of.__module__])}
    read = {each.name: each for each in dataclasses.fields(of) if each.name not in tables}
    types = get_type_hints(of, known, include_extras=True)
    fields: dict[str, Any] = {name: (types[name], Field(each.default, **each.metadata)) for name, each in read.items()}
    fields |= {name: (table, Field(default_factory=table)) for name, table in tables.items()}
    return create_model(of.__name__, __config__=ConfigDict(extra="forbid"), **fields)


_TABLES: Final = {name: _model(section, {}) for name, section in SECTIONS.items()}
_MODEL: Final = _model(Config, _TABLES)


def _read(values: Mapping[str, Any]) -> Config:
    """Return the configuration of nested values. Raises: ValidationError."""
    found = dict(_MODEL.model_validate(values))
    return Config(
        **{name: SECTIONS[name](**dict(value)) if name in SECTIONS else value for name, value in found.items()}
    )


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
        """Write a value the way it is read, to be shown: without a password."""
        return wording_of(self.field).text(value)

    def whole(self, value: Any) -> str:
        """Write a value the way it is read, with its password: for a process of ours alone."""
        return str(value) if wording_of(self.field).hidden else self.text(value)


def _declared(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        if prefix or name not in SECTIONS:
            wording = wording_of(field)
            kind = wording.filled(wording.name, field)
            yield Setting(prefix + name, field, field.default, field.description or "", kind)


SETTINGS: Final = (
    *_declared(_MODEL),
    *(setting for name, table in _TABLES.items() for setting in _declared(table, f"{name}.")),
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
        config = _read(_nested(values))
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
        _MODEL.model_validate(_nested(found))
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
    faults += [Fault(f"{key} ({sources[key]})", message) for key, message in listeners.faults(config)]
    faults += [Fault(f"{key} ({sources[key]})", message) for key, message in store_url.faults(config)]
    if config.catalog.keys_file and config.catalog.keys_env:
        where = f"catalog.keys_env ({sources['catalog.keys_env']})"
        faults.append(Fault(where, f"catalog.keys_file ({sources['catalog.keys_file']}) is set too; leave one of them"))
    taken = {config.listen: "gRPC"}
    for setting, name in (("metrics_listen", "metrics"), ("http_listen", "HTTP")):
        address = getattr(config, setting)
        if address and address in taken and (unix_path(address) or split_address(address)[1] != 0):
            where = f"{setting} ({sources[setting]})"
            faults.append(Fault(where, f"{address} is also the {taken[address]} address; choose another one"))
        taken.setdefault(address, name)
    return faults
