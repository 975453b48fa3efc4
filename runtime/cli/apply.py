"""`vestibule apply`: put a directory of tenants into the store; a running daemon follows by itself."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from runtime.cli import conflict, finding_formats, trial_flags
from runtime.cli.output import Exit, agrees, at_terminal, complain, plural, say, say_json
from runtime.cli.secret_flags import add_secret_flags
from runtime.cli.source_flags import add_source, opened
from runtime.cli.version_flags import add_author_flags, author_of, expectation
from runtime.errors import CatalogError, CatalogUnavailable, ConfigError, Conflict, Fault, TenantFaulty
from runtime.findings import described, excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.catalog.comparison import ApplyResult
    from runtime.cli.version_source import ReadTenants, VersionSource

DESCRIPTION = """\
Read every TENANT/tenant.yaml, TENANT/actions/NAME.py and TENANT/lib/NAME.py of a directory, or of one tenant's own
directory, compile each action in a sandboxed worker with the files of lib that it imports, and put them into the store
in one transaction. A directory with any fault is refused whole, with every fault listed (exit 3), and with --strict
each warning is a fault; so is a store that cannot be written (exit 1). Running daemons see the change within two
seconds.

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
    parser.add_argument(
        "--expect",
        type=expectation,
        action="append",
        default=[],
        metavar="TENANT@N",
        help="refuse if the tenant is at another version now, unless nothing changes; may be given many times",
    )
    parser.add_argument("--force", action="store_true", help="replace tenants that were changed meanwhile too")
    parser.add_argument("--strict", action="store_true", help="refuse warnings as faults (exit 3)")
    trial_flags.add_trial_flags(parser)
    add_author_flags(parser)
    add_secret_flags(parser)
    add_source(parser, changes=True)


def run(args: argparse.Namespace) -> int:
    """Load, check and apply."""
    with opened(args) as source:
        try:
            tenants = source.read(args)
            if args.strict and tenants.warnings:
                raise CatalogError(tenants.warnings)
        except CatalogError as error:
            if isinstance(error, CatalogUnavailable):
                raise
            return _refused(args, error.faults, Exit.CHECK_FAILED, error.warnings)
        if args.prune and trial_flags.wanted(args):
            raise ConfigError([Fault("--prune", "removes tenants, and a trial changes none; leave one of them out")])
        if args.prune and tenants.single:
            message = (
                f"{args.directory} is one tenant's own directory, so every other tenant of the store would be removed; "
                "apply the directory that holds all of them, or leave --prune out"
            )
            return _refused(args, [Fault("--prune", message)], Exit.USAGE)
        try:
            return _apply(args, tenants, source)
        except Conflict as error:
            return conflict.show(source, error, as_json=args.json)
        except TenantFaulty as error:
            # A daemon checks what it is sent.
            return _refused(args, error.faults, Exit.CHECK_FAILED)


def _apply(args: argparse.Namespace, tenants: ReadTenants, source: VersionSource) -> int:
    from runtime.catalog import markers

    expected = {} if args.force else markers.expected(source.store_id, tenants.folders) | dict(args.expect)
    agreed = None
    if args.dry_run or (args.prune and not args.yes):
        planned = source.plan(tenants, prune=args.prune, expected=expected)
        if args.dry_run:
            _report(args, source.name, planned, tenants.warnings)
            return Exit.OK
        if planned.pruned and not _agreed(args, planned.pruned):
            names = ", ".join(planned.pruned)
            message = f"would remove {plural(len(planned.pruned), 'tenant')}: {names}; add --yes if that is meant"
            return _refused(args, [Fault("--prune", message)], Exit.USAGE)
        agreed = planned.pruned
    if trial_flags.wanted(args):
        return trial_flags.begin(args, source, tenants, expected)
    done = source.apply(tenants, prune=args.prune, agreed=agreed, author=author_of(args), expected=expected)
    trial_flags.mark(source, tenants.folders, done.result.versions)
    if done.made and not args.json:
        say(f"made the store {done.made}; a daemon that serves another one will not follow it")
    _report(args, source.name, done.result, done.warnings)
    if not args.json:
        for tenant in done.result.changed:
            if tenant in done.held:
                say(f"{tenant} is held at {done.held[tenant]}: what was applied takes effect then")
    return Exit.OK


def _agreed(args: argparse.Namespace, names: Sequence[str]) -> bool:
    if args.json or not at_terminal():
        return False
    for name in names:
        complain(f"would remove {name}")
    return agrees(f"remove {plural(len(names), 'tenant')}?")


def _refused(args: argparse.Namespace, faults: Sequence[Fault], code: Exit, warnings: Sequence[Fault] = ()) -> int:
    """Say why nothing was done."""
    if args.json:
        say_json(finding_formats.as_json(faults, warnings))
        return code
    finding_formats.warn(warnings)
    for fault in faults:
        end = "; nothing was done" if len(faults) == 1 else ""
        complain(f"vestibule: {fault}{finding_formats.code(fault)}{end}")
        for line in excerpt(fault):
            complain(line)
    if len(faults) > 1:
        complain(f"vestibule: {plural(len(faults), 'fault')}; nothing was done")
    return code


def _report(args: argparse.Namespace, store: str, result: ApplyResult, warnings: Sequence[Fault]) -> None:
    """Print what was done, or would be."""
    if args.json:
        lists = {name: list(getattr(result, name)) for name in ("created", "changed", "unchanged", "pruned")}
        details = {tenant: [asdict(change) for change in found] for tenant, found in result.changes.items()}
        head = {"ok": True, "dry_run": args.dry_run, "revision": result.revision, "store": store}
        head["versions"] = dict(result.versions)
        say_json(head | lists | {"changes": details, "warnings": [described(warning) for warning in warnings]})
        return
    finding_formats.warn(warnings)
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
