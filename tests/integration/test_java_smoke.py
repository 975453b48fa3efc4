"""A gateway written for Java, with the classes that Maven's plugin makes of proto/, reads every kind of answer."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.runtime_service_pb2 import (
    ContinuePostLoginRequest,
    ContinuePostLoginResponse,
    ExecutePostLoginRequest,
    ExecutePostLoginResponse,
)
from vestibule_client.conformance import cases

from tests.fixtures import endings
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.suspensions import event, keys_file
from tests.host import TOOLCHAINS, require

ROOT = Path(__file__).resolve().parents[2]
_REGISTRY = re.compile(
    r"Could not (transfer|find) artifact|could not be resolved|Unknown host|timed out", re.IGNORECASE
)

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Generate the classes and compile the program; nothing of it is committed. Return the command that runs it."""
    for tool in ("java", "javac", "mvn"):
        require(shutil.which(tool) is not None, f"Java: there is no {tool}", unless=TOOLCHAINS)
    out = tmp_path_factory.mktemp("java")
    command = ["mvn", "-B", "-q", "-ntp", "process-classes", f"-Dout={out}", f"-Dproto={ROOT / 'proto'}"]
    done = subprocess.run(
        command, cwd=ROOT / "tests" / "java", capture_output=True, text=True, timeout=900, check=False
    )
    unreached = done.returncode != 0 and _REGISTRY.search(done.stdout) is not None
    require(not unreached, f"Java: Maven's registry does not answer: {done.stdout[:300]}", unless=TOOLCHAINS)
    assert done.returncode == 0, done.stdout + done.stderr
    return ["java", "-cp", f"{out}/classes:{out}/lib/*", "example.Smoke"]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with served(tmp_path, *keys_file(tmp_path)) as daemon:
        daemon.publish(*endings.tenants())
        yield daemon


def run(command: list[str], lines: list[str]) -> list[tuple[str, Any]]:
    """Return what it says of each line: by its getters, and the whole answer."""
    done = subprocess.run(
        command, input="\n".join(lines), capture_output=True, text=True, encoding="utf-8", timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    told = [line.partition("\t") for line in done.stdout.splitlines()]
    return [(getters, json.loads(whole)) for getters, _, whole in told]


def word(kind: Any, number: int) -> str:
    """Return the name of a number as Java has it."""
    return str(kind.Name(number)) if number in kind.values() else "UNRECOGNIZED"


def told(decision: pb.Decision) -> str:
    """Say what the program's getters are to say."""
    name = pb.Outcome.Name
    match decision.outcome:
        case pb.OUTCOME_ALLOW:
            return f"allow claims={len(decision.on_success.id_token_claims.fields)}"
        case pb.OUTCOME_DENY:
            return f"deny {word(pb.Denial.Reason, decision.denial.reason)} {decision.denial.description}"
        case pb.OUTCOME_MFA_REQUIRED | pb.OUTCOME_MFA_REQUIRED_BY_TOKEN:
            lists = [
                ", ".join(word(pb.Factor, each) for each in which)
                for which in (decision.multifactor.challenge, decision.multifactor.enroll)
            ]
            return f"{name(decision.outcome)} challenge=[{lists[0]}] enroll=[{lists[1]}]"
        case pb.OUTCOME_SUSPEND | pb.OUTCOME_SUSPEND_BY_TOKEN:
            suspension = decision.suspension
            steps = ", ".join(word(pb.MfaSteps.Kind, step.kind) for step in suspension.mfa.steps)
            said = {
                "mfa": f"mfa [{steps}]",
                "redirect": f"redirect {suspension.redirect.url}",
                "prompt": f"prompt {suspension.prompt.id}",
                None: "refuse",
            }
            return f"{name(decision.outcome)} {said[suspension.WhichOneof('step')]}"
    return "refuse"


def test_it_reads_every_answer_of_the_kit(java: list[str]) -> None:
    """With every outcome, known or not: the same content as Python's, and the same by its getters."""
    found = [answer.decision for case in cases.load() for answer in case.daemon if answer.decision is not None]
    answers = []
    for outcome in range(9):
        for decision in found:
            answer = ExecutePostLoginResponse(decision=decision, request_id="r-1")
            answer.decision.outcome = outcome  # type: ignore[assignment]  # unknown numbers too
            answers.append(answer)
    lines = [base64.b64encode(answer.SerializeToString()).decode() for answer in answers]
    read = run([*java, "read"], lines)
    for answer, (getters, whole) in zip(answers, read, strict=True):
        assert getters == told(answer.decision), answer
        assert whole == json_format.MessageToDict(answer)
    words = {getters.split(" ")[0] for getters, _ in read}
    assert len(words - {"allow", "deny", "refuse"}) == 4
    assert {"allow", "deny", "refuse"} < words


def login(name: str, protocol: str = "oidc-basic-profile") -> str:
    request = ExecutePostLoginRequest(tenant_id=name, event=event(transaction__protocol=protocol), request_id="")
    return f"ExecutePostLogin\t{one_line(request)}"


def one_line(message: Message) -> str:
    return json_format.MessageToJson(message, indent=None)


def test_a_daemon_answers_it(java: list[str], daemon: Daemon) -> None:
    """Deny, allow, a factor with pages and without, a failure, a suspension and its end, a tenant, refusals."""
    back = ContinuePostLoginRequest(tenant_id="suspends", event=event(), completed=[pb.FACTOR_OTP])
    nobody = ExecutePostLoginRequest(tenant_id="denies", event=event())
    nobody.event.ClearField("user")
    answers = run(
        [*java, "call", daemon.target],
        [
            login("denies"), login("allows"), login("requires"), login("requires", "oauth2-password"), login("raises"),
            login("suspends"), f"ContinuePostLogin\t{one_line(back)}", "GetTenant\tallows",
            login("nobody"), f"ExecutePostLogin\t{one_line(nobody)}",
        ],
    )  # fmt: skip
    denied, allowed, required, by_token, failed, suspended, resumed, tenant, unknown, refused = answers
    for (getters, whole), kind in zip(
        answers[:7], [ExecutePostLoginResponse] * 6 + [ContinuePostLoginResponse], strict=True
    ):
        answer = json_format.ParseDict(whole, kind())
        assert getters == told(answer.decision)
        assert json_format.MessageToDict(answer) == whole
    assert denied[0] == "deny REASON_DENIED not today"
    assert allowed[0] == resumed[0].replace("claims=0", "claims=1") == "allow claims=1"
    effects = allowed[1]["decision"]["onSuccess"]
    assert effects["idTokenClaims"] == {"https://a.example/c": {"b": [1, None, True, "x"], "a": {}}}
    assert allowed[1]["decision"]["onAnyOutcome"] == {"userMetadata": {"k": None}}
    assert allowed[1]["decision"]["executions"][0]["output"] == "hello\n"
    assert required[0].startswith("OUTCOME_MFA_REQUIRED challenge=[FACTOR_")
    assert by_token[0].startswith("OUTCOME_MFA_REQUIRED_BY_TOKEN challenge=[FACTOR_")
    assert failed[1]["decision"]["degraded"] is True
    assert suspended[0] == "OUTCOME_SUSPEND mfa [KIND_CHALLENGE]"
    assert (tenant[0], tenant[1]["tenantId"]) == ("EXPERIENCE_NEW", "allows")
    assert (unknown[0], refused[0]) == ("NOT_FOUND UNKNOWN_TENANT", "INVALID_ARGUMENT INVALID_EVENT")
