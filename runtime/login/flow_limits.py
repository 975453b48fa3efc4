"""Holds the actions of one flow to the limits that they share.

Knows what calls spend. Must not know settings, decisions or workers. Each execution was held to the same limits by
itself. Source: the post-login reference, section 4, where each limit is one of a login.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runtime.core.aggregate import DENIALS
from runtime.core.model import ExecutionError, Verdict
from sandbox.contract import surface
from sandbox.contract.spending import Spending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.core.model import Execution


def hold(executions: Sequence[Execution]) -> Sequence[Execution]:
    """Return the executions, where each that exceeds what the flow may spend is exhausted and has asked for nothing.

    Its `on_error` decides what that means, as when a call raises. Only a denial stands: it needs no budget, and a login
    that an action refused is refused.

    Args:
        executions: of the flow, in order, those before earlier suspensions included.
    """
    if sum([bool(execution.commands) for execution in executions]) < 2:
        return executions
    held = list(executions)
    exceeded = False
    spending = Spending()
    for at, execution in enumerate(executions):
        if execution.verdict is not Verdict.COMPLETED or not execution.commands:
            continue
        # What it spends before it goes too far is not spent.
        spent = spending.copy()
        fault = _spend(spent, execution)
        if fault:
            held[at] = _exhausted(execution, fault)
            exceeded = True
        else:
            spending = spent
    return held if exceeded else executions


def _spend(spending: Spending, execution: Execution) -> str:
    for command in execution.commands:
        if fault := spending.spend(surface.CALLS[command.op], command.args):
            return f"api.{command.op}: with what earlier actions set, {fault}"
    return ""


def _exhausted(execution: Execution, fault: str) -> Execution:
    error = ExecutionError("FlowLimitExceeded", fault)
    denials = tuple([command for command in execution.commands if command.op in DENIALS])
    if denials:
        return replace(execution, commands=denials, error=error)
    return replace(execution, verdict=Verdict.EXHAUSTED, commands=(), error=error)
