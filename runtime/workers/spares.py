"""Blank workers: as many as shall be ready, and one for each tenant that waits; spawned ahead, retried when it fails.

Knows how many may exist. Must not know tenants or leases.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from runtime.errors import WorkerError
from runtime.ops.labels import KillReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.config.settings import PoolConfig
    from runtime.ops.log import Log
    from runtime.workers.spawner import Nursery
    from runtime.workers.worker import Worker

_SPAWNS_AT_ONCE: Final = 8
_REFILL_DELAY_S: Final = 0.01
_RESPAWN_DELAY_S: Final = 0.05
_RESPAWN_DELAY_MAX_S: Final = 2.0


class Stock:
    """The blank workers of a pool, and those that are being made."""

    def __init__(
        self,
        settings: PoolConfig,
        nursery: Nursery,
        log: Log,
        demand: Callable[[], int],
        on_ready: Callable[[Worker], None],
        has_room: Callable[[], bool],
    ) -> None:
        """Prepare; nothing is spawned before `start`.

        Args:
            demand: how many blank workers are waited for, beyond those to be kept ready.
            on_ready: takes each worker once it is ready; it comes back through `blanks` if nobody waits for it.
            has_room: says whether one more fits into the memory that all workers may take.
        """
        self._settings = settings
        self._nursery = nursery
        self._log = log
        self._demand = demand
        self._on_ready = on_ready
        self._has_room = has_room
        self._failures = 0
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.blanks: deque[Worker] = deque()
        """Ready, and nobody's."""
        self.spawning = 0
        self.last_error: WorkerError | None = None
        """Why the last spawn failed; None once one has succeeded since."""

    async def start(self) -> None:
        """Spawn the first worker, and see to the others.

        Raises: WorkerStartError, naming each required layer that is not active.
        """
        self._loop = asyncio.get_running_loop()
        self.blanks.append(await self._nursery.spawn())
        self.refill()

    async def close(self) -> None:
        """Spawn no more. Workers that are ready are left for the nursery to kill."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def full(self) -> bool:
        """Say whether as many workers exist, or are being made, as may, or they fill their memory."""
        return len(self._nursery) + self.spawning >= self._settings.max_workers or not self._has_room()

    @property
    def coming(self) -> int:
        """Count the blank workers that are there or being made."""
        return len(self.blanks) + self.spawning

    def refill_soon(self) -> None:
        """Replace a blank worker a moment later, not while the login that took it wants the processor."""
        if not self.blanks:
            self.refill()
        elif self._timer is None and not self._closed:
            self._timer = self._loop.call_later(_REFILL_DELAY_S, self._refill_again)

    def refill(self) -> None:
        """Spawn what is missing, unless it is seen to later already."""
        if self._closed or self._timer is not None:
            return
        while self.spawning < _SPAWNS_AT_ONCE and self.coming < self._target and not self.full:
            self.spawning += 1
            task = self._loop.create_task(self._spawn())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def trim(self) -> None:
        """Let go of those that were made for tenants that then got a worker of their own back."""
        while self.blanks and self.coming > self._target:
            self.blanks[0].kill(KillReason.RECYCLED)

    @property
    def _target(self) -> int:
        return self._settings.blank_workers + self._demand()

    def _refill_again(self) -> None:
        self._timer = None
        self.refill()

    async def _spawn(self) -> None:
        try:
            worker = await self._nursery.spawn()
        except WorkerError as error:
            self._failures += 1
            self.last_error = error
            delay_s = min(_RESPAWN_DELAY_S * 2 ** min(self._failures, 8), _RESPAWN_DELAY_MAX_S)
            self._log.error("worker.spawn_failed", error=str(error), retry_s=delay_s)
            if self._timer is None and not self._closed:
                self._timer = self._loop.call_later(delay_s, self._refill_again)
            return
        finally:
            self.spawning -= 1
        self._failures = 0
        self.last_error = None
        if self._closed:
            worker.kill(KillReason.SHUTDOWN)
            return
        self._on_ready(worker)
        self.refill()
