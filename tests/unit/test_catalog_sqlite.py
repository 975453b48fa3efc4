"""The store: what an apply writes, what a reader makes of it, and that a failed apply changes nothing."""

import contextlib
import hashlib
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.catalog import applies, images, schema, sqlite
from runtime.catalog.base import Binding, Definition, Flow, Snapshot
from runtime.catalog.comparison import ApplyResult
from runtime.catalog.sqlite import SqliteDatabase
from runtime.core.model import Experience, Merge, OnError, Policy, Settings
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
    def test_what_is_written_is_what_is_read(self, path: Path) -> None:
        """Settings, bindings in order, sources and secrets come back as they were."""
        settings = Settings(Experience.CLASSIC, Policy.ADAPTIVE, ("sms", "otp"), Merge.STRICTEST, True, True, True)
        first = define("acme", "x = 1\n", "é = '\U0001f600'\n", settings=settings, secret="hush")
        bindings = (replace(first.flow.bindings[0], on_error=OnError.DENY, timeout_us=5000), first.flow.bindings[1])
        first = replace(first, flow=replace(first.flow, bindings=bindings))
        second = define("beta")
        result = applies.apply(SqliteDatabase(path), [first, second])
        assert result == ApplyResult(1, ("acme", "beta"), (), (), ())
        read = snapshot(path)
        assert read.revision == 1
        assert dict(read.tenants) == {"acme": first.flow, "beta": second.flow}
        assert dict(read.sources) == dict(first.sources)

    def test_the_file_is_for_its_owner_only(self, path: Path) -> None:
        """It holds secrets, and so do its log files."""
        applies.apply(SqliteDatabase(path), [define("acme", secret="hush")])
        load(path)
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_repetition_changes_nothing(self, path: Path) -> None:
        """The same definitions again keep the revision, so no daemon reloads."""
        definitions = [define("acme", "x", secret="s"), define("beta")]
        applies.apply(SqliteDatabase(path), definitions)
        assert applies.apply(SqliteDatabase(path), reversed(definitions)) == ApplyResult(
            1, (), (), ("acme", "beta"), ()
        )

    @pytest.mark.parametrize(
        "changed",
        [
            define("acme", "y", secret="s"),
            define("acme", "x", "y", secret="s"),
            define("acme", "x", secret="t"),
            define("acme", "x"),
            define("acme", "x", secret="s", settings=Settings(policy=Policy.ALWAYS)),
        ],
    )
    def test_any_change_is_one_revision(self, path: Path, changed: Definition) -> None:
        """A changed source, binding, secret or setting counts, once, and only for its tenant."""
        applies.apply(SqliteDatabase(path), [define("acme", "x", secret="s"), define("beta")])
        assert applies.apply(SqliteDatabase(path), [changed, define("beta")]) == ApplyResult(
            2, (), ("acme",), ("beta",), ()
        )
        assert snapshot(path).tenants["acme"] == changed.flow

    def test_other_tenants_stay_unless_pruned(self, path: Path) -> None:
        """An apply speaks of its own tenants; only --prune makes the store equal to the directory."""
        applies.apply(SqliteDatabase(path), [define("acme", "x"), define("beta", "y")])
        assert applies.apply(SqliteDatabase(path), [define("acme", "x")]).pruned == ()
        assert set(snapshot(path).tenants) == {"acme", "beta"}
        assert applies.apply(SqliteDatabase(path), [define("acme", "x")], prune=True) == ApplyResult(
            2, (), (), ("acme",), ("beta",)
        )
        read = snapshot(path)
        assert set(read.tenants) == {"acme"}
        assert list(read.sources.values()) == ["x"]
        assert applies.apply(SqliteDatabase(path), [define("beta", "y")]) == ApplyResult(3, ("beta",), (), (), ())

    def test_a_tenant_given_twice_is_refused(self, path: Path) -> None:
        """It is not clear which of the two should win."""
        with pytest.raises(CatalogError, match="tenant 'acme' is given twice"):
            applies.apply(SqliteDatabase(path), [define("acme"), define("acme", "x")])

    def test_a_revision_is_immutable(self, path: Path) -> None:
        """The store itself refuses to change a source under its hash."""
        applies.apply(SqliteDatabase(path), [define("acme", "x")])
        with pytest.raises(sqlite3.IntegrityError, match="immutable"):
            alter(path, "UPDATE revisions SET source = 'y'")

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

    def test_anything_raised_inside_rolls_back(
        self, path: Path, before: Snapshot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is half-written when we fail ourselves after the first tenant."""
        replaced = applies.replace_tenant

        def once(connection: sqlite3.Connection, definition: Definition, digest: bytes, revision: int) -> None:
            replaced(connection, definition, digest, revision)
            raise RuntimeError("stop")

        monkeypatch.setattr(applies, "replace_tenant", once)
        with pytest.raises(RuntimeError, match="stop"):
            applies.apply(SqliteDatabase(path), [define("beta"), define("gamma")])


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


class TestIncremental:
    def test_nothing_changed(self, path: Path) -> None:
        """A reader that is up to date gets nothing."""
        applies.apply(SqliteDatabase(path), [define("acme", "x")])
        assert load(path, load(path)) is None

    def test_only_what_changed_is_read(self, path: Path) -> None:
        """Unchanged tenants keep their objects and are not read again: damage to their rows goes unseen."""
        applies.apply(SqliteDatabase(path), [define(f"t{at}", f"x{at}", "shared") for at in range(50)])
        first = load(path)
        assert first is not None
        alter(path, "UPDATE bindings SET on_error = 'shrug' WHERE tenant <> 't7'")
        applies.apply(SqliteDatabase(path), [define("t7", "new", "shared")])
        second = load(path, first)
        assert second is not None
        assert (second.changed, second.removed, second.snapshot.revision) == (1, 0, 2)
        for tenant, flow in second.snapshot.tenants.items():
            assert (flow is first.snapshot.tenants[tenant]) is (tenant != "t7")
        with pytest.raises(CatalogError):
            load(path)

    def test_sources_come_and_go_with_their_use(self, path: Path) -> None:
        """A source is in the snapshot as long as some binding uses it, and no longer."""
        applies.apply(SqliteDatabase(path), [define("a", "one", "shared"), define("b", "shared")])
        image = load(path)
        steps: list[tuple[list[Definition], bool, set[str]]] = [
            ([define("a", "two", "shared")], False, {"two", "shared"}),
            ([define("a", "two")], False, {"two", "shared"}),
            ([define("a", "two")], True, {"two"}),
            ([define("b", "two"), define("a")], False, {"two"}),
            ([define("b", "one")], False, {"one"}),
        ]
        for definitions, prune, sources in steps:
            applies.apply(SqliteDatabase(path), definitions, prune=prune)
            image = load(path, image)
            assert image is not None
            assert set(image.snapshot.sources.values()) == sources
            assert image.snapshot == snapshot(path)

    def test_several_applies_are_one_step(self, path: Path) -> None:
        """A reader that slept through three applies arrives at the last."""
        applies.apply(SqliteDatabase(path), [define("a", "1"), define("b", "1")])
        image = load(path)
        applies.apply(SqliteDatabase(path), [define("c", "2")])
        applies.apply(SqliteDatabase(path), [define("a", "3")])
        applies.apply(SqliteDatabase(path), [define("a", "3"), define("c", "2")], prune=True)
        image = load(path, image)
        assert image is not None
        assert (image.snapshot.revision, image.changed, image.removed) == (4, 2, 1)
        assert image.snapshot == snapshot(path)

    def test_a_snapshot_cannot_be_changed(self, path: Path) -> None:
        """Logins share it, so its mappings refuse to be written."""
        applies.apply(SqliteDatabase(path), [define("a", "1", secret="s")])
        read = snapshot(path)
        for mapping in (read.tenants, read.sources, read.tenants["a"].secrets, read.tenants["a"].secrets["a0"]):
            with pytest.raises(TypeError):
                mapping["x"] = "y"  # type: ignore[index]  # what is tested


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
