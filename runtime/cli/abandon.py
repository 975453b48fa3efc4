"""`vestibule abandon`: end the trial of a tenant's version."""

from __future__ import annotations

import argparse

from runtime.cli.output import Exit, say, say_json
from runtime.cli.source_flags import add_source, opened
from runtime.cli.version_flags import add_author_flags, author_of, tenant_name

DESCRIPTION = """\
End what `apply --gradual` or `apply --report-only` began: the tenant's own version decides every login again. The
version that was on trial stays in the history. A tenant without one on trial exits with 3, and says why the last one
ended."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("tenant", type=tenant_name, metavar="TENANT", help="the tenant")
    add_author_flags(parser)
    add_source(parser, changes=True)


def run(args: argparse.Namespace) -> int:
    """End the trial."""
    with opened(args) as source:
        begun = source.abandon(args.tenant, author_of(args))
    if args.json:
        say_json({"ok": True, "tenant": args.tenant, "abandoned": begun.number})
    else:
        say(f"abandoned {args.tenant}@{begun.number}")
    return Exit.OK
