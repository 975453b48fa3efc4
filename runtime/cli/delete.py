"""`vestibule delete`: remove a tenant from the store. Its versions stay."""

from __future__ import annotations

import argparse

from runtime.cli.output import Exit, agrees, at_terminal, say, say_json
from runtime.cli.source_flags import add_source, opened
from runtime.cli.version_flags import add_author_flags, author_of, tenant_name
from runtime.errors import ConfigError, Fault, UnknownVersion

DESCRIPTION = """\
Remove a tenant, with its secrets: its logins are answered with NOT_FOUND within two seconds. Asks at the terminal, and
is refused elsewhere without --yes (exit 2). Its versions stay: `vestibule rollback TENANT` brings it back, and says
which secrets are gone."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("tenant", type=tenant_name, metavar="TENANT", help="the tenant")
    parser.add_argument("--yes", action="store_true", help="remove it without a question")
    add_author_flags(parser)
    add_source(parser, changes=True)


def run(args: argparse.Namespace) -> int:
    """Ask, and remove the tenant."""
    with opened(args) as source:
        if source.shown(args.tenant, None).state is None:
            raise UnknownVersion([f"there is no tenant {args.tenant!r} in the store now; `vestibule list` shows them"])
        if not args.yes and (args.json or not at_terminal() or not agrees(f"remove tenant {args.tenant}?")):
            raise ConfigError([Fault(args.tenant, "was not removed; add --yes if that is meant")])
        version = source.delete(args.tenant, author_of(args))
    if args.json:
        say_json({"ok": True, "tenant": args.tenant, "version": version.number, "revision": version.revision})
    else:
        say(f"removed {args.tenant}: version {version.number}")
    return Exit.OK
