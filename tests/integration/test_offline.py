"""`vestibule run` and `vestibule check`: the daemon's sandbox without a daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from runtime.cli import main
from tests.fixtures.commands import vestibule

if TYPE_CHECKING:
    from pathlib import Path

EVENT: dict[str, Any] = {"user": {"user_id": "u"}, "client": {"client_id": "app"}}
ACTION = """
import random
from datetime import datetime, timezone

def on_execute_post_login(event, api):
    print("now", datetime.now(timezone.utc).isoformat(), random.random())
    if event.user.user_metadata.get("use_mfa"):
        # vestibule: allow mfa-on-refresh tests log in by browser
        api.multifactor.enable("any", allow_remember_browser=False)
    if event.secrets.get("CODE"):
        api.access.deny(event.secrets["CODE"])
"""

TENANT = """
tenant: acme
login_experience: new
mfa: {policy: never, factors: [otp, email]}
flows:
  post_login:
    - {action: first, on_error: require_mfa}
    - {action: second, on_error: deny, timeout_ms: 500}
"""


def results(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.fixture
def action(tmp_path: Path) -> str:
    """An action's file."""
    path = tmp_path / "greet.py"
    path.write_text(ACTION)
    return str(path)


def test_run_prints_one_line_for_each_event(action: str) -> None:
    """Arguments are printed by their Python names as the author gave them, and omitted ones are absent."""
    event = EVENT | {"user": {"user_id": "u", "user_metadata": {"use_mfa": True}}}
    run = vestibule("run", action, "--events", "-", stdin=f"{json.dumps(event)}\n\n{json.dumps({'event': event})}\n")
    assert run.returncode == 0, run.stderr
    first, second = results(run)
    assert first["verdict"] == second["verdict"] == "completed"
    assert first["commands"] == [
        {"op": "multifactor.enable", "args": {"provider": "any", "allow_remember_browser": False}}
    ]
    assert first["error"] is None
    assert set(first) == {"verdict", "commands", "output", "error"}


def test_run_is_repeatable_with_clock_and_seed(action: str) -> None:
    """The same event, clock and seed give the same bytes; another seed gives others."""
    line = {"event": EVENT, "now": "2026-01-31T12:00:00Z", "seed": 7}
    text = "".join(json.dumps(row) + "\n" for row in (line, line, {**line, "seed": 8}))
    first, second, third = results(vestibule("run", action, "--events", "-", stdin=text))
    assert first == second
    assert first["output"].startswith("now 2026-01-31T12:00:00+00:00 ")
    assert third["output"] != first["output"]


def test_run_gives_secrets_to_the_action(action: str) -> None:
    """`secrets` of a line reach the action and do not stay for the next line."""
    text = json.dumps({"event": EVENT, "secrets": {"CODE": "s3cret"}}) + "\n" + json.dumps({"event": EVENT}) + "\n"
    with_secret, without = results(vestibule("run", action, "--events", "-", stdin=text))
    assert with_secret["commands"] == [{"op": "access.deny", "args": {"reason": "s3cret"}}]
    assert without["commands"] == []


def test_run_keeps_lines_in_step_when_one_is_bad(action: str) -> None:
    """A line that is no event answers with what is wrong with it; the others are run, and the exit code says so."""
    good = json.dumps(EVENT)
    run = vestibule("run", action, "--events", "-", stdin=f'{good}\n{{oops\n{{"user": {{"email": 5}}}}\n{good}\n{{}}\n')
    assert run.returncode == 2
    rows = results(run)
    assert [row["verdict"] for row in rows] == [
        "completed",
        "invalid_input",
        "invalid_input",
        "completed",
        "invalid_input",
    ]
    assert "email" in rows[2]["error"]["message"]
    assert rows[4]["error"]["message"] == "event.user.user_id: is absent; send the id of the user who logs in"


FAILURES = {
    "raised": ("    1 / 0\n", "ZeroDivisionError", 2),
    "timed_out": ("    while True:\n        pass\n", "BudgetExceeded", None),
    "exhausted": ("    x = 'x' * 1000000\n    y = x * 200\n", "MemoryLimitExceeded", 3),
    "rejected": ("    import os\n", "Rejected", 2),
}


@pytest.mark.parametrize("verdict", FAILURES)
def test_run_names_what_went_wrong_and_where(tmp_path: Path, verdict: str) -> None:
    """A failure is a verdict with the kind of the error, its message and its line."""
    body, kind, line = FAILURES[verdict]
    path = tmp_path / "bad.py"
    path.write_text(f"def on_execute_post_login(event, api):\n{body}")
    (row,) = results(vestibule("run", str(path), "--events", "-", stdin=json.dumps(EVENT)))
    assert row["verdict"] == verdict
    assert row["error"]["type"] == kind
    assert row["error"]["message"]
    assert line is None or row["error"]["line"] == line
    assert row["commands"] == []


def test_run_of_a_tenant_prints_the_decision_of_its_flow(tmp_path: Path) -> None:
    """The whole flow is folded as in the daemon; secrets are given by action."""
    folder = tmp_path / "acme"
    (folder / "actions").mkdir(parents=True)
    (folder / "tenant.yaml").write_text(TENANT)
    (folder / "actions" / "first.py").write_text(ACTION)
    (folder / "actions" / "second.py").write_text("def on_execute_post_login(event, api):\n    event.nope\n")
    line = {
        "event": EVENT | {"user": {"user_id": "u", "user_metadata": {"use_mfa": True}}},
        "secrets": {"first": {"CODE": "no"}},
    }
    text = json.dumps(line) + "\n" + json.dumps({"event": EVENT}) + "\n"
    run = vestibule("run", str(folder), "--events", "-", stdin=text)
    assert run.returncode == 0, run.stderr
    denied, failed = results(run)
    assert denied["outcome"] == "OUTCOME_DENY"
    assert denied["denial"]["description"] == "no"
    assert [report["verdict"] for report in denied["executions"]] == ["VERDICT_COMPLETED", "VERDICT_SKIPPED"]
    assert failed["outcome"] == "OUTCOME_DENY"
    assert failed["degraded"] is True
    assert failed["executions"][1]["error"]["line"] == 2


SUSPENDS = """
def on_execute_post_login(event, api):
    api.authentication.challenge_with({"type": "otp"})
    api.user.set_user_metadata("challenged", True)
"""
REDIRECTS = """
def on_execute_post_login(event, api):
    api.redirect.send_user_to("https://example.com/terms", query={"user": event.user.user_id})

def on_continue_post_login(event, api):
    api.user.set_user_metadata("terms", event.request.body.get("terms"))
"""


def test_run_of_a_tenant_continues_with_a_suspended_flow(tmp_path: Path) -> None:
    """A line with `completed` continues what the line before suspended, as a gateway would, and is held to it."""
    folder = tmp_path / "acme"
    (folder / "actions").mkdir(parents=True)
    (folder / "tenant.yaml").write_text(TENANT)
    (folder / "actions" / "first.py").write_text(SUSPENDS)
    (folder / "actions" / "second.py").write_text(REDIRECTS)
    user = {"user_id": "auth0|1", "enrolledFactors": [{"type": "otp"}]}
    back = {"event": EVENT | {"user": user, "request": {"body": {"terms": "accepted"}}}}
    lines = [
        {"event": EVENT | {"user": user}},
        {"event": EVENT | {"user": user}, "completed": ["otp"]},
        {**back, "completed": []},
        {**back, "completed": []},
        {"event": EVENT | {"user": user}},
        {"event": EVENT | {"user": user}, "completed": ["phone"]},
        {"event": EVENT | {"user": user}},
        {"event": EVENT | {"user": {"user_id": "auth0|2"}}, "completed": ["otp"]},
    ]
    run = vestibule("run", str(folder), "--events", "-", stdin="".join(json.dumps(line) + "\n" for line in lines))
    assert run.returncode == 2, run.stderr
    challenged, redirected, ended, nothing, _, wrong, _, another = results(run)
    step = {"kind": "KIND_CHALLENGE", "factors": [{"factor": "FACTOR_OTP"}]}
    assert challenged["suspension"]["mfa"]["steps"] == [step]
    assert redirected["suspension"]["redirect"]["url"] == "https://example.com/terms?user=auth0%7C1"
    assert ended["outcome"] == "OUTCOME_ALLOW"
    assert ended["onAnyOutcome"]["userMetadata"] == {"challenged": True, "terms": "accepted"}
    assert "suspended none" in nothing["error"]["message"]
    assert "does not satisfy" in wrong["error"]["message"]
    assert "another user" in another["error"]["message"]


CACHES = """
def on_execute_post_login(event, api):
    record = api.cache.get("seen")
    api.user.set_user_metadata("before", record.value if record else None)
    api.cache.set("seen", event.user.user_id)
    api.authentication.challenge_with({"type": "otp"})
"""
READS = """
def on_execute_post_login(event, api):
    api.user.set_user_metadata("after", api.cache.get("seen").value)
"""


def test_run_of_a_tenant_keeps_the_cache_for_one_login(tmp_path: Path) -> None:
    """What is cached is there when the flow is continued, and not in the next line's login, which repeats."""
    folder = tmp_path / "acme"
    (folder / "actions").mkdir(parents=True)
    (folder / "tenant.yaml").write_text(TENANT)
    (folder / "actions" / "first.py").write_text(CACHES)
    (folder / "actions" / "second.py").write_text(READS)
    line = {"event": EVENT | {"user": {"user_id": "auth0|1", "enrolledFactors": [{"type": "otp"}]}}}
    lines = [line, {**line, "completed": ["otp"]}] * 2
    run = vestibule("run", str(folder), "--events", "-", stdin="".join(json.dumps(line) + "\n" for line in lines))
    for ended in results(run)[1::2]:
        assert ended["onAnyOutcome"]["userMetadata"] == {"before": None, "after": "auth0|1"}


def test_run_of_a_tenant_resolves_for_a_gateway(tmp_path: Path) -> None:
    """A line that says what the gateway knows gets the outcome that the daemon would give."""
    folder = tmp_path / "acme"
    (folder / "actions").mkdir(parents=True)
    (folder / "tenant.yaml").write_text(TENANT.replace("never", "always"))
    (folder / "actions" / "first.py").write_text("def on_execute_post_login(event, api):\n    pass\n")
    (folder / "actions" / "second.py").write_text("def on_execute_post_login(event, api):\n    pass\n")
    line = {"event": EVENT | {"user": {"user_id": "auth0|1", "enrolledFactors": [{"type": "otp"}]}}}
    seen = "2026-01-31T11:00:00Z"
    memory = {"userId": "auth0|1", "provider": "PROVIDER_ANY", "issuedAt": seen, "lastSeenAt": seen}
    remembers = {**line, "now": "2026-01-31T12:00:00Z", "gateway": {"rememberedBrowser": memory}}
    text = "".join(json.dumps(said) + "\n" for said in (line, {**line, "gateway": {}}, remembers))
    without, empty, remembered = results(vestibule("run", str(folder), "--events", "-", stdin=text))
    for decision in (without, empty):
        assert decision["outcome"] == "OUTCOME_MFA_REQUIRED"
        assert decision["multifactor"]["challenge"] == ["FACTOR_OTP"]
    assert remembered["outcome"] == "OUTCOME_ALLOW"
    assert remembered["multifactor"]["memory"]["expiresAt"] == "2026-02-07T12:00:00Z"


def test_check_lists_every_fault_with_its_place(tmp_path: Path) -> None:
    """Faults are `file:line:col: what, why, what instead`; the exit code is 3."""
    bad = tmp_path / "bad.py"
    bad.write_text("import os\nclass A: pass\ndef on_execute_post_login(event):\n    pass\n")
    good = tmp_path / "good.py"
    good.write_text(ACTION)
    run = vestibule("check", str(bad), str(good))
    assert run.returncode == 3
    text = run.stdout + run.stderr
    assert f"{bad}:1:1: " in text
    assert f"{bad}:2:1: " in text
    assert "good.py:" not in text
    assert "Traceback" not in text
    assert vestibule("check", str(good)).returncode == 0


def test_check_survives_sources_that_are_attacks(tmp_path: Path) -> None:
    """Nesting, NUL and huge literals are faults of the file, not of the checker."""
    sources = {
        "nested.py": "x = " + "(" * 5000 + ")" * 5000,
        "nul.py": "x = 1\0",
        "long.py": "# " + "x" * 120_000,
        "deep.py": "x = " + "-" * 50_000 + "1",
    }
    for name, source in sources.items():
        (tmp_path / name).write_text(source)
    run = vestibule("check", *[str(tmp_path / name) for name in sources])
    assert run.returncode == 3
    for name in sources:
        assert f"{name}:" in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_run_says_whether_it_was_expected(action: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Exit code 4 for another verdict, 2 for a word that is none; clock, seed and secrets come by flags."""
    event, secrets = tmp_path / "event.json", tmp_path / "secrets.yaml"
    event.write_text(json.dumps(EVENT))
    secrets.write_text("CODE: closed\n")
    flags = ["run", action, "--event", str(event), "--now", "2026-01-31T12:00:00Z", "--seed", "7"]
    assert main.main([*flags, "--expect", "completed"]) == 0
    assert main.main([*flags, "--expect", "raised", "--secrets", str(secrets)]) == 4
    first, second = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert first["output"] == second["output"]
    assert first["output"].startswith("now 2026-01-31T12:00:00+00:00 ")
    assert second["commands"] == [{"op": "access.deny", "args": {"reason": "closed"}}]
    assert main.main([*flags, "--expect", "complete"]) == 2
    assert "did you mean 'completed'?" in capsys.readouterr().err
    secrets.write_text("CODE: a\nCODE: b\n")
    assert main.main([*flags, "--secrets", str(secrets)]) == 2
    assert "the key is given twice" in capsys.readouterr().err


def test_run_speaks_to_a_person_at_a_terminal(
    action: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In words there, in the way of the demo; JSON where --json asks for it."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps(EVENT | {"user": {"user_id": "u", "user_metadata": {"use_mfa": True}}}))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main.main(["run", action, "--event", str(event), "--seed", "7", "--now", "2026-01-31T12:00:00Z"]) == 0
    verdict, command, printed = capsys.readouterr().out.splitlines()
    assert (verdict, command) == (
        "COMPLETED", "  api.multifactor.enable(provider='any', allow_remember_browser=False)",
    )  # fmt: skip
    assert printed.startswith("  printed: now 2026-01-31T12:00:00+00:00 ")
    assert main.main(["run", action, "--event", str(event), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "completed"
