"""A directory of tenants as a catalog: a checkout is served as it is, and a tree with a fault is not.

Sources are never parsed here: the `check` that it is given has sandboxed workers do it. What replicas share
lies in a store of its own: claims, earlier flows, versions, API keys and holds. Without one no login can be suspended.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from runtime.catalog import api_keys, applies, comparison, directory, images, rows
from runtime.catalog.base import EMPTY, NO_TRIALS, Definition, Flow, OnChange, Snapshot
from runtime.catalog.database import Database
from runtime.catalog.freshness import Freshness
from runtime.catalog.lineage import NO_MARK, Mark
from runtime.catalog.secret_values import Secrets
from runtime.catalog.stored import StoredCatalog
from runtime.catalog.versions import Author
from runtime.errors import CatalogError, CatalogUnavailable, Fault
from runtime.findings import Source, split

T = TypeVar("T")

CheckSources = Callable[[Sequence[Source]], Awaitable[Sequence[Fault]]]
"""Has sandboxed workers compile (label, source) pairs, and returns what is wrong with them."""

OFF: Final = (
    "continuations are off, because a directory keeps no claims: a login whose action suspends it is refused; set "
    "catalog.state_store"
)
AUTHOR: Final = "directory"
"""Whose versions those in the state store are."""

# How often a tree is looked at: at most a twentieth of the time goes into it.
_LOOK_S: Final = 1.0
_LOOK_SHARE: Final = 20
# A tree that is being written is read once nothing in it has changed for so long.
_SETTLE_S: Final = 0.3
_FAULTS_SHOWN: Final = 100
_CLOSE_S: Final = 2.0


class DirectoryCatalog:
    """Follows a directory: one immutable snapshot, swapped when a whole tree without faults is there.

    `on_change` receives what a StoredCatalog reports of the directory, `state_store.*` of the state store, and
    `continuation.off`, on the event loop. `healthy` and `reason` are of the directory.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        check: CheckSources,
        on_change: OnChange,
        *,
        state: Database | None = None,
        secrets_dir: Path | None = None,
        look_s: float = _LOOK_S,
        settle_s: float = _SETTLE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = Path(path)
        self._check = check
        self._on_change = on_change
        self._database = state
        self._state = StoredCatalog(state, on_change=self._state_changed, clock=clock) if state is not None else None
        self._secrets_dir = secrets_dir
        self._look_s = look_s
        self._settle_s = settle_s
        self._clock = clock
        self._freshness = Freshness(on_change, clock, lambda: self._snapshot.revision)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="directory")
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._woken = asyncio.Event()
        # What was read last, what was wrong with it, and what is served.
        self._seen = b""
        self._faults: tuple[Fault, ...] = ()
        self._tree = self._snapshot = EMPTY
        # Sources that a worker has compiled, by SHA-256.
        self._good: frozenset[str] = frozenset()
        # What is served and not in the state store yet.
        self._unrecorded: Sequence[Definition] | None = None
        self._not_recorded = ""

    # -- what a daemon asks --------------------------------------------------------------------------------------------

    sealed = True
    """Secrets lie in files of their own, and in no store."""

    def snapshot(self) -> Snapshot:
        """Return the newest good snapshot."""
        return self._snapshot

    @property
    def healthy(self) -> bool:
        """Whether the newest attempt to read the directory succeeded."""
        return not self._freshness.reason

    @property
    def reason(self) -> str:
        """Why the catalog is not healthy; empty when it is."""
        return self._freshness.reason

    @property
    def last_success_s(self) -> float:
        """When the directory was last found to be what is served, seconds since the epoch."""
        return self._freshness.last_success_s

    @property
    def writable(self) -> bool:
        """Whether a suspended login could be continued."""
        return self._state is not None and self._state.writable

    @property
    def api_keys(self) -> api_keys.ApiKeys:
        """Who may call, as the state store has it."""
        return self._state.api_keys if self._state is not None else api_keys.NO_KEYS

    def mark(self) -> Mark:
        """Return where the history of the state store is."""
        return self._state.mark() if self._state is not None else NO_MARK

    def unready(self, allow_empty: bool) -> list[str]:
        """Say why no login can be decided by this catalog; nothing when some can."""
        if not self._freshness.loaded:
            return [self.reason]
        if not self._snapshot.tenants and not allow_empty:
            return [f"the directory {self._path} has no tenant: add one, or set catalog.allow_empty"]
        return []

    def notes(self) -> list[str]:
        """Say what a ready daemon cannot do, and how old what it serves is."""
        state = [OFF] if self._state is None else [f"state store: {note}" for note in self._state.notes()]
        kept = [f"not in the state store yet: {self._not_recorded}"] if self._not_recorded else []
        return [*self._freshness.notes(), *state, *kept]

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Read the first tree and begin to follow the directory. Raises: CatalogUnavailable, with every fault."""
        try:
            if self._state is not None:
                await self._open_state()
            await self._look()
        except CatalogError as error:
            await self.close()
            raise CatalogUnavailable(error.faults) from error
        if self._state is None:
            self._on_change("continuation.off", {"reason": OFF})
        self._task = asyncio.create_task(self._follow(), name="directory")

    def poll_now(self) -> None:
        """Look at the directory at once."""
        self._woken.set()

    async def close(self) -> None:
        """Stop following."""
        self._closing.set()
        self._woken.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_CLOSE_S)
            self._task.cancel()
        if self._state is not None:
            await self._state.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _open_state(self) -> None:
        """Make the state store where there is none, and follow it. Raises: CatalogError for one that is not ours."""
        state, database = self._state, self._database
        assert state is not None
        assert database is not None
        await self._in_thread(database.prepare)
        await self._in_thread(lambda: _must_be_ours(database, self._path))
        await state.start()

    async def _follow(self) -> None:
        pause_s = self._look_s
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), pause_s)
            self._woken.clear()
            if self._closing.is_set():
                return
            try:
                looked_s = await self._look()
                pause_s = max(self._look_s, _LOOK_SHARE * looked_s)
            except CatalogError as error:
                self._failed(error.faults)
            except asyncio.CancelledError:
                raise
            except BaseException:
                self._freshness.failed("following the directory has stopped")
                raise

    # -- reading -------------------------------------------------------------------------------------------------------

    async def _look(self) -> float:
        """Read the tree if it is another one; return how long it takes to tell. Raises: CatalogError."""
        began_s = time.perf_counter()
        tree = await self._in_thread(self._fingerprint)
        took_s = time.perf_counter() - began_s
        if tree != self._seen:
            await self._read(await self._settled(tree))
        elif self._faults:
            raise CatalogError(self._faults)
        else:
            self._freshness.succeeded()
            await self._record()
        return took_s

    async def _settled(self, tree: bytes) -> bytes:
        """Wait until nothing in the tree changes any more; the first tree is served at once if it is whole."""
        while self._freshness.loaded and not self._closing.is_set():
            await asyncio.sleep(self._settle_s)
            before, tree = tree, await self._in_thread(self._fingerprint)
            if tree == before:
                break
        return tree

    async def _read(self, tree: bytes) -> None:
        """Read the tree, and serve it if nothing is wrong with it. Raises: CatalogError, with every fault."""
        sources: list[Source] = []

        def collect(found: Sequence[Source]) -> Sequence[Fault]:
            sources.extend(found)
            return ()

        faults: list[Fault] = []
        definitions: list[Definition] = []
        secrets = Secrets(directory=self._secrets_dir)
        try:
            loaded = await self._in_thread(lambda: directory.load(self._path, collect, secrets))
            definitions = loaded.definitions
        except CatalogError as error:
            faults += error.faults
        named = [(_digest(source), source) for source in sources]
        new = [source for digest, source in named if digest not in self._good]
        faults += split(await self._check(new) if new else [])[0]
        if await self._in_thread(self._fingerprint) != tree:
            # Written meanwhile: it may be half of one and half of another, and is read again at the next look.
            self._woken.set()
            return
        self._seen, self._faults = tree, tuple(faults)
        if faults:
            raise CatalogError(faults)
        self._good = frozenset(digest for digest, _ in named)
        # First: another replica may have to continue the first login that it suspends.
        self._unrecorded = definitions
        await self._record()
        self._serve(definitions)

    def _serve(self, definitions: Sequence[Definition]) -> None:
        """Put a tree into effect."""
        before = self._tree
        tenants: dict[str, Flow] = {}
        sources: dict[str, str] = {}
        for definition in definitions:
            flow = replace(definition.flow, digest=rows.digest(definition.flow))
            old = before.tenants.get(flow.tenant)
            # The old object when it is equal, so that a comparison by identity sees no change.
            tenants[flow.tenant] = old if old is not None and old == flow else flow
            sources |= definition.sources
        changed = sum(before.tenants.get(tenant) is not flow for tenant, flow in tenants.items())
        removed = len(before.tenants.keys() - tenants.keys())
        self._freshness.succeeded()
        if changed or removed or before is EMPTY:
            self._tree = Snapshot(before.revision + 1, MappingProxyType(tenants), MappingProxyType(sources))
            self._show()
            fields = {"revision": self._tree.revision, "tenants": len(tenants), "changed": changed, "removed": removed}
            self._on_change("catalog.reloaded", fields)
        self._freshness.well()

    def _show(self) -> None:
        """Serve the tree, with what the state store holds back of it."""
        held = self._state.held if self._state is not None else {}
        self._snapshot = images.served(self._tree, held, NO_TRIALS)

    def _failed(self, faults: Sequence[Fault]) -> None:
        texts = [str(fault)[:300] for fault in faults]
        more = f", and {len(texts) - 1} more faults" if len(texts) > 1 else ""
        self._freshness.failed(
            f"the directory {self._path} is not served as it is: {texts[0]}{more}", texts[:_FAULTS_SHOWN]
        )

    def _fingerprint(self) -> bytes:
        """Return what changes whenever a file does: names, sizes and times of the tree and of the secrets' folder."""
        found = hashlib.blake2b(digest_size=16)
        for root in (self._path, self._secrets_dir):
            if root is not None:
                _add_folder(found, os.path.realpath(root))
        return found.digest()

    # -- the state store -----------------------------------------------------------------------------------------------

    async def _record(self) -> None:
        """Write what is served into the state store: its flows are found there by other replicas, and its versions."""
        definitions, database = self._unrecorded, self._database
        if definitions is None or database is None:
            return
        author = Author(AUTHOR, int(self._clock()), f"served from {self._path}")
        try:
            await self._in_thread(lambda: applies.apply(database, definitions, prune=True, author=author))
        except CatalogError as error:
            self._not_recorded = str(error)
            return
        self._not_recorded = ""
        if self._unrecorded is definitions:
            self._unrecorded = None

    def _state_changed(self, event: str, fields: Mapping[str, Any], /) -> None:
        if self._tree is not EMPTY:
            self._show()
        kind, _, happened = event.partition(".")
        self._on_change(f"state_store.{happened}" if kind == "catalog" else event, fields)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _must_be_ours(database: Database, path: Path) -> None:
    """Do nothing with a state store that has no version of another author. Raises: CatalogError."""
    with database.reading() as connection:
        (others,) = connection.execute("SELECT count(*) FROM versions WHERE made_by <> ?", (AUTHOR,)).fetchone()
        tenants = comparison.compare(connection, {}, prune=True).pruned
        (ours,) = connection.execute("SELECT count(*) FROM versions WHERE made_by = ?", (AUTHOR,)).fetchone()
    if others or (tenants and not ours):
        raise CatalogError(
            [
                f"catalog.state_store: the store {database.name} has tenants that were not served from {path}; name an "
                "empty store for what a directory needs beside it"
            ]
        )


def _digest(source: Source) -> str:
    """Name what a check of a source depends on."""
    secrets = "" if source.secrets is None else "\0".join(sorted(source.secrets))
    return hashlib.sha256(f"{source.text}\0\0{secrets}".encode(errors="replace")).hexdigest()


def _add_folder(found: Any, folder: str) -> None:
    """Add a folder to a fingerprint, but what is hidden in it: git writes there without changing a file."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        found.update(f"{folder} {error.errno}\n".encode(errors="surrogateescape"))
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                _add_folder(found, entry.path)
                continue
            status = entry.stat()
            what = f"{status.st_size} {status.st_mtime_ns} {status.st_ino} {status.st_mode}"
        except OSError as error:
            what = str(error.errno)
        found.update(f"{entry.path} {what}\n".encode(errors="surrogateescape"))
