"""The demo's sample logins: their list, how a gateway sends each and comes back with its user, and what is printed.

How a login is decided is not known here: like any gateway, it asks over gRPC.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import yaml
from pydantic import TypeAdapter, ValidationError
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.runtime_service_pb2 import ContinuePostLoginResponse, ExecutePostLoginResponse

from runtime.catalog.base import Definition
from runtime.cli.decision_text import details, headline, outcome_word, word
from runtime.cli.output import flush, read_text, say, say_table
from runtime.errors import ConfigError, Fault, NoDecision
from runtime.login import event_json
from runtime.login.messages import FACTOR_TYPES
from runtime.rpc import client
from sandbox.contract import tokens

_TRY_AGAIN: Final = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"})
_TRIES: Final = 5
_RETRY_S: Final = 0.5
_STATE: Final = "state-of-the-demo"
_Ask = Callable[[], ExecutePostLoginResponse | ContinuePostLoginResponse]
_WRONG: Final = "    NOT WHAT IT SHOULD BE:"


@dataclass(frozen=True, slots=True)
class Return:
    """How the user of a login that waits comes back, and what it should lead to.

    `completed` are the factors presented. `page` is the secret that a page shares with the action, by name, and what
    the page says. `again` is the reason with which a second use of the continuation must be refused.
    """

    outcome: str
    see: str
    completed: tuple[str, ...] = ()
    page: Mapping[str, Any] | None = None
    again: str = ""

    def __str__(self) -> str:
        if self.page is not None:
            return "the user is back from the page elsewhere"
        return f"the user presents {', '.join(self.completed)}"


@dataclass(frozen=True, slots=True)
class SampleLogin:
    """One sample login, and what it should lead to. `event` is a file of the demo's events."""

    tenant: str
    event: str
    title: str
    outcome: str
    see: str
    verdicts: Mapping[str, str] = field(default_factory=dict)
    """By action, of executions that neither complete nor are skipped."""
    then: tuple[Return, ...] = ()


def logins_of(source: Path) -> list[SampleLogin]:
    """Read the list of logins. Raises: ConfigError."""
    path = source / "logins.yaml"
    try:
        return TypeAdapter(list[SampleLogin]).validate_python(yaml.safe_load(read_text(str(path)))["logins"])
    except (yaml.YAMLError, KeyError, TypeError, ValidationError) as error:
        raise ConfigError([Fault(str(path), f"is not a list of logins ({type(error).__name__})")]) from None


class DemoWalk:
    """Sends logins as a gateway does, and prints what comes back."""

    def __init__(self, target: str, events: Path, definitions: Sequence[Definition]) -> None:
        self._target = target
        self._events = events
        self._secrets = {definition.flow.tenant: definition.flow.secrets for definition in definitions}
        self._rows: list[tuple[str, str, str, str, str]] = []
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Begin no further login."""
        self._stopped.set()

    def event_file(self, login: SampleLogin) -> Path:
        """Return where a login's event is."""
        return self._events / login.event

    def all(self, logins: Sequence[SampleLogin]) -> bool:
        """Walk through every login; True when each decision is the expected one."""
        right = 0
        for number, login in enumerate(logins, 1):
            if self._stopped.is_set():
                return False
            right += self._login(number, login)
            flush()
        say()
        say_table(self._rows, ("", "TENANT", "DECISION", "TIME", "LOGIN"))
        say()
        say(f"{right} of {len(logins)} logins decided as expected")
        return right == len(logins)

    def _login(self, number: int, login: SampleLogin) -> bool:
        say()
        say(f"{number:>2}. {login.title}")
        text = read_text(str(self.event_file(login)))
        name = f"demo-{number}"
        begin = partial(client.execute, self._target, login.tenant, event_json.loads(text), request_id=name)
        decision = self._decided(str(number), login, login.title, begin)
        right = _as_expected(decision, login.outcome, login.see, login.verdicts)
        for back in login.then:
            if not right:
                break
            suspension = decision.suspension
            text = _event(text, back, suspension, self._secrets[login.tenant].get(suspension.action, {}))
            say(f"    -> {back}")
            resume = partial(
                client.resume,
                self._target,
                login.tenant,
                event_json.loads(text),
                suspension.continuation,
                [FACTOR_TYPES[name] for name in back.completed],
                request_id=name,
            )
            decision = self._decided("", login, f"  {back}", resume)
            right = _as_expected(decision, back.outcome, back.see, login.verdicts)
            if back.again:
                right = _refused(partial(resume, request_id=f"{name}-again"), back.again) and right
        return right

    def _decided(self, number: str, login: SampleLogin, title: str, ask: _Ask) -> pb.Decision:
        """Ask for a decision and print it."""
        began_s = time.perf_counter()
        decision = self._answer(ask)
        took_ms = (time.perf_counter() - began_s) * 1000
        self._rows.append((number, login.tenant, headline(decision), f"{took_ms:.1f} ms", title))
        say(f"    {login.tenant:<16} {headline(decision):<58} {took_ms:7.1f} ms")
        for line in details(decision):
            say(f"      {line}")
        return decision

    def _answer(self, ask: _Ask) -> pb.Decision:
        """Ask as a gateway does: again, where a busy machine leaves no time for an answer. Raises: NoDecision."""
        for _ in range(_TRIES - 1):
            try:
                return ask().decision
            except NoDecision as error:
                if error.code not in _TRY_AGAIN or self._stopped.wait(_RETRY_S):
                    raise
                say(f"    {error.code}: asking again")
        return ask().decision


def _as_expected(decision: pb.Decision, outcome: str, see: str, verdicts: Mapping[str, str]) -> bool:
    """Print what to see in a decision, or what is wrong with it."""
    failed = {
        report.action: word(pb.Verdict, report.verdict, "VERDICT_")
        for report in decision.executions
        if report.verdict not in (pb.VERDICT_COMPLETED, pb.VERDICT_SKIPPED)
    }
    right = outcome_word(decision) == outcome
    say(f"    {see.strip()}" if right else f"{_WRONG} expected {outcome}")
    if failed != verdicts:
        expected = ", ".join(f"{action} {verdict}" for action, verdict in verdicts.items())
        say(f"{_WRONG} expected {expected or 'no action to fail'}")
    return right and failed == verdicts


def _refused(resume: Callable[[], object], reason: str) -> bool:
    """Send the same continuation with another request; True when it is refused for this reason."""
    try:
        resume()
    except NoDecision as error:
        if reason in str(error):
            say(f"    -> the same continuation with another request: {reason}")
            return True
    say(f"{_WRONG} the same continuation with another request was not refused as {reason}")
    return False


def _event(before: str, back: Return, suspension: pb.Suspension, secrets: Mapping[str, str]) -> str:
    """Return the JSON of the event `before` as it is when the user comes back to what the login waited for."""
    now = json.loads(before)
    for factor in back.completed:
        now["authentication"]["methods"].append(
            {"name": "mfa", "type": factor, "timestamp": "2026-11-24T08:01:00.000Z"}
        )
    if back.page is not None:
        # Its own request: the page sends the user back with its answer, and with the gateway's state.
        now["request"]["query"] = _page(back.page, suspension.redirect.url, secrets) | {"state": _STATE}
    return json.dumps(now)


def _page(page: Mapping[str, Any], url: str, secrets: Mapping[str, str]) -> dict[str, str]:
    """Be the page: believe the token that came along, and sign an answer for the same login."""
    secret = secrets[page["secret"]]
    (token,) = parse_qs(urlsplit(url).query)["session_token"]
    asked = tokens.verify(token, secret)
    now_s = int(time.time())
    claims = {"iss": asked["iss"], "sub": asked["sub"], "iat": now_s, "exp": now_s + 60, "state": _STATE}
    return {"session_token": tokens.sign(claims | dict(page["says"]), secret)}
