"""Walks flows as the runner does, without a worker: what each action records is given, and so is what the user does.

Knows the order of a flow with suspensions. Must not know workers, keys or gRPC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vestibule.continuation.v1.suspended_flow_pb2 import SuspendedFlow

from runtime.catalog.base import Binding, Flow
from runtime.core.aggregate import aggregate, ends_flow
from runtime.core.model import Command, Decision, Execution, OnError, Refused, Settings, Suspension, Verdict
from runtime.core.resolution import Gateway
from runtime.core.suspension import pending, suspends
from runtime.login import suspensions
from tests.event_facts import EventFacts

NOW_MS = 1_800_000_000_000
GATEWAY = Gateway(NOW_MS, "auth0|1")
REVISION = "00" * 32


@dataclass(frozen=True)
class Ran:
    """What one handler of an action does."""

    commands: tuple[Command, ...] = ()
    verdict: Verdict = Verdict.COMPLETED


@dataclass(frozen=True)
class Action:
    """One binding. `back`: what on_continue_post_login does, time after time; nothing once that is used up."""

    name: str
    ran: Ran
    on_error: OnError = OnError.REQUIRE_MFA
    back: tuple[Ran, ...] = ()


def action(
    name: str, *commands: Command, back: Iterable[Iterable[Command]] = (), on_error: OnError = OnError.REQUIRE_MFA
) -> Action:
    """Return an action; `back`: what its continue handler records each time."""
    return Action(name, Ran(commands), on_error, tuple([Ran(tuple(said)) for said in back]))


def fails(name: str, on_error: OnError = OnError.REQUIRE_MFA, verdict: Verdict = Verdict.RAISED) -> Action:
    """Return an action that fails."""
    return Action(name, Ran((), verdict), on_error)


Pick = Callable[[Suspension], Sequence[str]]
Carry = Callable[[list[Execution]], list[Execution]]


def first(suspension: Suspension) -> list[str]:
    """Let the user take what is shown first on each screen."""
    return [step.usable[0].type for step in suspension.steps]


def kept(executions: list[Execution]) -> list[Execution]:
    """Keep executions in memory, as if the flow had never been suspended."""
    return list(executions)


def sealed(executions: list[Execution]) -> list[Execution]:
    """Reduce executions to what a continuation holds of them, through its bytes, and read them as it is read."""
    bindings = tuple(
        Binding(execution.action, execution.revision, execution.on_error, None)
        for execution in executions
        if not execution.continued
    )
    flow = Flow("acme", Settings(), bindings, {})
    state = SuspendedFlow(executions=suspensions.sealed_executions(executions))
    return list(suspensions.executions(SuspendedFlow.FromString(state.SerializeToString()), flow))


def walk(
    flow: Sequence[Action],
    settings: Settings,
    event: EventFacts,
    gateway: Gateway = GATEWAY,
    pick: Pick = first,
    carry: Carry = sealed,
) -> list[Decision]:
    """Decide a login, and continue as long as it is suspended. Returns the decision of each part of the flow."""
    decisions: list[Decision] = []
    done: list[Execution] = []
    completed: tuple[str, ...] = ()
    at = times = 0
    while at < len(flow):
        action = flow[at]
        handler = action.ran if not times else (*action.back, *[Ran()] * times)[times - 1]
        done.append(
            Execution(
                action.name,
                REVISION,
                action.on_error,
                handler.verdict,
                handler.commands,
                len(done) + 1,
                output="printed",
                continued=times > 0,
            )
        )
        waiting = pending(done, completed, settings, event, gateway) if suspends(done[-1]) else None
        ended = ends_flow(done[-1]) or isinstance(waiting, Refused)
        if ended:
            done += [Execution(a.name, REVISION, a.on_error, Verdict.SKIPPED) for a in flow[at + 1 :]]
        if ended or waiting is not None:
            decisions.append(aggregate(done, settings, event, suspension=waiting, completed=completed))
        if ended:
            return decisions
        if isinstance(waiting, Suspension):
            chosen = pick(waiting)
            completed = (*completed, *chosen)
            event = replace(event, enrolled=(*(event.enrolled or ()), *chosen))
            done = carry(done)
            if waiting.kind != "mfa":
                times += 1
                continue
        at, times = at + 1, 0
    decisions.append(aggregate(done, settings, event, completed=completed))
    return decisions


def outline(decisions: Sequence[Decision]) -> list[str]:
    """Name each part's answer in a word: what it waits for, the denial's code or kind, or the outcome."""
    words: list[str] = []
    for decision in decisions:
        if decision.suspension is not None:
            words.append(decision.suspension.kind)
        elif decision.denial is not None:
            words.append(decision.denial.validation_code or decision.denial.reason)
        else:
            words.append(decision.outcome)
    return words


def command(op: str, **args: Any) -> Command:
    """Record a call, with its arguments as the table has them."""
    return Command(op, args)


def factors(*names: str) -> list[dict[str, Any]]:
    """Name factors as a command does."""
    return [{"type": name} for name in names]


def challenge(name: str, *more: str) -> Command:
    """Record `challenge_with`."""
    args: dict[str, Any] = {"factor": {"type": name}}
    if more:
        args["additional_factors"] = factors(*more)
    return Command("authentication.challenge_with", args)


def challenge_any(*names: str) -> Command:
    """Record `challenge_with_any`."""
    return Command("authentication.challenge_with_any", {"factors": factors(*names)})


def enroll(name: str) -> Command:
    """Record `enroll_with`."""
    return Command("authentication.enroll_with", {"factor": {"type": name}})


def enroll_any(*names: str) -> Command:
    """Record `enroll_with_any`."""
    return Command("authentication.enroll_with_any", {"factors": factors(*names)})


def enable(provider: str = "any", **options: Any) -> Command:
    """Record `multifactor.enable`."""
    return Command("multifactor.enable", {"provider": provider, **options})


def deny(reason: str = "no") -> Command:
    """Record `access.deny`."""
    return Command("access.deny", {"reason": reason})


def redirect(url: str = "https://example.com/", **query: Any) -> Command:
    """Record `redirect.send_user_to`."""
    return Command("redirect.send_user_to", {"url": url, "query": query} if query else {"url": url})


def form() -> Command:
    """Record `prompt.render`."""
    return Command("prompt.render", {"prompt_id": "ap_1"})


def metadata(key: str, value: Any) -> Command:
    """Record `user.set_user_metadata`."""
    return Command("user.set_user_metadata", {"key": key, "value": value})


def claim(name: str, value: Any) -> Command:
    """Record `id_token.set_custom_claim`."""
    return Command("id_token.set_custom_claim", {"name": name, "value": value})
