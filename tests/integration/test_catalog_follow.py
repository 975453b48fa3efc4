"""A running catalog and what can happen to its file: the last good snapshot serves, and it recovers by itself."""

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runtime.catalog import applies, schema
from runtime.catalog.base import Binding, Catalog, Definition, Flow
from runtime.catalog.sqlite import SqliteDatabase
from runtime.catalog.stored import StoredCatalog
from runtime.core.model import Settings
from runtime.errors import CatalogError, CatalogUnavailable
from tests.fixtures.commands import TIED

NOBODY = 65534


def define(tenant: str, source: str = "x") -> Definition:
    sha = hashlib.sha256(source.encode()).hexdigest()
    return Definition(Flow(tenant, Settings(), (Binding("a", sha),)), {sha: source})


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that the catalog does on its own time; two seconds is what it promises."""
    async with asyncio.timeout(2):
        while not condition():
            await asyncio.sleep(0.005)


class Log(list[tuple[str, Mapping[str, Any]]]):
    def __call__(self, event: str, fields: Mapping[str, Any], /) -> None:
        self.append((event, fields))

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def catalog(path: Path, log: Log) -> AsyncIterator[StoredCatalog]:
    """A started catalog whose store holds one tenant, at revision 1."""
    applies.apply(SqliteDatabase(path), [define("acme")])
    catalog = StoredCatalog(SqliteDatabase(path, timeout_s=0.05), poll_s=0.01, on_change=log)
    await catalog.start()
    yield catalog
    await catalog.close()


def copy(source: Path, target: Path) -> Path:
    """Make a backup, whatever the source's log still holds."""
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)
    return target


def remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


class TestFollowing:
    async def test_is_a_catalog(self, catalog: StoredCatalog, log: Log) -> None:
        """After start it is healthy and has a snapshot; the first load is reported."""
        follows: Catalog = catalog
        assert (follows.healthy, follows.reason) == (True, "")
        assert follows.snapshot().revision == 1
        assert catalog.last_success_s > 0
        ((event, fields),) = log
        assert event == "catalog.reloaded"
        assert fields.items() >= {"revision": 1, "tenants": 1, "changed": 1, "removed": 0}.items()

    async def test_a_change_is_seen_and_a_login_in_progress_keeps_its_own(
        self, path: Path, catalog: StoredCatalog, log: Log
    ) -> None:
        """A new revision is a new object; the old one is as it was."""
        before = catalog.snapshot()
        await asyncio.to_thread(applies.apply, SqliteDatabase(path), [define("acme", "y"), define("beta")])
        await until(lambda: catalog.snapshot().revision == 2)
        assert set(catalog.snapshot().tenants) == {"acme", "beta"}
        assert set(before.tenants) == {"acme"}
        assert list(before.sources.values()) == ["x"]
        assert log[-1][1].items() >= {"revision": 2, "tenants": 2, "changed": 2, "removed": 0}.items()

    async def test_the_default_poll_keeps_the_promise(self, path: Path) -> None:
        """With default settings a change is served within two seconds."""
        applies.apply(SqliteDatabase(path), [define("acme")])
        catalog = StoredCatalog(SqliteDatabase(path))
        await catalog.start()
        try:
            await asyncio.to_thread(applies.apply, SqliteDatabase(path), [define("acme", "y")])
            await until(lambda: catalog.snapshot().revision == 2)
        finally:
            await catalog.close()

    async def test_nothing_new_is_not_reported(self, path: Path, catalog: StoredCatalog, log: Log) -> None:
        """Reading the same revision again, even after an apply that changed nothing, is silent and keeps the object."""
        before, since = catalog.snapshot(), catalog.last_success_s
        await asyncio.to_thread(applies.apply, SqliteDatabase(path), [define("acme")])
        await until(lambda: catalog.last_success_s > since)
        assert catalog.snapshot() is before
        assert log.events == ["catalog.reloaded"]

    async def test_many_changes_while_reading(self, path: Path, catalog: StoredCatalog) -> None:
        """Every snapshot seen while a writer is busy is whole: both tenants of an apply, or neither."""

        def write() -> None:
            for at in range(30):
                applies.apply(SqliteDatabase(path), [define("acme", f"{at}"), define("beta", f"{at}")])

        writing = asyncio.create_task(asyncio.to_thread(write))
        seen: set[int] = set()
        while not writing.done():
            snapshot = catalog.snapshot()
            seen.add(snapshot.revision)
            if "beta" in snapshot.tenants:
                assert snapshot.tenants["acme"].bindings == snapshot.tenants["beta"].bindings
            await asyncio.sleep(0.002)
        await writing
        await until(lambda: catalog.snapshot().revision == 31)
        assert len(seen) > 1
        assert catalog.healthy

    async def test_close_stops_it(self, path: Path) -> None:
        """After close nothing is read any more, the thread is gone and closing again is harmless."""
        applies.apply(SqliteDatabase(path), [define("acme")])
        catalog = StoredCatalog(SqliteDatabase(path), poll_s=0.01)
        await catalog.start()
        await catalog.close()
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "catalog"]
        await asyncio.to_thread(applies.apply, SqliteDatabase(path), [define("acme", "y")])
        await asyncio.sleep(0.05)
        assert catalog.snapshot().revision == 1
        await catalog.close()


class TestFirstStart:
    @pytest.mark.parametrize(
        "prepare", [lambda path: None, lambda path: path.touch(), lambda path: path.symlink_to("store")]
    )
    async def test_without_a_store_it_waits_and_makes_none(
        self, path: Path, log: Log, prepare: Callable[[Path], object]
    ) -> None:
        """A daemon may be started before anything was applied; it says so once, and the first apply reaches it."""
        prepare(path)
        catalog = StoredCatalog(SqliteDatabase(path), poll_s=0.01, on_change=log)
        await catalog.start()
        try:
            await asyncio.sleep(0.05)
            assert (catalog.healthy, catalog.loaded, catalog.writable) == (False, False, path.is_file())
            assert catalog.unready(allow_empty=True) == [catalog.reason]
            reason = f"there is no store {path} yet; make it with `vestibule apply DIR --store sqlite:{path}`"
            assert log == [("catalog.failed", {"reason": reason, "revision": 0})]
            assert not path.is_file() or path.stat().st_size == 0
            await asyncio.to_thread(applies.apply, SqliteDatabase(path), [define("acme")])
            await until(lambda: "acme" in catalog.snapshot().tenants)
            # An apply makes an empty store first, which may be seen for a moment.
            assert log.events[1] == "catalog.reloaded"
            assert log.events.count("catalog.recovered") == 1
            assert (catalog.healthy, catalog.unready(allow_empty=False)) == (True, [])
        finally:
            await catalog.close()

    async def test_a_store_without_a_tenant_is_not_ready_unless_allowed(self, path: Path) -> None:
        """Healthy, and of no use to any login."""
        SqliteDatabase(path).prepare()
        catalog = StoredCatalog(SqliteDatabase(path), poll_s=0.01)
        await catalog.start()
        try:
            assert (catalog.healthy, catalog.loaded, catalog.writable) == (True, True, True)
            (reason,) = catalog.unready(allow_empty=False)
            assert reason == f"the store {path} has no tenant: apply one, or set catalog.allow_empty"
            assert catalog.unready(allow_empty=True) == []
        finally:
            await catalog.close()

    @pytest.mark.parametrize(
        ("prepare", "wanted"),
        [
            (lambda path: path.mkdir(), "is not a plain file"),
            (lambda path: os.mkfifo(path), "is not a plain file"),
            (lambda path: path.write_bytes(b"garbage " * 1000), "is not an SQLite database"),
        ],
    )
    async def test_a_store_that_cannot_be_used(self, path: Path, prepare: Callable[[Path], None], wanted: str) -> None:
        """Without a snapshot to serve, start fails and says why."""
        prepare(path)
        with pytest.raises(CatalogUnavailable, match=wanted):
            await StoredCatalog(SqliteDatabase(path)).start()


# An apply that stops inside its transaction, after the first tenant, and says so.
KILLED_INSIDE = """
import sys, time
from runtime.catalog import applies
from runtime.catalog.base import Definition, Flow
from runtime.catalog.sqlite import SqliteDatabase
from runtime.core.model import Settings

write = applies.replace_tenant

def slowly(*args):
    write(*args)
    print("inside", flush=True)
    time.sleep(60)

applies.replace_tenant = slowly
applies.apply(SqliteDatabase(sys.argv[1]), [Definition(Flow(name, Settings())) for name in ("beta", "gamma")])
"""


def replace_by_directory(path: Path) -> None:
    remove(path)
    path.mkdir()


# What happens to the file, and the words that explain it.
MISHAPS: list[Any] = [
    pytest.param(remove, "is gone", id="deleted"),
    pytest.param(lambda path: path.write_bytes(b"garbage " * 4096), "is not an SQLite database", id="overwritten"),
    pytest.param(lambda path: os.truncate(path, 5000), "is damaged|is not an SQLite|disk reports", id="truncated"),
    pytest.param(replace_by_directory, "is not a plain file", id="a directory in its place"),
    pytest.param(
        lambda path: execute(path, "PRAGMA user_version = 99"), "was written by a newer Vestibule", id="newer schema"
    ),
    pytest.param(
        lambda path: execute(path, "PRAGMA application_id = 7"), "is another program's database", id="another program"
    ),
    pytest.param(
        lambda path: execute(path, "UPDATE bindings SET on_error = 'x'", "UPDATE tenants SET changed_in = 9",
                             "INSERT INTO applies VALUES (9, x'00', 0)"),
        "holds a row that this version cannot read",
        id="senseless rows",
    ),
]  # fmt: skip


def execute(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


class TestMishaps:
    @pytest.mark.parametrize(("mishap", "wanted"), MISHAPS)
    async def test_last_good_snapshot_serves_until_the_file_is_back(
        self, catalog: StoredCatalog, path: Path, log: Log, mishap: Callable[[Path], object], wanted: str
    ) -> None:
        """Unhealthy with a reason, reported once; the snapshot stays; healthy again when a good file is back."""
        saved = copy(path, path.with_name("saved.db"))
        applies.apply(SqliteDatabase(saved), [define("acme"), define("beta")])
        before = catalog.snapshot()
        mishap(path)
        await until(lambda: not catalog.healthy)
        await asyncio.sleep(0.05)
        assert any(word in catalog.reason for word in wanted.split("|")), catalog.reason
        assert catalog.snapshot() is before
        assert log.events == ["catalog.reloaded", "catalog.failed"]
        assert log[-1][1] == {"reason": catalog.reason, "revision": 1}
        if path.is_dir():
            path.rmdir()
        remove(path)
        os.replace(saved, path)
        await until(lambda: catalog.healthy)
        assert set(catalog.snapshot().tenants) == {"acme", "beta"}
        # Between the removal and the replacement there may have been another reason to tell.
        after = [event for event in log.events[2:] if event != "catalog.failed"]
        assert sorted(after) == ["catalog.recovered", "catalog.reloaded"]

    @pytest.mark.parametrize("wrong", ["another", "older", "empty"])
    async def test_replaced_by_a_wrong_store(self, catalog: StoredCatalog, path: Path, log: Log, wrong: str) -> None:
        """What it has is served, unhealthy, reported once; the right store in its place is followed at once."""
        older = copy(path, path.with_name("older.db"))
        await asyncio.to_thread(applies.apply, SqliteDatabase(path), [define("gamma")])
        await until(lambda: catalog.snapshot().revision == 2)
        right, other = copy(path, path.with_name("right.db")), path.with_name("other.db")
        if wrong == "another":
            for source in ("x", "y", "z"):
                applies.apply(SqliteDatabase(other), [define("beta", source)])
        elif wrong == "empty":
            SqliteDatabase(other).prepare()
        else:
            older.rename(other)
        before, told = catalog.snapshot(), len(log)
        remove(path)
        os.replace(other, path)
        await until(lambda: not catalog.healthy and f"is {wrong}" in catalog.reason)
        since = len(log)
        await asyncio.sleep(0.05)
        assert catalog.snapshot() is before
        assert set(log.events[told:]) == {"catalog.failed"}
        assert len(log) == since
        remove(path)
        os.replace(right, path)
        await until(lambda: catalog.healthy)
        assert catalog.snapshot() is before
        await asyncio.to_thread(applies.apply, SqliteDatabase(path), [define("delta")])
        await until(lambda: set(catalog.snapshot().tenants) == {"acme", "gamma", "delta"})

    async def test_deleted_and_applied_anew(self, catalog: StoredCatalog, path: Path) -> None:
        """A new store is another one, and the old one's log is never mixed into it."""
        path.unlink()
        await asyncio.to_thread(applies.apply, SqliteDatabase(path), [define("beta", "y")])
        await until(lambda: "is another store than the one that is served" in catalog.reason)
        assert set(catalog.snapshot().tenants) == {"acme"}
        execute(path, "PRAGMA integrity_check")
        fresh = StoredCatalog(SqliteDatabase(path), poll_s=0.01)
        await fresh.start()
        try:
            assert set(fresh.snapshot().tenants) == {"beta"}
        finally:
            await fresh.close()

    async def test_locked(self, catalog: StoredCatalog, path: Path) -> None:
        """A process that keeps the store to itself makes the catalog unhealthy for as long as it does."""
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as greedy:
            greedy.execute("PRAGMA locking_mode = EXCLUSIVE")
            async with asyncio.timeout(2):
                while True:
                    with contextlib.suppress(sqlite3.OperationalError):
                        greedy.execute("BEGIN EXCLUSIVE")
                        greedy.execute("UPDATE tenants SET changed_in = changed_in")
                        greedy.execute("COMMIT")
                        break
                    await asyncio.sleep(0.01)
            await until(lambda: not catalog.healthy)
            assert "is locked by another process" in catalog.reason
            assert catalog.snapshot().revision == 1
        await until(lambda: catalog.healthy)

    async def test_a_waiting_writer_disturbs_no_reader(self, catalog: StoredCatalog, path: Path) -> None:
        """The control: an ordinary open write transaction is no reason for ill health."""
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("UPDATE tenants SET changed_in = 7")
            since = catalog.last_success_s
            await until(lambda: catalog.last_success_s > since)
            assert catalog.healthy
            writer.execute("ROLLBACK")

    async def test_an_apply_killed_in_the_middle(self, catalog: StoredCatalog, path: Path) -> None:
        """kill -9 inside the transaction leaves the old catalog, served all along, and a store that can be written."""
        child = subprocess.Popen(
            [*TIED, sys.executable, "-c", KILLED_INSIDE, str(path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        try:
            assert child.stdout is not None
            assert await asyncio.to_thread(child.stdout.readline) == b"inside\n"
            since = catalog.last_success_s
            await until(lambda: catalog.last_success_s > since)
            assert catalog.healthy
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
            assert child.stdout is not None
            child.stdout.close()
        result = await asyncio.to_thread(applies.apply, SqliteDatabase(path), [define("beta")])
        assert (result.revision, result.created) == (2, ("beta",))
        await until(lambda: set(catalog.snapshot().tenants) == {"acme", "beta"})


class TestReadOnly:
    @pytest.fixture
    def place(self) -> Iterator[Path]:
        """A directory that may be read and entered, but not written, by the user of the test."""
        place = Path(tempfile.mkdtemp(prefix="vestibule-"))
        applies.apply(SqliteDatabase(place / "store.db"), [define("acme")])
        os.chmod(place / "store.db", 0o444)
        os.chmod(place, 0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        try:
            yield place
        finally:
            if root:
                os.seteuid(0)
            os.chmod(place, 0o755)
            shutil.rmtree(place)

    async def test_a_store_on_a_read_only_disk_is_served(self, place: Path) -> None:
        """Where no log can be set up beside the file, the file alone is read."""
        catalog = StoredCatalog(SqliteDatabase(place / "store.db"), poll_s=0.01)
        await catalog.start()
        try:
            since = catalog.last_success_s
            assert set(catalog.snapshot().tenants) == {"acme"}
            await until(lambda: catalog.last_success_s > since)
            assert (catalog.healthy, catalog.writable) == (True, False)
        finally:
            await catalog.close()
        assert [entry.name for entry in place.iterdir()] == ["store.db"]

    async def test_an_apply_there_changes_nothing(self, place: Path) -> None:
        """Writing is refused in plain words."""
        with pytest.raises(CatalogError, match=r"cannot be (written|opened)"):
            await asyncio.to_thread(applies.apply, SqliteDatabase(place / "store.db"), [define("beta")])

    async def test_an_old_schema_there_is_an_error(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A store that would have to be migrated first, and cannot be, is not served half-understood."""
        monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
        with pytest.raises(CatalogUnavailable, match=r"cannot be (written|opened)"):
            await StoredCatalog(SqliteDatabase(place / "store.db")).start()
