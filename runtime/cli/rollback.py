"""`vestibule rollback`: make an earlier version of a tenant its newest."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from runtime.cli.output import Exit, complain, say, say_json
from runtime.cli.source_flags import add_source, opened
from runtime.cli.version_flags import add_author_flags, author_of, tenant_name

DESCRIPTION = """\
Make a new version of a tenant with the content of an earlier one: the one before, or --to N. Again, it goes one version
further back. Secrets stay as they are now. A version that names a secret which is gone, or whose actions this release
does not accept, is refused (exit 3), unless --force. Daemons follow within two seconds. A tenant that was deleted comes
back the same way."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("tenant", type=tenant_name, metavar="TENANT", help="the tenant")
    parser.add_argument("--to", type=int, metavar="N", help="the version whose content it gets [the one before]")
    parser.add_argument("--force", action="store_true", help="also to a version whose secrets or actions are at fault")
    add_author_flags(parser)
    add_source(parser, changes=True)


def run(args: argparse.Namespace) -> int:
    """Go back, and say to what."""
    with opened(args) as source:
        done, held = source.roll_back(args.tenant, args.to, author_of(args), force=args.force)
    if args.json:
        say_json({"ok": True, "changed": done.changed, "missing_secrets": list(done.missing)} | asdict(done.version))
        return Exit.OK
    for name in done.missing:
        complain(f"vestibule: warning: the secret {name} is gone; version {done.to} names it")
    if not done.changed:
        say(f"nothing to do: {done.version} has what version {done.to} had, and secrets stay as they are")
        return Exit.OK
    say(f"{done.version} has the content of version {done.to}")
    for change in done.version.changes:
        say(f"  {change}")
    if held is not None:
        say(f"{args.tenant} is held at {held}: it takes effect then, or by `vestibule hold {args.tenant} --release`")
    return Exit.OK
