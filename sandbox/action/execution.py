"""Runs one action: compiled code, an event and a budget in, a step report out. A failure of the code is a verdict.

Knows how to describe a failure to its author. Must not know sockets, journals or other steps.
"""

from __future__ import annotations

import enum
import time
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from sandbox.action import alarm, api, event, live
from sandbox.contract import surface, wire
from sandbox.contract.report import Verdict
from sandbox.reach import environment, interrupts, shared_files, text, tracebacks
from sandbox.reach.open_names import is_own_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.contract.policy_rule import Chosen

DONE: Final[bytes] = worker_pb2.StepReport(verdict=Verdict.COMPLETED).SerializeToString()
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


def last_place(traceback: TracebackType | None) -> tuple[int, str]:
    """Return line and file of the innermost frame of the tenant's in a traceback; line 0 when there is none."""
    place = 0, ""
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if is_own_file(name):
            place = traceback.tb_lineno, name
        traceback = traceback.tb_next
    return place


def _let_go(error: BaseException) -> tuple[int, str]:
    """Return the place of an exception, and free what the frames of the action hold: a failure needs memory too."""
    place = last_place(error.__traceback__)
    error.__traceback__ = error.__context__ = None
    return place


class Ending(enum.Enum):
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


def ending(ops: list[str]) -> Ending:
    """Say what the commands of an execution that completed do to the flow. A denial is stronger than a suspension."""
    if _ENDING.isdisjoint(ops):
        return Ending.COMPLETED
    return Ending.SUSPENDED if _DENYING.isdisjoint(ops) else Ending.DENIED


class Failed(NamedTuple):
    """How an execution failed, for its author."""

    verdict: Verdict
    error_type: str
    message: str
    place: tuple[int, str] = (0, "")
    """Line and file."""


# Made in advance: where the memory has ended there may be none for a failure either.
_OUT_OF_MEMORY: Final = Failed(Verdict.EXHAUSTED, "MemoryLimitExceeded", "the action used up its memory limit")


def _raised(error: BaseException, output: environment.ActionOutput) -> Failed:
    """Describe an error; the way to it is printed where the line alone does not show it."""
    place = last_place(error.__traceback__)
    if tracebacks.frames(error.__traceback__)[1] > 1:
        output.write(tracebacks.written(error, output.secrets.values()))
    message = "; ".join([text.safe_str(error), *tracebacks.notes_of(error)])
    return Failed(Verdict.RAISED, clean(type(error).__name__), clean(message), place)


def _limited(error: interrupts.LimitExceeded, place: tuple[int, str]) -> Failed:
    return Failed(Verdict.EXHAUSTED, error.error_type, clean(error.message), place)


def _run(
    code: CodeType,
    handler: str,
    namespace: dict[str, Any],
    view: event.Event,
    recorder_api: api.Api,
    output: environment.ActionOutput,
) -> Failed | None:
    """Run the action inside the armed budget; describing its exception is part of the budget too."""
    try:
        exec(code, namespace)  # noqa: S102 - this is the product: policy-checked code in a locked-down process
        if handler:
            namespace[handler](view, recorder_api)
    except MemoryError as error:
        return _OUT_OF_MEMORY._replace(place=_let_go(error))
    except Exception as error:  # noqa: BLE001 - whatever tenant code raises is a verdict
        return _raised(error, output)
    return None


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
    flow: live.FlowState,
    cpu_ns: int | None = None,
    deadline_ns: int = alarm.NEVER,
    files: shared_files.Files = (),
    policy: Chosen | None = None,
    uses: frozenset[str] | None = None,
) -> tuple[bytes, Ending, dict[str, Any]]:
    """Run one compiled action.

    Args:
        code: compiled by `sandbox.language.compiler`.
        handler: the function to call with `(event, api)`; empty to run the code outside of all functions alone.
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
        files: shared files that it may import; each import of one runs it in this execution.
        policy: the tenant's, for an action that looks at what it decides by itself.
        uses: groups of `api` that it may call; None: all.

    Returns:
        The serialized StepReport, how it ended, and the namespace, which the caller tears down inside its own budget.
        The report of one that ended LATE is not to be used.
    """
    if cpu_ns is None:
        cpu_ns = time.thread_time_ns()
    output = environment.ActionOutput(output_bytes, secrets)
    namespace = environment.begin(clock_ns, seed, output)
    if files:
        namespace = shared_files.Importer(files, namespace).namespace()
    view = event.Event(message, secrets, policy)
    recorder = api.CommandRecorder(view, flow, clock_ns, handler, code.co_names, uses)
    handle = api.make_api(recorder)
    failure: Failed | None = None
    state = interrupts.STATE
    state.interrupted = None
    try:
        try:
            alarm.start(budget_ns, started_ns, cpu_ns, deadline_ns)
            failure = _run(code, handler, namespace, view, handle, output)
        finally:
            alarm.stop()
    except interrupts.LimitExceeded as error:
        failure = _limited(error, _let_go(error))
    except interrupts.Interrupted as error:
        failure = _timed_out(budget_ns, started_ns, cpu_ns, error)
    except MemoryError:
        # Not even the exception could be described.
        failure = _OUT_OF_MEMORY
    except BaseException as error:  # noqa: BLE001 - SystemExit and its like are verdicts as well
        failure = _raised(error, output)

    interrupted = state.interrupted
    if interrupted is not None and (failure is None or failure.verdict is Verdict.RAISED):
        # The interrupt was replaced on its way out, by a `finally` block that raised or by a C function that gave up.
        if isinstance(interrupted, interrupts.LimitExceeded):
            failure = _limited(interrupted, failure.place if failure is not None else (0, ""))
        else:
            failure = _timed_out(budget_ns, started_ns, cpu_ns, interrupted)
    state.interrupted = None

    if failure is not None and failure.verdict is Verdict.EXHAUSTED:
        namespace.clear()  # nothing can be reported while the action's data still fills the memory
    printed = output.text()
    environment.end()
    if failure is None:
        commands = recorder.encoded()
        done = wire.completed(commands, printed, output.truncated) if commands or printed else DONE
        if not commands:
            return done, Ending.COMPLETED, namespace
        recorder.leave()
        return done, ending([op for op, _ in commands]), namespace
    # An action that failed has asked for nothing: half of what it meant to say could be the dangerous half.
    report = worker_pb2.StepReport(
        verdict=failure.verdict,
        error_type=failure.error_type,
        error_message=failure.message,
        error_line=failure.place[0],
        error_file="" if failure.place[1] == alarm.ACTION_FILENAME else failure.place[1],
    )
    end = Ending.EXHAUSTED if failure.verdict is Verdict.EXHAUSTED else Ending.FAILED
    if failure.verdict is Verdict.TIMED_OUT and alarm.late():
        end = Ending.LATE
    if printed:
        report.output = printed
        report.output_truncated = output.truncated
    return report.SerializeToString(), end, namespace


def _timed_out(budget_ns: int, started_ns: int, cpu_ns: int, interrupted: BaseException) -> Failed:
    had_ns, took_ns = time.thread_time_ns() - cpu_ns, time.monotonic_ns() - started_ns
    message = (
        f"the action did not return within its budget of {budget_ns / 1e6:.0f} ms of processor time: "
        f"it had {had_ns / 1e6:.0f} ms, in {took_ns / 1e6:.0f} ms on the clock"
    )
    place = (interrupted.line, interrupted.file) if isinstance(interrupted, interrupts.Interrupted) else (0, "")
    return Failed(Verdict.TIMED_OUT, "BudgetExceeded", message, place)
