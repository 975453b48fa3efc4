"""What each daemon has counted of a trial, as rows that all of them read: a fleet judges a version by all its logins.

A daemon writes its own row alone, whole, so that nothing is counted twice. Must not know when a trial is over.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from runtime.catalog import trials
from runtime.catalog.database import Database
from runtime.core.trial_tally import Counts, Side

_NUMBERS: Final = ("trial_count", "trial_denied", "trial_degraded", "own_count", "own_denied", "own_degraded")
_SUMS: Final = ", ".join(f"coalesce(sum({name}), 0)" for name in _NUMBERS)


@dataclass(frozen=True, slots=True)
class Told:
    """What the other daemons have counted, and whether the trial is still running."""

    others: Counts
    running: bool


def tell(database: Database, tenant: str, number: int, replica: str, counts: Counts) -> Told:
    """Write what a daemon has counted and read what the others have. Raises: CatalogError."""
    values = [getattr(side, name) for side in (counts.trial, counts.own) for name in ("count", "denied", "degraded")]
    with database.claiming() as connection:
        if not trials.runs(connection, tenant, number):
            return Told(Counts(), running=False)
        connection.execute(
            f"INSERT INTO trial_counts (tenant, number, replica, {', '.join(_NUMBERS)}) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, number, replica) DO UPDATE SET "
            + ", ".join(f"{name} = excluded.{name}" for name in _NUMBERS),
            (tenant, number, replica, *values),
        )
        query = f"SELECT {_SUMS} FROM trial_counts WHERE tenant = ? AND number = ? AND replica <> ?"
        row = [int(value) for value in connection.execute(query, (tenant, number, replica)).fetchone()]
        return Told(Counts(Side(*row[:3]), Side(*row[3:])), running=True)


class SharedTrials:
    """The trials of a store, for one daemon. It has a thread of its own, so that no read of the catalog delays it."""

    def __init__(self, database: Database, changed: Callable[[], None], clock: Callable[[], float]) -> None:
        """Use a store; `changed` is called when this daemon has ended a trial in it."""
        self._database = database
        self._changed = changed
        self._clock = clock
        self._replica = os.urandom(8).hex()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="trials")

    async def tell(self, tenant: str, number: int, counts: Counts) -> Told:
        """Tell the other daemons what this one has counted, and hear what they have. Raises: CatalogError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, tell, self._database, tenant, number, self._replica, counts)

    async def end(self, tenant: str, number: int, reason: str) -> None:
        """End the trial of a tenant's version for every daemon. Raises: CatalogError."""
        now_s = int(self._clock())
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, trials.give_up, self._database, tenant, number, reason, now_s)
        self._changed()

    def close(self) -> None:
        """Let the thread go; a store that hangs is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)
