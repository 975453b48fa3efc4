"""`vestibule list`: the tenants of a store, which version each is at, who made it, and which are held."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from runtime.cli.output import Exit, instant, say, say_json, say_table
from runtime.cli.source_flags import add_source, opened

DESCRIPTION = """\
List the tenants of the store: the version that each is at, when and by whom it was made, what it is held at, and what
it has on trial. While a tenant is held, daemons serve that instead of its newest version. Nothing is changed."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_source(parser)


def run(args: argparse.Namespace) -> int:
    """Read the store and print a line for each tenant."""
    with opened(args) as source:
        listed = source.listed()
    if args.json:
        shown = [
            asdict(version) | {"hold": hold and asdict(hold), "trial": trial and asdict(trial)}
            for version, hold, trial in listed
        ]
        say_json(shown, indent=2)
        return Exit.OK
    if not listed:
        say("the store holds no tenant")
        return Exit.OK
    rows = [
        (
            version.tenant,
            str(version.number),
            instant(version.made_at),
            version.made_by or "unknown",
            str(hold or ""),
            str(trial or ""),
            version.message,
        )
        for version, hold, trial in listed
    ]
    say_table(rows, ("TENANT", "VERSION", "WHEN", "BY", "HELD AT", "ON TRIAL", "MESSAGE"))
    return Exit.OK
