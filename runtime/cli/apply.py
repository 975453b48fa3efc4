"""`vestibule apply`: put a directory of tenants into the store; a running daemon follows by itself."""

from __future__ import annotations

import argparse
import contextlib
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.cli import conflict, trial_flags
from runtime.cli.flags import add_settings, loaded
from runtime.cli.output import Exit, agrees, at_terminal, complain, faults_json, plural, say, say_json, warn
from runtime.cli.secret_flags import add_secret_flags, secrets_of
from runtime.cli.store_flag import STORE_SETTINGS, store_of
from runtime.cli.version_flags import add_author_flags, author_of, expectation
from runtime.errors import CatalogError, CatalogUnavailable, ConfigError, Conflict, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runtime.catalog.comparison import ApplyResult
    from runtime.catalog.directory import Tenants
    from runtime.catalog.keyed import KeyedDatabase

DESCRIPTION = """\
Read every TENANT/tenant.yaml and TENANT/actions/NAME.py of a directory, or of one tenant's own directory, compile each
action in a sandboxed worker, and put them into the store in one transaction. A directory with any fault is refused
whole, with every fault listed (exit 3); so is a store that cannot be written (exit 1). Running daemons see the change
within two seconds.

Tenants that the directory does not have stay, unless --prune removes them: that is listed and needs --yes, or an answer
at the terminal, and is refused for one tenant's own directory (exit 2). What is replaced or removed stays in the store
for 25 hours and until the next apply after that.

Each tenant that changes gets a new version, with --as and --message in its history. In a directory that `vestibule
export` made, and with --expect, an apply is refused when the tenant was changed since: what changed is shown (exit 6),
and --force replaces it.

With --gradual N the tenants stay at their versions, and what is different decides the logins of N % of their users,
until `vestibule promote`, `vestibule abandon`, or any other change. It is given up by itself when its share of denied
or degraded logins exceeds that of the others by more than --denied-points or --degraded-points. With --report-only it
decides no login: it runs after each answer, and what it would change is counted."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("directory", metavar="DIR", help="directory of tenants, or one tenant's directory")
    parser.add_argument("--prune", action="store_true", help="remove tenants that the directory does not have")
    parser.add_argument("--yes", action="store_true", help="with --prune: remove them without a question")
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be added, changed and removed, and write nothing"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--expect",
        type=expectation,
        action="append",
        default=[],
        metavar="TENANT@N",
        help="refuse if the tenant is at another version now, unless nothing changes; may be given many times",
    )
    parser.add_argument("--force", action="store_true", help="replace tenants that were changed meanwhile too")
    trial_flags.add_trial_flags(parser)
    add_author_flags(parser)
    add_secret_flags(parser)
    add_settings(parser, only=STORE_SETTINGS)


def run(args: argparse.Namespace) -> int:
    """Load, check and apply."""
    config = loaded(args).config
    from runtime.catalog import directory
    from runtime.catalog.stored_secrets import StoredSecrets
    from runtime.offline import check

    with contextlib.closing(store_of(config)) as database:
        stored = StoredSecrets(database)
        try:
            found = directory.load(args.directory, check.faults, secrets_of(args, stored=stored))
        except CatalogError as error:
            if not args.json or isinstance(error, CatalogUnavailable):
                raise
            return _refused(args, error.faults, Exit.CHECK_FAILED)
        if args.prune and trial_flags.wanted(args):
            raise ConfigError([Fault("--prune", "removes tenants, and a trial changes none; leave one of them out")])
        if args.prune and found.single:
            message = (
                f"{args.directory} is one tenant's own directory, so every other tenant of the store would be removed; "
                "apply the directory that holds all of them, or leave --prune out"
            )
            return _refused(args, [Fault("--prune", message)], Exit.USAGE)
        try:
            return _apply(args, found, database, stored.read_at)
        except Conflict as error:
            return conflict.show(database, error, as_json=args.json)


def _apply(args: argparse.Namespace, found: Tenants, database: KeyedDatabase, read_at: Mapping[str, int]) -> int:
    from runtime.catalog import applies, comparison, markers, sealed_store, versions

    folders = {
        definition.flow.tenant: Path(args.directory, *(() if found.single else (definition.flow.tenant,)))
        for definition in found.definitions
    }
    made_from = {} if args.force else markers.expected(database, folders) | dict(args.expect)
    expected = {**read_at, **made_from}
    agreed = None
    if args.dry_run or (args.prune and not args.yes):
        planned = comparison.plan(database, found.definitions, prune=args.prune)
        if args.dry_run and database.exists():
            with database.reading() as connection:
                changing = (*planned.created, *planned.changed, *planned.pruned)
                versions.refuse_conflicts(connection, expected, changing)
        if args.dry_run:
            _report(args, database.setting, planned, found.warnings)
            return Exit.OK
        if planned.pruned and not _agreed(args, planned.pruned):
            names = ", ".join(planned.pruned)
            message = f"would remove {plural(len(planned.pruned), 'tenant')}: {names}; add --yes if that is meant"
            return _refused(args, [Fault("--prune", message)], Exit.USAGE)
        agreed = planned.pruned
    if trial_flags.wanted(args):
        return trial_flags.begin(args, database, found.definitions, expected, folders)
    new = not database.exists()
    sealed_store.accept_keys(database, int(time.time()))
    result = applies.apply(
        database, found.definitions, prune=args.prune, agreed=agreed, author=author_of(args), expected=expected
    )
    trial_flags.mark(database, folders, result.versions)
    if new and not args.json:
        say(f"made the store {database.name}; a daemon that serves another one will not follow it")
    _report(args, database.setting, result, [*found.warnings, *_plain(database)])
    if not args.json:
        _say_held(database, result.changed)
    return Exit.OK


def _say_held(database: KeyedDatabase, changed: Sequence[str]) -> None:
    """Say which tenants daemons serve something else of for now."""
    from runtime.catalog import holds

    with database.reading() as connection:
        held = holds.active(connection, int(time.time()))
    for tenant in changed:
        if tenant in held:
            say(f"{tenant} is held at {held[tenant]}: what was applied takes effect then")


def _plain(database: KeyedDatabase) -> list[Fault]:
    """Say so where others could read its secrets."""
    from runtime.catalog import sealed_store

    with database.reading() as connection:
        if database.keys or not sealed_store.any_plain_secret(connection):
            return []
    message = "its secrets lie there as plain text; make a key, set catalog.keys_file and run `vestibule store seal`"
    return [Fault(f"store {database.setting}", message)]


def _agreed(args: argparse.Namespace, names: Sequence[str]) -> bool:
    if args.json or not at_terminal():
        return False
    for name in names:
        complain(f"would remove {name}")
    return agrees(f"remove {plural(len(names), 'tenant')}?")


def _refused(args: argparse.Namespace, faults: Sequence[Fault], code: Exit) -> int:
    """Say why nothing was done."""
    if args.json:
        say_json(faults_json(faults, ()))
    else:
        for fault in faults:
            complain(f"vestibule: {fault}; nothing was done")
    return code


def _report(args: argparse.Namespace, store: str, result: ApplyResult, warnings: Sequence[Fault]) -> None:
    """Print what was done, or would be."""
    if args.json:
        lists = {name: list(getattr(result, name)) for name in ("created", "changed", "unchanged", "pruned")}
        details = {tenant: [asdict(change) for change in found] for tenant, found in result.changes.items()}
        head = {"ok": True, "dry_run": args.dry_run, "revision": result.revision, "store": store}
        head["versions"] = dict(result.versions)
        say_json(head | lists | {"changes": details, "warnings": [asdict(warning) for warning in warnings]})
        return
    warn(warnings)
    for tenant in result.created:
        say(f"added {tenant}{_version(result, tenant)}")
    for tenant in result.changed:
        say(f"changed {tenant}{_version(result, tenant)}")
        for change in result.changes.get(tenant, ()):
            say(f"  {change}")
    for tenant in result.pruned:
        say(f"removed {tenant}")
    count = plural(len(result.created) + len(result.changed) + len(result.unchanged), "tenant")
    if args.dry_run:
        say(f"dry run, nothing was written: {count} would be applied; {store} is at revision {result.revision}")
    else:
        say(f"{count}: {store} is at revision {result.revision}")


def _version(result: ApplyResult, tenant: str) -> str:
    number = result.versions.get(tenant)
    return f": version {number}" if number else ""
