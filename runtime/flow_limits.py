"""Holds the actions of one flow to the limits that they share.

Knows the budgets of the surface table. Must not know settings, decisions or workers. Called with the executions of a
login before they are decided upon. Each execution was held to the same budgets by itself, so only a budget that several
of them spend is added up. Source of the limits: the post-login reference, section 4, where each is one of a login.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from runtime.core.aggregate import CACHE, DENIALS
from runtime.core.model import ExecutionError, Verdict
from sandbox import surface

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runtime.core.model import Command, Execution

# The cache's limits are of the tenant's cache, not of what one login writes to it.
_BUDGETS: Final = {call.op: call.budget for call in surface.SURFACE if call.budget is not None and call.op not in CACHE}


def hold(executions: Sequence[Execution]) -> Sequence[Execution]:
    """Return the executions, where each that exceeds what the flow may spend is exhausted and has asked for nothing.

    Its `on_error` decides what that means, as when a call raises. Only a denial stands: it needs no budget, and a login
    that an action refused is refused.

    Args:
        executions: of the flow, in order, those before earlier suspensions included.
    """
    if not _shared(executions):
        return executions
    held: list[Execution] = []
    spending = surface.Spending()
    for execution in executions:
        fault = _spend(spending, execution)
        if fault:
            held.append(_exhausted(execution, fault))
            # What it spent before it went too far is not spent.
            spending = surface.Spending()
            for kept in held:
                _spend(spending, kept)
        else:
            held.append(execution)
    return held


def _shared(executions: Iterable[Execution]) -> bool:
    """Tell whether two executions spend the same budget, which few flows do."""
    seen: set[str] = set()
    for execution in executions:
        if execution.commands:
            own = [_BUDGETS[command.op].name for command in execution.commands if command.op in _BUDGETS]
            if not seen.isdisjoint(own):
                return True
            seen.update(own)
    return False


def _spend(spending: surface.Spending, execution: Execution) -> str:
    if execution.verdict is Verdict.COMPLETED:
        for command in execution.commands:
            if command.op in _BUDGETS and spending.spend(surface.CALLS[command.op], command.args):
                return _fault(command)
    return ""


def _fault(command: Command) -> str:
    budget = _BUDGETS[command.op]
    limits = []
    if budget.max_bytes is not None:
        limits.append(f"{budget.max_bytes} bytes as JSON")
    if budget.max_items is not None:
        limits.append(f"{budget.max_items} items in lists and dicts")
    if budget.max_counted is not None:
        limits.append(f"{budget.max_counted} entries")
    if budget.max_calls is not None:
        limits.append(f"{budget.max_calls} call{'' if budget.max_calls == 1 else 's'}")
    return (
        f"api.{command.op}: with what earlier actions set, the {budget.name} exceed what the actions of one login may "
        f"set together: {' and '.join(limits)}"
    )


def _exhausted(execution: Execution, fault: str) -> Execution:
    error = ExecutionError("FlowLimitExceeded", fault)
    denials = tuple([command for command in execution.commands if command.op in DENIALS])
    if denials:
        return replace(execution, commands=denials, error=error)
    return replace(execution, verdict=Verdict.EXHAUSTED, commands=(), error=error)
