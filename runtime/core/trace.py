"""Says which action asked for what, and what the decision followed: the contributions of each kind of decision.

It knows opinions in call order and what became of the login. It must not know how either came about. A contribution
may be logged: it holds no event content, secret or text of the tenant's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runtime.core import challenges, policy
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


def of_denied(
    asked: Sequence[Opinion], denied_by: int, claims: Mapping[tuple[str, str], int]
) -> tuple[Contribution, ...]:
    """Trace a denial, `denied_by` the opinion at that position; `claims` by action and operation are dropped."""
    trace = [Contribution(action, op, at == denied_by, what) for at, (action, op, what) in enumerate(asked)]
    trace += [
        Contribution(action, op, False, f"{count} dropped, the login is denied")
        for (action, op), count in claims.items()
    ]
    return tuple(trace)


def of_waiting(asked: Sequence[Opinion], first: int) -> tuple[Contribution, ...]:
    """Trace a suspension by the execution whose opinions begin at position `first`."""
    return tuple(
        [
            Contribution(action, op, at >= first and op != "multifactor.enable", what)
            for at, (action, op, what) in enumerate(asked)
        ]
    )


def of_completed(asked: Sequence[Opinion], failed: Sequence[int], completed: Sequence[str]) -> tuple[Contribution, ...]:
    """Trace a login in which factors were presented or enrolled: challenges and failures got what they ask for."""
    trace = [
        Contribution(action, op, op in challenges.OPS or at in failed, what)
        for at, (action, op, what) in enumerate(asked)
    ]
    action = next((action for action, op, _ in reversed(asked) if op in challenges.OPS), "")
    trace.append(Contribution(action, "mfa.completed", True, f"completed {', '.join(completed)}"))
    return tuple(trace)


def of_decided(
    asked: Sequence[Opinion],
    failed: Sequence[int],
    winner: policy.Request | None,
    multifactor: Multifactor | None,
    settings: Settings,
) -> tuple[Contribution, ...]:
    """Trace a login that `enable`, failures at the positions `failed` or the tenant's policy decided."""
    if multifactor is None:
        return tuple([Contribution(action, op, False, what) for action, op, what in asked])
    origin = multifactor.origin
    chosen = winner.position if winner is not None and origin == "action" else -1
    trace = [
        # Every failure that requires a factor is honoured whenever there is one, whoever chose the provider.
        Contribution(action, op, at == chosen or at in failed, what)
        for at, (action, op, what) in enumerate(asked)
    ]
    if origin == "policy":
        named = multifactor.adaptive or settings.policy is Policy.ALWAYS
        op = f"policy.{settings.policy.value}" if named else "policy.step_up"
        trace.append(Contribution("", op, True, "require any"))
    if not multifactor.factors and multifactor.provider != "none":
        trace.append(Contribution("", "mfa.factors", False, "no factor can be offered, the login cannot complete"))
    return tuple(trace)
