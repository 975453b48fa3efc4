"""A reader stays with its store: what is empty, older or another is refused by name; its own future is read."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.catalog import applies, images, sqlite
from runtime.catalog.base import Definition, Flow
from runtime.catalog.lineage import NO_MARK
from runtime.catalog.sqlite import SqliteDatabase
from runtime.catalog.suspended import StoredSuspendedFlows
from runtime.core.model import Settings
from runtime.errors import CatalogUnavailable, NoStore


def define(*tenants: str) -> list[Definition]:
    return [Definition(Flow(tenant, Settings())) for tenant in tenants]


def copy(source: Path, target: Path) -> Path:
    """Make a backup, whatever the source's log still holds."""
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)
    return target


def load(path: Path, image: images.Image | None = None) -> images.Image | None:
    with SqliteDatabase(path, timeout_s=0.1).reading() as connection:
        return images.read(connection, image, str(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store at its second revision, beside a backup of the first."""
    path = tmp_path / "store.db"
    applies.apply(SqliteDatabase(path), define("acme"))
    copy(path, tmp_path / "backup.db")
    applies.apply(SqliteDatabase(path), define("beta"))
    return path


@pytest.fixture
def image(path: Path) -> images.Image:
    image = load(path)
    assert image is not None
    return image


def another(tmp_path: Path) -> Path:
    for tenant in ("acme", "beta", "gamma"):
        applies.apply(SqliteDatabase(tmp_path / "other.db"), define(tenant))
    return tmp_path / "other.db"


def empty(tmp_path: Path) -> Path:
    SqliteDatabase(tmp_path / "empty.db").prepare()
    return tmp_path / "empty.db"


def older(tmp_path: Path) -> Path:
    return tmp_path / "backup.db"


def older_and_changed(tmp_path: Path) -> Path:
    applies.apply(SqliteDatabase(tmp_path / "backup.db"), define("gamma"))
    return tmp_path / "backup.db"


WRONG: list[Any] = [
    (another, "is another store than the one that is served, with a history of its own (revision 3)"),
    (empty, "is empty: nothing was ever applied to it"),
    (older, "is older than what is served: it is at revision 1"),
    (older_and_changed, "was restored to an older state and changed since then: it is at another revision 2"),
]


@pytest.mark.parametrize(("make", "wanted"), WRONG)
def test_a_wrong_store_is_refused(
    image: images.Image, tmp_path: Path, make: Callable[[Path], Path], wanted: str
) -> None:
    """Each is named for what it is, with what is served and the remedy."""
    with pytest.raises(CatalogUnavailable) as caught:
        load(make(tmp_path), image)
    assert wanted in str(caught.value)
    assert "the daemon keeps serving revision 2: put the right store back, or restart the daemon" in str(caught.value)


@pytest.mark.parametrize("make", [another, empty, older, older_and_changed])
async def test_nothing_is_continued_by_a_wrong_store(
    image: images.Image, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    """It knows nothing of what was used. The control: the store of the mark claims."""
    for where, right in ((make(tmp_path), False), (tmp_path / "store.db", True)):
        flows = StoredSuspendedFlows(SqliteDatabase(where), mark=lambda: image.mark)
        try:
            if right:
                assert (await flows.claim(b"n" * 16, 2_000_000, 1_000_000, 1_100_000)).granted
                assert await flows.find("acme", b"?" * 32) is None
                continue
            with pytest.raises(CatalogUnavailable):
                await flows.claim(b"n" * 16, 2_000_000, 1_000_000, 1_100_000)
            with pytest.raises(CatalogUnavailable):
                await flows.find("acme", b"?" * 32)
        finally:
            await flows.close()


def test_its_own_future_is_read(path: Path, image: images.Image, tmp_path: Path) -> None:
    """The control: a copy of the same store is the same, and one that advanced is followed."""
    ahead = copy(path, tmp_path / "ahead.db")
    assert load(ahead, image) is None
    applies.apply(SqliteDatabase(ahead), define("gamma"))
    found = load(ahead, image)
    assert found is not None
    assert (found.snapshot.revision, set(found.snapshot.tenants)) == (3, {"acme", "beta", "gamma"})


def test_a_reader_of_an_empty_store_has_nothing_to_lose(path: Path, tmp_path: Path) -> None:
    """It takes whatever store it finds."""
    first = load(empty(tmp_path))
    assert first is not None
    assert first.mark == NO_MARK
    found = load(path, first)
    assert found is not None
    assert found.snapshot.revision == 2


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.touch(), lambda path: path.symlink_to("gone")])
async def test_neither_reader_nor_continuation_makes_a_store(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """Nothing, an empty file or a link to nothing stays what it is."""
    path = tmp_path / "flows.db"
    make(path)
    before = sorted(entry.name for entry in tmp_path.iterdir())
    flows = StoredSuspendedFlows(SqliteDatabase(path))
    try:
        with pytest.raises(NoStore):
            load(path)
        with pytest.raises(NoStore):
            await flows.claim(b"n" * 16, 2_000_000, 1_000_000, 1_100_000)
    finally:
        await flows.close()
    left = sorted(entry.name for entry in tmp_path.iterdir() if not entry.name.endswith(("-wal", "-shm")))
    assert left == before
    assert not path.exists() or path.stat().st_size == 0


def test_writable_is_what_the_file_system_says(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is there can be written; one that is gone, or on a disk without room, cannot."""
    assert SqliteDatabase(path).writable()
    assert not SqliteDatabase(tmp_path / "none.db").writable()
    monkeypatch.setattr(sqlite, "ROOM_BYTES", 1 << 62)
    assert not SqliteDatabase(path).writable()
