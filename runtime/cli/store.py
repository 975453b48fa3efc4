"""`vestibule store`: look after a store as an operator does."""

from __future__ import annotations

import argparse
import contextlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runtime.cli.flags import add_settings, loaded
from runtime.cli.output import Exit, say, say_json

if TYPE_CHECKING:
    from runtime.catalog.database import Database

DESCRIPTION = """\
Look after a store.

  vestibule store accept-restore    begin a new epoch, after the store was restored from a copy

A copy does not know which suspended logins were continued after it was made. So daemons refuse a store that is older
than what they serve, until accept-restore has begun a new epoch in it. Then they follow it within two seconds, without
a restart, and refuse every continuation of the epoch before: those users begin their login again. Do this after each
restore, before daemons serve the copy."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    accept = actions.add_parser(
        "accept-restore", help="begin a new epoch, after the store was restored from a copy", allow_abbrev=False
    )
    accept.add_argument("--json", action="store_true", help="print JSON")
    add_settings(accept, only=("store",))


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    from runtime.catalog.opening import open_database

    with contextlib.closing(open_database(loaded(args).config.store)) as database:
        return _accept_restore(args, database)


def _accept_restore(args: argparse.Namespace, database: Database) -> int:
    from runtime.catalog import lineage

    begun = lineage.begin_epoch(database, int(time.time()))
    applied = f"{datetime.fromtimestamp(begun.applied_at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    if args.json:
        epoch, revision = begun.mark.epoch.hex(), begun.mark.revision
        say_json({"store": database.setting, "epoch": epoch, "revision": revision, "applied_at": applied}, indent=2)
        return Exit.OK
    say(f"{database.setting} begins a new epoch at revision {begun.mark.revision}, applied {applied}")
    say("daemons follow it within two seconds; logins that were suspended before begin again")
    return Exit.OK
