"""Workers of all tenants that serve no login, the longest idle first. Must not know why one is kept."""

from __future__ import annotations

from collections import OrderedDict

from runtime.ops.labels import KillReason
from runtime.workers.worker import Worker


class Idle(OrderedDict[Worker, float]):
    """Each with the instant since when."""

    def __init__(self, longest_s: float) -> None:
        """Begin with none. After `longest_s` one is let go of."""
        super().__init__()
        self._longest_s = longest_s

    def sweep(self, now_s: float) -> None:
        """Kill those that have been idle for too long."""
        for worker, since_s in list(self.items()):
            if since_s > now_s - self._longest_s:
                break
            worker.kill(KillReason.RECYCLED)
