"""`vestibule run`: run an action, or a tenant's whole flow, on events, in the same sandbox without a daemon."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.cli.output import Exit, read_text, say_json, warn
from runtime.cli.secret_flags import add_secret_flags, secrets_of
from runtime.errors import ConfigError, Fault
from runtime.workers.launch import Launched

if TYPE_CHECKING:
    from runtime.catalog.secret_values import Secrets

DESCRIPTION = """\
Run an action's file, or a tenant's directory, on one event or on each line of a file. A line is an event in Auth0's
JSON shape, or an object with `event` and perhaps `now`, `seed`, `secrets` and `handler`; members of your own, such as
an id, are passed over. For an action each line gives {"verdict", "commands", "output", "error"}; for a tenant, the
decision of the whole flow as ProtoJSON. A tenant's line may say what the gateway knows, in `gateway`, and continues
the flow that the line before it suspended if it has `completed`, the factors that were presented, such as ["otp"].
A tenant's {env: NAME} and {file: NAME} secrets read as `placeholder-of-NAME` unless a flag gives them their value.

How an execution ended is part of the result: the command exits with 0. A line that is no event gives the verdict
`invalid_input`, and the command exits with 2 when it is through."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("what", metavar="ACTION.py|TENANT_DIR", help="what to run")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--event", metavar="FILE.json", help="one event; - reads standard input")
    source.add_argument("--events", metavar="FILE.jsonl", help="an event on each line; - reads standard input")
    parser.add_argument("--json", action="store_true", help="one line for each result, on a terminal too")
    add_secret_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Run every line and print its result as it comes."""
    text = read_text(args.event or args.events)
    # First of all that takes time: it imports what it needs while this process does.
    with closing(Launched()) as ahead:
        return _run(args, text, ahead)


def _run(args: argparse.Namespace, text: str, ahead: Launched) -> int:
    import asyncio

    if args.event and not text.strip():
        raise ConfigError([Fault(args.event, "is empty; write the event as a JSON object")])
    lines: Iterable[str] = [text] if args.event else _lines(text)
    pretty = args.event is not None and sys.stdout.isatty() and not args.json
    secrets = secrets_of(args, placeholders=True)
    return asyncio.run(_run_lines(args.what, secrets, lines, 2 if pretty else None, ahead))


def _lines(text: str) -> Iterator[str]:
    # Not splitlines: U+2028 and its like may stand inside a JSON text.
    return iter(text.split("\n"))


async def _run_lines(what: str, secrets: Secrets, lines: Iterable[str], indent: int | None, ahead: Launched) -> int:
    from runtime.offline import run as offline

    path = Path(what)
    if path.is_dir():
        from runtime.catalog import directory

        found = directory.load(path, None, secrets)
        if len(found.definitions) != 1:
            message = f"holds {len(found.definitions)} tenants; name the directory of one of them"
            raise ConfigError([Fault(what, message)])
        warn(found.warnings)
        action, opening = None, offline.open_tenant(found.definitions[0], ahead=ahead)
    else:
        from runtime.catalog import tenant_texts

        action = path.stem
        source = tenant_texts.action_source(path)
        opening = offline.open_action(action, read_text(what) if source is None else source, ahead=ahead)
    invalid = False
    async with opening as runner:
        async for answer, _ in offline.run_lines(runner, lines, action=action):
            invalid = invalid or answer.get("verdict") == "invalid_input"
            say_json(answer, indent=indent)
    return Exit.USAGE if invalid else Exit.OK
