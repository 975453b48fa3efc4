"""What a worker takes of the processor, by the kernel's clock of its process: nothing that a worker says.

Knows the worker's process id and pidfd. Must not know tenants or metrics. Read when a worker is swept, killed or found
dead, so that a login pays nothing for it.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.workers.spawned import SpawnedWorker

# The clock of a whole process in the kernel's numbering of clocks: see clock_getcpuclockid(3).
_CLOCK_BITS: Final = 3
_CPUCLOCK_SCHED: Final = 2


def _nobodys(_seconds: float) -> None:
    """Count for no tenant: the worker is blank."""


class Meter:
    """Tells the worker's tenant's account, once there is one, the seconds since it was read last."""

    __slots__ = ("_clock", "_seen_s", "_spawned", "_spent", "pid", "read_ns")

    def __init__(self, spawned: SpawnedWorker, spent: Callable[[float], None] = _nobodys) -> None:
        self._spawned = spawned
        self._spent = spent
        self.pid = spawned.host_pid()
        """Its process id as the daemon sees it; negative where that is not known."""
        self._clock = (~self.pid << _CLOCK_BITS) | _CPUCLOCK_SCHED if self.pid > 0 else 0
        self._seen_s = self._now() or 0.0
        self.read_ns = time.monotonic_ns()
        """When it was read last, by CLOCK_MONOTONIC."""

    @property
    def seen_s(self) -> float:
        """Return what its clock stood at when it was read last."""
        return self._seen_s

    def charge(self, spent: Callable[[float], None]) -> None:
        """Tell `spent` of all that the worker does from now on."""
        self.read()
        self._spent = spent

    def read(self) -> bool:
        """Count what was spent since the last reading; False when the process is gone and took its clock along."""
        now_s = self._now()
        if now_s is None:
            return False
        self.read_ns = time.monotonic_ns()
        if now_s > self._seen_s:
            self._spent(now_s - self._seen_s)
            self._seen_s = now_s
        return True

    @property
    def moved(self) -> bool:
        """Has the process spent anything since it was read last, or gone? Half the price of a reading."""
        try:
            return bool(self._clock) and time.clock_gettime(self._clock) != self._seen_s
        except OSError:
            return True

    def close(self, running_since_ns: int) -> None:
        """Read for the last time.

        Args:
            running_since_ns: when the question was asked that a worker died of; 0 when it was asked none. If its clock
                cannot be read any more, all time since then is counted: a crash must not be a way to run for nothing.
        """
        if self._clock and not self.read() and running_since_ns:
            self._spent(max(0, time.monotonic_ns() - max(running_since_ns, self.read_ns)) / 1e9)

    def _now(self) -> float | None:
        if not self._clock:
            return None
        try:
            now_s = time.clock_gettime(self._clock)
            # The number may be somebody else's by now; it was the worker's if the worker is still there after the look.
            signal.pidfd_send_signal(self._spawned.pidfd, 0)
        except PermissionError:
            # It is there, and of another user.
            return now_s
        except OSError:
            return None
        return now_s
