"""The catalog of a daemon: it follows a store that `vestibule apply` fills, and keeps the last good snapshot."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from runtime.catalog import api_keys, images
from runtime.catalog.base import OnChange, Snapshot
from runtime.catalog.database import Database
from runtime.catalog.freshness import Freshness
from runtime.catalog.holds import HeldFlow
from runtime.catalog.keyed import vault_of
from runtime.catalog.lineage import Mark
from runtime.errors import CatalogError, CatalogUnavailable, NoStore, StoreUnreachable

# How long a close waits for a read in progress.
_CLOSE_S: Final = 2.0
# How often a store is looked at that announces its changes: should an announcement be lost, this is when it is found.
_WATCHED_POLL_S: Final = 5.0


def _ignore(event: str, fields: Mapping[str, Any]) -> None:
    """Take an event and do nothing: for a catalog without a listener."""


class StoredCatalog:
    """Follows a store: one immutable snapshot, swapped when the store changes.

    All work on the store runs on a thread of its own. When it cannot be read the last good snapshot serves; `healthy`
    and `reason` say what is wrong, and the catalog recovers by itself. `on_change` receives `catalog.reloaded`,
    `catalog.failed`, `catalog.stale` as long as that lasts, and `catalog.recovered`, on the event loop.
    """

    def __init__(
        self,
        database: Database,
        poll_s: float = 0.5,
        *,
        on_change: OnChange = _ignore,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._poll_s = poll_s
        self._on_change = on_change
        self._clock = clock
        self._image = images.Image()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="catalog")
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._woken = asyncio.Event()
        self._freshness = Freshness(on_change, clock, lambda: self._image.snapshot.revision)
        # Who may call; swapped whole, by the thread that reads.
        self.api_keys = api_keys.NO_KEYS
        # Whether its secrets are.
        self.sealed = False
        # Whether it could be written: a login that is suspended is continued by a write.
        self.writable = False

    def snapshot(self) -> Snapshot:
        """Return the newest good snapshot."""
        return self._image.snapshot

    @property
    def healthy(self) -> bool:
        """Whether the newest attempt to read the store succeeded."""
        return not self._freshness.reason

    @property
    def reason(self) -> str:
        """Why the catalog is not healthy; empty when it is."""
        return self._freshness.reason

    @property
    def loaded(self) -> bool:
        """Whether a store was ever read."""
        return self._freshness.loaded

    @property
    def last_success_s(self) -> float:
        """When the store was last read, seconds since the epoch, for a metric."""
        return self._freshness.last_success_s

    @property
    def held(self) -> Mapping[str, HeldFlow]:
        """What the store holds back of tenants' newest versions."""
        return self._image.held

    def unready(self, allow_empty: bool) -> list[str]:
        """Say why no login can be decided by this catalog; nothing when some can."""
        if not self.loaded:
            return [self.reason]
        if not self._image.snapshot.tenants and not allow_empty:
            return [f"the store {self._database.name} has no tenant: apply one, or set catalog.allow_empty"]
        return []

    def notes(self) -> list[str]:
        """Say how old the snapshot is that serves, while the store cannot be read."""
        return self._freshness.notes()

    def mark(self) -> Mark:
        """Return which apply of which store the newest good snapshot is of."""
        return self._image.mark

    async def start(self) -> None:
        """Load the first snapshot and begin to follow the store; without one that answers, wait. Never makes one.

        Raises: CatalogUnavailable when there is a store that cannot be read.
        """
        try:
            await self._refresh(self._poll)
        except (NoStore, StoreUnreachable) as error:
            # It may come. Reported by the next poll: a start that is refused for another reason has one line to say.
            self._freshness.reason = self._why(error)
        except CatalogError as error:
            self._thread.shutdown(wait=False)
            raise CatalogUnavailable(error.faults) from error
        loop = asyncio.get_running_loop()
        self._database.watch(lambda: _wake(loop, self._woken))
        self._task = asyncio.create_task(self._follow(), name="catalog")

    def poll_now(self) -> None:
        """Look at the store at once."""
        self._woken.set()

    async def close(self) -> None:
        """Stop following; waits for a read in progress, but not for a disk that hangs."""
        self._closing.set()
        self._woken.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_CLOSE_S)
            self._task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _poll(self) -> images.Image | None:
        image = self._image if self.loaded else None
        try:
            with self._database.reading() as connection:
                found = images.read(connection, image, self._database.name, self._clock())
                # Each time, so that a daemon without the right key says so before something changes.
                self.sealed = vault_of(connection).sealed
                # Not before: another store than the one that is followed says nothing of keys either.
                self.api_keys = api_keys.read(connection, self.api_keys, self._database.name)
                return found
        finally:
            self.writable = self._database.writable()

    async def _refresh(self, work: Callable[[], images.Image | None]) -> None:
        started = time.perf_counter()
        keys = self.api_keys
        image = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        self._freshness.succeeded()
        if image is not None:
            before, self._image = self._image.mark, image
            if before.apply_id and image.mark.epochs != before.epochs:
                self._on_change(
                    "catalog.epoch_began", {"epoch": image.mark.epoch.hex(), "revision_before": before.revision}
                )
            fields = {
                "revision": image.snapshot.revision,
                "tenants": len(image.snapshot.tenants),
                "changed": image.changed,
                "removed": image.removed,
                "duration_s": round(time.perf_counter() - started, 6),
            }
            self._on_change("catalog.reloaded", fields)
        if self.api_keys.by_id != keys.by_id:
            self._on_change("api_keys.reloaded", {"keys": len(self.api_keys.by_id)})
        self._freshness.well()

    async def _follow(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                every_s = _WATCHED_POLL_S if self._database.watched else self._poll_s
                until_end_s = max(self._poll_s / 10, self._image.next_end_s - self._clock())
                await asyncio.wait_for(self._woken.wait(), min(every_s, until_end_s))
            self._woken.clear()
            if self._closing.is_set():
                return
            self._end_holds()
            try:
                await self._refresh(self._poll)
            except CatalogError as error:
                self._freshness.failed(self._why(error))
            except asyncio.CancelledError:
                raise
            except BaseException:
                # Ours, not the store's: say that it is not followed any more, and let the task show the traceback.
                self._freshness.failed("following the store has stopped")
                raise

    def _end_holds(self) -> None:
        """Serve newest versions again where a hold has ended by this host's clock; no store is asked."""
        image = self._image.at(self._clock())
        if image is not self._image:
            ended = sorted(self._image.held.keys() - image.held.keys())
            self._image = image
            self._on_change("hold.ended", {"tenants": ended[:20], "count": len(ended)})

    def _why(self, error: CatalogError) -> str:
        if isinstance(error, NoStore) and not self.loaded:
            name, setting = self._database.name, self._database.setting
            return f"there is no store {name} yet; make it with `vestibule apply DIR --store {setting}`"
        return str(error)


def _wake(loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> None:
    """Set an event of a loop from another thread; a loop that is closed has nothing to be woken for."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(woken.set)
