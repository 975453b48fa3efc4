"""The store: what an apply writes, what a reader makes of it, and that a failed apply changes nothing."""

import contextlib
import hashlib
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.catalog import applies, images, schema, sqlite
from runtime.catalog.base import Binding, Definition, Flow, Snapshot
from runtime.catalog.sqlite import SqliteDatabase
from runtime.core.model import Settings
from runtime.errors import CatalogError, CatalogUnavailable, NoStore


def define(tenant: str, *sources: str, settings: Settings | None = None, secret: str | None = None) -> Definition:
    by_sha = {hashlib.sha256(source.encode()).hexdigest(): source for source in sources}
    bindings = tuple(Binding(f"a{at}", sha) for at, sha in enumerate(by_sha))
    secrets = {"a0": {"KEY": secret}} if secret is not None else {}
    return Definition(Flow(tenant, settings or Settings(), bindings, secrets), by_sha)


def snapshot(path: Path) -> Snapshot:
    image = load(path)
    assert image is not None
    return image.snapshot


def load(path: Path, image: images.Image | None = None) -> images.Image | None:
    with SqliteDatabase(path, timeout_s=0.1).reading() as connection:
        return images.read(connection, image, str(path))


def alter(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


class TestApply:
    def test_the_file_is_for_its_owner_only(self, path: Path) -> None:
        """It holds secrets, and so do its log files."""
        applies.apply(SqliteDatabase(path), [define("acme", secret="hush")])
        load(path)
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_nothing_is_left_beside_a_new_store(self, path: Path) -> None:
        """A store is made under another name and moved into place; a leftover log of a deleted store is removed."""
        leftover = path.with_name("store.db-wal")
        leftover.write_bytes(b"old" * 100)
        applies.apply(SqliteDatabase(path), [define("acme")])
        assert [file.name for file in path.parent.iterdir()] == ["store.db"]

    def test_a_link_leads_to_the_store(self, tmp_path: Path) -> None:
        """A store may be named by a symbolic link, also before it exists."""
        link = tmp_path / "link.db"
        (tmp_path / "data").mkdir()
        link.symlink_to("data/real.db")
        assert applies.apply(SqliteDatabase(link), [define("acme")]).revision == 1
        assert set(snapshot(tmp_path / "data/real.db").tenants) == set(snapshot(link).tenants) == {"acme"}
        assert link.is_symlink()

    def test_file_names_are_not_queries(self, tmp_path: Path) -> None:
        """A store may be named with characters that mean something in a URI."""
        path = tmp_path / "a?mode=memory#%41 b.db"
        applies.apply(SqliteDatabase(path), [define("acme")])
        assert path.exists()
        assert set(snapshot(path).tenants) == {"acme"}


class TestFailedApply:
    @pytest.fixture
    def before(self, path: Path) -> Iterator[Snapshot]:
        """A store that must be the same after the test."""
        applies.apply(SqliteDatabase(path), [define("acme", "x")])
        kept = snapshot(path)
        yield kept
        assert snapshot(path) == kept

    def test_full_disk(self, path: Path, before: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
        """When the disk is full in the middle, the error says so and nothing was changed."""
        connect = sqlite.connect

        def cramped(path: Path, mode: str, timeout_s: float) -> sqlite3.Connection:
            connection = connect(path, mode, timeout_s)
            connection.execute("PRAGMA max_page_count = 30")
            return connection

        monkeypatch.setattr(sqlite, "connect", cramped)
        many = [define(f"t{at}", f"# {at}" * 500) for at in range(200)]
        with pytest.raises(CatalogError, match=r"the disk is full; nothing was changed \(SQLITE_FULL\)"):
            applies.apply(SqliteDatabase(path), many)
        monkeypatch.undo()
        assert len(snapshot(path).tenants) == 1

    def test_locked_by_another_writer(self, path: Path, before: Snapshot) -> None:
        """A writer that does not finish is waited for, then named as the cause."""
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(CatalogError, match="is locked by another process"):
                applies.apply(SqliteDatabase(path, timeout_s=0.05), [define("beta")])


class TestStoresThatAreNone:
    def test_missing_directory(self, tmp_path: Path) -> None:
        """A store cannot be made where there is no directory."""
        with pytest.raises(CatalogError, match="no such file or directory"):
            applies.apply(SqliteDatabase(tmp_path / "no/store.db"), [])

    def test_a_directory_as_the_file(self, tmp_path: Path) -> None:
        """A directory in place of the file is an error of its own words."""
        with pytest.raises(CatalogError, match="is not a plain file"):
            applies.apply(SqliteDatabase(tmp_path), [])

    def test_missing_file_to_read(self, path: Path) -> None:
        """Reading never creates a store."""
        with pytest.raises(CatalogUnavailable, match="is gone"):
            load(path)
        assert not path.exists()

    @pytest.mark.parametrize(
        "data", [b"not a database at all, but long enough" * 100, b"SQLite format 3\0" + b"\xff" * 4000]
    )
    def test_garbage(self, path: Path, data: bytes) -> None:
        """A file that is no database, or only begins like one, is refused by reader and writer, and left alone."""
        path.write_bytes(data)
        for use in (lambda: load(path), lambda: applies.apply(SqliteDatabase(path), [define("acme")])):
            with pytest.raises(CatalogError, match=r"is not an SQLite database|is damaged"):
                use()
        assert path.read_bytes() == data

    def test_another_programs_database(self, path: Path) -> None:
        """A database that is not ours is never migrated."""
        alter(path, "CREATE TABLE theirs (x)")
        for use in (lambda: load(path), lambda: applies.apply(SqliteDatabase(path), [define("acme")])):
            with pytest.raises(CatalogError, match="is another program's database"):
                use()

    def test_newer_schema(self, path: Path) -> None:
        """A store of a newer version is refused with the remedy."""
        applies.apply(SqliteDatabase(path), [define("acme")])
        alter(path, f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
        for use in (lambda: load(path), lambda: applies.apply(SqliteDatabase(path), [define("beta")])):
            with pytest.raises(CatalogError, match=r"newer Vestibule \(schema \d+, this one knows \d+\); upgrade"):
                use()

    def test_the_schema_of_the_next_release(self, path: Path) -> None:
        """It is used as it is when it says that this version can: a table more, a column more disturb nothing."""
        applies.apply(SqliteDatabase(path), [define("acme", "x", secret="s")])
        newer = schema.SCHEMA_VERSION + 1
        alter(
            path,
            "ALTER TABLE tenants ADD COLUMN later TEXT",
            "ALTER TABLE applies ADD COLUMN later INTEGER NOT NULL DEFAULT 7",
            f"INSERT INTO schema_versions VALUES ({newer}, {newer - 1}, '9.9', 0)",
            f"PRAGMA user_version = {newer}",
        )
        assert applies.apply(SqliteDatabase(path), [define("acme", "y"), define("beta")]).revision == 2
        assert set(snapshot(path).tenants) == {"acme", "beta"}
        alter(path, f"UPDATE schema_versions SET oldest = {newer} WHERE version = {newer}")
        for use in (lambda: load(path), lambda: applies.apply(SqliteDatabase(path), [define("beta")])):
            with pytest.raises(CatalogError, match=rf"newer Vestibule \(9.9\) \(schema {newer}, this one knows"):
                use()

    def test_an_empty_file_becomes_a_store_by_an_apply(self, path: Path) -> None:
        """A file that was created and then nothing more is no store to a reader, and is set up by a writer."""
        path.touch()
        with pytest.raises(NoStore, match="is empty; put it back, or apply anew"):
            snapshot(path)
        assert path.stat().st_size == 0
        assert applies.apply(SqliteDatabase(path), [define("acme")]).revision == 1

    @pytest.mark.parametrize(
        "damage",
        [
            "UPDATE tenants SET settings = '{}'",
            "UPDATE tenants SET settings = 'x'",
            "UPDATE tenants SET settings = replace(settings, 'never', 'sometimes')",
            "UPDATE bindings SET on_error = 'shrug'",
            "DELETE FROM revisions",
            "DROP TRIGGER revisions_are_immutable; UPDATE revisions SET source = 'other'",
        ],
    )
    def test_rows_that_make_no_sense(self, path: Path, damage: str) -> None:
        """A row that this version cannot read, or a source that is not its hash's, refuses the whole snapshot."""
        applies.apply(SqliteDatabase(path), [define("acme", "x")])
        alter(path, "PRAGMA foreign_keys = OFF", *damage.split("; "))
        with pytest.raises(CatalogError, match="holds a row that this version cannot read"):
            load(path)


def test_no_secret_in_any_repr(path: Path) -> None:
    """What may be logged by accident shows neither secrets nor sources."""
    definition = define("acme", "source-text", secret="hush")
    applies.apply(SqliteDatabase(path), [definition])
    shown = repr(definition) + repr(snapshot(path)) + repr(definition.flow)
    assert "hush" not in shown
    assert "source-text" not in shown


def test_a_file_written_while_it_could_not_be_locked_is_not_believed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no log can be made a reader locks no writer out, so it checks afterwards; left alone, its read stands."""
    applies.apply(SqliteDatabase(path), [define("acme", "1")])
    monkeypatch.setattr(
        sqlite, "_open", lambda path, timeout_s: (sqlite.connect(path, "immutable", timeout_s), 1, False)
    )
    assert snapshot(path).revision == 1
    with pytest.raises(CatalogError, match="was written while"), SqliteDatabase(path, timeout_s=0.1).reading():
        alter(path, "PRAGMA wal_checkpoint(TRUNCATE)", "UPDATE applies SET applied_at = 0")
