"""`vestibule migrate`: bring the schema of a store to the newest version, or show what that would do."""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING, Any

from runtime.cli.flags import add_settings, loaded
from runtime.cli.output import Exit, complain, plural, say, say_json
from runtime.cli.store_flag import STORE_SETTINGS, store_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.catalog.database import Database
    from runtime.catalog.schema import Migration

DESCRIPTION = """\
Show which version the schema of the store has and which steps it lacks, and take them, all in one transaction or none.
Daemons of the release before keep serving: they know the schema of the release after theirs. So migrate first, then
replace one daemon after the other. An SQLite store is migrated by whichever command or daemon opens it first; a store
in PostgreSQL by this command alone, or by `apply` when its database is empty.

  vestibule migrate --dry-run       show the steps, with their SQL
  vestibule migrate                 take them

A step that daemons of the release before cannot bear is called breaking. It needs --breaking, with every daemon
stopped."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--dry-run", action="store_true", help="show the steps and their SQL, and take none")
    parser.add_argument("--breaking", action="store_true", help="take breaking steps too: every daemon is stopped")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings(parser, only=STORE_SETTINGS)


def run(args: argparse.Namespace) -> int:
    """Show, and migrate."""
    config = loaded(args).config
    from runtime.catalog import schema

    with contextlib.closing(store_of(config)) as database:
        before = database.version()
        steps = schema.MIGRATIONS[before:]
        breaking = [at for at, step in enumerate(steps, before + 1) if step.breaking] if before else []
        _show(args, database, before, steps)
        if args.dry_run or not steps:
            return Exit.OK
        if breaking and not args.breaking:
            complain(f"vestibule: step {breaking[0]} is breaking: stop every daemon, then run this with --breaking")
            return Exit.USAGE
        database.migrate()
        if not args.json:
            say(f"{database.name} has schema {schema.SCHEMA_VERSION} now")
    return Exit.OK


def _show(args: argparse.Namespace, database: Database, before: int, steps: Sequence[Migration]) -> None:
    if args.json:
        described: list[dict[str, Any]] = [
            {"version": at, "release": step.release, "breaking": step.breaking, "sql": database.sql(step)}
            for at, step in enumerate(steps, before + 1)
        ]
        say_json({"store": database.setting, "version": before, "dry_run": args.dry_run, "steps": described}, indent=2)
        return
    state = f"has schema {before}" if before else "holds nothing yet"
    say(f"{database.name} {state}; {plural(len(steps), 'step')} to take")
    for at, step in enumerate(steps, before + 1):
        say(f"  {at} (release {step.release}){' BREAKING' if step.breaking else ''}")
        if args.dry_run:
            for statement in database.sql(step):
                say(f"    {statement};")
