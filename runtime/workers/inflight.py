"""The questions that a worker has not answered yet, and the ways in which there is no answer to one.

Knows the journal. Must not know pipes, or what is asked.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from runtime.errors import DeadlineExceeded, WorkerError, WorkerLost
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


class Unanswered:
    """What one worker was asked and has not answered, in its order, with the limits of the question that it runs."""

    __slots__ = (
        "_all", "_worker_id", "deadline_ns", "first_look_ns", "hard_ns", "nonce", "step_budgets_ns", "waited_for",
    )  # fmt: skip

    def __init__(self, worker_id: int) -> None:
        """Begin with none; `worker_id` is for messages."""
        self._worker_id = worker_id
        self._all: deque[Question] = deque()
        # Of the question that it runs, as in `Question`; `first_look_ns` is an instant.
        self.nonce = self.first_look_ns = self.hard_ns = 0
        self.step_budgets_ns: tuple[int, ...] = ()
        self.waited_for = True
        """Is there a caller left for its answer?"""
        self.deadline_ns = NEVER
        """When the first of the callers stops waiting that wait for any of its answers."""

    def __len__(self) -> int:
        return len(self._all)

    @property
    def shared(self) -> bool:
        """Does a question wait behind the one that it runs?"""
        return len(self._all) > 1

    @property
    def sent_at(self) -> int:
        """How many bytes it has been sent, in all, when it has been sent the question that it runs."""
        return self._all[0].sent_at

    def add(self, question: Question) -> None:
        """Take one more, behind the others."""
        self._all.append(question)
        if question.deadline_ns < self.deadline_ns:
            self.deadline_ns = question.deadline_ns

    def turn(self, now_ns: int) -> None:
        """Note the limits of the question that it runs from now on."""
        question = self._all[0]
        self.nonce = question.nonce
        self.step_budgets_ns = question.step_budgets_ns
        self.first_look_ns = now_ns + question.first_look_ns
        self.hard_ns = question.hard_ns
        self.waited_for = question.waited_for
        self._note_deadline()

    def _note_deadline(self) -> None:
        self.deadline_ns = min([question.deadline_ns for question in self._all])

    def answered(self) -> asyncio.Future[bytes]:
        """Take out the one that it ran; return what its caller waits for. `turn` comes next, if there are more."""
        return self._all.popleft().future

    def fail(self, error: WorkerError) -> None:
        """End the wait for the question that it runs with an error; those behind it have not begun."""
        questions, self._all = self._all, deque()
        for question in questions:
            if not question.future.done():
                question.future.set_exception(error)
            error = NotBegun(f"worker {self._worker_id} ended with the question before")

    def adopt(
        self, future: asyncio.Future[bytes], renewed: Callable[[], asyncio.Future[bytes]]
    ) -> asyncio.Future[bytes] | None:
        """Let what `renewed` makes hold the answer to a question that its caller left; None when it has been given."""
        for question in self._all:
            if question.future is future:
                question.future = renewed()
                self._leave(question)
                return question.future
        return None

    def _leave(self, question: Question) -> None:
        """Note that no caller is left for the answer to a question."""
        question.waited_for = False
        question.deadline_ns = NEVER
        self.waited_for = self._all[0].waited_for
        self._note_deadline()

    def out_of_time(self, now_ns: int) -> None:
        """End the wait of callers whose deadline has come."""
        for question in self._all:
            if question.deadline_ns <= now_ns:
                self._leave(question)
                if not question.future.done():
                    question.future.set_exception(DeadlineExceeded())

    def overtake(self) -> None:
        """End the wait for those behind the first that may be asked of another worker."""
        for question in list(self._all)[1:]:
            if question.movable and not question.future.done():
                self._leave(question)
                question.future.set_exception(Overtaken(f"worker {self._worker_id} takes long for the question before"))
