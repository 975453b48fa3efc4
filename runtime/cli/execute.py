"""`vestibule execute`: ask a running daemon to decide one login, or to continue a suspended one."""

from __future__ import annotations

import argparse
import base64
import binascii
import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from runtime.cli.connection import add_connection, credentials_of, target_of
from runtime.cli.output import Exit, read_input, read_text, say_json
from runtime.errors import ConfigError, Fault

if TYPE_CHECKING:
    from vestibule.v1.decision_pb2 import Factor
    from vestibule.v1.event_pb2 import PostLoginEvent
    from vestibule.v1.runtime_service_pb2 import ContinuePostLoginResponse, ExecutePostLoginResponse, GatewayContext

DESCRIPTION = """\
Send one event, in Auth0's own JSON shape, to a running daemon and print the decision as ProtoJSON. Every decision
exits with 0; no decision with 1; a daemon that cannot be reached with 5.

To continue a login that a decision suspended, give the file that the decision was saved to by --continuation, and what
the user has presented by --completed:

  vestibule execute --tenant acme --event login.json > answer.json
  vestibule execute --tenant acme --event back.json --continuation answer.json --completed otp"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--tenant", required=True, metavar="ID", help="the tenant whose flow decides")
    parser.add_argument("--event", required=True, metavar="FILE", help="JSON of the event; - reads standard input")
    parser.add_argument("--gateway", metavar="FILE", help="ProtoJSON of a GatewayContext, what the gateway knows")
    parser.add_argument(
        "--continuation", metavar="FILE|BASE64", help="continue the suspended login of this answer, or of this token"
    )
    parser.add_argument(
        "--completed", metavar="TYPES", help="with --continuation: factors that satisfied each step, such as otp,phone"
    )
    parser.add_argument("--request-id", default="", metavar="ID", help="id for logs and the answer; chosen if absent")
    parser.add_argument("--timeout", type=_seconds, default=10.0, metavar="S", help="deadline in seconds [10]")
    parser.add_argument("--json", action="store_true", help="print the decision on one line")
    add_connection(parser)


def run(args: argparse.Namespace) -> int:
    """Send the event and print the decision."""
    from google.protobuf import json_format

    from runtime.rpc import client

    target = target_of(args)
    if args.completed and not args.continuation:
        raise ConfigError([Fault("--completed", "is for a suspended login; name it by --continuation")])
    event = _event(read_input(args.event))
    options: dict[str, Any] = {
        "gateway": _gateway(args.gateway) if args.gateway else None,
        "request_id": args.request_id,
        "timeout_s": args.timeout,
        "credentials": credentials_of(args, target),
    }
    response: ExecutePostLoginResponse | ContinuePostLoginResponse
    if args.continuation:
        token, completed = _continuation(args.continuation), _completed(args.completed or "")
        response = client.resume(target, args.tenant, event, token, completed, **options)
    else:
        response = client.execute(target, args.tenant, event, **options)
    say_json(json_format.MessageToDict(response.decision), indent=None if args.json else 2)
    return Exit.OK


def _event(text: bytes) -> PostLoginEvent:
    """Read an event as a person wrote it. Raises: InvalidEvent, naming every member that is misspelt."""
    from runtime.login import event_json

    data = event_json.decode(text)
    event_json.refuse_misspelt(data)
    return event_json.from_json(data)


def _gateway(name: str) -> GatewayContext:
    from google.protobuf import json_format
    from vestibule.v1.runtime_service_pb2 import GatewayContext

    try:
        return json_format.Parse(read_text(name), GatewayContext())
    except json_format.ParseError as error:
        raise ConfigError([Fault(name, f"is not the ProtoJSON of a GatewayContext: {error}")]) from None


def _continuation(given: str) -> bytes:
    """Read a token from the file of an answer or of its Base64, or from the argument itself."""
    text = read_text(given) if given == "-" or os.path.exists(given) else given
    if text.lstrip().startswith("{"):
        try:
            text = json.loads(text)["suspension"]["continuation"]
        except (ValueError, KeyError, TypeError):
            raise ConfigError([Fault("--continuation", f"{given} holds no decision that suspends its login")]) from None
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        fault = Fault(
            "--continuation", "is neither the file of an answer nor Base64; save the answer and name the file"
        )
        raise ConfigError([fault]) from None


def _completed(given: str) -> list[Factor]:
    from runtime.login.messages import FACTOR_TYPES

    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if name not in FACTOR_TYPES:
            raise ConfigError([Fault("--completed", f"{name!r} is no factor; write {', '.join(FACTOR_TYPES)}")])
    return [FACTOR_TYPES[name] for name in names]


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        value = float(text)
        if 0 < value <= 3600:
            return value
    raise argparse.ArgumentTypeError(f"{text[:40]!r} is no time to wait; write seconds, more than 0 and at most 3600")
