"""Say whether an execution suspends its flow, and what the user does before the flow continues.

Knows what each suspending command waits for. Must not know continuation tokens, pages or how a flow resumes.
Source of every rule: the post-login reference, 2.3, 2.6, 2.7 and 3.1 to 3.3, and the MFA semantics, sections 4 and 8.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote_plus, urlencode

from runtime.core import challenges, policy
from runtime.core.aggregate import DENIALS, INTERACTIONS
from runtime.core.model import Command, Execution, Facts, Failure, OnError, Refused, Settings, Suspension, Verdict
from runtime.core.resolution import Gateway, back_channel

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
        A suspension. None when everything was satisfied before: the next binding runs. Refused when it cannot be done:
        the login is refused too, it is never taken for satisfied.

    Raises: ValueError for commands that cannot stand together, which validation should have refused.
    """
    last = executions[-1]
    asks = [challenges.read(command) for command in last.commands if command.op in challenges.OPS]
    pages = [command for command in last.commands if command.op in INTERACTIONS]
    if pages:
        if asks or len(pages) > 1:
            # To show one of them would drop the others, and a factor with them.
            raise ValueError("an execution asks for a page beside another page or a factor")
        return _page(last.action, pages[0], facts)
    commands = [c for execution in executions if execution.verdict is Verdict.COMPLETED for c in execution.commands]
    used = sum(command.op in challenges.OPS for command in commands) - len(asks)
    # A `none` so far lifts nothing here: a later action may take it back, and these commands override it anyway.
    adaptive = policy.demands(settings, False, facts)
    queue = challenges.plan(asks, completed, used, settings, facts, gateway, adaptive=adaptive)
    if queue.failure is not None:
        return Refused(queue.failure, queue.ignored)
    if not queue.steps:
        return None
    # Challenges have no option of their own about remembering: the flow's `multifactor.enable` so far speaks for them.
    # A failed action could have forbidden it, and the adaptive policy never offers it.
    failed = any(e.verdict is not Verdict.COMPLETED and e.on_error is OnError.REQUIRE_MFA for e in executions)
    hidden = failed or adaptive or _forbids_remembering(commands, settings)
    return Suspension("mfa", last.action, queue.steps, queue.by_token, hidden, queue.verify_email_first)


def _forbids_remembering(commands: Iterable[Command], settings: Settings) -> bool:
    requests = [
        policy.EnableCall(0, command.args["provider"], command.args.get("allow_remember_browser"), None)
        for command in commands
        if command.op == "multifactor.enable"
    ]
    return bool(requests) and policy.merge(requests, settings.merge).allow_remember_browser is False


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
