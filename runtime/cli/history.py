"""`vestibule history`: every version of a tenant, the newest first."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from runtime.cli.output import Exit, instant, say, say_json, say_table
from runtime.cli.source_flags import add_source, opened
from runtime.cli.version_flags import tenant_name

DESCRIPTION = """\
List the versions of a tenant, the newest first: when each was made, by whom, how and why. `vestibule show TENANT@N` has
what a version holds, `vestibule diff TENANT@N TENANT@M` what is different, `vestibule rollback TENANT --to N` goes
back to one."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("tenant", type=tenant_name, metavar="TENANT", help="the tenant")
    add_source(parser)


def run(args: argparse.Namespace) -> int:
    """Read the store and print a line for each version."""
    with opened(args) as source:
        listed, held, ended = source.history(args.tenant)
    if args.json:
        say_json([asdict(version) for version in listed], indent=2)
        return Exit.OK
    rows = [
        (
            str(version.number),
            instant(version.made_at),
            version.made_by or "unknown",
            version.how + (f" to {version.copy_of}" if version.copy_of else ""),
            version.content_hash[:12],
            version.message,
        )
        for version in listed
    ]
    say_table(rows, ("VERSION", "WHEN", "BY", "HOW", "CONTENT", "MESSAGE"))
    if held is not None:
        say(f"{args.tenant} is held at {held}")
    if ended:
        say(ended)
    return Exit.OK
