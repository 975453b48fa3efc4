"""The journal: shared memory in which a worker notes how far it is, so that a kill loses nothing that was finished.

Knows the layout, for both ends. Knows nothing of sockets, budgets or verdicts. Written by `sandbox.process.worker`,
which is hostile once tenant code has run: the daemon copies before it parses, and believes only what it can check.
"""

from __future__ import annotations

import enum
import struct
from typing import Final, NamedTuple

# nonce of the flow; start of the phase by CLOCK_MONOTONIC and by the process's own processor clock, and what the phase
# may take of the processor (ns); step index, phase, length of the reports
_HEADER: Final = struct.Struct("<QqqqIII")
REPORTS_AT: Final = 64
"""Offset of the reports: serialized FlowReply fragments, which concatenate to one FlowReply."""


class Phase(enum.IntEnum):
    """What the worker was doing when it last wrote."""

    IDLE = 0
    COMPILING = 1
    RUNNING = 2
    TEARDOWN = 3


class JournalEntry(NamedTuple):
    """A copy of the journal at one instant; every value is hostile."""

    nonce: int
    started_ns: int
    step: int
    phase: int
    reports: bytes
    cpu_ns: int = 0
    """Where the processor clock of the worker stood when the phase began."""
    budget_ns: int = 0
    """What the phase may take of the processor; 0 when it was not said."""


_CLEARED: Final = bytes(_HEADER.size)


def clear(view: memoryview) -> None:
    """Forget the last question, before anything is noted of the next.

    A worker that dies while it writes a header must not leave the reports of one login under the nonce of the next.
    The worker does it itself: the daemon may have given it the next question long before it answered the last.
    """
    view[: _HEADER.size] = _CLEARED


def size_for(reply_bytes: int) -> int:
    """Bytes of shared memory for replies of up to `reply_bytes`, in whole pages."""
    return (REPORTS_AT + reply_bytes + 4095) // 4096 * 4096


def write_phase(
    view: memoryview,
    nonce: int,
    started_ns: int,
    step: int,
    phase: int,
    length: int,
    cpu_ns: int = 0,
    budget_ns: int = 0,
) -> None:
    """Note the current phase, and from where its processor time counts; `length` bytes of reports are valid."""
    _HEADER.pack_into(view, 0, nonce, started_ns, cpu_ns, budget_ns, step, phase, length)


def append_report(
    view: memoryview, length: int, fragment: bytes, nonce: int, ended_ns: int, step: int, cpu_ns: int
) -> int:
    """Add one fragment behind `length` bytes of reports and return the new length; its step is being torn down now."""
    end = length + len(fragment)
    view[REPORTS_AT + length : REPORTS_AT + end] = fragment
    # The length last: a kill between the two leaves the old, whole reports.
    _HEADER.pack_into(view, 0, nonce, ended_ns, cpu_ns, 0, step, Phase.TEARDOWN, end)
    return end


def read(view: memoryview) -> JournalEntry:
    """Copy what a worker wrote. A length beyond the memory is cut, and then fails to parse."""
    nonce, started_ns, cpu_ns, budget_ns, step, phase, length = _HEADER.unpack(bytes(view[: _HEADER.size]))
    reports = bytes(view[REPORTS_AT : REPORTS_AT + length])
    return JournalEntry(nonce, started_ns, step, phase, reports, cpu_ns, budget_ns)
