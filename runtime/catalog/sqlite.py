"""The default catalog: one SQLite file that `vestibule apply` fills and running daemons follow.

Definitions become rows here, and rows become snapshots.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from runtime.catalog import api_keys, rows, store, suspended
from runtime.catalog.base import EMPTY, Binding, Definition, Flow, OnChange, Snapshot
from runtime.catalog.comparison import ApplyResult, by_tenant, compare
from runtime.catalog.store import NO_MARK, Mark
from runtime.core.model import OnError, Settings
from runtime.errors import CatalogError, CatalogUnavailable, NoStore

# How long a writer waits for another writer. An apply of ten thousand tenants holds the lock for a few seconds.
APPLY_TIMEOUT_S = 10.0


def apply(
    path: str | os.PathLike[str],
    definitions: Iterable[Definition],
    *,
    prune: bool = False,
    agreed: Collection[str] | None = None,
    timeout_s: float = APPLY_TIMEOUT_S,
) -> ApplyResult:
    """Create or replace the given tenants in one transaction; with `prune`, remove every other one.

    The catalog's revision goes up by one when anything changes, and stays when nothing does. Creates the file when it
    is missing. With `agreed`, no tenants but those may be removed. Raises: CatalogError, and then nothing was changed.
    """
    file = Path(path)
    wanted = by_tenant(definitions)
    store.prepare(file, timeout_s)
    with (
        store.errors_of(file),
        contextlib.closing(store.connect(file, "rw", timeout_s)) as connection,
        store.transaction(connection, "BEGIN IMMEDIATE"),
    ):
        result = compare(connection, wanted, prune)
        others = set() if agreed is None else set(result.pruned) - set(agreed)
        if others:
            message = f"the store {file} has changed: {', '.join(sorted(others))} would be removed too; apply again"
            raise CatalogError([message])
        return _write(connection, wanted, result)


def _write(connection: sqlite3.Connection, wanted: Mapping[str, Definition], result: ApplyResult) -> ApplyResult:
    revision = result.revision
    if result.created or result.changed or result.pruned:
        revision += 1
        connection.execute(
            "INSERT INTO applies VALUES (?, randomblob(16), CAST(strftime('%s', 'now') AS INTEGER))", (revision,)
        )
        for tenant in (*result.changed, *result.pruned):
            suspended.keep(connection, tenant)
        for tenant in (*result.created, *result.changed):
            replace_tenant(connection, wanted[tenant], rows.digest(wanted[tenant].flow), revision)
        for tenant in result.pruned:
            _clear(connection, tenant)
            connection.execute(
                "UPDATE tenants SET settings = NULL, digest = NULL, doors = NULL, changed_in = ? WHERE tenant = ?",
                (revision, tenant),
            )
    suspended.prune(connection)
    return replace(result, revision=revision)


def _clear(connection: sqlite3.Connection, tenant: str) -> None:
    connection.execute("DELETE FROM bindings WHERE tenant = ?", (tenant,))
    connection.execute("DELETE FROM secrets WHERE tenant = ?", (tenant,))


def replace_tenant(connection: sqlite3.Connection, definition: Definition, digest: bytes, revision: int) -> None:
    flow = definition.flow
    _clear(connection, flow.tenant)
    connection.execute(
        "INSERT INTO tenants VALUES (?, ?, ?, ?, ?) ON CONFLICT (tenant) DO UPDATE SET settings = excluded.settings, "
        "digest = excluded.digest, changed_in = excluded.changed_in, doors = excluded.doors",
        (flow.tenant, rows.settings_text(flow.settings), digest, revision, rows.doors_text(flow)),
    )
    connection.executemany(
        "INSERT INTO revisions VALUES (?, ?) ON CONFLICT DO NOTHING", sorted(definition.sources.items())
    )
    connection.executemany(
        "INSERT INTO bindings VALUES (?, ?, ?, ?, ?, ?)",
        [
            (flow.tenant, at, binding.action, binding.revision, binding.on_error.value, binding.timeout_us)
            for at, binding in enumerate(flow.bindings)
        ],
    )
    connection.executemany(
        "INSERT INTO secrets VALUES (?, ?, ?, ?)",
        [(flow.tenant, action, name, value) for action, named in flow.secrets.items() for name, value in named.items()],
    )


@dataclass(slots=True)
class Image:
    """What a reader holds of the store: a snapshot, and what it takes to bring it up to date."""

    snapshot: Snapshot = EMPTY
    mark: Mark = NO_MARK
    changed: int = 0
    removed: int = 0
    # How many bindings use each source, so that unused ones are dropped.
    uses: dict[str, int] = field(default_factory=dict)


def read(connection: sqlite3.Connection, image: Image | None, path: Path) -> Image | None:
    """Bring an image up to date, in one read transaction; None when nothing changed. Raises: CatalogUnavailable.

    Only tenants that changed since the image are read. A store that the image did not come from, or that is older, is
    refused.
    """
    try:
        with store.transaction(connection, "BEGIN"):
            mark = store.newest(connection)
            if image is not None:
                if mark == image.mark:
                    return None
                store.holds(connection, path, image.mark)
            return _update(connection, image, mark)
    except rows.UNREADABLE as error:
        kind = type(error).__name__
        raise CatalogUnavailable(
            [f"the store {path} holds a row that this version cannot read ({kind}: {error})"]
        ) from error


def _update(connection: sqlite3.Connection, image: Image | None, mark: Mark) -> Image:
    before = image.snapshot if image is not None else EMPTY
    since = before.revision if image is not None else -1
    tenants: dict[str, Flow] = dict(before.tenants)
    sources: dict[str, str] = dict(before.sources)
    uses: dict[str, int] = dict(image.uses) if image is not None else {}
    affected = "tenant IN (SELECT tenant FROM tenants WHERE changed_in > ?)"

    bindings: dict[str, list[Binding]] = {}
    query = f"SELECT tenant, action, sha256, on_error, timeout_us FROM bindings WHERE {affected} ORDER BY 1, position"
    for tenant, action, sha256, on_error, timeout_us in connection.execute(query, (since,)):
        bindings.setdefault(tenant, []).append(Binding(action, sha256, OnError(on_error), timeout_us))
        uses[sha256] = uses.get(sha256, 0) + 1
    secrets: dict[str, dict[str, dict[str, str]]] = {}
    query = f"SELECT tenant, action, name, value FROM secrets WHERE {affected}"
    for tenant, action, name, value in connection.execute(query, (since,)):
        secrets.setdefault(tenant, {}).setdefault(action, {})[name] = value
    query = f"SELECT sha256, source FROM revisions WHERE sha256 IN (SELECT sha256 FROM bindings WHERE {affected})"
    for sha256, source in connection.execute(query, (since,)):
        if sha256 not in sources:
            sources[sha256] = before.sources.get(sha256) or rows.source_of(sha256, source)

    changed = removed = 0
    known: dict[str, Settings] = {}
    query = "SELECT tenant, settings, digest, doors FROM tenants WHERE changed_in > ? ORDER BY 1"
    for tenant, text, digest, opened in connection.execute(query, (since,)):
        old = before.tenants.get(tenant)
        if old is not None:
            for binding in old.bindings:
                uses[binding.revision] -= 1
                if not uses[binding.revision]:
                    del uses[binding.revision], sources[binding.revision]
        if text is None:
            removed += tenants.pop(tenant, None) is not None
            continue
        if text not in known:
            known[text] = rows.settings_of(text)
        bound, named = tuple(bindings.get(tenant, ())), rows.frozen(secrets.get(tenant, {}))
        flow = Flow(tenant, known[text], bound, named, digest, rows.doors_of(opened))
        changed += flow != old
        # The old object when it is equal, so that a comparison by identity sees no change.
        tenants[tenant] = old if old is not None and flow == old else flow
    for sha256 in uses:
        sources[sha256]  # a KeyError here is a binding without its source
    snapshot = Snapshot(mark.revision, MappingProxyType(tenants), MappingProxyType(sources))
    return Image(snapshot, mark, changed, removed, uses)


def _ignore(event: str, fields: Mapping[str, Any]) -> None:
    """Take an event and do nothing: for a catalog without a listener."""


class SqliteCatalog:
    """Follows a store: one immutable snapshot, swapped when the file changes.

    All SQLite work runs on a thread of its own. When the file cannot be read the last good snapshot serves; `healthy`
    and `reason` say what is wrong, and the catalog recovers by itself. `on_change` receives `catalog.reloaded`,
    `catalog.failed` and `catalog.recovered`, on the event loop.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        poll_s: float = 0.5,
        *,
        timeout_s: float = 1.0,
        on_change: OnChange = _ignore,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = Path(path)
        self._poll_s = poll_s
        self._timeout_s = timeout_s
        self._on_change = on_change
        self._clock = clock
        self._image = Image()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="catalog")
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._woken = asyncio.Event()
        self._reason = "not started"
        # The reason that on_change received last; empty once the catalog has recovered from it.
        self._reported = ""
        # When the store was last read, seconds since the epoch, for a metric.
        self.last_success_s = 0.0
        # Who may call; swapped whole, by the thread that reads.
        self.api_keys = api_keys.NO_KEYS
        # Whether it could be written: a login that is suspended is continued by a write.
        self.writable = False

    def snapshot(self) -> Snapshot:
        """Return the newest good snapshot."""
        return self._image.snapshot

    @property
    def healthy(self) -> bool:
        """Whether the newest attempt to read the store succeeded."""
        return not self._reason

    @property
    def reason(self) -> str:
        """Why the catalog is not healthy; empty when it is."""
        return self._reason

    @property
    def loaded(self) -> bool:
        """Whether a store was ever read."""
        return self.last_success_s > 0

    def unready(self, allow_empty: bool) -> list[str]:
        """Say why no login can be decided by this catalog; nothing when some can."""
        if not self.loaded:
            return [self._reason]
        if not self._image.snapshot.tenants and not allow_empty:
            return [f"the store {self._path} has no tenant: apply one, or set catalog.allow_empty"]
        return []

    def mark(self) -> Mark:
        """Return which apply of which store the newest good snapshot is of."""
        return self._image.mark

    async def start(self) -> None:
        """Load the first snapshot and begin to follow the store; without a store, wait for one. Never makes one.

        Raises: CatalogUnavailable when there is a store that cannot be read.
        """
        try:
            await self._refresh(self._poll)
        except NoStore as error:
            # Reported by the next poll: a start that is refused for another reason has one line to say.
            self._reason = self._why(error)
        except CatalogError as error:
            self._thread.shutdown(wait=False)
            raise CatalogUnavailable(error.faults) from error
        self._task = asyncio.create_task(self._follow(), name="catalog")

    def poll_now(self) -> None:
        """Look at the store at once."""
        self._woken.set()

    async def close(self) -> None:
        """Stop following; waits for a read in progress, but not for a disk that hangs."""
        self._closing.set()
        self._woken.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=2 * self._timeout_s)
            self._task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _poll(self) -> Image | None:
        image = self._image if self.loaded else None
        self.writable = store.writable(self._path)
        with store.reading(self._path, self._timeout_s) as connection:
            found = read(connection, image, self._path)
            # Not before: another store than the one that is followed says nothing of keys either.
            self.api_keys = api_keys.read(connection, self.api_keys, self._path)
            return found

    async def _refresh(self, work: Callable[[], Image | None]) -> None:
        started = time.perf_counter()
        keys = self.api_keys
        image = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        self.last_success_s = self._clock()
        if image is not None:
            self._image = image
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
        self._reason = ""
        if self._reported:
            self._reported = ""
            self._on_change("catalog.recovered", {"revision": self._image.snapshot.revision})

    async def _follow(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._poll_s)
            self._woken.clear()
            if self._closing.is_set():
                return
            try:
                await self._refresh(self._poll)
            except CatalogError as error:
                self._failed(self._why(error))
            except asyncio.CancelledError:
                raise
            except BaseException:
                # Ours, not the store's: say that it is not followed any more, and let the task show the traceback.
                self._failed("following the store has stopped")
                raise

    def _why(self, error: CatalogError) -> str:
        if isinstance(error, NoStore) and not self.loaded:
            return f"there is no store {self._path} yet; make it with `vestibule apply DIR --store sqlite:{self._path}`"
        return str(error)

    def _failed(self, reason: str) -> None:
        self._reason = reason
        if reason != self._reported:
            self._reported = reason
            self._on_change("catalog.failed", {"reason": reason, "revision": self._image.snapshot.revision})
