"""Every apply is a numbered version of a tenant; rollback, hold and removal too, and none holds a value of a secret."""

import hashlib
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.catalog import applies, holds, images, rollback, sqlite, versions
from runtime.catalog.base import HELD, POLICY, Definition
from runtime.catalog.database import Database
from runtime.catalog.hook_door import HookDoor
from runtime.catalog.images import Image
from runtime.catalog.sqlite import SqliteDatabase
from runtime.catalog.versions import Author, Version
from runtime.core.model import Policy
from runtime.errors import CatalogError, CatalogUnavailable, Conflict, UnknownVersion
from tests.fixtures.stores import alter
from tests.fixtures.tenants import define

NOON = 1_800_000_000


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return SqliteDatabase(tmp_path / "flows.db")


def ada(at: int = 0, message: str = "") -> Author:
    return Author("ada", NOON + at, message)


def put(database: Database, *definitions: Definition, at: int = 0, **more: object) -> None:
    applies.apply(database, definitions, author=ada(at), **more)  # type: ignore[arg-type]  # as apply takes them


def history(database: Database, tenant: str = "acme") -> list[Version]:
    with database.reading() as connection:
        return versions.history(connection, tenant)


def image(database: Database, before: Image | None = None, at: float = 0) -> Image:
    with database.reading() as connection:
        found = images.read(connection, before, database.name, NOON + at)
    assert found is not None
    return found


class TestVersions:
    def test_each_change_has_a_number_an_author_and_a_hash(self, database: Database) -> None:
        applies.apply(database, [define("acme", "one")], author=ada(0, "first"))
        applies.apply(database, [define("acme", "two"), define("beta", "x")], author=Author("bob", NOON + 5, "second"))
        newest, first = history(database)
        assert (newest.number, newest.made_by, newest.made_at, newest.message) == (2, "bob", NOON + 5, "second")
        assert (first.number, first.made_by, first.message, first.how) == (1, "ada", "first", "apply")
        assert [str(change) for change in newest.changes] == ["action a0: another source"]
        assert newest.content_hash != first.content_hash
        assert [version.number for version in history(database, "beta")] == [1]

    def test_an_apply_that_changes_nothing_makes_no_version(self, database: Database) -> None:
        put(database, define("acme", "one"))
        put(database, define("acme", "one"), define("beta"))
        assert len(history(database)) == 1

    def test_what_a_version_held_is_read_back(self, database: Database) -> None:
        """Settings, bindings, doors and sources; secrets by name."""
        door = HookDoor("kratos", "deny", ("x" * 20, "y" * 20), {})
        old = define("acme", "one", "two", policy=Policy.ALWAYS, secrets={"KEY": "hush"}, timeout_ms=250)
        old = replace(old, flow=replace(old.flow, doors={"kratos": door}))
        put(database, old)
        put(database, define("acme"))
        with database.reading() as connection:
            state = versions.content(connection, versions.version(connection, "acme", 1))
        assert state is not None
        assert (state.flow.settings, state.flow.bindings) == (old.flow.settings, old.flow.bindings)
        assert state.sources == old.sources
        assert state.flow.secrets == {"a0": {"KEY": ""}, "a1": {"KEY": ""}}
        assert state.flow.doors == {"kratos": replace(door, secrets=("", ""))}

    def test_no_version_holds_a_secret(self, database: Database) -> None:
        """Neither its value nor its hash; the control finds the value in the tenant's own rows."""
        put(database, define("acme", "one", secrets={"KEY": "hush-hush"}))
        put(database, define("acme", "one", secrets={"KEY": "hush-more"}))
        rows = alter(database, "SELECT * FROM versions")
        assert [tuple(row) for row in alter(database, "SELECT value FROM secrets")] == [("hush-more",)]
        assert len(rows) == 2
        assert "hush" not in str(rows)
        assert hashlib.sha256(b"hush-hush").hexdigest() not in str(rows)
        newest, first = history(database)
        assert newest.content_hash == first.content_hash
        assert [str(change) for change in newest.changes] == ["secret a0.KEY: another value"]

    def test_a_removed_tenant_has_a_version_that_says_so(self, database: Database) -> None:
        put(database, define("acme", "one"), define("beta"))
        put(database, define("beta"), prune=True)
        assert [(version.number, version.content_hash == "") for version in history(database)] == [
            (2, True),
            (1, False),
        ]
        with database.reading() as connection:
            assert [version.tenant for version in versions.newest(connection)] == ["beta"]
            assert versions.content(connection, versions.version(connection, "acme")) is None
        put(database, define("acme", "one"))
        assert history(database)[0].number == 3

    def test_an_unknown_tenant_or_version_names_where_to_look(self, database: Database) -> None:
        put(database, define("acme"))
        with database.reading() as connection:
            with pytest.raises(UnknownVersion, match=r"no tenant 'nope'.*vestibule list"):
                versions.history(connection, "nope")
            with pytest.raises(UnknownVersion, match=r"no version 7; it has 1 to 1.*vestibule history acme"):
                versions.version(connection, "acme", 7)

    def test_the_snapshot_says_which_version_a_flow_is(self, database: Database) -> None:
        put(database, define("acme", "one"), define("beta"))
        before = image(database)
        put(database, define("acme", "two"))
        after = image(database, before)
        assert (before.snapshot.tenants["acme"].version, after.snapshot.tenants["acme"].version) == (1, 2)
        assert after.snapshot.tenants["beta"] is before.snapshot.tenants["beta"]


class TestEarlierReleases:
    """A store whose rows an earlier release wrote has no versions of them."""

    def forget(self, database: Database) -> None:
        alter(database, "DELETE FROM versions")

    def test_what_is_there_is_version_one(self, database: Database) -> None:
        put(database, define("acme", "one"), define("beta"))
        self.forget(database)
        (version,) = history(database)
        assert (version.number, version.how, version.made_by, version.made_at) == (1, "found", "", NOON)
        with database.reading() as connection:
            assert [found.number for found in versions.newest(connection)] == [1, 1]
            state = versions.content(connection, version)
        assert state is not None
        assert state.sources == define("acme", "one").sources
        assert image(database).snapshot.tenants["acme"].version == 1

    def test_it_is_kept_when_the_next_one_is_made(self, database: Database) -> None:
        put(database, define("acme", "one"), define("beta", "b"))
        self.forget(database)
        put(database, define("acme", "two"), at=9)
        newest, found = history(database)
        assert (newest.number, newest.how, found.number, found.how) == (2, "apply", 1, "found")
        rollback.rollback(database, "acme", 1, ada(10))
        with database.reading() as connection:
            assert versions.current(connection, "acme").sources == define("acme", "one").sources

    def test_an_apply_of_the_release_before_is_found_too(self, database: Database) -> None:
        """It writes the tenant's rows and no version."""
        put(database, define("acme", "one"))
        alter(database, "INSERT INTO applies (revision, id, applied_at) VALUES (2, ?, ?)", values=(b"2", NOON + 60))
        alter(database, "UPDATE tenants SET changed_in = 2, settings = replace(settings, 'never', 'always')")
        newest, first = history(database)
        assert (newest.number, newest.how, newest.made_at, first.number) == (2, "found", NOON + 60, 1)
        assert image(database).snapshot.tenants["acme"].version == 2
        put(database, define("acme", "three"))
        assert [version.how for version in history(database)] == ["apply", "found", "apply"]


class TestRollback:
    def test_the_content_is_the_old_one_and_the_secrets_are_the_current_ones(self, database: Database) -> None:
        put(database, define("acme", "one", secrets={"KEY": "old"}))
        put(database, define("acme", "two", secrets={"KEY": "rotated"}))
        done = rollback.rollback(database, "acme", None, ada(9, "ticket"))
        assert (done.version.number, done.to, done.version.copy_of, done.version.how) == (3, 1, 1, "rollback")
        assert (done.version.made_by, done.version.message) == ("ada", "ticket")
        with database.reading() as connection:
            now = versions.current(connection, "acme")
        assert now.sources == define("acme", "one").sources
        assert now.flow.secrets == {"a0": {"KEY": "rotated"}}

    def test_again_it_goes_one_further_back(self, database: Database) -> None:
        for source in ("one", "two", "three"):
            put(database, define("acme", source))
        assert rollback.rollback(database, "acme", None, ada()).to == 2
        assert rollback.rollback(database, "acme", None, ada()).to == 1
        with pytest.raises(UnknownVersion, match="acme@1 is the first version"):
            rollback.rollback(database, "acme", None, ada())
        assert rollback.rollback(database, "acme", 3, ada()).version.number == 6

    def test_a_secret_that_is_gone_is_named(self, database: Database) -> None:
        """The control does without it, because that is said."""
        put(database, define("acme", "one", secrets={"KEY": "k", "PIN": "p"}))
        put(database, define("acme", "two", secrets={"KEY": "k"}))
        with pytest.raises(CatalogError, match=r"acme@1 names secrets that are gone: a0\.PIN; .*--force"):
            rollback.rollback(database, "acme", 1, ada())
        assert len(history(database)) == 2
        done = rollback.rollback(database, "acme", 1, ada(), force=True)
        assert done.missing == ("a0.PIN",)
        with database.reading() as connection:
            assert versions.current(connection, "acme").flow.secrets == {"a0": {"KEY": "k"}}

    def test_secrets_of_an_action_that_is_left_out_come_back_with_it(self, database: Database) -> None:
        put(database, define("acme", "one", secrets={"KEY": "k"}))
        put(database, define("acme", "one", "two", secrets={"KEY": "k2"}))
        rollback.rollback(database, "acme", 1, ada())
        flow = image(database).snapshot.tenants["acme"]
        assert flow.secrets == {"a0": {"KEY": "k2"}}
        rollback.rollback(database, "acme", 2, ada())
        flow = image(database).snapshot.tenants["acme"]
        assert flow.secrets == {"a0": {"KEY": "k2"}, "a1": {"KEY": "k2"}}

    def test_what_was_applied_after_a_rollback_is_unchanged_when_applied_again(self, database: Database) -> None:
        """Secrets that wait for a rollback are no part of the fingerprint."""
        put(database, define("acme", "one", secrets={"KEY": "k"}))
        put(database, define("acme", "one", "two", secrets={"KEY": "k"}))
        rollback.rollback(database, "acme", 1, ada())
        result = applies.apply(database, [define("acme", "one", secrets={"KEY": "k"})])
        assert result.unchanged == ("acme",)

    def test_the_same_content_makes_no_version(self, database: Database) -> None:
        put(database, define("acme", "one", secrets={"KEY": "k"}))
        put(database, define("acme", "one", secrets={"KEY": "rotated"}))
        done = rollback.rollback(database, "acme", 1, ada())
        assert (done.changed, done.version.number) == (False, 2)
        assert len(history(database)) == 2

    def test_a_deleted_tenant_comes_back(self, database: Database) -> None:
        put(database, define("acme", "one"))
        assert rollback.remove(database, "acme", ada()).number == 2
        assert "acme" not in image(database).snapshot.tenants
        with pytest.raises(UnknownVersion, match="no tenant 'acme' in the store now"):
            rollback.remove(database, "acme", ada())
        with pytest.raises(CatalogError, match="acme@2: the tenant was removed"):
            rollback.rollback(database, "acme", 2, ada())
        assert rollback.rollback(database, "acme", None, ada()).to == 1
        assert image(database).snapshot.tenants["acme"].version == 3


class TestConflicts:
    def test_the_second_editor_is_refused(self, database: Database) -> None:
        put(database, define("acme", "one"))
        put(database, define("acme", "hers"), expected={"acme": 1})
        with pytest.raises(Conflict, match="acme: was changed meanwhile: it is at version 2") as raised:
            put(database, define("acme", "his"), define("beta"), expected={"acme": 1})
        assert raised.value.found == {"acme": (1, 2)}
        assert "beta" not in image(database).snapshot.tenants
        put(database, define("acme", "his"))
        assert history(database)[0].number == 3

    def test_what_changes_nothing_is_no_conflict(self, database: Database) -> None:
        put(database, define("acme", "one"))
        put(database, define("acme", "two"))
        put(database, define("acme", "two"), expected={"acme": 1})

    def test_a_tenant_that_was_deleted_or_never_was(self, database: Database) -> None:
        put(database, define("acme", "one"), define("beta"))
        rollback.remove(database, "acme", ada())
        with pytest.raises(Conflict, match="it is at version 2"):
            put(database, define("acme", "two"), expected={"acme": 1})
        with pytest.raises(Conflict, match="it is not in the store"):
            put(database, define("gone"), expected={"gone": 4})


class TestHolds:
    def test_an_earlier_version_is_served_with_the_current_secrets(self, database: Database) -> None:
        put(database, define("acme", "one", secrets={"KEY": "old"}), define("beta"))
        put(database, define("acme", "two", secrets={"KEY": "new"}))
        before = image(database)
        held, missing = holds.hold(database, "acme", 1, 3600, ada(0, "night"))
        assert (held.until, missing) == (NOON + 3600, ())
        after = image(database, before, at=1)
        flow = after.snapshot.tenants["acme"]
        assert (flow.version, flow.served, flow.secrets) == (1, HELD, {"a0": {"KEY": "new"}})
        assert after.snapshot.sources[flow.bindings[0].revision] == "one"
        assert after.newest.tenants["acme"].version == 2
        assert after.changed == 1

    def test_it_ends_by_the_readers_clock(self, database: Database) -> None:
        put(database, define("acme", "one"))
        put(database, define("acme", "two"))
        holds.hold(database, "acme", 1, 60, ada())
        held = image(database)
        assert held.at(NOON + 59.9) is held
        ended = held.at(NOON + 60)
        assert ended.snapshot.tenants["acme"].version == 2
        assert set(ended.snapshot.sources.values()) == {"two"}
        # A daemon that starts later does not begin it again.
        assert image(database, at=61).snapshot.tenants["acme"].version == 2

    def test_the_policy_alone(self, database: Database) -> None:
        put(database, define("acme", "one", policy=Policy.ALWAYS, secrets={"KEY": "k"}))
        holds.hold(database, "acme", None, 60, ada())
        flow = image(database).snapshot.tenants["acme"]
        assert (flow.bindings, flow.secrets, flow.served) == ((), {}, POLICY)
        assert flow.settings.policy is Policy.ALWAYS

    def test_what_is_applied_meanwhile_takes_effect_afterwards(self, database: Database) -> None:
        """But its secrets do at once: a rotation does not wait."""
        put(database, define("acme", "one", secrets={"KEY": "k"}))
        holds.hold(database, "acme", 1, 60, ada())
        before = image(database)
        put(database, define("acme", "two", secrets={"KEY": "rotated"}), at=5)
        after = image(database, before, at=5)
        flow = after.snapshot.tenants["acme"]
        assert (flow.version, flow.secrets) == (1, {"a0": {"KEY": "rotated"}})
        assert after.at(NOON + 60).snapshot.tenants["acme"].version == 2

    def test_a_release_and_a_removal_end_it(self, database: Database) -> None:
        put(database, define("acme", "one"), define("beta", "b"))
        put(database, define("acme", "two"))
        for tenant in ("acme", "beta"):
            holds.hold(database, tenant, 1, 3600, ada())
        before = image(database)
        assert holds.release(database, "acme", ada(5))
        assert not holds.release(database, "acme", ada(5))
        rollback.remove(database, "beta", ada(6))
        after = image(database, before, at=6)
        assert after.snapshot.tenants["acme"].version == 2
        assert "beta" not in after.snapshot.tenants
        with database.reading() as connection:
            assert holds.active(connection, NOON + 7) == {}
        rollback.rollback(database, "beta", None, ada(8))
        assert image(database, after, at=8).snapshot.tenants["beta"].served == ""

    def test_a_hold_replaces_another(self, database: Database) -> None:
        for source in ("one", "two", "three"):
            put(database, define("acme", source))
        holds.hold(database, "acme", 1, 60, ada())
        before = image(database)
        holds.hold(database, "acme", 2, 60, ada(1))
        assert image(database, before).snapshot.tenants["acme"].version == 2

    def test_a_suspended_login_finds_the_held_flow(self, database: Database) -> None:
        """Also after the hold has ended, for as long as it finds any other flow that was replaced."""
        put(database, define("acme", "one"))
        put(database, define("acme", "two"))
        holds.hold(database, "acme", 1, 30 * 86_400, ada())
        digest = image(database).snapshot.tenants["acme"].digest

        def kept_at() -> list[int]:
            found = alter(database, "SELECT replaced_at FROM superseded WHERE digest = ?", values=(digest,))
            return [at for (at,) in found]

        # An apply days later prunes what was replaced long ago, and this was not.
        put(database, define("acme", "three"), at=10 * 86_400)
        assert kept_at() == [NOON + 30 * 86_400]
        holds.release(database, "acme", ada(11 * 86_400))
        assert kept_at() == [NOON + 11 * 86_400]
        put(database, define("acme", "four"), at=13 * 86_400)
        assert kept_at() == []

    def test_it_is_refused_for_what_is_not_there(self, database: Database) -> None:
        put(database, define("acme", "one", secrets={"KEY": "k"}))
        put(database, define("acme", "two"))
        with pytest.raises(UnknownVersion, match="no version 9"):
            holds.hold(database, "acme", 9, 60, ada())
        with pytest.raises(UnknownVersion, match="no tenant 'nope'"):
            holds.hold(database, "nope", None, 60, ada())
        with pytest.raises(CatalogError, match=r"gone: a0\.KEY"):
            holds.hold(database, "acme", 1, 60, ada())
        _, missing = holds.hold(database, "acme", 1, 60, ada(), force=True)
        assert missing == ("a0.KEY",)


def test_a_version_that_cannot_be_read_is_named(database: Database) -> None:
    put(database, define("acme", "one"))
    put(database, define("acme", "two"))
    for broken in ("nonsense", "{}", json.dumps({"settings": {}, "bindings": [["a", "0" * 64, "deny", None]]})):
        alter(database, "UPDATE versions SET content = ? WHERE number = 1", values=(broken,))
        with pytest.raises(CatalogError, match="the store holds acme@1 in a form that this version cannot read"):
            rollback.rollback(database, "acme", 1, ada())
    assert len(history(database)) == 2


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback, a hold and a removal that cannot be written say so, and leave the tenant and its history alone."""
    database = SqliteDatabase(tmp_path / "flows.db")
    put(database, define("acme", "# one" * 5000, secrets={"KEY": "k" * 3000}))
    put(database, define("acme", "# two" * 5000, secrets={"KEY": "k" * 3000}))
    before, versions_before = image(database).snapshot, history(database)
    connect = sqlite.connect

    def cramped(path: Path, mode: str, timeout_s: float) -> sqlite3.Connection:
        connection = connect(path, mode, timeout_s)
        # No page more than there are.
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(sqlite, "connect", cramped)
    for change in (
        lambda: rollback.rollback(database, "acme", 1, Author("ada", NOON, "m" * 90_000)),
        lambda: holds.hold(database, "acme", 1, 60, Author("ada", NOON, "m" * 90_000)),
        lambda: rollback.remove(database, "acme", Author("ada", NOON, "m" * 90_000)),
    ):
        with pytest.raises(CatalogUnavailable, match="the disk is full; nothing was changed"):
            change()
    monkeypatch.undo()
    assert image(database).snapshot == before
    assert history(database) == versions_before
    with database.reading() as connection:
        assert holds.active(connection, NOON) == {}
