"""Says in the store that this daemon is there, and which keys it has: every half minute, and when they change.

No login waits for it: it has a thread of its own, and a store that cannot be written is not asked again before the next
time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from runtime.catalog import replicas
from runtime.catalog.database import Database
from runtime.catalog.replicas import NOTE_EVERY_S, KeysInUse, Replica
from runtime.errors import CatalogError

_LAST_S: Final = 1.0


class Presence:
    """The row of one daemon. Construct it inside the loop."""

    def __init__(
        self,
        database: Database | None,
        version: str,
        keys: Callable[[], KeysInUse],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; without a store nothing is written. `keys` is called on the loop: which keys are in use now."""
        self._database = database
        self._version = version
        self._keys = keys
        self._clock = clock
        self._id = os.urandom(8).hex()
        self._host = socket.gethostname()[:255]
        self._started_at = int(clock())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="presence")
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Write the row soon: keys have changed."""
        self._asked.set()

    async def run(self) -> None:
        """Write the row again and again, for ever."""
        while True:
            self._asked.clear()
            await self._note(None)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), NOTE_EVERY_S)

    async def close(self) -> None:
        """Write once more, that this daemon has ended; a store that hangs is not waited for."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._note(int(self._clock())), _LAST_S)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _note(self, stopped_at: int | None) -> None:
        now_s = int(self._clock())
        row = Replica(
            self._id, self._host, os.getpid(), self._version, self._started_at, now_s, stopped_at, self._keys()
        )
        if self._database is None:
            return
        with contextlib.suppress(CatalogError):
            await asyncio.get_running_loop().run_in_executor(self._thread, replicas.note, self._database, row)
