"""Flags that several commands share: one for each setting, made from its declaration."""

import argparse
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from runtime.cli.output import complain
from runtime.config.kinds import SWITCH
from runtime.config.settings import SECTIONS, SETTINGS, Loaded, Setting, load


def add_settings(parser: argparse.ArgumentParser, only: Collection[str] | None = None) -> None:
    """Add `--config` and a flag for each setting, or for those named."""
    wanted = [setting for setting in SETTINGS if only is None or setting.key in only]
    parser.add_argument("--config", metavar="FILE", help="TOML file with settings (environment: VESTIBULE_CONFIG)")
    sections = dict.fromkeys(_section(setting) for setting in wanted)
    groups = {section: parser.add_argument_group(_title(section)) for section in sections}
    for setting in wanted:
        default = setting.text(setting.default) or "none"
        # A switch that is named alone is on: `--insecure`.
        alone: dict[str, Any] = {"nargs": "?", "const": "true"} if setting.kind == SWITCH else {}
        groups[_section(setting)].add_argument(
            setting.flag,
            dest=setting.key,
            metavar=_metavar(setting),
            **alone,
            help=f"{setting.doc} [{setting.kind}; {default}]".replace("%", "%%"),
        )


def _section(setting: Setting) -> str:
    return setting.key.rpartition(".")[0]


def _title(section: str) -> str:
    doc = (SECTIONS[section].__doc__ or "").rstrip(".") if section else ""
    return f"{section}: {doc[0].lower()}{doc[1:]}" if doc else "daemon"


def _metavar(setting: Setting) -> str:
    """Return what stands for the value in `--help`: its unit, its form, or N for a plain number."""
    last = setting.key.rpartition(".")[2].rpartition("_")[2]
    if setting.kind.startswith("host:port"):
        return "HOST:PORT" if "unix" not in setting.kind else "ADDRESS"
    if last not in ("ms", "s", "bytes", "uid") and setting.kind.startswith(("integer", "number")):
        return "N"
    return last.upper()


def loaded(args: argparse.Namespace, *, warn: bool = True) -> Loaded:
    """Read file, environment and the flags that were given; warn of variables that nothing reads. Raises: ConfigError.

    A command that says so in another way asks not to `warn`.
    """
    flags = {setting.key: getattr(args, setting.key, None) for setting in SETTINGS}
    found = load(file=Path(args.config) if args.config else None, env=os.environ, flags=flags)
    for fault in found.ignored if warn else ():
        complain(f"vestibule: warning: {fault}")
    return found
