"""`vestibule execute`: ask a running daemon to decide one login."""

import argparse
import os
import re

from runtime.commands.output import Exit, read_input, say
from runtime.errors import ConfigError, Fault

NAME = "execute"
HELP = "ask a running daemon to decide one login"
DESCRIPTION = """\
Send one event, in Auth0's own JSON shape, to a running daemon and print the decision as ProtoJSON. A decision exits
with 0 whatever it is; no decision with 1; a daemon that cannot be reached with 5."""
DEFAULT_TARGET = "127.0.0.1:50051"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--tenant", required=True, metavar="ID", help="the tenant whose flow decides")
    parser.add_argument("--event", required=True, metavar="FILE", help="JSON of the event; - reads standard input")
    parser.add_argument(
        "--target",
        metavar="HOST:PORT",
        help=f"the daemon (environment: VESTIBULE_TARGET; {DEFAULT_TARGET})",
    )
    parser.add_argument("--request-id", default="", metavar="ID", help="id for logs and the answer; chosen if absent")
    parser.add_argument("--timeout", type=_seconds, default=10.0, metavar="S", help="deadline in seconds [10]")
    parser.add_argument("--json", action="store_true", help="print the decision on one line")


def run(args: argparse.Namespace) -> int:
    """Send the event and print the decision."""
    from google.protobuf import json_format

    from runtime import event_json
    from runtime.rpc import client

    target = args.target or os.environ.get("VESTIBULE_TARGET") or DEFAULT_TARGET
    if not re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}", target):
        raise ConfigError(
            [Fault("--target", f"{target!r} is not an address; write host:port, such as {DEFAULT_TARGET}")]
        )
    event = event_json.loads(read_input(args.event))
    response = client.execute(target, args.tenant, event, request_id=args.request_id, timeout_s=args.timeout)
    say(json_format.MessageToJson(response.decision, indent=None if args.json else 2, ensure_ascii=False))
    return Exit.OK


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError("write seconds from 0 to 3600")
    return value
