"""Runs every case: those of `cases/core` through the fold, the others through the sandbox and through daemons.

A case that begins with an event is of a suite: it runs as `vestibule test` runs it and over gRPC, and all must lead to
the decision that it wants. README.md beside this file says how a case is written.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator
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
from runtime.rpc import client
from runtime.suites import decisions, values
from runtime.suites.reading import Case
from runtime.suites.running import CaseResult, CaseRunner, event_of, missed
from runtime.suites.tenants import settings_of
from sandbox.contract import surface
from tests import strict_reader
from tests.conformance import case_files
from tests.event_facts import EventFacts
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.suspensions import keys_file
from tests.fixtures.waiting import PATIENCE_S

LOGINS = case_files.logins()
# Those of the templates run by the command itself: test_templates.py.
FLOWS = [case for case in LOGINS if "/flows/" in case.suite]
TENANTS = {case.tenant.flow.tenant: case.tenant for case in LOGINS}
CORE = case_files.core()
# No case is about time unless it says so: one that is sets its binding's `timeout_ms`.
PATIENCE_MS = int(PATIENCE_S * 1000)


def hold(decision: pb.Decision, wanted: dict[str, Any]) -> None:
    """Hold a decision to what a case wants of it."""
    found = [message for _, message in decisions.differences(decisions.view(decision), wanted, exact=True)]
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
    settings = settings_of(case.get("settings", {}), settings)
    executions = run([execution_of(entry) for entry in case["executions"]])
    decision = aggregate(executions, settings, EventFacts(**facts))
    hold(messages.encode(resolved(decision, settings, EventFacts(**facts), GATEWAY), "", 0, 0), case["expect"])


# -- the sandbox -------------------------------------------------------------------------------------------------------


async def run_all() -> dict[str, CaseResult]:
    """Run the flows' cases as `vestibule test` does, each tenant with a worker of its own, and return results by id."""
    sandbox = dataclasses.replace(Config().sandbox, action_timeout_ms=PATIENCE_MS, flow_timeout_ms=PATIENCE_MS)
    async with offline.open_engine(dataclasses.replace(Config(), sandbox=sandbox)) as (engine, _):
        runner = CaseRunner(engine, PATIENCE_MS)
        return {case_files.id_of(result.case): result async for result in runner.all(FLOWS)}


@pytest.fixture(scope="module")
def sandboxed() -> dict[str, CaseResult]:
    """The sandbox's decisions of every case."""
    return asyncio.run(run_all())


@pytest.mark.parametrize("case", FLOWS, ids=case_files.id_of)
def test_sandbox(case: Case, sandboxed: dict[str, CaseResult]) -> None:
    """The flow, run as its author runs it, decides what the case wants."""
    result = sandboxed[case_files.id_of(case)]
    assert not result.misses, "\n".join(map(str, result.misses))
    assert len(result.decisions) == len(case.legs)


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
    applies.apply(SqliteDatabase(root / "flows.db"), TENANTS.values())
    with contextlib.ExitStack() as daemons:
        yield [daemons.enter_context(served(root, *flags, "--sandbox-isolation", kind)) for kind in ISOLATIONS]


# No case can set the service's clock.
SERVED = [case for case in LOGINS if case.now is None]


@pytest.mark.parametrize("case", SERVED, ids=case_files.id_of)
@pytest.mark.parametrize("first", range(len(ISOLATIONS)), ids=ISOLATIONS)
def test_service(case: Case, first: int, replicas: list[Daemon]) -> None:
    """The flow, asked over gRPC and continued by the other replica whenever it is suspended, decides what is wanted."""
    tenant = case.tenant.flow.tenant
    before: pb.Decision | None = None
    for number, leg in enumerate(case.legs):
        target = replicas[(first + number) % len(replicas)].target
        now = datetime.now(UTC)
        event = event_json.from_json(event_of(case, leg, before, now))
        gateway = None
        if leg.gateway is not None:
            gateway = json_format.ParseDict(values.gateway(leg.gateway, now), GatewayContext())
        if before is None:
            decision = client.execute(target, tenant, event, gateway=gateway, timeout_s=PATIENCE_S).decision
        else:
            completed = [messages.FACTOR_TYPES[name] for name in leg.completed]
            decision = client.resume(
                target, tenant, event, before.suspension.continuation, completed, gateway=gateway, timeout_s=PATIENCE_S
            ).decision
        found = missed(case, leg, decisions.view(decision))
        assert not found, "\n".join(map(str, found))
        before = decision
