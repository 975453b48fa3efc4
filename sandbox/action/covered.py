"""Notes which lines of an action run after which, for an author who tests it: a tracer, set for one execution.

Knows frames of actions, and what the `coverage` library wants of them. Must not know questions. No login of a daemon is
measured, since a traced line takes many times as long.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from vestibule.worker.v1 import worker_pb2

from sandbox.action import alarm, execution
from sandbox.contract import bundle

_ARCS_MAX: Final = 10_000
"""Of one file in one execution: more lines than this than any action has."""
_RESUME: Final = dis.opmap["RESUME"]

Local = Callable[[FrameType, str, Any], Any]


class Tracer:
    """What ran so far: pairs of lines, as `coverage` has them."""

    def __init__(self) -> None:
        self._by_file: dict[str, set[tuple[int, int]]] = {}

    def trace(self, frame: FrameType, _event: str, _arg: Any) -> Local | None:
        """Follow a frame that is entered, or a generator that is resumed, if it is the author's."""
        code = frame.f_code
        if code.co_filename != alarm.ACTION_FILENAME and not bundle.is_file(code.co_filename):
            return None
        arcs, entry = self._by_file.setdefault(code.co_filename, set()), -code.co_firstlineno
        if len(arcs) > _ARCS_MAX:
            return None
        # The instruction says whether a function begins here.
        last = frame.f_lineno if code.co_code[frame.f_lasti + 1] & 3 else entry

        def follow(frame: FrameType, event: str, _arg: Any) -> Local:
            nonlocal last
            if event == "line":
                arcs.add((last, frame.f_lineno))
                last = frame.f_lineno
            elif event == "return" and _leaves(frame):
                arcs.add((last, entry))
            return follow

        return follow

    def report(self) -> bytes:
        """Return the part of a StepReport that says what ran."""
        report = worker_pb2.StepReport()
        for name, arcs in sorted(self._by_file.items()):
            file = "" if name == alarm.ACTION_FILENAME else name
            report.covered.add(file=file, arcs=[line for arc in sorted(arcs) for line in arc])
        data: bytes = report.SerializeToString()
        return data


def _leaves(frame: FrameType) -> bool:
    """Is the function left for good? A generator that yields will be resumed.

    By an instruction of its own: Python 3.13 stands at it already, other versions before it.
    """
    code, at = frame.f_code.co_code, frame.f_lasti
    return code[at] != _RESUME and (at + 2 >= len(code) or code[at + 2] != _RESUME)


def execute(*args: Any, **named: Any) -> tuple[bytes, execution.Ending, dict[str, Any]]:
    """Run one action as `execution.execute` does, and add what ran of it to its report."""
    tracer = Tracer()
    sys.settrace(tracer.trace)
    try:
        report, end, namespace = execution.execute(*args, **named)
    finally:
        sys.settrace(None)
    return report + tracer.report(), end, namespace
