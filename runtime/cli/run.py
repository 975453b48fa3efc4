"""`vestibule run`: run an action, or a tenant's whole flow, on events, in the same sandbox without a daemon."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from runtime.cli import finding_formats
from runtime.cli.output import Exit, read_text, say, say_json
from runtime.cli.secret_flags import add_secret_flags, secrets_of
from runtime.errors import ConfigError, Fault
from runtime.workers.launch import Launched
from sandbox.contract.did_you_mean import did_you_mean

DESCRIPTION = """\
Run an action's file, or a tenant's directory, on one event or on each line of a file. A line is an event in Auth0's
JSON shape, or an object with `event` and perhaps `now`, `seed`, `secrets` and `handler`; members of your own, such as
an id, are passed over. For an action each line gives {"verdict", "commands", "output", "error"}; for a tenant, the
decision of the whole flow as ProtoJSON. A tenant's line may say what the gateway knows, in `gateway`, and continues
the flow that the line before it suspended if it has `completed`, the factors that were presented, such as ["otp"].
A tenant's {env: NAME} and {file: NAME} secrets read as `placeholder-of-NAME` unless a flag gives them their value.

On a terminal the result is in words, and otherwise JSON. How an execution ended is part of the result: the command
exits with 0, or, where --expect names another verdict or outcome, with 4. A line that is no event gives the verdict
`invalid_input`, and the command exits with 2 when it is through."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("what", metavar="ACTION.py|TENANT_DIR", help="what to run")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--event", metavar="FILE.json", help="one event; - reads standard input")
    source.add_argument("--events", metavar="FILE.jsonl", help="an event on each line; - reads standard input")
    parser.add_argument("--json", action="store_true", help="one line for each result, on a terminal too")
    parser.add_argument(
        "--expect",
        metavar="WORD",
        help="exit with 4 unless each action ends with this verdict, or each flow with this outcome, such as "
        "mfa_required; `completed` of a flow: no action failed",
    )
    parser.add_argument("--now", metavar="INSTANT", help="the clock of each line that has none [the time it is]")
    parser.add_argument("--seed", metavar="SEED", help="the seed of each line that has none [another one each time]")
    parser.add_argument(
        "--secrets", metavar="FILE", help="YAML or JSON of the secrets: by name for an action, by action for a tenant"
    )
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
    return asyncio.run(_run_lines(args, lines, _defaults(args), ahead))


def _lines(text: str) -> Iterator[str]:
    # Not splitlines: U+2028 and its like may stand inside a JSON text.
    return iter(text.split("\n"))


def _defaults(args: argparse.Namespace) -> dict[str, Any]:
    """Return what each line has that says nothing else. Raises: ConfigError."""
    defaults: dict[str, Any] = {"now": args.now, "seed": args.seed}
    if args.secrets is not None:
        from runtime.catalog import yaml_file

        document = yaml_file.parse(args.secrets, read_text(args.secrets))
        if document.faults:
            raise ConfigError(document.faults)
        defaults["secrets"] = document.value
    return {name: said for name, said in defaults.items() if said is not None}


async def _run_lines(
    args: argparse.Namespace, lines: Iterable[str], defaults: Mapping[str, Any], ahead: Launched
) -> int:
    from runtime.offline import run as offline

    path = Path(args.what)
    if path.is_dir():
        from runtime.catalog import directory

        found = directory.load(path, None, secrets_of(args, placeholders=True))
        if len(found.definitions) != 1:
            message = f"holds {len(found.definitions)} tenants; name the directory of one of them"
            raise ConfigError([Fault(args.what, message)])
        finding_formats.warn(found.warnings)
        action, opening = None, offline.open_tenant(found.definitions[0], ahead=ahead)
    else:
        from runtime.catalog import tenant_texts

        action = path.stem
        source = tenant_texts.action_source(path)
        opening = offline.open_action(action, read_text(args.what) if source is None else source, ahead=ahead)
    wanted = _wanted(args.expect, action)
    say_answer = _in_words if sys.stdout.isatty() and not args.json else say_json
    invalid = unexpected = False
    async with opening as runner:
        async for answer, fine in offline.run_lines(runner, lines, action=action, defaults=defaults):
            invalid = invalid or answer.get("verdict") == "invalid_input"
            unexpected = unexpected or not wanted(answer, fine)
            say_answer(answer)
    if invalid:
        return Exit.USAGE
    return Exit.TEST_FAILED if unexpected else Exit.OK


def _wanted(word: str | None, action: str | None) -> Callable[[dict[str, Any], bool], bool]:
    """Return what holds an answer to --expect. Raises: ConfigError: the word is none."""
    if word is None:
        return lambda _answer, _fine: True
    from runtime.core.model import Verdict
    from runtime.login.messages import OUTCOMES

    verdicts = [verdict.name.lower() for verdict in Verdict]
    known = verdicts if action is not None else [*OUTCOMES, "completed"]
    if word not in known:
        what = "verdict of an action" if action is not None else "outcome of a flow"
        hint = did_you_mean(word, known)
        raise ConfigError([Fault("--expect", f"{word[:60]!r} is no {what}; want one of {', '.join(known)}{hint}")])
    if action is not None:
        return lambda answer, _fine: answer["verdict"] == word
    if word == "completed":
        return lambda _answer, fine: fine
    return lambda answer, _fine: answer.get("outcome") == f"OUTCOME_{word.upper()}"


def _in_words(answer: dict[str, Any]) -> None:
    """Print a result as `vestibule demo` does."""
    from runtime.cli import decision_text

    for line in decision_text.answer(answer):
        say(line)
