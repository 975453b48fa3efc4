"""`vestibule store`: look after a store as an operator does."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runtime.cli import store_secrets
from runtime.cli.output import Exit, say, say_json
from runtime.cli.store_flag import add_store, opened

if TYPE_CHECKING:
    from runtime.catalog.database import Database

DESCRIPTION = """\
Look after a store.

  vestibule store accept-restore    begin a new epoch, after the store was restored from a copy
  vestibule store status            say whether its secrets are sealed, and by which keys
  vestibule store seal              seal the secrets of a store that has them as plain text
  vestibule store rotate-key        seal it by the first key of the file; with --values each secret anew
  vestibule store purge             drop what was replaced for good, secrets included

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
    parsers = [accept]
    for name, purpose in store_secrets.ACTIONS.items():
        parsers.append(actions.add_parser(name, help=purpose, allow_abbrev=False))
        store_secrets.arguments(name, parsers[-1])
    for action in parsers:
        add_store(action)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    with opened(args) as database:
        if args.action in store_secrets.ACTIONS:
            return store_secrets.run(args, database)
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
