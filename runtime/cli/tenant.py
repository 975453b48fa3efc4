"""`vestibule tenant`: ask a running daemon what a gateway may know of a tenant."""

from __future__ import annotations

import argparse

from runtime.cli.connection import add_connection, credentials_of, target_of
from runtime.cli.output import Exit, say_json

DESCRIPTION = """\
Ask a running daemon for a tenant, by GetTenant: its experience, factors and policy, the actions of its flow and their
fingerprint, and whether its logins can be decided now. Prints ProtoJSON. A tenant that is not there, or not this
caller's, exits with 1; a daemon that cannot be reached with 5."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("tenant", metavar="ID", help="the tenant")
    parser.add_argument("--json", action="store_true", help="print it on one line")
    add_connection(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, and print the answer."""
    from google.protobuf import json_format

    from runtime.rpc import client

    target = target_of(args)
    found = client.get_tenant(target, args.tenant, credentials=credentials_of(args, target))
    say_json(json_format.MessageToDict(found), indent=None if args.json else 2)
    return Exit.OK
