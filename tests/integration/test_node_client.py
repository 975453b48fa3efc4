"""@vestibule/client, from its packed archive: it passes the kit, and does what vestibule-client does in every case."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from vestibule.v1 import decision_pb2 as pb
from vestibule_client import NoAnswer, RequestRefused, Retries, next_step
from vestibule_client.attempts import Attempt, Pause, plan
from vestibule_client.conformance import cases
from vestibule_client.conformance.cases import Answer, Case
from vestibule_client.conformance.daemon import ScriptedDaemon
from vestibule_client.conformance.gateway import Gateway
from vestibule_client.conformance.run import run
from vestibule_client.errors import Failure

from tests import node_package
from tests.fixtures.certificates import issue

EVENT = {"user": {"user_id": "auth0|1"}, "client": {"client_id": "portal"}}
ALLOWED = Answer(decision=pb.Decision(outcome=pb.OUTCOME_ALLOW))
ALLOWING = {"fallback": {"kind": "allowWithoutDecision"}}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package installed, and its example gateway."""
    folder = tmp_path_factory.mktemp("node")
    app = folder / "app"
    app.mkdir()
    node_package.unpack(node_package.pack(folder), app)
    shutil.copy(node_package.PACKAGE / "examples" / "gateway.mjs", app)
    return app


@pytest.fixture
def daemon() -> Iterator[ScriptedDaemon]:
    daemon = ScriptedDaemon()
    yield daemon
    daemon.stop()


def scripted(daemon: ScriptedDaemon, *answers: Answer) -> ScriptedDaemon:
    daemon.begin(Case(name="", description="", event={}, daemon=answers, turns=()), "acme")
    return daemon


@pytest.mark.long
def test_its_example_gateway_passes_every_case(app: Path, daemon: ScriptedDaemon) -> None:
    """What the kit asks for, a gateway for Node does with it."""
    with Gateway([node_package.node(), str(app / "gateway.mjs")], daemon.target, 1.0) as gateway:
        failed = [(done.case.name, done.faults) for done in run(cases.load(), gateway, daemon) if done.faults]
    assert failed == []


def test_the_archive_holds_the_package_alone(app: Path) -> None:
    """Code, types and the page; no source, no test, no dependency."""
    files = {path.relative_to(app / "node_modules/@vestibule/client") for path in app.rglob("@vestibule/client/**/*")}
    assert {path.parts[0] for path in files} == {"dist", "package.json", "README.md"}
    assert {path.suffix for path in files if path.parts[0] == "dist" and path.suffix} == {".js", ".ts"}
    assert all(str(path).endswith((".js", ".d.ts")) for path in files if path.suffix in (".js", ".ts"))


# -- the same as in Python ---------------------------------------------------------------------------------------------


def kind(step: object) -> str:
    name = type(step).__name__
    return name[0].lower() + name[1:]


def plain(step: Any) -> dict[str, Any]:
    """Say of a step what a gateway acts on."""
    found: dict[str, Any] = {"kind": kind(step)}
    for name in ("oauth_error", "http_status", "description", "url", "id", "verify_email_first", "validation_code"):
        found[name] = getattr(step, name, None)
    if (mfa := getattr(step, "mfa", None)) is not None:
        found["factors"] = [[pb.Factor.Name(each) for each in which] for which in (mfa.challenge, mfa.enroll)]
        found["provider"] = pb.Provider.Name(mfa.provider)
    if (steps := getattr(step, "steps", None)) is not None:
        found["steps"] = [(kind(each), [pb.Factor.Name(one.factor) for one in each.factors]) for each in steps]
    if (effects := getattr(step, "on_any_outcome", None)) is not None:
        found["user_metadata"] = dict(effects.user_metadata)
    if (effects := getattr(step, "on_success", None)) is not None:
        found["claims"] = dict(effects.id_token_claims)
    if (resume := getattr(step, "resume", None)) is not None:
        found["continuation"] = base64.b64encode(resume.continuation).decode()
    return found


def read(step: Mapping[str, Any]) -> dict[str, Any]:
    """Say the same of a step that Node has printed."""
    found: dict[str, Any] = {"kind": step["kind"]}
    for name, here in (
        ("oauth_error", "oauthError"), ("http_status", "httpStatus"), ("description", "description"), ("url", "url"),
        ("id", "id"), ("verify_email_first", "verifyEmailFirst"), ("validation_code", "validationCode"),
    ):  # fmt: skip
        found[name] = step.get(here)
    if "mfa" in step:
        found["factors"] = [step["mfa"]["challenge"], step["mfa"]["enroll"]]
        found["provider"] = step["mfa"]["provider"]
    if "steps" in step:
        found["steps"] = [[each["kind"], [one["factor"] for one in each["factors"]]] for each in step["steps"]]
    if "onAnyOutcome" in step:
        found["user_metadata"] = step["onAnyOutcome"].get("userMetadata", {})
    if "onSuccess" in step:
        found["claims"] = step["onSuccess"].get("idTokenClaims", {})
    if "resume" in step:
        found["continuation"] = step["resume"]["continuation"]
    return found


def test_both_clients_read_the_same_step(app: Path) -> None:
    """Of every answer of the kit, and of every outcome with any kind of content."""
    decisions = [answer.decision for case in cases.load() for answer in case.daemon if answer.decision is not None]
    for outcome in range(9):
        for decision in list(decisions[:90]):
            mixed = pb.Decision()
            mixed.CopyFrom(decision)
            mixed.outcome = outcome  # type: ignore[assignment]  # unknown numbers too
            decisions.append(mixed)
    said = [base64.b64encode(decision.SerializeToString()).decode() for decision in decisions]
    steps = node_package.drive(app, "read", said)
    assert len(steps) > 800
    for decision, step in zip(decisions, steps, strict=True):
        assert read(step) == json.loads(json.dumps(plain(next_step(decision)))), decision
    assert len({step["kind"] for step in steps}) == 8


WALKS: list[tuple[list[Any], dict[str, Any]]] = [
    (["yes"], {}),
    ([{"status": "RESOURCE_EXHAUSTED", "retryAfterS": 0.25}, "yes"], {}),
    ([{"status": "UNAVAILABLE"}] * 4, {}),
    ([{"status": "UNAVAILABLE"}] * 9, {"attempts": 9, "longestDelayS": 0.25}),
    ([{"status": "UNAVAILABLE", "retryAfterS": 9}], {}),
    ([{"status": "RESOURCE_EXHAUSTED"}], {}),
    ([{"status": "DEADLINE_EXCEEDED"}], {}),
    ([{"status": "DEADLINE_EXCEEDED"}] * 3, {"attemptS": 2}),
    ([{"status": "DEADLINE_EXCEEDED"}, "yes"], {"attemptS": 2}),
    ([{"status": "INTERNAL"}], {}),
    ([{"status": "INVALID_ARGUMENT", "retryAfterS": 1}], {}),
    ([{"status": "UNAUTHENTICATED"}], {}),
]
_NAMES = {"retryAfterS": "retry_after_s", "attemptS": "attempt_s", "longestDelayS": "longest_delay_s"}


def walk(heard: list[Any], retries: dict[str, Any]) -> dict[str, Any]:
    """Carry out Python's plan for the same answers, on a clock of its own."""
    now = [0.0]
    steps: list[Any] = []
    options = Retries(**{_NAMES.get(name, name): value for name, value in retries.items()})
    going = plan(options, 5.0, now=lambda: now[0], jitter=lambda: 1.0)
    answers, say = iter(heard), None
    while True:
        try:
            step = going.send(say)
        except StopIteration as end:
            return {"steps": steps, "end": end.value}
        except (NoAnswer, RequestRefused) as error:
            return {"steps": steps, "end": type(error).__name__, "attempts": error.attempts}
        if isinstance(step, Pause):
            steps.append(["pause", step.seconds])
            now[0] += step.seconds
            say = None
            continue
        assert isinstance(step, Attempt)
        steps.append(["attempt", step.timeout_s])
        say = next(answers)
        if say != "yes":
            now[0] += step.timeout_s if say["status"] == "DEADLINE_EXCEEDED" else 0.0
            status = getattr(grpc.StatusCode, say["status"])
            say = Failure(status=status, retry_after_s=say.get("retryAfterS"))


def test_both_clients_attempt_alike(app: Path) -> None:
    """The same failures lead to the same attempts, pauses and ends."""
    said = [{"heard": heard, "retries": retries} for heard, retries in WALKS]
    for found, (heard, retries) in zip(node_package.drive(app, "walk", said), WALKS, strict=True):
        assert found == walk(heard, retries)


# -- the way -----------------------------------------------------------------------------------------------------------


def asked(app: Path, target: str, *calls: Any, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = node_package.drive(
        app, "ask", {"target": target, "options": options, "calls": calls}
    )["found"]
    return found


def test_a_unix_socket_and_a_key(app: Path, tmp_path: Path) -> None:
    """The key is sent as a bearer token."""
    daemon = ScriptedDaemon(f"unix:{tmp_path}/v.sock")
    try:
        scripted(daemon, Answer(decision=ALLOWED.decision, expect={"authorization": "Bearer vk_mine"}))
        (decided,) = asked(app, daemon.target, ["decide", "acme", EVENT], apiKey="vk_mine\n")
        assert decided["step"]["kind"] == "issueTokens"
        assert daemon.end() == []
    finally:
        daemon.stop()


def test_no_daemon_is_no_answer(app: Path, tmp_path: Path) -> None:
    """Refused by default; allowed in so many words; never for a login that is continued, nor for a refused request."""
    nobody = f"unix:{tmp_path}/none.sock"
    login = ["decide", "acme", EVENT]
    (refused,) = asked(app, nobody, login, deadlineS=0.3)
    assert (refused["step"]["kind"], refused["step"]["oauthError"]) == ("refuse", "temporarily_unavailable")
    assert refused["error"]["name"] == "NoAnswer"
    allowed, resumed = asked(app, nobody, login, ["resume", "acme", EVENT, {"0": 1}], deadlineS=0.3, **ALLOWING)
    assert (allowed["step"]["kind"], resumed["step"]["kind"]) == ("issueTokens", "refuse")
    requires = {"kind": "requireMfa", "challenge": ["FACTOR_OTP"]}
    password = {**EVENT, "transaction": {"protocol": "oauth2-password"}}
    silent = {**EVENT, "request": {"query": {"prompt": "none"}}}
    found = asked(
        app, nobody, login, ["decide", "acme", password], ["decide", "acme", silent], fallback=requires, deadlineS=0.3
    )
    assert [each["step"]["kind"] for each in found] == ["showFactors", "answerMfaRequired", "refuse"]
    assert found[0]["step"]["mfa"]["challenge"] == ["FACTOR_OTP"]


def test_a_refused_request_is_never_allowed(app: Path, daemon: ScriptedDaemon) -> None:
    """Its reason and its fields are on the error."""
    scripted(daemon, Answer(error={"status": "INVALID_ARGUMENT", "reason": "INVALID_EVENT"}))
    (decided,) = asked(app, daemon.target, ["decide", "acme", EVENT], **ALLOWING)
    assert decided["step"]["kind"] == "refuse"
    assert (decided["error"]["name"], decided["error"]["reason"]) == ("RequestRefused", "INVALID_EVENT")


def test_mutual_tls_and_its_control(app: Path, tmp_path: Path) -> None:
    """Certificates of both sides are read from files; without the right ones nothing is sent."""
    authority = issue("authority", authority=True)
    own, mine = issue("vestibule", by=authority, dns=("vestibule.example",)), issue("gateway", by=authority)
    certificate, key = map(str, mine.write(tmp_path, "gateway"))
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    ca = str(tmp_path / "ca.pem")
    credentials = grpc.ssl_server_credentials([(own.key, own.pem)], authority.pem, require_client_auth=True)
    daemon = ScriptedDaemon(credentials=credentials)
    try:
        scripted(daemon, ALLOWED)
        tls = {"ca": ca, "certificate": certificate, "key": key, "serverName": "vestibule.example"}
        (decided,) = asked(app, daemon.target, ["decide", "acme", EVENT], tls=tls)
        assert decided["step"]["kind"] == "issueTokens", decided
        for wrong in ({"ca": ca}, {**tls, "serverName": "other.example"}, None):
            scripted(daemon, ALLOWED)
            options = {"deadlineS": 0.4, **({"tls": wrong} if wrong else {})}
            (decided,) = asked(app, daemon.target, ["decide", "acme", EVENT], **options)
            assert decided["step"]["kind"] == "refuse"
            assert daemon.end() == ["the gateway made no call of ExecutePostLogin for the answer OUTCOME_ALLOW"]
    finally:
        daemon.stop()


@pytest.mark.parametrize(
    ("target", "options", "fault"),
    [
        ("", {}, "target: is empty"),
        ("a.example:1", {"tls": {}, "insecure": True}, "insecure: contradicts tls"),
        ("a.example:1", {"tls": {"key": "/k"}}, "tls: certificate and key belong together"),
        ("127.0.0.1:1", {"deadlineS": 0}, "deadlineS: is 0"),
        ("127.0.0.1:1", {"fallback": {"kind": "requireMfa"}}, "fallback: requireMfa needs a factor"),
    ],
)
def test_contradictions_are_named(app: Path, target: str, options: dict[str, Any], fault: str) -> None:
    """A wrong option is refused when the client is made."""
    thrown = node_package.drive(app, "ask", {"target": target, "options": options, "calls": []})
    assert thrown["thrown"] == "TypeError"
    assert thrown["message"].startswith(fault)
