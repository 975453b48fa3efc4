"""A reader stays with its store: what is empty, older or another is refused by name; its own future is read."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.catalog import applies, images, lineage, sqlite
from runtime.catalog.base import Claim, Definition, Flow
from runtime.catalog.lineage import NO_MARK
from runtime.catalog.sqlite import SqliteDatabase
from runtime.core.model import Settings
from runtime.errors import CatalogUnavailable, NoStore
from tests.fixtures.stores import Replica, old_store

NOW_MS = 1_800_000_000_000
EXPIRES_MS = NOW_MS + 900_000


def define(*tenants: str) -> list[Definition]:
    return [Definition(Flow(tenant, Settings())) for tenant in tenants]


def copy(source: Path, target: Path) -> Path:
    """Make a backup, whatever the source's log still holds."""
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)
    return target


def load(path: Path, image: images.Image | None = None, now_s: float = 0) -> images.Image | None:
    with SqliteDatabase(path, timeout_s=0.1).reading() as connection:
        return images.read(connection, image, str(path), now_s)


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
    assert "the daemon keeps serving revision 2: put the right store back, or" in str(caught.value)
    assert ("vestibule store accept-restore" in str(caught.value)) == (make in (older, older_and_changed))


@pytest.mark.parametrize("make", [another, empty, older, older_and_changed])
async def test_nothing_is_continued_by_a_wrong_store(
    image: images.Image, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    """It knows nothing of what was used. The control: the store of the mark claims."""
    for where, right in ((make(tmp_path), False), (tmp_path / "store.db", True)):
        flows = Replica(SqliteDatabase(where), mark=lambda: image.mark)
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
    assert replace(first.mark, epochs=()) == NO_MARK
    found = load(path, first)
    assert found is not None
    assert found.snapshot.revision == 2


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.touch(), lambda path: path.symlink_to("gone")])
async def test_neither_reader_nor_continuation_makes_a_store(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """Nothing, an empty file or a link to nothing stays what it is."""
    path = tmp_path / "flows.db"
    make(path)
    before = sorted(entry.name for entry in tmp_path.iterdir())
    flows = Replica(SqliteDatabase(path))
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


class TestEpochs:
    """A copy is followed once it was accepted, and what was sealed before is outdated in it."""

    def test_a_store_begins_with_an_epoch_of_its_own(self, path: Path, image: images.Image, tmp_path: Path) -> None:
        """Two stores never have the same one, or a continuation that one has used would be good in the other."""
        other = load(another(tmp_path))
        assert other is not None
        assert len(image.mark.epoch) == len(other.mark.epoch) == 16
        assert image.mark.epoch != other.mark.epoch

    def test_a_store_that_was_filled_before_has_the_empty_one(self, tmp_path: Path) -> None:
        """So that what the release before has sealed is continued after the upgrade."""
        old_store(tmp_path / "old.db", 6)
        with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as connection, connection:
            connection.execute("INSERT INTO applies VALUES (1, ?, 0)", (b"a" * 16,))
        found = load(tmp_path / "old.db")
        assert found is not None
        assert found.mark.epochs == ()
        assert found.mark.epoch == b""

    @pytest.mark.parametrize("make", [older, older_and_changed])
    def test_an_accepted_copy_is_read_whole(
        self, image: images.Image, tmp_path: Path, make: Callable[[Path], Path]
    ) -> None:
        """Its revisions are not those of the image; flows that are the same stay the same objects."""
        copied = make(tmp_path)
        begun = lineage.begin_epoch(SqliteDatabase(copied), 5)
        assert (begun.number, len(begun.mark.epoch)) == (2, 16)
        found = load(copied, image)
        assert found is not None
        assert set(found.snapshot.tenants) == {"acme"} | ({"gamma"} if make is older_and_changed else set())
        assert found.snapshot.tenants["acme"] is image.snapshot.tenants["acme"]
        assert (found.changed, found.removed) == (int(make is older_and_changed), 1)
        assert found.mark.epochs == (*image.mark.epochs, begun.mark.epoch)
        assert load(copied, found) is None

    def test_an_older_copy_is_refused_after_a_newer_one_was_accepted(
        self, path: Path, image: images.Image, tmp_path: Path
    ) -> None:
        """Accepting is for one copy: another one needs its own."""
        lineage.begin_epoch(SqliteDatabase(path), 5)
        later = load(path, image)
        assert later is not None
        for copied in (older(tmp_path), copy(path, tmp_path / "undone.db")):
            with contextlib.closing(sqlite3.connect(copied)) as connection, connection:
                connection.execute("DELETE FROM epochs WHERE number > 1")
            with pytest.raises(CatalogUnavailable, match="vestibule store accept-restore"):
                load(copied, later)
            lineage.begin_epoch(SqliteDatabase(copied), 6)
            assert load(copied, later) is not None

    def test_another_store_is_refused_whatever_its_epoch(self, image: images.Image, tmp_path: Path) -> None:
        """Accepting makes no copy of a stranger."""
        stranger = another(tmp_path)
        lineage.begin_epoch(SqliteDatabase(stranger), 5)
        with pytest.raises(CatalogUnavailable, match="is another store than the one that is served"):
            load(stranger, image)

    def test_there_is_no_epoch_of_an_empty_store(self, tmp_path: Path) -> None:
        """What was never filled was not restored either."""
        with pytest.raises(CatalogUnavailable, match="is empty: nothing was ever applied to it; restore a copy"):
            lineage.begin_epoch(SqliteDatabase(empty(tmp_path)), 5)

    async def test_what_was_sealed_before_is_outdated(self, path: Path, image: images.Image) -> None:
        """Used or not, by whichever replica. The control: one of the new epoch is granted."""
        replica = Replica(SqliteDatabase(path), mark=lambda: image.mark)
        old = replica.epoch
        used, unused = b"u" * 16, b"n" * 16
        assert (await replica.claim(used, EXPIRES_MS, NOW_MS, NOW_MS + 1, b"r", old)).granted
        assert await replica.spend(used, NOW_MS + 1, b"answer")
        new = lineage.begin_epoch(SqliteDatabase(path), 5).mark.epoch
        for name in (used, unused):
            assert (await replica.claim(name, EXPIRES_MS, NOW_MS, NOW_MS + 1, b"r", old)) == Claim(outdated=True)
        assert (await replica.claim(b"m" * 16, EXPIRES_MS, NOW_MS, NOW_MS + 1, b"r", new)).granted
        await replica.close()


class TestForgotten:
    """A copy without a lost apply: nothing but the continuations that were used since tells that it is one."""

    @pytest.fixture
    async def replica(self, path: Path, image: images.Image) -> AsyncIterator[Replica]:
        """A replica that has used a continuation after the copy was made."""
        copy(path, path.with_name("copy.db"))
        replica = Replica(SqliteDatabase(path), mark=lambda: image.mark, clock=lambda: NOW_MS / 1000)
        assert (await replica.claim(b"u" * 16, EXPIRES_MS, NOW_MS, NOW_MS + 1)).granted
        assert await replica.spend(b"u" * 16, NOW_MS + 1)
        yield replica
        await replica.close()

    async def test_the_replica_that_used_it_refuses_the_copy(self, path: Path, replica: Replica) -> None:
        """Until the copy is accepted. The control: the store itself."""
        assert (await replica.claim(b"m" * 16, EXPIRES_MS, NOW_MS, NOW_MS + 1)).granted
        path.with_name("copy.db").rename(path)
        with pytest.raises(CatalogUnavailable, match="it has forgotten that a continuation was used"):
            await replica.claim(b"u" * 16, EXPIRES_MS, NOW_MS, NOW_MS + 1)
        lineage.begin_epoch(SqliteDatabase(path), 5)
        assert (await replica.claim(b"m" * 16, EXPIRES_MS, NOW_MS, NOW_MS + 1)).granted

    @pytest.mark.usefixtures("replica")
    def test_every_replica_that_looked_since_refuses_the_copy(self, path: Path, image: images.Image) -> None:
        """It remembers what another one has used, until that expires."""
        assert load(path, image, NOW_MS / 1000) is None
        assert [used.name for used in image.mark.used] == [b"u" * 16]
        copied = path.with_name("copy.db")
        with pytest.raises(CatalogUnavailable, match="it has forgotten that a continuation was used"):
            load(copied, image, NOW_MS / 1000)
        assert load(copied, image, EXPIRES_MS / 1000) is None
