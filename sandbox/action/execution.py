"""One execution: compiled code, an event and a budget in; a step report out. Whatever the code does is a verdict.

Knows how to run and how to describe a failure to its author. Knows nothing of sockets, journals or other steps.
"""

from __future__ import annotations

import enum
import time
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Any, Final

from vestibule.v1 import decision_pb2, event_pb2
from vestibule.worker.v1 import worker_pb2

from sandbox.action import alarm, api, event, live
from sandbox.contract import surface
from sandbox.reach import environment, interrupts, text

if TYPE_CHECKING:
    from collections.abc import Mapping

HANDLER: Final = surface.ENTRY

COMPLETED: Final = int(decision_pb2.VERDICT_COMPLETED)
RAISED: Final = int(decision_pb2.VERDICT_RAISED)
REJECTED: Final = int(decision_pb2.VERDICT_REJECTED)
TIMED_OUT: Final = int(decision_pb2.VERDICT_TIMED_OUT)
EXHAUSTED: Final = int(decision_pb2.VERDICT_EXHAUSTED)

DONE: Final[bytes] = worker_pb2.StepReport(verdict=COMPLETED).SerializeToString()
"""The report of an action that returned and asked for nothing."""
_DENYING: Final = frozenset(call.op for call in surface.SURFACE if call.ends == "deny")
_ENDING: Final = frozenset(call.op for call in surface.SURFACE if call.ends)

_MESSAGE_CHARS: Final = 512


def clean(text: str) -> str:
    """Make a tenant's text fit for one line of protobuf: capped, encodable, printable."""
    text = text[:_MESSAGE_CHARS]
    if text.isprintable() and text.isascii():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def last_line(traceback: TracebackType | None) -> int:
    """Return the line of the innermost frame of the action in a traceback; 0 when there is none."""
    line = 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == alarm.ACTION_FILENAME:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


class End(enum.Enum):
    """How an execution ended, as far as its worker must know."""

    COMPLETED = "completed"
    DENIED = "denied"
    """It completed, and ended the flow."""
    SUSPENDED = "suspended"
    """It completed, and the flow waits for the user."""
    EXHAUSTED = "exhausted"
    FAILED = "failed"
    LATE = "late"
    """Its caller's deadline passed while it ran, with some of its budget left: nothing can be said about it."""


def _end(ops: list[str]) -> End:
    """Say what the commands of an execution that completed do to the flow. A denial is stronger than a suspension."""
    if _ENDING.isdisjoint(ops):
        return End.COMPLETED
    return End.SUSPENDED if _DENYING.isdisjoint(ops) else End.DENIED


class Outcome:
    """What became of the tenant's code; filled while the budget still runs."""

    __slots__ = ("error_line", "error_message", "error_type", "verdict")

    def __init__(self) -> None:
        self.verdict = COMPLETED
        self.error_type = ""
        self.error_message = ""
        self.error_line = 0

    def set(self, verdict: int, error_type: str, message: str, line: int) -> None:
        """Note a failure."""
        self.verdict = verdict
        self.error_type = error_type
        self.error_message = clean(message)
        self.error_line = line


def _run(
    code: CodeType, handler: str, namespace: dict[str, Any], view: event.Event, recorder_api: api.Api, out: Outcome
) -> None:
    """Run the action inside the armed budget; describing its exception is part of the budget too."""
    try:
        exec(code, namespace)  # noqa: S102 - this is the product: policy-checked code in a locked-down process
        namespace[handler](view, recorder_api)
    except MemoryError as error:
        out.set(EXHAUSTED, "MemoryLimitExceeded", "the action used up its memory limit", last_line(error.__traceback__))
    except Exception as error:  # noqa: BLE001 - whatever tenant code raises is a verdict
        line = last_line(error.__traceback__)
        out.set(RAISED, type(error).__name__, text.safe_str(error), line)


def execute(
    code: CodeType,
    handler: str,
    message: event_pb2.PostLoginEvent,
    secrets: Mapping[str, str],
    clock_ns: int,
    seed: bytes,
    started_ns: int,
    budget_ns: int,
    output_bytes: int,
    flow: live.Flow,
    cpu_ns: int | None = None,
    deadline_ns: int = alarm.NEVER,
) -> tuple[bytes, End, dict[str, Any]]:
    """Run one compiled action.

    Args:
        code: compiled by `sandbox.language.compiler`.
        handler: the function to call with `(event, api)`.
        message: the parsed event, shared by the steps of a flow; views of it are read-only.
        secrets: of this action; the action gets its own copy.
        clock_ns: the execution's clock, nanoseconds since the epoch.
        seed: of the execution's randomness.
        started_ns: CLOCK_MONOTONIC now; the budget runs from here.
        budget_ns: processor time that is left for this step.
        output_bytes: captured output that is kept.
        flow: what earlier executions left to this one; of an execution that completes, its own part is added.
        cpu_ns: the thread's processor clock now; read here when it is not given.
        deadline_ns: CLOCK_MONOTONIC instant at which the execution is given up.

    Returns:
        The serialized StepReport, how it ended, and the namespace, which the caller tears down inside its own budget.
        The report of one that ended LATE is not to be used.
    """
    if cpu_ns is None:
        cpu_ns = time.thread_time_ns()
    out = Outcome()
    output = environment.Output(output_bytes)
    namespace = environment.begin(clock_ns, seed, output)
    view = event.Event(message, secrets)
    recorder = api.Recorder(view, flow, clock_ns, handler, code.co_names)
    handle = api.make_api(recorder)
    interrupts.reset()
    try:
        try:
            alarm.start(budget_ns, started_ns, cpu_ns, deadline_ns)
            _run(code, handler, namespace, view, handle, out)
        finally:
            alarm.stop()
    except interrupts.LimitExceeded as error:
        out.set(EXHAUSTED, error.error_type, error.message, last_line(error.__traceback__))
    except interrupts.Interrupted as error:
        out.set(TIMED_OUT, "BudgetExceeded", _timed_out(budget_ns, started_ns, cpu_ns), error.line)
    except MemoryError:
        # Not even the exception could be described.
        out.set(EXHAUSTED, "MemoryLimitExceeded", "the action used up its memory limit", 0)
    except BaseException as error:  # noqa: BLE001 - SystemExit and its like are verdicts as well
        out.set(RAISED, type(error).__name__, text.safe_str(error), last_line(error.__traceback__))

    interrupted = interrupts.STATE.interrupted
    if interrupted is not None and out.verdict in (COMPLETED, RAISED):
        # The interrupt was replaced on its way out, by a `finally` block that raised or by a C function that gave up.
        if isinstance(interrupted, interrupts.LimitExceeded):
            out.set(EXHAUSTED, interrupted.error_type, interrupted.message, out.error_line)
        else:
            line = getattr(interrupted, "line", 0)
            out.set(TIMED_OUT, "BudgetExceeded", _timed_out(budget_ns, started_ns, cpu_ns), line)
    interrupts.reset()

    if out.verdict == EXHAUSTED:
        namespace.clear()  # nothing can be reported while the action's data still fills the memory

    printed = output.text()
    environment.end()
    if out.verdict == COMPLETED and not printed:
        commands = recorder.encoded()
        if not commands:
            return DONE, End.COMPLETED, namespace
        report = worker_pb2.StepReport(
            verdict=COMPLETED, commands=[worker_pb2.Command(op=op, args_json=args) for op, args in commands]
        )
        recorder.leave()
        if len(report.commands) != len(commands):
            raise MemoryError  # a command that got lost could be the one that denies
        return report.SerializeToString(), _end([op for op, _ in commands]), namespace
    report = worker_pb2.StepReport(verdict=out.verdict)
    end = End.COMPLETED
    if out.verdict == COMPLETED:
        commands = recorder.encoded()
        for op, args in commands:
            report.commands.add(op=op, args_json=args)
        end = _end([op for op, _ in commands])
        recorder.leave()
        if len(report.commands) != len(commands):
            raise MemoryError
    else:
        # An action that failed has asked for nothing: half of what it meant to say could be the dangerous half.
        report.error_type = clean(out.error_type)
        report.error_message = out.error_message
        report.error_line = out.error_line
        end = End.EXHAUSTED if out.verdict == EXHAUSTED else End.FAILED
        if out.verdict == TIMED_OUT and alarm.late():
            end = End.LATE
    if printed:
        report.output = printed
        report.output_truncated = output.truncated
    return report.SerializeToString(), end, namespace


def _timed_out(budget_ns: int, started_ns: int, cpu_ns: int) -> str:
    had_ns, took_ns = time.thread_time_ns() - cpu_ns, time.monotonic_ns() - started_ns
    return (
        f"the action did not return within its budget of {budget_ns / 1e6:.0f} ms of processor time: "
        f"it had {had_ns / 1e6:.0f} ms, in {took_ns / 1e6:.0f} ms on the clock"
    )
