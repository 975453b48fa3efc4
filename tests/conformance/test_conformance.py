"""Runs every case: those of `cases/core` through the fold, the others through the sandbox and through daemons.

A case that begins with an event runs in the way of `vestibule run` and over gRPC, and all must lead to the decision
that it wants. README.md beside this file says how a case is written.
"""

import asyncio
import contextlib
import dataclasses
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.runtime_service_pb2 import ContinuePostLoginResponse, ExecutePostLoginResponse, GatewayContext

from runtime.catalog import applies
from runtime.catalog.sqlite import SqliteDatabase
from runtime.config.effective import Config
from runtime.core.aggregate import aggregate, ends_flow
from runtime.core.model import Command, Execution, OnError, Settings, Verdict
from runtime.core.outcome import resolved
from runtime.core.resolution import Gateway
from runtime.login import event_json, messages
from runtime.offline import run as offline
from runtime.offline.event_line import Line
from runtime.rpc import client
from sandbox.contract import surface
from tests import strict_reader
from tests.conformance import case_files, decisions
from tests.event_facts import EventFacts
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.suspensions import keys_file
from tests.fixtures.waiting import PATIENCE_S

TENANTS = case_files.Tenants()
LOGINS = case_files.logins(TENANTS)
CORE = case_files.core()
# No case is about time unless it says so: one that is sets its binding's `timeout_ms`.
PATIENCE_MS = int(PATIENCE_S * 1000)


def hold(decision: pb.Decision, wanted: dict[str, Any]) -> None:
    """Hold a decision to what a case wants of it."""
    found = list(decisions.differences(decisions.view(decision), wanted))
    assert not found, "\n".join(found)


# What a gateway knows that says nothing.
GATEWAY = Gateway(1_800_000_000_000, "auth0|ada")


# -- the fold ----------------------------------------------------------------------------------------------------------


def execution_of(entry: dict[str, Any]) -> Execution:
    """Build an execution; its commands pass the same validation as a worker's."""
    commands = []
    for command in entry.get("commands", []):
        ((op, args),) = command.items()
        commands.append(Command(op, surface.validate(op, args)))
    return Execution(
        entry["action"],
        "0" * 64,
        OnError(entry.get("on_error", "require_mfa")),
        Verdict[entry.get("verdict", "completed").upper()],
        tuple(commands),
    )


def run(executions: list[Execution]) -> tuple[Execution, ...]:
    """Stop where the runner stops: what follows an execution that ends the flow is skipped."""
    done: list[Execution] = []
    over = False
    for execution in executions:
        done.append(dataclasses.replace(execution, verdict=Verdict.SKIPPED, commands=()) if over else execution)
        over = over or ends_flow(execution)
    return tuple(done)


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CORE])
def test_fold(case: dict[str, Any]) -> None:
    """Executions and settings lead to the decision that the case wants."""
    facts: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in case.get("facts", {}).items()
    }
    settings = dataclasses.replace(Settings(), factors=("otp", "push-notification"))
    settings = case_files.settings_of(case.get("settings", {}), settings)
    executions = run([execution_of(entry) for entry in case["executions"]])
    decision = aggregate(executions, settings, EventFacts(**facts))
    hold(messages.encode(resolved(decision, settings, EventFacts(**facts), GATEWAY), "", 0, 0), case["decision"])


# -- the sandbox -------------------------------------------------------------------------------------------------------


async def run_all() -> dict[str, list[pb.Decision]]:
    """Run every case, each tenant with a worker of its own, and return the decision of each leg by the case's id."""
    answers = {}
    tenants = list(TENANTS.by_content.values())
    config = Config()
    patient = dataclasses.replace(config.sandbox, action_timeout_ms=PATIENCE_MS, flow_timeout_ms=PATIENCE_MS)
    async with offline.open_tenants(tenants, dataclasses.replace(config, sandbox=patient)) as opened:
        runners = {tenant.flow.tenant: runner for tenant, runner in zip(tenants, opened, strict=True)}
        for case in LOGINS:
            answers[case.id] = [decision async for decision in legs(case, runners[case.tenant.flow.tenant])]
    return answers


async def legs(case: case_files.Case, runner: offline.Runner) -> AsyncIterator[pb.Decision]:
    """Run a case up to its first leg that does not suspend."""
    now = datetime.fromisoformat(case.now or case_files.NOW)
    for number, leg in enumerate(case.legs):
        said: dict[str, Any] = {"event": case_files.rendered(leg.event, now), "now": now.isoformat(), "seed": 1}
        if leg.gateway is not None:
            said["gateway"] = case_files.gateway(leg.gateway, now)
        if number > 0:
            said["completed"] = leg.completed
        answer = await runner.decision(Line(json.dumps(said), secrets_of=None))
        yield (decision := json_format.ParseDict(answer, pb.Decision()))
        if not decision.HasField("suspension"):
            return


@pytest.fixture(scope="module")
def sandboxed() -> dict[str, list[pb.Decision]]:
    """The sandbox's decisions of every case."""
    return asyncio.run(run_all())


@pytest.mark.parametrize("case", LOGINS, ids=lambda case: case.id)
def test_sandbox(case: case_files.Case, sandboxed: dict[str, list[pb.Decision]]) -> None:
    """The flow, run as its author runs it, decides what the case wants."""
    for decision, leg in zip(sandboxed[case.id], case.legs, strict=False):
        hold(decision, leg.decision)
    assert len(sandboxed[case.id]) == len(case.legs)


# -- the service -------------------------------------------------------------------------------------------------------


ISOLATIONS = ("tenant", "login")


class Strictly:
    """Stands for the message class by which the client reads an answer."""

    def __init__(self, kind: type[Message]) -> None:
        self.FromString = strict_reader.reader(kind)


@pytest.fixture(autouse=True)
def every_answer_is_read_strictly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of every kind pass here: in each of them, at any depth, a field stands once."""
    for kind in (ExecutePostLoginResponse, ContinuePostLoginResponse):
        monkeypatch.setattr(client, kind.DESCRIPTOR.name, Strictly(kind))


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Daemon]]:
    """Daemons that serve the tenants of every case from one store: a process for each tenant, or for each login."""
    root = tmp_path_factory.mktemp("service")
    flags = [*keys_file(root), "--pool-queue-wait-ms", str(PATIENCE_MS)]
    flags += ["--sandbox-action-timeout-ms", str(PATIENCE_MS), "--sandbox-flow-timeout-ms", str(PATIENCE_MS)]
    applies.apply(SqliteDatabase(root / "flows.db"), TENANTS.by_content.values())
    with contextlib.ExitStack() as daemons:
        yield [daemons.enter_context(served(root, *flags, "--sandbox-isolation", kind)) for kind in ISOLATIONS]


# No case can set the service's clock.
SERVED = [case for case in LOGINS if case.now is None]


@pytest.mark.parametrize("case", SERVED, ids=lambda case: case.id)
@pytest.mark.parametrize("first", range(len(ISOLATIONS)), ids=ISOLATIONS)
def test_service(case: case_files.Case, first: int, replicas: list[Daemon]) -> None:
    """The flow, asked over gRPC and continued by the other replica whenever it is suspended, decides what is wanted."""
    tenant = case.tenant.flow.tenant
    suspended = pb.Suspension()
    for number, leg in enumerate(case.legs):
        target = replicas[(first + number) % len(replicas)].target
        now = datetime.now(UTC)
        event = event_json.from_json(case_files.rendered(leg.event, now))
        gateway = None
        if leg.gateway is not None:
            gateway = json_format.ParseDict(case_files.gateway(leg.gateway, now), GatewayContext())
        if number == 0:
            decision = client.execute(target, tenant, event, gateway=gateway, timeout_s=PATIENCE_S).decision
        else:
            completed = [messages.FACTOR_TYPES[name] for name in leg.completed]
            decision = client.resume(
                target, tenant, event, suspended.continuation, completed, gateway=gateway, timeout_s=PATIENCE_S
            ).decision
        hold(decision, leg.decision)
        suspended = decision.suspension


# -- the files ---------------------------------------------------------------------------------------------------------


def test_every_template_has_cases() -> None:
    """Each is decided on several events, and not always in the same way."""
    for name in case_files.templates():
        ends = [json.dumps(case.legs[0].decision, sort_keys=True) for case in LOGINS if case.id.startswith(f"{name}: ")]
        assert len(ends) >= 3, name
        assert len(set(ends)) >= 2, name


def test_every_documented_example_has_cases() -> None:
    """The files of `cases/templates` begin with the rows of the reference's table, 1 to 45, that they are of."""
    heads = [file.read_text().split(" of the post-login examples")[0] for file in case_files.of("templates")]
    assert all(re.fullmatch(r"# Rows? [0-9]+( and [0-9]+)?", head) for head in heads), heads
    assert {int(row) for head in heads for row in re.findall("[0-9]+", head)} == set(range(1, 46))


def test_every_call_of_the_api_has_a_case() -> None:
    """A call that is added to the surface table comes with a login in which an action makes it."""
    made = "".join(source for case in LOGINS for source in case.tenant.sources.values())
    missing = [call.op for call in surface.SURFACE if f"{call.group}.{call.name}(" not in made]
    assert missing == []


def test_there_are_cases() -> None:
    """The runner found its files: an empty folder cannot pass for a green one."""
    assert len(CORE) >= 40
    assert len(LOGINS) > 100
    assert len({case.id for case in LOGINS}) == len(LOGINS)
