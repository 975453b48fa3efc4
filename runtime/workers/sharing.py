"""Decides when a login goes behind another one to a worker of its tenant that is busy, and how many do.

Knows what logins of late took and how many there are. Must not know questions, queues or gRPC.

A worker that finds its next question in its pipe neither sleeps nor has to be woken, and its pages are in the cache. A
login that waits in a pipe cannot be given to another worker at no cost, so that only short ones wait there.
"""

from __future__ import annotations

from typing import Final

from runtime.workers.assign import UNKNOWN_US, Slot
from runtime.workers.worker import State, Worker

DEPTH_MAX: Final = 8
# Processor time that the logins in a worker's pipe may take together, by what those of their tenant took of late.
PIPE_US: Final = UNKNOWN_US
# A question that takes longer than this is not waited behind.
LONG_NS: Final = 1_000_000


def heard(before_us: float, cpu_us: int) -> float:
    """Return what a login of a tenant takes, with one more of them: a long one counts at once, short ones by and by."""
    return before_us + (cpu_us - before_us) / (2 if cpu_us > before_us else 8)


class Sharing:
    """How many logins there are, and so how deep they may stand. One per pool."""

    def __init__(self, cpus: int, max_executions: int, *, one_login: bool) -> None:
        """Begin with no login.

        Args:
            cpus: processors that the daemon and its workers have together.
            max_executions: logins that a worker may have in its life.
            one_login: it has one, `isolation: login`.
        """
        self._cpus = cpus
        self._max_executions = max_executions
        self._one_login = one_login
        self._logins = 0
        self._crowd = 0.0

    def began(self) -> None:
        """Count a login that has a worker now."""
        self._logins = now = self._logins + 1
        self._crowd = now if now > self._crowd else self._crowd + (now - self._crowd) / 16

    def ended(self, count: int = 1) -> None:
        """Count logins that have none any more."""
        self._logins -= count

    def depth(self, slot: Slot) -> int:
        """Return how many logins of a tenant one worker may have at once; 1 unless they are short."""
        if self._one_login:
            return 1
        return max(1, min(DEPTH_MAX, int(PIPE_US / slot.login_us)) if slot.login_us else DEPTH_MAX)

    def crowded_depth(self, slot: Slot) -> int:
        """Return how many it is given while others are idle: more than one if more workers could not run anyway.

        One processor is the daemon's own.
        """
        if self._crowd <= self._cpus:
            return 1
        return min(self.depth(slot), -(-int(self._crowd) // max(1, self._cpus - 1)))

    def behind(self, slot: Slot, flow: bytes, depth: int, now_ns: int) -> Worker | None:
        """Return a busy worker of a tenant's flow that takes one more login, the fullest that has room."""
        fit = [one for one in slot.busy if one.leases < depth and one.flow == flow and self.takes_more(one, now_ns)]
        return max(fit, key=lambda one: one.leases, default=None)

    def takes_more(self, worker: Worker, now_ns: int) -> bool:
        """May a busy worker be given another login? Not while it compiles or runs a long one, or before it goes."""
        return (
            worker.plan is not None
            and (worker.state is State.IDLE or (worker.state is State.RUNNING and now_ns - worker.sent_ns < LONG_NS))
            and not worker.retiring
            and worker.executions + worker.leases < self._max_executions
        )
