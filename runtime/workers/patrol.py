"""Looks at every living worker twice a second: what it takes of the processor, asked or not, and of the memory.

Knows clocks and pages of processes. Must not know queues or flows. A login pays nothing for it: what it reads is the
kernel's, and workers are looked at some at a time.
"""

from __future__ import annotations

import time
from typing import Final

from runtime.config.effective import Config
from runtime.ops.labels import KillReason
from runtime.ops.log import Log
from runtime.ops.metrics import Metrics
from runtime.workers.meter import ceiling_bytes
from runtime.workers.spawner import Spawner
from runtime.workers.worker import State, Worker

_ROUND_S: Final = 0.5
# A look takes some 2 us, 15 us when the worker ran since the last one.
WORKERS_AT_ONCE: Final = 64
# Processor time without a question. A worker that waits takes none; one that has just answered ends its turn, and the
# daemon's clock and the kernel's do not read at the same instant.
_IDLE_PER_LOOK_NS: Final = 1_000_000
_IDLE_MAX_NS: Final = 20_000_000


class Patrol:
    """Reads the clocks and the memory of workers, kills those that compute unasked, and knows whether there is room."""

    def __init__(self, config: Config, spawner: Spawner, metrics: Metrics, log: Log) -> None:
        self._spawner = spawner
        self._metrics = metrics
        self._log = log
        self._ceiling_bytes = ceiling_bytes(config.pool.memory_bytes)
        self._left: list[Worker] = []
        self._pause_s = _ROUND_S
        self._full = False
        # What the processor clock of a worker stood at, for how long it had been asked by then, and what it had taken
        # unasked.
        self._seen: dict[Worker, tuple[int, int, int]] = {}

    @property
    def over_bytes(self) -> int:
        """By how much the memory of all workers exceeds what they may take; negative where there is room."""
        return self._spawner.memory_bytes - self._ceiling_bytes

    def shortage(self) -> str:
        """Say why no worker fits into the memory; empty where one does."""
        if self.over_bytes < 0:
            return ""
        return (
            f" (all workers hold {self._spawner.memory_bytes >> 20} MiB of the {self._ceiling_bytes >> 20} MiB that "
            "they may, see pool.memory_bytes)"
        )

    def turn(self) -> float:
        """Look at the next few workers; return how many seconds later to look at more."""
        if not self._left:
            self._left = self._spawner.workers()
            rounds = -(-len(self._left) // WORKERS_AT_ONCE)
            self._pause_s = _ROUND_S / max(rounds, 1)
        some, self._left = self._left[:WORKERS_AT_ONCE], self._left[WORKERS_AT_ONCE:]
        for worker in some:
            self._look(worker)
        self._metrics.workers_memory(self._spawner.memory_bytes, self._ceiling_bytes)
        full = self.over_bytes >= 0
        if full and not self._full:
            self._log.warning(
                "memory.filled", memory_bytes=self._spawner.memory_bytes, ceiling_bytes=self._ceiling_bytes
            )
        self._full = full
        return self._pause_s

    def forget(self, worker: Worker) -> None:
        """Drop what was noted of a dead worker."""
        self._seen.pop(worker, None)

    def _look(self, worker: Worker) -> None:
        meter = worker.meter
        if worker.state in (State.STARTING, State.DEAD) or (meter.moved and not meter.read()):
            return
        cpu_ns, asked_ns = int(meter.seen_s * 1e9), worker.asked_ns(time.monotonic_ns())
        cpu_before_ns, asked_before_ns, idle_ns = self._seen.get(worker, (worker.ready_cpu_ns, 0, 0))
        if cpu_ns == cpu_before_ns:
            self._seen[worker] = cpu_ns, asked_ns, idle_ns
            return
        unasked_ns = (cpu_ns - cpu_before_ns) - (asked_ns - asked_before_ns) - _IDLE_PER_LOOK_NS
        idle_ns = max(0, idle_ns + unasked_ns)
        self._seen[worker] = cpu_ns, asked_ns, idle_ns
        if idle_ns > _IDLE_MAX_NS:
            self._log.warning(
                "worker.violated",
                worker=worker.id,
                tenant=worker.tenant,
                error="it took processor time with no question to answer",
                idle_cpu_ms=idle_ns // 1_000_000,
            )
            worker.kill(KillReason.VIOLATION)
            return
        self._spawner.weigh(worker)
