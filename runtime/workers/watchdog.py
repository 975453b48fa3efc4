"""Kills a worker that is past its budget: the limit that no tenant code can talk to.

Knows the journal's phases and the clocks. Must not know verdicts or tenants. One tick serves every login in flight,
because a timer for each would cost more than the look at the clock.

A budget is processor time, by the kernel's clock of the worker. A worker that has had less than its budget when that
much time has passed keeps waiting for the processor. Its caller's deadline ends the wait, and not the worker.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from runtime.ops.labels import KillReason
from runtime.workers.fairness import Fairness
from runtime.workers.worker import Worker
from sandbox.contract.journal import Phase

_TICK_NS: Final = 5_000_000
# The resolution of the loop's timers.
_TICK_MIN_NS: Final = 1_000_000
COMPILE_KILL_NS: Final = 3_200_000_000
"""To compile one action. A little above the worker's own budget for it, which gives the better message."""
_TEARDOWN_BUDGET_NS: Final = 200_000_000
# A worker that has not even read its question by then is stopped, or the machine is overloaded: another one may do.
START_NS: Final = 500_000_000
# A running worker that had less than this of the processor in that time is stopped; another one may do.
_STALL_NS: Final = 500_000_000
_STALL_CPU_NS: Final = 1_000_000
# Processor time of a question that is older than a tick. Many short ones take less together.
_LONG_CPU_NS: Final = 1_000_000


class _Watch:
    """What is known of a worker whose question is older than a tick."""

    __slots__ = ("check_at_ns", "cpu_first_ns", "cpu_seen_ns", "moved_ns", "sent_ns")

    def __init__(self, worker: Worker) -> None:
        self.sent_ns = worker.sent_ns
        self.check_at_ns = min(worker.questions.first_look_ns, worker.questions.deadline_ns)
        # Where its processor clock stood at the first look, and at the last at which it had moved.
        self.cpu_first_ns = self.cpu_seen_ns = -1
        self.moved_ns = worker.sent_ns


class Watchdog:
    """Looks at every running worker each few milliseconds, and only while one runs; at a limit, once it is due."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, grace_ns: int, fairness: Fairness, *, moves: bool = True
    ) -> None:
        """Prepare; nothing ticks while nothing runs.

        Args:
            grace_ns: time on top of a budget for the worker's own alarm, which has the better message.
            fairness: looks at workers whose question is older than a tick. An everyday action takes less than 1 ms.
            moves: a tenant may have another worker for the logins that wait behind such a question.
        """
        self._moves = moves
        self._loop = loop
        self._grace_ns = grace_ns
        self._fairness = fairness
        self.running: dict[Worker, _Watch | None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, worker: Worker) -> None:
        """Watch a worker that was asked something, until `unwatch`."""
        self.running.setdefault(worker, None)
        if self._timer is None:
            self._timer = self._loop.call_later(_TICK_NS / 1e9, self._tick)

    def unwatch(self, worker: Worker) -> None:
        """Stop watching if nothing is to come: the answer is here, and it was asked no more."""
        if not (worker.asked or worker.renewing):
            self.running.pop(worker, None)

    def close(self) -> None:
        """Stop ticking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        now_ns = time.monotonic_ns()
        next_ns = now_ns + _TICK_NS
        for worker, watch in list(self.running.items()):
            if not worker.asked:
                if worker.renewing and now_ns - worker.sent_ns >= START_NS:
                    # Its last child does not end, or the next one does not begin.
                    worker.kill(KillReason.DEADLINE)
                continue
            if watch is None or watch.sent_ns != worker.sent_ns:
                watch = self.running[worker] = _Watch(worker)
            if now_ns >= min(watch.check_at_ns, worker.questions.deadline_ns):
                self._look(worker, watch, now_ns)
            if now_ns - worker.sent_ns >= _TICK_NS and worker.asked:
                if watch.cpu_first_ns < 0:
                    watch.cpu_first_ns = worker.cpu_ns() or 0
                self._fairness.look(worker, now_ns)
                if self._moves and worker.questions.shared:
                    self._weigh_others(worker, watch)
            if worker.asked:
                next_ns = min(next_ns, watch.check_at_ns)
        if self.running:
            self._timer = self._loop.call_later(max(next_ns - now_ns, _TICK_MIN_NS) / 1e9, self._tick)
        else:
            self._timer = None

    @staticmethod
    def _weigh_others(worker: Worker, watch: _Watch) -> None:
        """Let those go that wait behind a question that is long, and does not itself wait for the processor."""
        cpu_ns = worker.cpu_ns()
        if cpu_ns is None or cpu_ns - watch.cpu_first_ns >= _LONG_CPU_NS:
            worker.overtake()

    def _look(self, worker: Worker, watch: _Watch, now_ns: int) -> None:
        entry, asked = worker.entry(), worker.questions
        if now_ns >= asked.deadline_ns:
            worker.out_of_time()
            if not worker.asked:
                return
        if entry.nonce != asked.nonce:
            if now_ns - worker.sent_ns >= START_NS:
                worker.kill_at_limit(stalled=True)
            else:
                watch.check_at_ns = min(asked.deadline_ns, worker.sent_ns + START_NS)
            return
        budgets_ns = asked.step_budgets_ns
        if entry.phase == Phase.RUNNING and entry.step < len(budgets_ns):
            budget_ns = budgets_ns[entry.step]
            if 0 < entry.budget_ns < budget_ns:
                budget_ns = entry.budget_ns
        else:
            budget_ns = _TEARDOWN_BUDGET_NS if entry.phase == Phase.TEARDOWN else COMPILE_KILL_NS
        # The start is the worker's own word; a later one than the last question allows buys nothing past `hard_ns`.
        limit_ns = min(entry.started_ns, now_ns) + budget_ns + self._grace_ns
        if now_ns < limit_ns and now_ns < worker.sent_ns + asked.hard_ns:
            watch.check_at_ns = min(limit_ns, worker.sent_ns + asked.hard_ns, asked.deadline_ns)
            return
        cpu_ns = worker.cpu_ns()
        if cpu_ns is None:
            # There is no other clock than the wall's.
            worker.kill_at_limit()
            return
        had_ns = cpu_ns - min(max(entry.cpu_ns, 0), cpu_ns)
        self._weigh(worker, watch, now_ns, now_ns >= limit_ns, cpu_ns, had_ns, budget_ns)

    def _weigh(
        self, worker: Worker, watch: _Watch, now_ns: int, due: bool, cpu_ns: int, had_ns: int, budget_ns: int
    ) -> None:
        """Kill a worker that had what it was given, or is stopped; let another one wait for the processor.

        Args:
            worker: one that runs, for longer than its budget.
            watch: what is known of it.
            now_ns: CLOCK_MONOTONIC now.
            due: the phase is past its budget on the clock, not only the question past all it may take.
            cpu_ns: where the worker's processor clock stands.
            had_ns: what it had in this phase; where that began is the worker's own word.
            budget_ns: what it may have in this phase.
        """
        asked = worker.questions
        whole_left_ns = asked.hard_ns - (cpu_ns - max(watch.cpu_first_ns, 0))
        # A worker that had its budget and then lost the processor gets the time for its own alarm, which has the line.
        # On an idle machine it had that time within the grace.
        left_ns = min(budget_ns + self._grace_ns // 2 - had_ns, whole_left_ns) if due else whole_left_ns
        if left_ns <= 0:
            worker.kill_at_limit(had_ns)
            return
        if watch.cpu_seen_ns < 0 or cpu_ns - watch.cpu_seen_ns >= _STALL_CPU_NS:
            watch.cpu_seen_ns, watch.moved_ns = cpu_ns, now_ns
        elif now_ns - watch.moved_ns >= _STALL_NS:
            worker.kill_at_limit(had_ns, stalled=not due or had_ns < budget_ns)
            return
        if not asked.waited_for and now_ns >= worker.sent_ns + asked.hard_ns + _STALL_NS:
            # It had time enough for all it was asked, and no caller is left for whom more would be worth it.
            worker.kill_at_limit(had_ns, stalled=True)
            return
        watch.check_at_ns = min(now_ns + left_ns + self._grace_ns, watch.moved_ns + _STALL_NS, asked.deadline_ns)
