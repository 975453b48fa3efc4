"""`vestibule check-config`: what the daemon would be configured with, and where each value came from."""

import argparse
import os
from pathlib import Path
from typing import Any

from runtime.callers import caller_files
from runtime.cli.flags import add_settings, loaded
from runtime.cli.output import Exit, complain, say, say_json, say_table
from runtime.config.kinds import wording_of
from runtime.config.settings import SETTINGS, Config, Loaded, Setting
from runtime.errors import ConfigError

DESCRIPTION = """\
Read file, environment and flags exactly as `vestibule serve` does, and the files of keys, of TLS and of rules for
certificates. Print the effective configuration and where each value came from, or every fault with its source and its
remedy; faults exit with 2. A variable VESTIBULE_* that is no setting is a fault here; `serve` starts with a warning."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--reference", action="store_true", help="print every setting with its kind, default and text")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Print the reference or the effective configuration."""
    if args.reference:
        _reference(args.json)
        return Exit.OK
    found = loaded(args, warn=False)
    if found.ignored:
        raise ConfigError(found.ignored)
    if found.config.continuation.keys_file:
        from runtime.continuation import keys

        keys.read(Path(found.config.continuation.keys_file))
    caller_files.check(found.config)
    _check_store_keys(found.config)
    if args.json:
        say_json({s.key: {"value": _value(found, s), "source": found.sources[s.key]} for s in SETTINGS}, indent=2)
        return Exit.OK
    rows = [(s.key, s.text(found.value(s.key)), found.sources[s.key]) for s in SETTINGS]
    say_table(rows, ("SETTING", "VALUE", "FROM"))
    return Exit.OK


def _check_store_keys(config: Config) -> None:
    """Read the store's keys, and say so where there is none. Raises: ConfigError."""
    from runtime.catalog import store_keys

    if not store_keys.given(config.catalog, os.environ):
        complain(
            "vestibule: warning: catalog.keys_file: without a key the store's secrets are plain text; make one, set it "
            "here and run `vestibule store seal`"
        )


def _value(found: Loaded, setting: Setting) -> Any:
    """Return a value for JSON, without a password."""
    value = found.value(setting.key)
    return setting.text(value) if wording_of(setting.field).hidden else value


def _reference(as_json: bool) -> None:
    if as_json:
        entries = [
            {"key": s.key, "env": s.env, "flag": s.flag, "kind": s.kind, "default": s.default, "doc": s.doc}
            for s in SETTINGS
        ]
        say_json(entries, indent=2)
        return
    say("Flags win over the environment, the environment over the file, the file over the defaults.")
    say("The file is TOML, named by --config or VESTIBULE_CONFIG; log.level is the key `level` of its table [log].")
    say()
    for setting in SETTINGS:
        say(f"{setting.key} = {setting.text(setting.default)}")
        say(f"    {setting.doc}")
        say(f"    {setting.kind}; {setting.flag}; {setting.env}")
        say()
