"""Whether an execution suspends its flow, and what the user is to do before the flow goes on.

It knows what each suspending command waits for. It must not know continuation tokens, pages or how a flow resumes.
Source of every rule: the post-login reference, 2.3, 2.6, 2.7 and 3.1 to 3.3, and the MFA semantics, sections 4 and 8.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote_plus, urlencode

from runtime.core import challenges, policy
from runtime.core.aggregate import DENIALS, INTERACTIONS
from runtime.core.model import Command, Execution, Facts, OnError, Refused, Settings, Suspension, Verdict
from runtime.core.resolution import Failure, Gateway, back_channel

OPS = frozenset(challenges.OPS) | INTERACTIONS


def suspends(execution: Execution) -> bool:
    """Tell whether the flow waits for the user after this execution.

    A failed one never does, since its commands are discarded; one that also denies has ended the flow instead.
    """
    if execution.verdict is not Verdict.COMPLETED:
        return False
    ops = {command.op for command in execution.commands}
    return not ops.isdisjoint(OPS) and ops.isdisjoint(DENIALS)


def pending(
    executions: Sequence[Execution],
    completed: tuple[str, ...],
    settings: Settings,
    facts: Facts,
    gateway: Gateway,
) -> Suspension | Refused | None:
    """Say what the user is to do now that the last execution suspends.

    Args:
        executions: of the flow so far, those before earlier suspensions included.
        completed: types of factors that the user presented or enrolled in this flow.
        settings: the tenant's.
        facts: of the event as it is now.
        gateway: what it can do.

    Returns:
        A suspension. None when everything was satisfied before: the flow goes on with the next binding. Refused when it
        cannot be done: so is the login then, it is never taken for satisfied.

    Raises: ValueError for commands that cannot stand together, which whoever validated them let pass.
    """
    last = executions[-1]
    asks = [challenges.read(command) for command in last.commands if command.op in challenges.OPS]
    pages = [command for command in last.commands if command.op in INTERACTIONS]
    if pages:
        if asks or len(pages) > 1:
            # To show one of them would drop the others, and a factor with them.
            raise ValueError("an execution asks for a page beside another page or a factor")
        return _page(last.action, pages[0], facts)
    used = sum(command.op in challenges.OPS for command in _effective(executions[:-1]))
    winner, failed = _asked(executions, settings)
    # A `none` so far lifts nothing here: a later action may take it back, and these commands override it anyway.
    adaptive = policy.demands(settings, False, lambda: facts)
    plan = challenges.plan(asks, completed, used, settings, facts, gateway, adaptive=adaptive)
    if plan.failure is not None:
        return Refused(plan.failure, plan.ignored)
    if not plan.steps:
        return None
    # Challenges have no option of their own about remembering: the flow's `multifactor.enable` so far speaks for them.
    # A failed action could have forbidden it, and the adaptive policy never offers it.
    hidden = failed or adaptive or (winner is not None and winner.allow_remember_browser is False)
    return Suspension("mfa", last.action, plan.steps, plan.by_token, hidden, plan.verify_email_first)


def _effective(executions: Iterable[Execution]) -> Iterable[Command]:
    for execution in executions:
        if execution.verdict is Verdict.COMPLETED:
            yield from execution.commands


def _asked(executions: Sequence[Execution], settings: Settings) -> tuple[policy.Request | None, bool]:
    """Return what the flow's `multifactor.enable` calls come to so far, and whether a failure requires a factor."""
    failed = any(e.verdict is not Verdict.COMPLETED and e.on_error is OnError.REQUIRE_MFA for e in executions)
    requests = [
        policy.Request(0, command.args["provider"], command.args.get("allow_remember_browser"), None)
        for command in _effective(executions)
        if command.op == "multifactor.enable"
    ]
    return policy.merge(requests, settings.merge) if requests else None, failed


def _page(action: str, command: Command, facts: Facts) -> Suspension | Refused:
    if back_channel(facts.protocol) or "none" in facts.prompt:
        return Refused(Failure.INTERACTION_REQUIRED)
    args = command.args
    if command.op == "redirect.send_user_to":
        return Suspension("redirect", action, url=_with_query(args["url"], args.get("query") or {}))
    return Suspension("prompt", action, prompt_id=args["prompt_id"], fields=args.get("fields"), vars=args.get("vars"))


def _with_query(url: str, query: dict[str, Any]) -> str:
    """Set members of a URL's query; same-named ones go, and the others keep their spelling."""
    if not query:
        return url
    rest, hash_sign, fragment = url.partition("#")
    page, _, text = rest.partition("?")
    kept = [member for member in text.split("&") if member and unquote_plus(member.partition("=")[0]) not in query]
    return f"{page}?{'&'.join([*kept, urlencode(query)])}{hash_sign}{fragment}"
