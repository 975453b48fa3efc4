"""A question that a worker has not answered yet, and the ways in which there is no answer to it.

Knows the journal. Must not know pipes, or what is asked.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from runtime.errors import WorkerError, WorkerLost
from sandbox.contract import journal

NEVER: Final = 1 << 62
"""An instant that does not come."""


@dataclass(slots=True, eq=False)
class Question:
    """What a worker has not answered yet. It runs the first of them; the others wait in its pipe."""

    future: asyncio.Future[bytes]
    nonce: int
    step_budgets_ns: tuple[int, ...]
    first_look_ns: int
    """After what time a limit can be reached at the earliest."""
    hard_ns: int
    deadline_ns: int
    sent_at: int
    """How many bytes the worker has been sent, in all, when it has been sent this question."""
    movable: bool
    """May it be asked of another worker, if the one before it takes long?"""
    waited_for: bool = True
    """Is there a caller left for its answer?"""


class WorkerKilled(WorkerError):
    """The watchdog killed the worker while it ran.

    `entry` is its journal at that instant, `cpu_ns` the processor time that the step had by then, None where the kernel
    does not say. `stalled` says that the machine gave it none, so that nothing is known about the action.
    """

    def __init__(self, entry: journal.JournalEntry, cpu_ns: int | None = None, *, stalled: bool = False) -> None:
        self.entry = entry
        self.cpu_ns = cpu_ns
        self.stalled = stalled
        super().__init__("the worker was killed at its limit")


class NotBegun(WorkerLost):
    """The worker is gone, and had not begun with the question: the one before it was its end, or it was gone before."""


class Overtaken(NotBegun):
    """The worker is busy with another question for long, and this one may be asked elsewhere. It still answers both."""
