"""`vestibule hold`: keep a tenant at an earlier version, or at its policy alone, for a while."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from runtime.cli.output import Exit, complain, say, say_json
from runtime.cli.source_flags import add_source, opened
from runtime.cli.version_flags import add_author_flags, author_of, span, tenant_name
from runtime.errors import ConfigError, Fault

DESCRIPTION = """\
Let daemons serve a version of a tenant instead of its newest, for a while: every daemon within a second, whatever is
applied meanwhile. With `--to policy` no action runs, and the tenant's policy alone decides. It ends by itself, by each
daemon's clock, or by --release. Secrets are the current ones; a version that names one which is gone, or
whose actions this release does not accept, is refused (exit 3), unless --force.

  vestibule hold acme --to 7 --for 2h
  vestibule hold acme --to policy --for 30m --message 'ticket 1234'
  vestibule hold acme --release"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("tenant", type=tenant_name, metavar="TENANT", help="the tenant")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--to", type=_target, metavar="N|policy", help="the version to serve, or the policy alone")
    what.add_argument("--release", action="store_true", help="serve the newest version again")
    parser.add_argument("--for", dest="span", type=span, metavar="TIME", help="for how long: 30m, 2h, 1d; at most 30d")
    parser.add_argument("--force", action="store_true", help="also at a version whose secrets or actions are at fault")
    add_author_flags(parser)
    add_source(parser, changes=True)


def run(args: argparse.Namespace) -> int:
    """Hold or release, and say what is served now."""
    if args.release:
        with opened(args) as source:
            was = source.release(args.tenant, author_of(args))
        if args.json:
            say_json({"ok": True, "tenant": args.tenant, "released": was})
        else:
            say(f"released {args.tenant}" if was else f"{args.tenant} is not held; nothing to do")
        return Exit.OK
    if args.span is None:
        raise ConfigError([Fault("--for", "is missing; write for how long, such as --for 2h")])
    number = None if args.to == "policy" else int(args.to)
    with opened(args) as source:
        held, missing = source.hold(args.tenant, number, args.span, author_of(args), force=args.force)
    if args.json:
        say_json({"ok": True, "missing_secrets": missing} | asdict(held))
        return Exit.OK
    for name in missing:
        complain(f"vestibule: warning: the secret {name} is gone; version {number} names it")
    say(f"{args.tenant} is held at {held}")
    return Exit.OK


def _target(text: str) -> str:
    if text != "policy" and not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and text != "0"):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is neither a version's number nor the word policy")
    return text
