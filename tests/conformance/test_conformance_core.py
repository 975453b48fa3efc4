"""Runs every case of `cases/core/*.yaml`: executions and settings in, a decision out, without a process.

A case names only what it cares about: members of `decision` that it leaves out may be anything. `won` lists the
operations that the decision follows, as `action operation`.
"""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.core.aggregate import aggregate, ends_flow
from runtime.core.model import Command, EventFacts, Execution, Experience, Merge, OnError, Policy, Settings, Verdict
from sandbox import surface

FILES = sorted((Path(__file__).parent / "cases" / "core").glob("*.yaml"))


def cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{file.stem}: {case['description']}")
        for file in FILES
        for case in yaml.safe_load(file.read_text())
    ]


def settings_of(case: dict[str, Any]) -> Settings:
    given = dict(case.get("settings", {}))
    return Settings(
        experience=Experience(given.pop("experience", "new")),
        policy=Policy(given.pop("policy", "never")),
        factors=tuple(given.pop("factors", ["otp", "push-notification"])),
        merge=Merge(given.pop("merge", "last_call")),
        **given,
    )


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


@pytest.mark.parametrize("case", cases())
def test_case(case: dict[str, Any]) -> None:
    """The decision has every member that the case wants."""
    assert case.keys() <= {"description", "source", "settings", "facts", "executions", "decision"}
    facts = {key: tuple(value) if isinstance(value, list) else value for key, value in case.get("facts", {}).items()}
    executions = run([execution_of(entry) for entry in case["executions"]])
    decision = aggregate(executions, settings_of(case), lambda: EventFacts(**facts))
    got = dataclasses.asdict(decision)
    got["won"] = [f"{c.action} {c.op}".strip() for c in decision.contributions if c.won]
    got["verdicts"] = [execution.verdict.name.lower() for execution in decision.executions]
    wanted = case["decision"]
    assert {key: subset(got[key], value) for key, value in wanted.items()} == wanted


def subset(got: Any, wanted: Any) -> Any:
    """Reduce what was got to the members that are wanted, with lists for tuples."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return {key: subset(got[key], value) for key, value in wanted.items()} if wanted else got
    return list(got) if isinstance(got, tuple) else got


def test_there_are_cases() -> None:
    """The runner found its files: an empty folder cannot pass for a green one."""
    assert len(cases()) > 20
