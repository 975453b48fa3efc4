"""Says which action asked for what, and which requests a decision followed: its contributions.

Knows opinions in call order. A contribution may be logged: it holds no event content, secret or text of the tenant's.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from runtime.core import challenges
from runtime.core.model import Command, Contribution, Multifactor, Policy, Refused, Settings

Opinion = tuple[str, str, str]
"""Action, operation, summary."""


def waits_for(command: Command) -> str:
    """Summarize a command that suspends; where to, and which form, is the tenant's own text."""
    if command.op == "redirect.send_user_to":
        return "send the user elsewhere"
    if command.op == "prompt.render":
        return "show a form"
    ask = challenges.read(command)
    return f"{ask.kind} {' or '.join(dict.fromkeys([factor.type for factor in ask.factors]))}"


def why(refused: Refused) -> str:
    """Summarize why a challenge, an enrolment or a page cannot be shown."""
    ignored = dict.fromkeys([f"{name} {reason.value}" for name, reason in refused.ignored])
    return f"deny, {refused.failure.value}{': ' if ignored else ''}{', '.join(ignored)}"


def contributions(asked: Sequence[Opinion], won: Container[int], *more: Contribution) -> tuple[Contribution, ...]:
    """List the opinions, of which those at the positions `won` decided, and what the settings or the daemon added."""
    return (*[Contribution(action, op, at in won, what) for at, (action, op, what) in enumerate(asked)], *more)


def of_settings(multifactor: Multifactor, settings: Settings) -> list[Contribution]:
    """Say what of a requirement no action asked for."""
    more = []
    if multifactor.origin == "policy":
        named = multifactor.adaptive or settings.policy is Policy.ALWAYS
        op = f"policy.{settings.policy.value}" if named else "policy.step_up"
        more.append(Contribution("", op, True, "require any"))
    return more
