"""The conformance kit: the example gateway passes every case, and each wrong one fails the case that is for it."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from examples import gateway as example
from examples.gateway import Did, Gateway, Login
from vestibule.v1 import decision_pb2 as pb
from vestibule_client import (
    AllowWithoutDecision,
    AnswerMfaRequired,
    Client,
    Decided,
    IssueTokens,
    OnAnyOutcome,
    RedirectUser,
    Refuse,
    RequireMfa,
    Resume,
    Retries,
    ShowFactors,
    ShowSteps,
)
from vestibule_client.conformance import cases, command
from vestibule_client.conformance.cases import Case, ScriptError
from vestibule_client.conformance.daemon import ScriptedDaemon
from vestibule_client.conformance.run import Result, run

CASES = {case.name: case for case in cases.load()}
DEADLINE_S = 1.0
EXAMPLE = Path(example.__file__)


@pytest.fixture(scope="module")
def daemon() -> Iterator[ScriptedDaemon]:
    daemon = ScriptedDaemon()
    yield daemon
    daemon.stop()


class Written(Gateway):
    """Says what it did as it is read from a line."""

    def turn(self, said: Mapping[str, Any]) -> list[Did]:
        did: list[Did] = json.loads(json.dumps(super().turn(said)))
        return did


def results(daemon: ScriptedDaemon, login: type[Login], only: list[Case], **options: Any) -> list[Result]:
    """Run cases against a gateway in this process."""
    with Client(daemon.target, **{"deadline_s": DEADLINE_S, **options}) as client:
        return list(run(only, Written(client, login), daemon))


def test_the_example_passes_every_case(daemon: ScriptedDaemon) -> None:
    """The gateway of vestibule-client's examples does what each answer asks for."""
    assert len(CASES) > 90
    failed = [
        (result.case.name, result.faults) for result in results(daemon, Login, [*CASES.values()]) if result.faults
    ]
    assert failed == []


# -- wrong gateways ----------------------------------------------------------------------------------------------------


class Open(Login):
    """Lets a login in that it does not understand."""

    def follow(self, decided: Decided) -> Iterator[Did]:
        if isinstance(decided.step, Refuse) and decided.step.oauth_error == "server_error":
            decided = Decided(IssueTokens(), "")
        return super().follow(decided)


class Deaf(Login):
    """Shows a page that leads nowhere."""

    def follow(self, decided: Decided) -> Iterator[Did]:
        if isinstance(decided.step, Refuse) and decided.step.oauth_error == "server_error":
            return iter([{"show": "factors", "challenge": []}])
        return super().follow(decided)


class Hasty(Login):
    """Applies what is for success before the factor."""

    def follow(self, decided: Decided) -> Iterator[Did]:
        step = decided.step
        if isinstance(step, ShowFactors | AnswerMfaRequired):
            yield {"write": "recorded_methods", "members": step.on_success.recorded_methods}
        yield from super().follow(decided)


class Tardy(Login):
    """Applies what is for any outcome only after the factor."""

    def follow(self, decided: Decided) -> Iterator[Did]:
        if isinstance(decided.step, ShowFactors):
            self.late = decided.step.on_any_outcome
            decided = Decided(dataclasses.replace(decided.step, on_any_outcome=OnAnyOutcome()), "")
        yield from super().follow(decided)

    def user(self, did: Mapping[str, Any]) -> Iterator[Did]:
        yield from example.written(self.late)
        yield from super().user(did)


class Forgetful(Login):
    """Applies no effect of a refused login."""

    def follow(self, decided: Decided) -> Iterator[Did]:
        if isinstance(decided.step, Refuse):
            decided = Decided(dataclasses.replace(decided.step, on_any_outcome=OnAnyOutcome()), "")
        return super().follow(decided)


class Lenient(Login):
    """Takes a factor that failed for one that was passed."""

    def user(self, did: Mapping[str, Any]) -> Iterator[Did]:
        return super().user({"passed": ["FACTOR_OTP"]} if did.get("failed") else did)


class Impatient(Login):
    """Continues after the first of two steps."""

    def follow(self, decided: Decided) -> Iterator[Did]:
        if isinstance(decided.step, ShowSteps):
            decided = Decided(dataclasses.replace(decided.step, steps=decided.step.steps[:1]), "")
        return super().follow(decided)


class Fixed(Login):
    """Says that the user presented what was shown first."""

    def user(self, did: Mapping[str, Any]) -> Iterator[Did]:
        return super().user({**did, "passed": ["FACTOR_OTP"]} if "passed" in did else did)


class Stateless(Login):
    """Takes any state for its own."""

    def user(self, did: Mapping[str, Any]) -> Iterator[Did]:
        returned = {**did["returned"], "state": self.state} if "returned" in did else None
        return super().user({"returned": returned} if returned else did)


class Careless(Login):
    """Appends the state to a page's address as if it had no query."""

    def follow(self, decided: Decided) -> Iterator[Did]:
        for did in super().follow(decided):
            if isinstance(step := decided.step, RedirectUser):
                yield {**did, "url": f"{step.url}?state={self.state}"}
            else:
                yield did


class Unverified(Login):
    """Lets factors be enrolled before the address is proved."""

    def follow(self, decided: Decided) -> Iterator[Did]:
        step = decided.step
        if isinstance(step, ShowFactors):
            step = dataclasses.replace(step, mfa=dataclasses.replace(step.mfa, verify_email_first=False))
        elif isinstance(step, ShowSteps):
            step = dataclasses.replace(step, verify_email_first=False)
        return super().follow(Decided(step, ""))


class Clinging(Login):
    """Remembers every browser, and forgets none."""

    def follow(self, decided: Decided) -> Iterator[Did]:
        step = decided.step
        if isinstance(step, ShowFactors):
            automatic = pb.Multifactor.REMEMBER_MODE_AUTOMATIC
            mfa = dataclasses.replace(step.mfa, remember=automatic, forget_remembered_browser=False)
            step = dataclasses.replace(step, mfa=mfa)
        return super().follow(Decided(step, ""))


class Boastful(Login):
    """Says amr mfa of every login."""

    def follow(self, decided: Decided) -> Iterator[Did]:
        for did in super().follow(decided):
            yield {**did, "amr": ["mfa"]} if did.get("answer") == "tokens" else did


class Paged(Login):
    """Shows pages to a client that has none."""

    def follow(self, decided: Decided) -> Iterator[Did]:
        step = decided.step
        if isinstance(step, AnswerMfaRequired):
            step = ShowFactors(mfa=step.mfa, on_any_outcome=step.on_any_outcome, on_success=step.on_success)
        return super().follow(Decided(step, ""))


class Stuck(Login):
    """Continues with the first continuation for ever."""

    first: Resume | None = None

    def resume(self, resume: Resume, event: dict[str, Any]) -> Iterator[Did]:
        self.first = self.first or resume
        return super().resume(self.first, event)


class Restless(Login):
    """Asks again, as another login, when there was no answer."""

    def begin(self) -> Iterator[Did]:
        decided = self.vestibule.decide(self.tenant_id, self.event)
        if decided.error is not None:
            decided = self.vestibule.decide(self.tenant_id, self.event)
        return self.follow(decided)


class Nameless(Login):
    """Continues with the request id of the leg before."""

    def begin(self) -> Iterator[Did]:
        self.decided = self.vestibule.decide(self.tenant_id, self.event)
        return self.follow(self.decided)

    def resume(self, resume: Resume, event: dict[str, Any]) -> Iterator[Did]:
        first = self.decided.request_id
        return self.follow(
            self.vestibule.resume(self.tenant_id, event, resume.continuation, self.passed, request_id=first)
        )


class Blank(Login):
    """Continues without the form that was filled in, and without the page's answer."""

    def resume(self, resume: Resume, event: dict[str, Any]) -> Iterator[Did]:
        return super().resume(resume, self.event)


class Chatty(Login):
    """Asks the daemon about a factor that it must only show."""

    def user(self, did: Mapping[str, Any]) -> Iterator[Did]:
        if isinstance(self.waiting, ShowFactors):
            self.vestibule.resume(self.tenant_id, self.event, b"c1", ["FACTOR_OTP"])
        return super().user(did)


WRONG: list[tuple[type[Login], dict[str, Any], str]] = [
    (Open, {}, "outcomes/unknown-outcome"),
    (Open, {}, "outcomes/no-decision"),
    (Open, {}, "no_decision/invalid-argument"),
    (Deaf, {}, "outcomes/factors-missing"),
    (Hasty, {}, "effects/factor-passed"),
    (Hasty, {}, "effects/factor-failed"),
    (Hasty, {}, "effects/by-token"),
    (Tardy, {}, "effects/factor-passed"),
    (Forgetful, {}, "effects/deny"),
    (Forgetful, {}, "effects/session-revoked"),
    (Lenient, {}, "outcomes/mfa-required-failed"),
    (Lenient, {}, "suspensions/challenge-failed"),
    (Impatient, {}, "suspensions/two-steps"),
    (Fixed, {}, "suspensions/challenge"),
    (Stateless, {}, "suspensions/redirect-with-another-state"),
    (Careless, {}, "suspensions/redirect"),
    (Careless, {}, "suspensions/redirect-with-a-fragment"),
    (Unverified, {}, "factors/verify-email-first"),
    (Unverified, {}, "suspensions/verify-email-first"),
    (Clinging, {}, "factors/remember-none"),
    (Clinging, {}, "factors/remember-checkbox-not-ticked"),
    (Clinging, {}, "factors/forget-remembered-browser"),
    (Boastful, {}, "outcomes/allow-remembered"),
    (Paged, {}, "outcomes/mfa-required-by-token"),
    (Stuck, {}, "suspensions/suspended-again"),
    (Restless, {}, "no_decision/not-found"),
    (Nameless, {}, "suspensions/form"),
    (Blank, {}, "suspensions/form"),
    (Blank, {}, "suspensions/redirect"),
    (Chatty, {}, "outcomes/mfa-required"),
    (Login, {"fallback": AllowWithoutDecision()}, "no_decision/internal"),
    (Login, {"fallback": RequireMfa(challenge=(pb.FACTOR_OTP,))}, "no_decision/deadline-exceeded"),
    (Login, {"retries": Retries(attempts=1)}, "no_decision/unavailable-then-allow"),
    (Login, {"deadline_s": 600.0}, "outcomes/allow"),
]


@pytest.mark.parametrize(
    ("login", "options", "case"), WRONG, ids=[f"{login.__name__}-{case}" for login, _, case in WRONG]
)
def test_control_a_wrong_gateway_fails(
    login: type[Login], options: dict[str, Any], case: str, daemon: ScriptedDaemon
) -> None:
    """Each fault that a gateway can have is found by the case that is for it."""
    (result,) = results(daemon, login, [CASES[case]], **options)
    assert result.faults


def test_control_a_retry_that_does_not_wait_is_found(daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that tries again at once, and one that makes a new login of it, fail the case of a named delay."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    (result,) = results(daemon, Login, [CASES["no_decision/unavailable-then-allow"]])
    assert any("sooner than the 0.3 s" in fault for fault in result.faults)
    (result,) = results(daemon, Restless, [CASES["no_decision/unavailable-then-allow"]], retries=Retries(attempts=1))
    assert any("same request_id" in fault for fault in result.faults)


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_runs_a_gateway_of_any_language(capfd: pytest.CaptureFixture[str]) -> None:
    """It starts a process, plays the user by its standard input, and says what passed."""
    assert command.main(["--only", "outcomes/deny", "--", sys.executable, str(EXAMPLE)]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "1 passed, 0 failed"


@pytest.mark.parametrize(
    ("program", "fault"),
    [
        ("import sys; sys.exit(3)", "it has ended"),
        ("for _ in open(0): print('hello', flush=True)", "it wrote 'hello'"),
        ("for _ in open(0): print('{\"did\": 1}', flush=True)", '"did" is no list of objects'),
        ("for _ in open(0): print('{\"did\": []}', flush=True)", "it did nothing more"),
    ],
)
def test_a_gateway_that_does_not_speak_fails(program: str, fault: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A process that ends, babbles or does nothing fails with a word about it; nothing hangs."""
    assert command.main(["--only", "outcomes/deny", "--", sys.executable, "-c", program]) == 1
    out = capfd.readouterr().out
    assert fault in out
    assert "0 passed, 1 failed" in out


def test_the_command_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No such case, no command, a command that is not there, a script that cannot be read."""
    for argv, word in (
        (["--only", "nothing-like-it"], "no case has 'nothing-like-it'"),
        ([], "give the command that starts the gateway"),
    ):
        with pytest.raises(SystemExit) as ended:
            command.main(argv)
        assert ended.value.code == 2
        assert word in capsys.readouterr().err
    assert command.main(["--only", "outcomes/deny", "--", "/nowhere/at/all"]) == 2
    assert "cannot start /nowhere/at/all" in capsys.readouterr().err
    assert command.main(["--cases", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml: cannot be read" in capsys.readouterr().err
    assert command.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(CASES)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "cannot be read"),
        ("x: 1", "is no list of cases"),
        ("- {case: a, must: b, daemon: []}", "case 1: gateway is missing"),
        ("- {case: a, must: b, gateway: [], daemon: [{decision: {outcome: OUTCOME_MAYBE}}]}", "OUTCOME_MAYBE"),
        ("- {case: a, must: b, gateway: [], daemon: [{hang: true}]}", "'hang' is no member of an answer"),
        ("- 5", "case 1"),
    ],
)
def test_a_script_with_a_fault_is_refused(text: str, fault: str, tmp_path: Path) -> None:
    """Cases of one's own are read as strictly as those of the kit."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ScriptError, match=r"mine\.yaml") as refused:
        cases.load([path])
    assert fault in str(refused.value)
