"""`vestibule apply`: put a directory of tenants into the store; a running daemon follows by itself."""

import argparse
import os

from runtime.commands.output import Exit, fault_json, plural, say, say_json
from runtime.commands.settings import add_settings, loaded
from runtime.errors import CatalogError

NAME = "apply"
HELP = "put a directory of tenants into the store"
DESCRIPTION = """\
Read every TENANT/tenant.yaml and TENANT/actions/NAME.py of a directory, or of one tenant's own directory, compile each
action in a sandboxed worker, and put them into the store in one transaction. A directory with any fault is refused
whole, with every fault listed (exit 3); so is a store that cannot be written (exit 1). Running daemons see the change
within two seconds."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("directory", metavar="DIR", help="directory of tenants, or one tenant's directory")
    parser.add_argument("--prune", action="store_true", help="remove tenants that the directory does not have")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings(parser, only=("store",))


def run(args: argparse.Namespace) -> int:
    """Load, check and apply."""
    config = loaded(args).config
    from runtime import local
    from runtime.catalog import directory, sqlite

    try:
        definitions = directory.load(args.directory, local.run_sync_check, os.environ)
    except CatalogError as error:
        if not args.json:
            raise
        say_json({"ok": False, "faults": [fault_json(fault) for fault in error.faults]})
        return Exit.CHECK_FAILED
    result = sqlite.apply(config.store.removeprefix("sqlite:"), definitions, prune=args.prune)
    if args.json:
        lists = {name: list(getattr(result, name)) for name in ("created", "changed", "unchanged", "pruned")}
        say_json({"ok": True, "revision": result.revision, "store": config.store, **lists})
        return Exit.OK
    for name in ("created", "changed", "pruned"):
        for tenant in getattr(result, name):
            say(f"{name} {tenant}")
    say(f"{plural(len(definitions), 'tenant')}: {config.store} is at revision {result.revision}")
    return Exit.OK
