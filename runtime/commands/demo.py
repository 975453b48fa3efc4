"""`vestibule demo`: apply the demo tenants, decide sample logins before the reader's eyes, keep serving.

Knows where the demo lies and how its list of logins looks. Must not know how a login is decided: it is a gateway like
any other, and asks over gRPC.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runtime.commands.output import Exit, read_text, say, table
from runtime.commands.settings import add_settings, loaded
from runtime.errors import ConfigError, Fault

if TYPE_CHECKING:
    from vestibule.v1 import decision_pb2, event_pb2

    from runtime.config import Config

NAME = "demo"
HELP = "decide the demo's sample logins, then keep serving"
DESCRIPTION = """\
Apply the demo tenants to a store of the demo's own (.run/demo.db), start a daemon, send it each sample login over gRPC,
print what was decided, and keep serving until Ctrl-C. The daemon's log goes to .run/demo.log.

With --once the command ends after the last login, with exit code 4 if a decision is not the one the list expects."""

_RUN_DIR: Final = Path(".run")


@dataclass(frozen=True, slots=True)
class Login:
    """One sample login, and what it should lead to."""

    tenant: str
    event_file: Path
    title: str
    outcome: str
    see: str


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--from", dest="source", metavar="DIR", help="directory of the demo [deploy/demo]")
    parser.add_argument("--once", action="store_true", help="end after the last login")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Apply, serve, walk through the logins."""
    given = loaded(args)
    source = Path(args.source) if args.source else Path(__file__).resolve().parents[2] / "deploy" / "demo"
    logins = _logins(source)
    config = given.config
    if given.sources["store"] == "default":
        _RUN_DIR.mkdir(exist_ok=True)
        config = replace(config, store=f"sqlite:{_RUN_DIR / 'demo.db'}")

    from runtime import local
    from runtime.catalog import directory, sqlite

    say(f"applying the tenants of {_shown(source / 'tenants')} to {config.store}")
    definitions = directory.load(source / "tenants", local.run_sync_check, os.environ)
    applied = sqlite.apply(config.store.removeprefix("sqlite:"), definitions, prune=True)
    names = ", ".join(definition.flow.tenant for definition in definitions)
    say(f"  {len(definitions)} tenants, catalog revision {applied.revision}: {names}")
    return _serve(config, logins, once=args.once)


def _serve(config: Config, logins: list[Login], *, once: bool) -> int:
    from runtime import daemon
    from runtime.cli import version

    result = Exit.OK

    async def walk(target: str, metrics: str) -> bool:
        nonlocal result
        if not await asyncio.to_thread(_walk, target, logins):
            result = Exit.TEST_FAILED
        say()
        if once:
            return False
        say(f"still serving: gRPC on {target}, metrics on http://{metrics}/metrics, Ctrl-C stops")
        say("try it yourself, from another terminal:")
        vestibule = _shown(Path(sys.argv[0]))
        say(f"  {vestibule} execute --tenant acme --event {_shown(logins[0].event_file)} --target {target}")
        return True

    _RUN_DIR.mkdir(exist_ok=True)
    with open(_RUN_DIR / "demo.log", "a", encoding="utf-8") as log_file:
        daemon.serve(config, version(), stream=log_file, on_started=walk)
    return result


def _logins(source: Path) -> list[Login]:
    import yaml

    path = source / "logins.yaml"
    try:
        rows: list[dict[str, Any]] = yaml.safe_load(read_text(str(path)))["logins"]
        return [
            Login(row["tenant"], source / "events" / row["event"], row["title"], row["outcome"], row["see"].strip())
            for row in rows
        ]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError([Fault(str(path), f"is not a list of logins ({type(error).__name__})")]) from None


def _walk(target: str, logins: list[Login]) -> bool:
    """Send every login and print what came back; True when each decision is the expected one."""
    from runtime import event_json
    from runtime.rpc.client import execute

    right = 0
    rows = []
    for number, login in enumerate(logins, 1):
        event: event_pb2.PostLoginEvent = event_json.loads(read_text(str(login.event_file)))
        began_s = time.perf_counter()
        decision = execute(target, login.tenant, event, request_id=f"demo-{number}").decision
        took_ms = (time.perf_counter() - began_s) * 1000
        outcome = _outcome(decision)
        expected = outcome == login.outcome
        right += expected
        rows.append((str(number), login.tenant, _headline(decision), f"{took_ms:.1f} ms", login.title))
        say()
        say(f"{number:>2}. {login.title}")
        say(f"    {login.tenant:<16} {_headline(decision):<58} {took_ms:7.1f} ms")
        for line in _details(decision):
            say(f"      {line}")
        say(f"    {login.see}" if expected else f"    NOT WHAT IT SHOULD BE: expected {login.outcome}")
    say()
    for line in table(rows, ("", "TENANT", "DECISION", "TIME", "LOGIN")):
        say(line)
    say()
    say(f"{right} of {len(logins)} logins decided as expected")
    return right == len(logins)


def _name(enum: Any, value: int, prefix: str) -> str:
    name: str = enum.Name(value)
    return name.removeprefix(prefix).lower()


def _outcome(decision: decision_pb2.Decision) -> str:
    from vestibule.v1 import decision_pb2 as pb

    return _name(pb.Outcome, decision.outcome, "OUTCOME_")


def _headline(decision: decision_pb2.Decision) -> str:
    from vestibule.v1 import decision_pb2 as pb

    words = [_outcome(decision).upper().replace("_", " ")]
    factor = decision.multifactor
    if factor.provider not in (pb.PROVIDER_UNSPECIFIED, pb.PROVIDER_NONE):
        words.append(_name(pb.Provider, factor.provider, "PROVIDER_").replace("_", "-"))
        words.append("by " + _name(pb.Multifactor.Origin, factor.origin, "ORIGIN_"))
    if decision.access.reason:
        words.append(f'"{decision.access.reason}"')
    if decision.degraded:
        words.append("(degraded)")
    return " ".join(words)


def _details(decision: decision_pb2.Decision) -> list[str]:
    from vestibule.v1 import decision_pb2 as pb

    lines = []
    factor = decision.multifactor
    if factor.factors:
        names = [_name(pb.Factor, number, "FACTOR_").replace("_", "-") for number in factor.factors]
        remember = ""
        if factor.HasField("allow_remember_browser"):
            remember = (
                "; may remember the browser" if factor.allow_remember_browser else "; never remembers the browser"
            )
        lines.append(f"offer {', '.join(names)}{remember}")
    for contribution in decision.contributions:
        won = "won" if contribution.won else "   "
        lines.append(f"{won} {contribution.action or 'tenant policy'}: {contribution.summary}")
    for report in decision.executions:
        if report.verdict == pb.VERDICT_SKIPPED:
            lines.append(f"    {report.action}: skipped")
        elif report.verdict != pb.VERDICT_COMPLETED:
            wall_ms = report.wall_time.ToMicroseconds() / 1000
            where = f" at line {report.error.line}" if report.error.line else ""
            lines.append(
                f"    {report.action}: {_name(pb.Verdict, report.verdict, 'VERDICT_').upper()} after {wall_ms:.1f} ms"
                f"{where}: {report.error.type}: {report.error.message}"
            )
    return lines


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
