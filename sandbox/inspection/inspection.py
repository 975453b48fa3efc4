"""An action that compiles is looked over within a budget, and the code outside of its functions is run once.

Runs tenant code, so only a locked-down worker calls it. Must not know messages or journals.
"""

from __future__ import annotations

import time
from pathlib import PurePath
from types import CodeType
from typing import Final

from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from sandbox.action import alarm, execution, live
from sandbox.contract.report import Verdict
from sandbox.inspection.source import inspect
from sandbox.language.compiler import SourceFault
from sandbox.reach import environment, interrupts
from sandbox.reach.shared_files import Files

_SEED: Final = bytes(16)
_OUTPUT_BYTES: Final = 1024
_UNFINISHED: Final = (
    "the calls and members that this action uses could not all be looked at: it is too large or nested too deeply; "
    "split it into functions or into several actions"
)
_FAILED: Final = (
    "the calls and members that this action uses could not all be looked at, by a mistake in the check itself ({}); "
    "the action compiles and may work: report this to the maintainers of Vestibule"
)


def of_source(source: str, filename: str, secrets: frozenset[str] | None, budget_ns: int) -> list[SourceFault]:
    """Return what is found in the text of an action; one finding says so where the budget or the memory ended.

    A mistake of the check's own is such a finding too: the action compiles, and its tenant may need it today.
    """
    environment.begin(time.time_ns(), _SEED, environment.ActionOutput(_OUTPUT_BYTES))
    unfinished = _UNFINISHED
    found: list[SourceFault] | None = None
    try:
        try:
            alarm.start(budget_ns, time.monotonic_ns(), time.thread_time_ns())
            found = inspect(source, filename, secrets)
        finally:
            alarm.stop()
    except (interrupts.Interrupted, MemoryError, RecursionError):
        pass
    except Exception as error:  # noqa: BLE001 - whatever it is, it says nothing against the action
        if interrupts.STATE.interrupted is None:
            unfinished = _FAILED.format(_where(error))
    interrupts.reset()
    alarm.disarm()
    environment.end()
    return [SourceFault(1, 1, unfinished, filename, "not-inspected")] if found is None else found


def _where(error: Exception) -> str:
    """Name an error of the check and its line. Its message may have parts of the source."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    name = type(error).__name__
    if traceback is None:
        return name
    path = PurePath(traceback.tb_frame.f_code.co_filename)
    return f"{name} at {path.parent.name}/{path.name}:{traceback.tb_lineno}"


def with_body(found: list[SourceFault], code: CodeType, files: Files, budget_ns: int) -> list[SourceFault]:
    """Run what stands outside of all functions, and add what it raises, unless its line was found at fault already."""
    report, _, namespace = execution.execute(
        code, "", event_pb2.PostLoginEvent(), {}, time.time_ns(), _SEED, time.monotonic_ns(), budget_ns,
        _OUTPUT_BYTES, live.FlowState(), files=files,
    )  # fmt: skip
    namespace.clear()
    alarm.disarm()
    failed = worker_pb2.StepReport.FromString(report)
    line, file = max(failed.error_line, 1), failed.error_file or alarm.ACTION_FILENAME
    if failed.verdict == Verdict.COMPLETED or any(
        fault.code != "not-inspected"
        and fault.filename == file
        and fault.line <= line <= max(fault.end_line, fault.line)
        for fault in found
    ):
        return found
    what = f"{failed.error_type}: {failed.error_message}" if failed.error_message else failed.error_type
    message = f"this code runs at each login, outside of all functions, and fails: {what}"
    return sorted([*found, SourceFault(line, 1, message, file, "module-body")])
