"""Looks at every living worker twice a second: what it takes of the processor, idle or not, and of the memory.

Knows clocks and pages of processes. Must not know queues or flows. A login pays nothing for it: what it reads is the
kernel's, and workers are looked at some at a time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from runtime.ops.labels import KillReason
from runtime.workers import memory
from runtime.workers.worker import State

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from runtime.config.settings import Config
    from runtime.ops.log import Log
    from runtime.ops.metrics import Metrics
    from runtime.workers.spawner import Nursery
    from runtime.workers.worker import Worker

_ROUND_S: Final = 0.5
# A look takes some 2 us, 15 us when the worker ran since the last one.
_WORKERS_AT_ONCE: Final = 64
# Processor time without a question. A worker that waits takes none; one that has just answered ends its turn, and the
# daemon's clock and the kernel's do not read at the same instant.
_IDLE_PER_LOOK_NS: Final = 1_000_000
_IDLE_MAX_NS: Final = 20_000_000


class Patrol:
    """Reads the clocks and the memory of workers, kills those that work unasked, and says whether there is room."""

    def __init__(
        self, config: Config, nursery: Nursery, metrics: Metrics, log: Log, on_full: Callable[[], None]
    ) -> None:
        """Prepare; nothing is looked at before `start`.

        Args:
            on_full: called after a look that found the memory for all workers used up.
        """
        self._nursery = nursery
        self._metrics = metrics
        self._log = log
        self._on_full = on_full
        self._ceiling_bytes = memory.ceiling_bytes(config.pool.memory_bytes)
        self._left: list[Worker] = []
        self._pause_s = _ROUND_S
        self._timer: asyncio.TimerHandle | None = None
        self._full = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to go round."""
        self._loop = loop
        self._timer = loop.call_later(_ROUND_S, self._turn)

    def close(self) -> None:
        """Stop."""
        if self._timer is not None:
            self._timer.cancel()

    def has_room(self) -> bool:
        """Say whether another worker fits into the memory that all may take."""
        return self._nursery.memory_bytes < self._ceiling_bytes

    def describe(self) -> str:
        """Say how full the memory is."""
        return (
            f"all workers hold {self._nursery.memory_bytes >> 20} MiB of the {self._ceiling_bytes >> 20} MiB that they "
            "may, see pool.memory_bytes"
        )

    def weigh(self, worker: Worker) -> None:
        """Measure a worker's memory."""
        meter = worker.meter
        if meter is None or worker.state is State.DEAD:
            return
        bytes_now = memory.anonymous_bytes(meter.pid)
        if bytes_now is not None:
            self._nursery.weighed(worker, bytes_now)

    def _turn(self) -> None:
        if not self._left:
            self._left = self._nursery.workers()
            rounds = -(-len(self._left) // _WORKERS_AT_ONCE)
            self._pause_s = _ROUND_S / max(rounds, 1)
        some, self._left = self._left[:_WORKERS_AT_ONCE], self._left[_WORKERS_AT_ONCE:]
        for worker in some:
            self._look(worker)
        self._metrics.workers_memory(self._nursery.memory_bytes, self._ceiling_bytes)
        if not self.has_room():
            if not self._full:
                self._log.warning("memory.filled", **self._figures())
            self._on_full()
        self._full = not self.has_room()
        self._timer = self._loop.call_later(self._pause_s, self._turn)

    def _figures(self) -> dict[str, int]:
        return {"memory_bytes": self._nursery.memory_bytes, "ceiling_bytes": self._ceiling_bytes}

    def _look(self, worker: Worker) -> None:
        meter = worker.meter
        if meter is None or worker.state is State.DEAD:
            return
        cpu_before_ns, ran_before_ns = worker.patrolled
        if meter.moved and not meter.read():
            return
        ran_ns = worker.ran_ns
        if worker.state is State.RUNNING:
            ran_ns += max(0, time.monotonic_ns() - worker.sent_ns)
        cpu_ns = int(meter.seen_s * 1e9)
        worker.patrolled = (cpu_ns, ran_ns)
        if cpu_ns == cpu_before_ns:
            return
        unasked_ns = (cpu_ns - cpu_before_ns) - (ran_ns - ran_before_ns) - _IDLE_PER_LOOK_NS
        worker.idle_cpu_ns = max(0, worker.idle_cpu_ns + unasked_ns)
        if worker.idle_cpu_ns > _IDLE_MAX_NS:
            self._log.warning(
                "worker.violated",
                worker=worker.id,
                tenant=worker.tenant,
                error="it took processor time with no question to answer",
                idle_cpu_ms=worker.idle_cpu_ns // 1_000_000,
            )
            worker.kill(KillReason.VIOLATION)
            return
        self.weigh(worker)
