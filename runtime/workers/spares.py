"""Blank workers: makes several at once, and after a failure pauses before the next.

Knows how a worker is spawned. Must not know tenants, or how many are wanted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from runtime.errors import WorkerError
from runtime.ops.labels import KillReason
from runtime.ops.log import Log
from runtime.workers.spawner import Spawner
from runtime.workers.worker import Worker

_RETRY_S: Final = 0.05
_RETRY_MAX_S: Final = 2.0


class Spares:
    """The workers that are bound to no tenant yet. One per pool; construct it inside the loop."""

    def __init__(self, spawner: Spawner, log: Log, changed: Callable[[], None]) -> None:
        """Begin with none. `changed` is called when one more is ready, or could not be made, or may be made again."""
        self._spawner = spawner
        self._log = log
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._spawns: set[asyncio.Task[None]] = set()
        self._failures = 0
        self.blanks: deque[Worker] = deque()
        """Ready; the one that has been so for longest comes first."""
        self.last_error: WorkerError | None = None
        """Why the last one could not be made; None when it could."""
        self.may_make = True
        """False for a while after one could not be made."""

    @property
    def coming(self) -> int:
        """How many are being made."""
        return len(self._spawns) + self._spawner.trying

    async def first(self) -> None:
        """Start the zygote and make the first one. Raises: WorkerStartError."""
        self.blanks.append(await self._spawner.spawn())

    async def close(self) -> None:
        """Make no more."""
        spawns = list(self._spawns)
        for task in spawns:
            task.cancel()
        await asyncio.gather(*spawns, return_exceptions=True)

    def make(self, count: int) -> None:
        """Begin to make so many more."""
        for _ in range(count):
            self._spawns.add(self._loop.create_task(self._spawn()))

    async def _spawn(self) -> None:
        try:
            blank = await self._spawner.spawn()
            self._failures, self.last_error = 0, None
            self._take(blank)
        except WorkerError as error:
            self._failures, self.last_error = self._failures + 1, error
            delay_s = min(_RETRY_S * 2 ** min(self._failures, 8), _RETRY_MAX_S)
            self._log.error("worker.spawn_failed", error=str(error), retry_s=delay_s)
            if self.may_make:
                self.may_make = False
                self._loop.call_later(delay_s, self._retry)
        finally:
            self._spawns.discard(asyncio.current_task())
        self._changed()

    def take(self, blank: Worker) -> None:
        """Take one that was made elsewhere."""
        self._take(blank)
        self._changed()

    def _take(self, blank: Worker) -> None:
        if not self._spawner.renewing:
            self.blanks.append(blank)
            return
        # First in line: what an earlier zygote forked is bound to as few tenants as can be.
        self.blanks.appendleft(blank)
        old = next((one for one in self.blanks if self._spawner.is_old(one)), None)
        if old is not None:
            # Its death has the next one made.
            old.kill(KillReason.RENEWED)

    def _retry(self) -> None:
        self.may_make = True
        self._changed()
