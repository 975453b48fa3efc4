"""What it means for a login that a worker was killed, died or lied: verdicts for the executions it did not report.

Knows phases, exit codes and verdicts. Must not know pools, sockets or clocks.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final, NamedTuple

from runtime.core.model import Execution, ExecutionError, Verdict
from sandbox.contract import exit_codes
from sandbox.contract.journal import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.catalog.base import Binding


CRASH_SIGNALS: Final = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE})
"""What the kernel sends to a process whose own machine code went wrong."""


class Failure(NamedTuple):
    """How an execution failed, for its report."""

    verdict: Verdict
    error_type: str
    message: str


LIED: Final = Failure(Verdict.VIOLATED, "ProtocolViolation", "the worker broke its protocol")


def failed(binding: Binding, failure: Failure, wall_us: int = 0, cpu_us: int = 0) -> Execution:
    """Make the execution of a binding that failed."""
    error = ExecutionError(failure.error_type, failure.message)
    return Execution(
        binding.action,
        binding.revision,
        binding.on_error,
        failure.verdict,
        wall_us=wall_us,
        cpu_us=cpu_us,
        error=error,
    )


def fill(done: list[Execution], bindings: Sequence[Binding], failure: Failure) -> None:
    """Let every binding without an execution have failed."""
    done += [failed(binding, failure) for binding in bindings[len(done) :]]


def skip(done: list[Execution], bindings: Sequence[Binding]) -> None:
    """Let every binding without an execution be skipped: the flow had ended."""
    done += [Execution(b.action, b.revision, b.on_error, Verdict.SKIPPED) for b in bindings[len(done) :]]


def budget_spent(had_us: int, budget_us: int) -> Failure:
    """Say that an action could not run, because those before it used up what all of them may take."""
    return Failure(
        Verdict.TIMED_OUT,
        "BudgetExceeded",
        f"the flow's budget of {budget_us / 1000:.0f} ms of processor time was used up before this action could run: "
        f"the actions before it had {had_us / 1000:.0f} ms",
    )


def of_kill(phase: int, wall_us: int, cpu_us: int | None) -> Failure:
    """Say how the step failed in which the watchdog killed its worker. `cpu_us` is None where it is not known."""
    had = f"{wall_us / 1000:.0f} ms" + (
        f", with {cpu_us / 1000:.0f} ms of processor time" if cpu_us is not None else ""
    )
    if phase == Phase.COMPILING:
        message = f"compiling the action took too long, it was killed after {had}: simplify it"
    else:
        message = (
            f"the action was killed after {had}: it did not return within its budget and could not be interrupted "
            "(a single long operation, such as a huge power or a loop inside a built-in function, or a million values "
            "and more to give back)"
        )
    return Failure(Verdict.TIMED_OUT, "BudgetExceeded", message)


def of_death(code: int, cpu_us: int) -> Failure | None:
    """Say how the step failed in which its worker died, from the exit code or negated signal.

    Args:
        code: of the worker.
        cpu_us: processor time that the step had, as far as it was seen.

    None: killed by somebody else, an operator or the kernel's OOM killer, so perhaps not the action's fault.
    """
    if code == -signal.SIGSYS:
        return Failure(Verdict.VIOLATED, "ForbiddenSystemCall", "the action caused a forbidden system call")
    if code == -signal.SIGXCPU:
        return Failure(
            Verdict.TIMED_OUT,
            "CpuLimitExceeded",
            f"the action used up its processor time: it had {cpu_us / 1000:.0f} ms",
        )
    if -code in CRASH_SIGNALS:
        name = signal.Signals(-code).name
        return Failure(Verdict.CRASHED, "InterpreterCrashed", f"the action crashed its interpreter ({name})")
    if code == exit_codes.MEMORY:
        return Failure(Verdict.EXHAUSTED, "MemoryLimitExceeded", "the action used up its memory limit")
    return None
