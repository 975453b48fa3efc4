"""`vestibule export`: write tenants of the store as directories that an apply takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from runtime.cli.output import Exit, instant, plural, say, say_json
from runtime.cli.source_flags import add_source, opened
from runtime.cli.version_flags import reference
from runtime.errors import CatalogError

DESCRIPTION = """\
Write DIR/TENANT/tenant.yaml, DIR/TENANT/actions/NAME.py and DIR/TENANT/lib/NAME.py for every tenant of the store, or
for those given. Applied to the same store, the directory changes nothing. Secrets are written as references to it,
{stored: NAME}: for another store, write {env: NAME} or {file: NAME} instead. Comments, actions that no flow binds, and
lib where no bound action imports from it, are not in a store.

Each folder has a file .vestibule-version, so that an apply of it is refused when the tenant was changed since (exit 6).
A directory that holds something is left alone (exit 2), unless --force replaces the tenants in it."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("directory", metavar="DIR", help="a new or empty directory")
    parser.add_argument(
        "--tenant",
        type=reference,
        action="append",
        default=[],
        metavar="TENANT[@N]",
        help="this tenant, now or at a version; may be given many times [every tenant]",
    )
    parser.add_argument("--force", action="store_true", help="replace tenants in a directory that holds something")
    add_source(parser)


def run(args: argparse.Namespace) -> int:
    """Read the tenants and write them."""
    from runtime.catalog import markers, tenant_writer

    written = {}
    tenants = []
    with opened(args) as source:
        wanted = args.tenant or [(listed.version.tenant, None) for listed in source.listed()]
        for tenant, number in dict(wanted).items():
            version, state, _, newest, store_id = source.shown(tenant, number)
            if state is None:
                raise CatalogError([f"{version}: the tenant was removed; name a version before, {tenant}@N"])
            made = f"{version}, made {instant(version.made_at)} by {version.made_by or 'unknown'}"
            head = f"Exported by vestibule: {made}.\n{{stored: NAME}} is the secret that the store has."
            tenants.append(tenant_writer.Exported(state, head, markers.text({store_id: newest})))
            written[tenant] = version.number
    tenant_writer.export(Path(args.directory), tenants, force=args.force)
    if args.json:
        say_json({"ok": True, "directory": args.directory, "versions": written})
    else:
        for tenant, number in written.items():
            say(f"{tenant}@{number}")
        say(f"{plural(len(written), 'tenant')} written to {args.directory}")
    return Exit.OK
