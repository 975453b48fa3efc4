"""`vestibule demo`: apply the demo tenants, decide and continue sample logins before the reader's eyes, keep serving.

Knows where the demo lies and how its list of logins looks. Must not know how a login is decided: it is a gateway like
any other, and asks over gRPC.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runtime.cli.output import Exit, flush, read_text, say, table, warn
from runtime.cli.secret_flags import add_secret_flags, secrets_of
from runtime.cli.settings import add_settings, loaded
from runtime.errors import ConfigError, Fault, NoDecision, StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vestibule.v1 import decision_pb2

    from runtime.catalog.base import Definition
    from runtime.cli.demo_return import Return
    from runtime.config.settings import Config

NAME = "demo"
HELP = "decide the demo's sample logins, then keep serving"
DESCRIPTION = """\
Apply the demo tenants to a store of the demo's own (.run/demo.db), start a daemon, send it each sample login over gRPC,
print what was decided, go on with those that wait for their user, and keep serving until Ctrl-C. The daemon's log goes
to .run/demo.log; it seals with a key of the demo's own (.run/continuation.keys) unless a keys file is configured.

With --once the command ends after the last login, with exit code 4 if a decision, or how an action ended, is not what
the list expects."""

_RUN_DIR: Final = Path(".run")
_TRY_AGAIN: Final = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"})
_TRIES: Final = 5
_RETRY_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Login:
    """One sample login, and what it should lead to."""

    tenant: str
    event_file: Path
    title: str
    outcome: str
    see: str
    verdicts: Mapping[str, str]
    """By action, of executions that neither complete nor are skipped."""
    then: tuple[Return, ...] = ()


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--from", dest="source", metavar="DIR", help="directory of the demo [the one that is installed]"
    )
    parser.add_argument("--once", action="store_true", help="end after the last login")
    add_secret_flags(parser)
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Apply, serve, walk through the logins."""
    given = loaded(args)
    source = Path(args.source) if args.source else _files()
    logins = _logins(source)
    config = given.config
    # Another store may hold tenants that are not the demo's: those stay.
    own_store = given.sources["store"] == "default"
    if own_store:
        _RUN_DIR.mkdir(exist_ok=True)
        config = replace(config, store=f"sqlite:{_RUN_DIR / 'demo.db'}")

    if given.sources["continuation.keys_file"] == "default":
        config = replace(config, continuation=replace(config.continuation, keys_file=str(_keys())))

    from runtime.catalog import directory, sqlite
    from runtime.offline import workbench
    from runtime.ops import listening

    try:
        listening.check_both(config)
    except StartError as error:
        remedy = "nothing was applied; `make run LISTEN=127.0.0.1:0 METRICS_LISTEN=127.0.0.1:0` takes free ports"
        raise StartError(f"{error}\n{remedy}") from None

    say(f"applying the tenants of {_shown(source / 'tenants')} to {config.store}")
    found = directory.load(source / "tenants", workbench.run_sync_check, secrets_of(args))
    warn(found.warnings)
    definitions = found.definitions
    applied = sqlite.apply(config.store.removeprefix("sqlite:"), definitions, prune=own_store)
    names = ", ".join(definition.flow.tenant for definition in definitions)
    say(f"  {len(definitions)} tenants, catalog revision {applied.revision}: {names}")
    return _serve(config, logins, definitions, once=args.once)


def _files() -> Path:
    """Return the demo's directory: in a wheel pyproject.toml puts it beside this module."""
    installed = Path(__file__).with_name("demo_files")
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "deploy" / "demo"


def _keys() -> Path:
    """Return the demo's keys file, with a key of its own when there is none yet."""
    from runtime.continuation import keys

    _RUN_DIR.mkdir(exist_ok=True)
    path = _RUN_DIR / "continuation.keys"
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(keys.text([keys.generate()]))
    return path


def _serve(config: Config, logins: list[Login], definitions: Sequence[Definition], *, once: bool) -> int:
    from runtime import daemon
    from runtime.cli.main import version

    result = Exit.OK

    async def walk(target: str, metrics: str) -> bool:
        nonlocal result
        steps = _Walk(target, definitions)
        try:
            if not await asyncio.to_thread(steps.all, logins):
                result = Exit.TEST_FAILED
        except asyncio.CancelledError:
            steps.stop()
            raise
        say()
        if once:
            return False
        say(f"still serving: gRPC on {target}, metrics on http://{metrics}/metrics, Ctrl-C stops")
        say("try it yourself, from another terminal:")
        vestibule = _shown(Path(sys.argv[0]))
        say(f"  {vestibule} execute --tenant acme --event {_shown(logins[0].event_file)} --target {target}")
        # Into a file or a pipe too: the daemon's life is long, and a buffer would keep this until its end.
        flush()
        return True

    _RUN_DIR.mkdir(exist_ok=True)
    with open(_RUN_DIR / "demo.log", "a", encoding="utf-8") as log_file:
        daemon.serve(config, version(), stream=log_file, on_started=walk)
    return result


def _logins(source: Path) -> list[Login]:
    import yaml

    from runtime.cli.demo_return import Return

    path = source / "logins.yaml"
    try:
        rows: list[dict[str, Any]] = yaml.safe_load(read_text(str(path)))["logins"]
        return [
            Login(
                row["tenant"],
                source / "events" / row["event"],
                row["title"],
                row["outcome"],
                row["see"].strip(),
                dict(row.get("verdicts", {})),
                tuple(
                    [
                        Return(
                            back["outcome"],
                            back["see"].strip(),
                            tuple(back.get("completed", ())),
                            back.get("page"),
                            back.get("again", ""),
                        )
                        for back in row.get("then", ())
                    ]
                ),
            )
            for row in rows
        ]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError([Fault(str(path), f"is not a list of logins ({type(error).__name__})")]) from None


class _Walk:
    """Sends logins as a gateway does, and prints what comes back."""

    def __init__(self, target: str, definitions: Sequence[Definition]) -> None:
        self._target = target
        self._secrets = {definition.flow.tenant: definition.flow.secrets for definition in definitions}
        self._rows: list[tuple[str, str, str, str, str]] = []
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Begin no further login."""
        self._stopped.set()

    def all(self, logins: Sequence[Login]) -> bool:
        """Walk through every login; True when each decision is the expected one."""
        right = 0
        for number, login in enumerate(logins, 1):
            if self._stopped.is_set():
                return False
            right += self._login(number, login)
            flush()
        say()
        for line in table(self._rows, ("", "TENANT", "DECISION", "TIME", "LOGIN")):
            say(line)
        say()
        say(f"{right} of {len(logins)} logins decided as expected")
        return right == len(logins)

    def _login(self, number: int, login: Login) -> bool:
        from runtime.cli import demo_return

        say()
        say(f"{number:>2}. {login.title}")
        text = read_text(str(login.event_file))
        request_id = f"demo-{number}"

        begin = partial(self._begin, login.tenant, text, request_id)
        decision, right = self._step(str(number), login, login.title, login.outcome, login.see, begin)
        for back in login.then:
            if not right:
                break
            suspension = decision.suspension
            text = demo_return.event(text, back, suspension, self._secrets[login.tenant].get(suspension.action, {}))
            say(f"    -> {back.told()}")
            resume = partial(self._resume, login.tenant, text, request_id, suspension.continuation, back.completed)
            decision, right = self._step("", login, f"  {back.told()}", back.outcome, back.see, resume)
            if back.again:
                right = _refused(resume, back.again) and right
        return right

    def _begin(self, tenant: str, event: str, request_id: str) -> decision_pb2.Decision:
        from runtime.login import event_json
        from runtime.rpc import client

        return client.execute(self._target, tenant, event_json.loads(event), request_id=request_id).decision

    def _resume(
        self, tenant: str, event: str, request_id: str, continuation: bytes, completed: Sequence[str]
    ) -> decision_pb2.Decision:
        from runtime.login import event_json
        from runtime.login.messages import FACTOR_TYPES
        from runtime.rpc import client

        numbers = [FACTOR_TYPES[name] for name in completed]
        message = event_json.loads(event)
        return client.resume(self._target, tenant, message, continuation, numbers, request_id=request_id).decision

    def _answer(self, ask: Callable[[], decision_pb2.Decision]) -> decision_pb2.Decision:
        """Ask as a gateway does: again, where a busy machine leaves no time for an answer. Raises: NoDecision."""
        for left in reversed(range(_TRIES)):
            try:
                return ask()
            except NoDecision as error:
                if error.code not in _TRY_AGAIN or not left or self._stopped.wait(_RETRY_S):
                    raise
                say(f"    {error.code}: asking again")
        raise AssertionError("the last try returns or raises")  # unreachable

    def _step(
        self,
        number: str,
        login: Login,
        title: str,
        wanted: str,
        see: str,
        ask: Callable[[], decision_pb2.Decision],
    ) -> tuple[decision_pb2.Decision, bool]:
        began_s = time.perf_counter()
        decision = self._answer(ask)
        took_ms = (time.perf_counter() - began_s) * 1000
        self._rows.append((number, login.tenant, _headline(decision), f"{took_ms:.1f} ms", title))
        say(f"    {login.tenant:<16} {_headline(decision):<58} {took_ms:7.1f} ms")
        for line in _details(decision):
            say(f"      {line}")
        right = _outcome(decision) == wanted
        say(f"    {see}" if right else f"    NOT WHAT IT SHOULD BE: expected {wanted}")
        if _failures(decision) != login.verdicts:
            right = False
            expected = ", ".join(f"{action} {verdict}" for action, verdict in login.verdicts.items())
            say(f"    NOT WHAT IT SHOULD BE: expected {expected or 'no action to fail'}")
        return decision, right


def _refused(ask: Callable[[], decision_pb2.Decision], reason: str) -> bool:
    """Send the same continuation a second time; True when it is refused for this reason."""
    try:
        ask()
    except NoDecision as error:
        if reason in str(error):
            say(f"    -> the same continuation again: {reason}")
            return True
    say(f"    NOT WHAT IT SHOULD BE: the same continuation again was not refused as {reason}")
    return False


def _name(enum: Any, value: int, prefix: str) -> str:
    name: str = enum.Name(value)
    return name.removeprefix(prefix).lower()


def _outcome(decision: decision_pb2.Decision) -> str:
    from vestibule.v1 import decision_pb2 as pb

    return _name(pb.Outcome, decision.outcome, "OUTCOME_")


def _failures(decision: decision_pb2.Decision) -> dict[str, str]:
    """Return the verdicts of the actions that did not do what they were written for."""
    from vestibule.v1 import decision_pb2 as pb

    return {
        report.action: _name(pb.Verdict, report.verdict, "VERDICT_")
        for report in decision.executions
        if report.verdict not in (pb.VERDICT_COMPLETED, pb.VERDICT_SKIPPED)
    }


def _headline(decision: decision_pb2.Decision) -> str:
    from vestibule.v1 import decision_pb2 as pb

    words = [_outcome(decision).upper().replace("_", " ")]
    factor = decision.multifactor
    if factor.provider not in (pb.PROVIDER_UNSPECIFIED, pb.PROVIDER_NONE):
        words.append(_name(pb.Provider, factor.provider, "PROVIDER_").replace("_", "-"))
        words.append("by " + _name(pb.Multifactor.Origin, factor.origin, "ORIGIN_"))
    if decision.HasField("suspension"):
        words.append(_waits_for(decision.suspension))
    if decision.access.reason:
        words.append(f'"{decision.access.reason}"')
    if decision.degraded:
        words.append("(degraded)")
    return " ".join(words)


def _waits_for(suspension: decision_pb2.Suspension) -> str:
    from vestibule.v1 import decision_pb2 as pb

    step = suspension.WhichOneof("step")
    if step == "redirect":
        return "redirect to " + suspension.redirect.url.partition("?")[0]
    if step == "prompt":
        return f"form {suspension.prompt.id}"
    screens = [
        " or ".join([_name(pb.FactorType, f.type, "FACTOR_TYPE_").replace("_", "-") for f in screen.factors])
        for screen in suspension.mfa.steps
    ]
    return ", then ".join(screens)


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
        if report.earlier:
            lines.append(f"    {report.action}: ran before the login waited")
        elif report.verdict == pb.VERDICT_SKIPPED:
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
