"""The caches of tenants that share one: read from the store when a login begins, written back behind its answer.

Other tenants never come here. Where the store does not answer, the records of this process serve and the log says so.
Must not know SQL.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from runtime.catalog import cache_records
from runtime.catalog.cache_records import CachedRecord
from runtime.errors import CatalogError
from sandbox.contract.calls.cache import ENTRIES_MAX, LIFETIME_MAX_MS, TOTAL_BYTES

if TYPE_CHECKING:
    from runtime.catalog.database import Database
    from runtime.core.model import Command
    from runtime.login.api_cache import TriggerCache
    from runtime.ops.log import Log

_READ_S: Final = 0.25
"""How long a login waits for the store."""
_AGAIN_S: Final = 1.0
"""How long the store is left alone once it did not answer."""
_WAITING_MAX: Final = 1000
"""Writes that may wait for the store; what comes beyond is in this process alone."""


class SharedCache:
    """What daemons share of tenants' caches, with a thread of its own: a login reads what the one before it wrote."""

    def __init__(
        self,
        database: Database | None,
        kept: TriggerCache,
        log: Log,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use a store; without one every tenant's cache is of this process. `kept` has what was last known."""
        self._database = database
        self._kept = kept
        self._log = log
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cache")
        self._waiting = 0
        self._away = False
        self._again_s = 0.0
        self._writes: set[asyncio.Future[Any]] = set()

    async def sent(self, tenant: str, now_ms: int) -> bytes:
        """Return the records of a tenant as the part of a RunFlow that they are."""
        if self._database is None:
            self._failed("there is no store")
        elif self._clock() >= self._again_s:
            if self._away:
                # One login asks whether it is back, and no other one waits meanwhile.
                self._again_s = self._clock() + _AGAIN_S
            await self._read(self._database, tenant, now_ms)
        known = self._kept.of.get(tenant)
        return b"" if known is None else known.sent(now_ms)

    async def _read(self, database: Database, tenant: str, now_ms: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_READ_S):
                found = await loop.run_in_executor(self._thread, cache_records.read, database, tenant, now_ms)
        except (CatalogError, TimeoutError) as error:
            self._failed(str(error) or f"no answer within {_READ_S:g} s")
        else:
            self._kept.replace(tenant, found, now_ms)
            self._recovered()

    def write(self, tenant: str, commands: Iterable[Command], now_ms: int) -> None:
        """Write what a login asked for; its answer does not wait."""
        if self._database is None or self._waiting >= _WAITING_MAX:
            return
        changes: dict[str, CachedRecord | None] = {}
        for command in commands:
            key, record = command.args["key"], None
            if command.op == "cache.set":
                until_ms = min(command.args["expires_at"], now_ms + LIFETIME_MAX_MS)
                record = CachedRecord(command.args["value"], until_ms) if until_ms > now_ms else None
            changes[key] = record
        self._waiting += 1
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._store, tenant, changes, now_ms)
        self._writes.add(work)
        work.add_done_callback(self._written)

    def _store(self, tenant: str, changes: dict[str, CachedRecord | None], now_ms: int) -> None:
        assert self._database is not None
        cache_records.write(self._database, tenant, changes, now_ms, entries=ENTRIES_MAX, size=TOTAL_BYTES)

    def _written(self, work: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        self._writes.discard(work)
        if work.cancelled():
            return
        error = work.exception()
        if isinstance(error, CatalogError):
            self._failed(str(error))
        elif error is not None:
            raise error

    def _failed(self, reason: str) -> None:
        self._again_s = self._clock() + _AGAIN_S
        if not self._away:
            self._away = True
            remedy = "each process has its own records of shared caches meanwhile"
            self._log.warning("cache.failed", reason=reason, effect=remedy)

    def _recovered(self) -> None:
        if self._away:
            self._away = False
            self._log.info("cache.recovered")

    async def close(self) -> None:
        """Let the last writes be made, if the store answers."""
        if self._writes:
            await asyncio.wait(self._writes, timeout=_AGAIN_S)
        self._thread.shutdown(wait=False, cancel_futures=True)
