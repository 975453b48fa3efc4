"""Flags of the settings: made from the configuration's own declaration, so that there is one reference.

Knows argparse and config.SETTINGS.
"""

import argparse
from collections.abc import Iterable
from typing import Any

from runtime.cli.output import complain, load_config
from runtime.config.kinds import Float, Int, Kind
from runtime.config.settings import SETTINGS, Loaded

_GROUPS = {
    "": "daemon",
    "sandbox": "sandbox: what holds one execution",
    "pool": "pool: how many workers, and who waits",
    "limits": "limits: what a caller may ask",
    "grpc": "grpc: connections of clients",
    "drain": "drain: before the daemon ends",
    "catalog": "catalog: the tenants' store",
    "continuation": "continuation: suspended logins",
    "log": "log",
}


def add_settings(parser: argparse.ArgumentParser, only: Iterable[str] | None = None) -> None:
    """Add `--config` and a flag for each setting, or for those named."""
    wanted = None if only is None else set(only)
    parser.add_argument("--config", metavar="FILE", help="TOML file with settings (environment: VESTIBULE_CONFIG)")
    groups: dict[str, argparse._ArgumentGroup] = {}
    for setting in SETTINGS:
        if wanted is not None and setting.key not in wanted:
            continue
        name = setting.key.rpartition(".")[0]
        if name not in groups:
            groups[name] = parser.add_argument_group(_GROUPS[name])
        default = setting.kind.text(setting.default) or "none"
        groups[name].add_argument(
            setting.flag,
            dest=setting.key,
            metavar=_metavar(setting.key, setting.kind),
            help=f"{setting.doc} [{setting.kind.name}; {default}]".replace("%", "%%"),
        )


def _metavar(key: str, kind: Kind[Any]) -> str:
    """Return what stands for the value in `--help`: its unit, its form, or N for a plain number."""
    last = key.rpartition(".")[2].rpartition("_")[2]
    if kind.name == "host:port":
        return "HOST:PORT"
    if last not in ("ms", "s", "bytes", "uid") and isinstance(kind, Int | Float):
        return "N"
    return last.upper()


def loaded(args: argparse.Namespace, *, warn: bool = True) -> Loaded:
    """Read file, environment and the flags that were given; warn of variables that nothing reads. Raises: ConfigError.

    A command that says so in another way asks not to `warn`.
    """
    flags = {setting.key: getattr(args, setting.key, None) for setting in SETTINGS}
    found = load_config(args.config, flags)
    for fault in found.ignored if warn else ():
        complain(f"vestibule: warning: {fault}")
    return found
