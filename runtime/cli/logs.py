"""`vestibule logs`: what a tenant's actions did in logins, with what they printed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from runtime.cli.output import Colour, Exit, complain, flush, instant, say, say_json, source_place
from runtime.cli.source_flags import add_source, opened
from runtime.cli.version_flags import tenant_name

if TYPE_CHECKING:
    from vestibule.v1.admin_service_pb2 import KeptExecution

DESCRIPTION = """\
Show what a tenant's actions did in logins: the last executions, with verdict, error and line, and with what they
printed. With --follow, what is kept from then on too, until you interrupt it; a daemon that is replaced meanwhile is
asked again.

Daemons keep executions of the tenants that their setting log.executions names, in the store, for log.executions_s and
up to log.executions_bytes a tenant. Values of the tenant's secrets are masked. An execution is shown within about two
seconds, whichever daemon decided the login."""

_MOST: Final = 1000


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("tenant", type=tenant_name, metavar="TENANT", help="the tenant")
    parser.add_argument("--follow", "-f", action="store_true", help="show what is kept from now on too")
    parser.add_argument(
        "--last", type=_count, default=20, metavar="N", help="how many of those before, at most 1000 [20]"
    )
    parser.add_argument("--failed", action="store_true", help="only executions that failed")
    add_source(parser)


def run(args: argparse.Namespace) -> int:
    """Print each execution, as it comes."""
    shown = 0
    with opened(args) as source:
        for kept in source.executions(args.tenant, args.last, failed=args.failed, follow=args.follow):
            shown += 1
            if args.json:
                _say_json(kept)
            else:
                _say(kept)
            flush()
    if not shown:
        complain(f"vestibule: no execution of {args.tenant} is kept; is it in log.executions of its daemons?")
    return Exit.OK


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > _MOST:
        raise argparse.ArgumentTypeError(f"want a number from 0 to {_MOST}")
    return int(text)


def _say(kept: KeptExecution) -> None:
    version = f" of version {kept.tenant_version}" if kept.tenant_version else ""
    handler = ", continued" if kept.continued else ""
    request = f", request {kept.request_id}" if kept.request_id else ""
    failed = kept.verdict != "completed"
    say(
        f"{instant(kept.time.seconds)} {kept.action}{version}: {kept.verdict}{handler}, login {kept.outcome}"
        f"{request}, {kept.wall_us / 1000:.1f} ms",
        Colour.RED if failed else None,
    )
    if kept.error_type:
        where = f" ({source_place(kept.line, kept.file)})" if kept.line else ""
        say(f"  {kept.error_type}: {kept.error_message}{where}")
    for line in kept.output.splitlines():
        say(f"  | {line}")
    if kept.output_truncated:
        say("  | (cut)")


def _say_json(kept: KeptExecution) -> None:
    from google.protobuf import json_format

    say_json(json_format.MessageToDict(kept, preserving_proto_field_name=True))
