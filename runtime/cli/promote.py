"""`vestibule promote`: make the version that a tenant has on trial its own."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from runtime.cli.output import Exit, say, say_json
from runtime.cli.source_flags import add_source, opened
from runtime.cli.version_flags import add_author_flags, author_of, tenant_name

DESCRIPTION = """\
Let the version that `apply --gradual` or `apply --report-only` put on trial decide every login of its tenant: a new
version with its content and its secrets. Logins that it has suspended are continued. A tenant without a version on
trial exits with 3, and says why the last one ended."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("tenant", type=tenant_name, metavar="TENANT", help="the tenant")
    add_author_flags(parser)
    add_source(parser, changes=True)


def run(args: argparse.Namespace) -> int:
    """Promote it, and say what changed."""
    with opened(args) as source:
        version = source.promote(args.tenant, author_of(args))
    if args.json:
        say_json({"ok": True} | asdict(version))
        return Exit.OK
    say(f"{version} has the content of version {version.copy_of}, which was on trial")
    for change in version.changes:
        say(f"  {change}")
    return Exit.OK
