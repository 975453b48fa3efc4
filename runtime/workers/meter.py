"""What a worker takes of processor and memory, by the kernel's account of its process: nothing that a worker says.

Knows the worker's process id and pidfd, /proc and control groups. Must not know tenants or metrics. Read when a worker
is looked at, killed or found dead, so that a login pays nothing for it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from runtime.ops import control_group
from runtime.workers.spawned import SpawnedWorker

# The clock of a whole process in the kernel's numbering of clocks: see clock_getcpuclockid(3).
_CLOCK_BITS: Final = 3
_CPUCLOCK_SCHED: Final = 2
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
# Of the machine's memory, or the control group's, where no ceiling is configured: the rest is the daemon's and others'.
_SHARE: Final = 0.75


def _for_no_tenant(_seconds: float) -> None:
    """Count nothing: the worker is blank."""


class Meter:
    """A worker's processor clock. Each reading charges the worker's tenant, once it has one, with what was spent."""

    __slots__ = ("_child_clock", "_clock", "_own_s", "_spawned", "_spent", "answering_s", "pid", "read_ns", "seen_s")

    def __init__(self, spawned: SpawnedWorker, spent: Callable[[float], None] = _for_no_tenant) -> None:
        self._spawned = spawned
        self._spent = spent
        self.pid = spawned.host_pid()
        """Its process id as the daemon sees it; negative where that is not known."""
        self._clock = _clock_of(self.pid)
        self._child_clock = 0
        self._own_s = self.answering_s = 0.0
        """What the clock of the process that answers stood at when it was read last: a template's child, or itself."""
        self.seen_s = self._now() or 0.0
        """What its clock stood at when it was read last; a template's with those of all its children."""
        self.read_ns = time.monotonic_ns()
        """When it was read last, by CLOCK_MONOTONIC."""

    def charge(self, spent: Callable[[float], None]) -> None:
        """Call `spent` with all that the worker does from now on."""
        self.read()
        self._spent = spent

    def follow(self, child_pid: int) -> None:
        """Count this child of a template from now on; those before it are in the template's own account."""
        self._child_clock = _clock_of(child_pid)

    def answering_ns(self) -> int | None:
        """Read where the clock of the process that answers stands; None when it is gone and took its clock along."""
        if not self._child_clock:
            return int(self.seen_s * 1e9) if self.read() else None
        try:
            return time.clock_gettime_ns(self._child_clock)
        except OSError:
            return None

    def read(self) -> bool:
        """Count what was spent since the last reading; False when the process is gone and took its clock along."""
        now_s = self._now()
        if now_s is None:
            return False
        self.read_ns = time.monotonic_ns()
        if now_s > self.seen_s:
            self._spent(now_s - self.seen_s)
            self.seen_s = now_s
        return True

    @property
    def moved(self) -> bool:
        """Has the process spent anything since it was read last, or gone? Half the price of a reading."""
        try:
            return bool(self._clock) and (bool(self._child_clock) or time.clock_gettime(self._clock) != self._own_s)
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
            # The number may be another process's by now; it was the worker's if the worker is still there afterwards.
            signal.pidfd_send_signal(self._spawned.pidfd, 0)
        except PermissionError:
            pass  # It is there, and of another user.
        except OSError:
            return None
        self._own_s = self.answering_s = now_s
        if self._child_clock:
            try:
                self.answering_s = time.clock_gettime(self._child_clock)
            except OSError:
                self.answering_s = 0.0
            now_s += self.answering_s + _reaped_s(self.pid)
        return now_s


def _clock_of(pid: int) -> int:
    """Return the number of a process's clock; 0 where the process is not known."""
    return (~pid << _CLOCK_BITS) | _CPUCLOCK_SCHED if pid > 0 else 0


def _reaped_s(pid: int) -> float:
    """Return what the children of a process took that it has waited for, in ticks of 10 ms; the kernel sums exactly.

    Source: proc_pid_stat(5), cutime and cstime.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / _TICKS_PER_S
    except (OSError, IndexError, ValueError):
        return 0.0


def anonymous_bytes(pid: int) -> int | None:
    """Return the anonymous memory that a process holds in RAM; None when it is gone or may not be seen.

    Takes some 10 us. `smaps_rollup` has private pages exactly, takes a hundred times as long because it walks them all,
    and may not be read by an ordinary user's daemon. Source: proc_pid_statm(5).
    """
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
            fields = file.read(128).split()
        return (int(fields[1]) - int(fields[2])) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return None


def available_bytes(proc: Path | None = None, groups: Path | None = None) -> int:
    """Return what this process and its children may use at most: the machine's memory, or the control group's."""
    machine = os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES
    group = control_group.limit("memory.max", proc, groups)
    return machine if group is None else min(machine, group)


def ceiling_bytes(configured: int) -> int:
    """Return what all workers may hold together; `configured` is 0 for a share of what there is."""
    return configured or int(available_bytes() * _SHARE)
