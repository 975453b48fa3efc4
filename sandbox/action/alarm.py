"""The soft time limit: a SIGALRM handler that raises in tenant code, and says where it stood.

Knows signals and two clocks. Knows nothing of protocols. It is a courtesy with a good error message: a C call that
holds the interpreter is beyond its reach and is killed from outside.

A budget is processor time, because an action does nothing but compute: what the machine gave to others is not the
action's fault. A deadline is an instant: the caller waits no longer.
"""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Final

from sandbox.reach import interrupts, open_names

ACTION_FILENAME: Final = open_names.ACTION_FILENAME

# A `finally` block of the action may loop again after the first interrupt, so the alarm rings until the code is out.
# The kernel repeats it, for a handler that finds no frame to run in cannot arm it again.
_AGAIN_S: Final = 0.005
_FRAMES_MAX: Final = 2000
# A shorter wait would cost more than what is left of the budget.
_WAIT_MIN_NS: Final = 100_000

NEVER: Final = 1 << 62
"""A deadline that does not come."""


class _Alarm:
    __slots__ = ("active", "armed_until_ns", "cpu_until_ns", "deadline_ns", "late")

    def __init__(self) -> None:
        self.active = False
        self.late = False
        self.cpu_until_ns = 0
        self.deadline_ns = 0
        self.armed_until_ns = 0


ALARM: Final = _Alarm()


def place_of(frame: FrameType | None) -> tuple[int, str]:
    """Return the line and the file at which the innermost frame of the tenant's stands; 0 when there is none."""
    for _ in range(_FRAMES_MAX):
        if frame is None:
            break
        name = frame.f_code.co_filename
        # As open_names.is_own_file, without a call: near the recursion limit there may be no frame for one.
        if name == ACTION_FILENAME or name.startswith(open_names.SHARED_FILES):
            return frame.f_lineno, name
        frame = frame.f_back
    return 0, ACTION_FILENAME


def _ring(_signum: int, frame: FrameType | None) -> None:
    if not ALARM.active or (frame is not None and frame.f_code is stop.__code__):
        # Armed by a flow that ended in time: one late ring costs less than two system calls for every login. Or the
        # action ended just now, and freed for so long that the ring waited for `stop`, which must not be torn in two.
        ALARM.armed_until_ns = 0
        signal.setitimer(signal.ITIMER_REAL, 0)
        return
    now_ns = time.monotonic_ns()
    left_ns = ALARM.cpu_until_ns - time.thread_time_ns()
    if left_ns > 0 and now_ns < ALARM.deadline_ns:
        # Armed for an earlier step that ended in time, or the processor was given to others meanwhile. Not by a call:
        # near the recursion limit a handler without a frame to call in fails the action.
        left_ns = max(min(left_ns, ALARM.deadline_ns - now_ns), _WAIT_MIN_NS)
        ALARM.armed_until_ns = now_ns + left_ns
        signal.setitimer(signal.ITIMER_REAL, left_ns / 1e9, _AGAIN_S)
        return
    interrupted = interrupts.STATE.interrupted
    if interrupted is None:
        ALARM.late = left_ns > 0
        # Noted before anything else is called: at the recursion limit there is no frame to spare for a call, and the
        # RecursionError that it would be ends at the next `except`, because the interrupt is noted.
        interrupted = interrupts.STATE.interrupted = interrupts.Interrupted()
    if not interrupted.args:
        # Also where the next ring has torn this handler in two before it knew the place: on a busy machine it does.
        interrupted.args = place_of(frame)
    raise interrupted


def install() -> None:
    """Install the handler. Once, before the lock-down: the filter does not allow it afterwards."""
    signal.signal(signal.SIGALRM, _ring)


def start(budget_ns: int, now_ns: int, cpu_ns: int, deadline_ns: int = NEVER) -> None:
    """Let the alarm ring when the budget or the time is used up, and from then on until `stop`.

    Args:
        budget_ns: processor time that the code may take.
        now_ns: CLOCK_MONOTONIC now.
        cpu_ns: the thread's processor clock now.
        deadline_ns: instant of CLOCK_MONOTONIC.
    """
    ALARM.cpu_until_ns = cpu_ns + budget_ns
    ALARM.deadline_ns = deadline_ns
    ALARM.late = False
    ALARM.active = True
    # One system call a flow is enough: a timer that rings early looks at the clocks and re-arms itself.
    # One that should have rung before now found no frame to do it in, and is not to be relied on.
    first_ns = min(now_ns + budget_ns, deadline_ns)
    if not now_ns < ALARM.armed_until_ns <= first_ns:
        ALARM.armed_until_ns = first_ns
        signal.setitimer(signal.ITIMER_REAL, max(first_ns - now_ns, 1000) / 1e9, _AGAIN_S)


def late() -> bool:
    """Was the last interrupt for the deadline, with some of the budget left?"""
    return ALARM.late


def stop() -> None:
    """Raise no more. The timer itself may stay armed, and rings once for nothing."""
    ALARM.active = False


def disarm() -> None:
    """Stop the timer as well."""
    ALARM.active = False
    ALARM.armed_until_ns = 0
    signal.setitimer(signal.ITIMER_REAL, 0)
