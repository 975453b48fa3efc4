"""Flags that several commands share: one for each setting, made from its declaration, and those of tenants' secrets."""

import argparse
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from runtime.catalog.secret_values import Secrets, allowance_lines, allowances
from runtime.cli.output import complain, read_text
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


def add_secret_flags(parser: argparse.ArgumentParser) -> None:
    """Add --secret-env, --secret-env-file and --secrets-dir."""
    group = parser.add_argument_group("secrets: what {env: NAME} and {file: NAME} of a tenant.yaml may stand for")
    group.add_argument(
        "--secret-env",
        action="append",
        default=[],
        metavar="TENANT:NAME",
        help="let this tenant read this environment variable; may be given many times",
    )
    group.add_argument(
        "--secret-env-file",
        action="append",
        default=[],
        metavar="FILE",
        help="the same, one TENANT:NAME a line; blank lines and # comments are passed over",
    )
    group.add_argument(
        "--secrets-dir", metavar="DIR", help="folder with DIR/TENANT/NAME for each {file: NAME} of a tenant"
    )


def secrets_of(args: argparse.Namespace, *, placeholders: bool = False) -> Secrets:
    """Return what the flags allow. With placeholders, a secret that no flag gives is no fault. Raises: ConfigError."""
    given = [("--secret-env", text) for text in args.secret_env]
    for file in args.secret_env_file:
        given += allowance_lines(file, read_text(file))
    directory = Path(args.secrets_dir) if args.secrets_dir else None
    return Secrets(os.environ, allowances(given), directory, placeholders)
