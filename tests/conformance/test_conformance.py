"""Runs every case: those of `cases/core` through the fold, the others through the sandbox and through a daemon.

A case that begins with an event runs twice, in the way of `vestibule run` and over gRPC, and both must lead to the
decision that it wants. README.md beside this file says how a case is written.
"""

import asyncio
import copy
import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf import json_format
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.runtime_service_pb2 import ExecutePostLoginRequest, GatewayContext

from runtime import codec, event_json, local
from runtime.core.aggregate import aggregate, ends_flow
from runtime.core.model import Command, EventFacts, Execution, OnError, Settings, Verdict
from sandbox import surface
from tests.conformance import case_files, decisions
from tests.daemon_rig import Daemon, result, served

TENANTS = case_files.Tenants()
LOGINS = case_files.logins(TENANTS)
CORE = case_files.core()


def hold(decision: pb.Decision, wanted: dict[str, Any]) -> None:
    """Hold a decision to what a case wants of it."""
    found = list(decisions.differences(decisions.view(decision), wanted))
    assert not found, "\n".join(found)


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
    facts = {key: tuple(value) if isinstance(value, list) else value for key, value in case.get("facts", {}).items()}
    settings = dataclasses.replace(Settings(), factors=("otp", "push-notification"))
    settings = case_files.settings_of(case.get("settings", {}), settings)
    executions = run([execution_of(entry) for entry in case["executions"]])
    hold(codec.encode(aggregate(executions, settings, lambda: EventFacts(**facts)), "", 0, 0), case["decision"])


# -- the sandbox -------------------------------------------------------------------------------------------------------


async def run_together(cases: list[case_files.Case]) -> dict[str, pb.Decision]:
    """Run cases of one tenant in one sandbox, and return their decisions by id."""
    answers = {}
    async with local.open_tenant(cases[0].tenant) as runner:
        for case in cases:
            now = datetime.fromisoformat(case.now or case_files.NOW)
            (leg,) = case.legs
            event = case_files.rendered(leg.event, now)
            line = local.Line(json.dumps({"event": event, "now": now.isoformat(), "seed": 1}), secrets_of=None)
            answers[case.id] = json_format.ParseDict(await runner.decision(line), pb.Decision())
    return answers


@pytest.fixture(scope="module")
def sandboxed() -> dict[str, pb.Decision]:
    """Decisions of the sandbox so far: a tenant's cases are all run when the first one is asked for."""
    return {}


@pytest.mark.parametrize("case", LOGINS, ids=lambda case: case.id)
def test_sandbox(case: case_files.Case, sandboxed: dict[str, pb.Decision]) -> None:
    """The flow, run as its author runs it, decides what the case wants."""
    if case.id not in sandboxed:
        sandboxed |= asyncio.run(run_together([other for other in LOGINS if other.tenant is case.tenant]))
    wanted = copy.deepcopy(case.legs[0].decision)
    # A resolution is for a gateway, and here is none.
    (wanted.get("multifactor") or {}).pop("resolution", None)
    hold(sandboxed[case.id], wanted)


# -- the service -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that serves the tenants of every case."""
    with served(tmp_path_factory.mktemp("service")) as daemon:
        daemon.publish(*TENANTS.by_content.values())
        yield daemon


def gateway_of(given: dict[str, Any], now: datetime) -> GatewayContext:
    """Read what the gateway knows, with words as in a decision."""
    given = case_files.rendered(given, now)
    if memory := given.get("remembered_browser"):
        memory["provider"] = f"PROVIDER_{memory['provider'].upper().replace('-', '_')}"
    return json_format.ParseDict(given, GatewayContext())


# The service's clock is nobody's to set.
SERVED = [case for case in LOGINS if case.now is None]


@pytest.mark.parametrize("case", SERVED, ids=lambda case: case.id)
def test_service(case: case_files.Case, service: Daemon) -> None:
    """The flow, asked over gRPC, decides what the case wants."""
    now = datetime.now(UTC)
    (leg,) = case.legs
    request = ExecutePostLoginRequest(
        tenant_id=case.tenant.flow.tenant, event=event_json.from_json(case_files.rendered(leg.event, now))
    )
    if leg.gateway is not None:
        request.gateway.CopyFrom(gateway_of(leg.gateway, now))
    hold(result(service.send(request.SerializeToString())), leg.decision)


# -- the files ---------------------------------------------------------------------------------------------------------


def test_every_template_has_cases() -> None:
    """Each is decided on several events, and not always in the same way."""
    for name in case_files.templates():
        ends = [json.dumps(case.legs[0].decision, sort_keys=True) for case in LOGINS if case.id.startswith(f"{name}: ")]
        assert len(ends) >= 3, name
        assert len(set(ends)) >= 2, name


def test_there_are_cases() -> None:
    """The runner found its files: an empty folder cannot pass for a green one."""
    assert len(CORE) >= 40
    assert len(LOGINS) > 100
    assert len({case.id for case in LOGINS}) == len(LOGINS)
