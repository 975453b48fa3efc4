"""`vestibule list`: the tenants of a store, which version each is at, who made it, and which are held."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from runtime.cli.output import Exit, instant, say, say_json, say_table
from runtime.cli.store_flag import add_store, opened

DESCRIPTION = """\
List the tenants of the store: the version that each is at, when and by whom it was made, what it is held at, and what
it has on trial. While a tenant is held, daemons serve that instead of its newest version. Nothing is changed."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Read the store and print a line for each tenant."""
    from runtime.catalog import holds, trials, versions

    with opened(args) as database, database.reading() as connection:
        listed = versions.newest(connection)
        held = holds.active(connection, int(time.time()))
        tried = trials.listed(connection)
    if args.json:
        shown = [
            asdict(version) | {"hold": _plain(held, version.tenant), "trial": _plain(tried, version.tenant)}
            for version in listed
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
            str(held.get(version.tenant, "")),
            str(tried.get(version.tenant, "")),
            version.message,
        )
        for version in listed
    ]
    say_table(rows, ("TENANT", "VERSION", "WHEN", "BY", "HELD AT", "ON TRIAL", "MESSAGE"))
    return Exit.OK


def _plain(found: Mapping[str, Any], tenant: str) -> dict[str, Any] | None:
    return asdict(found[tenant]) if tenant in found else None
