"""Secrets at rest, in a store of each kind: sealed, rotated, resumed after a crash, purged; and attacks on rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from runtime.catalog import applies, data_keys, holds, images, rows, sealed_store, suspended, trials, versions
from runtime.catalog.base import Band, Definition, Snapshot
from runtime.catalog.hook_door import HookDoor
from runtime.catalog.keyed import KeyedDatabase
from runtime.catalog.opening import open_database
from runtime.catalog.store_keys import NO_STORE_KEYS, StoreKeys
from runtime.catalog.versions import Author
from runtime.errors import CatalogError, CatalogUnavailable, ConfigError
from runtime.ops import key_file
from tests.fixtures.stores import alter
from tests.fixtures.tenants import GATE, define

NOON = 1_800_000_000
OLD, NEW = key_file.generate(), key_file.generate()
SECRET, DOOR_SECRET = "swordfish-of-the-action", "swordfish-of-the-door-0123456789"
AUTHOR = Author("ada", NOON)

Opened = Callable[..., KeyedDatabase]


@pytest.fixture
def opened(store_setting: str) -> Iterator[Opened]:
    """Open the store with keys, as a process that has them does."""
    with ExitStack() as stack:

        def open_(*keys: bytes) -> KeyedDatabase:
            given = StoreKeys(keys) if keys else NO_STORE_KEYS
            return stack.enter_context(closing(open_database(store_setting, timeout_s=2.0, keys=lambda: given)))

        yield open_


def tenant(name: str, secret: str = SECRET) -> Definition:
    """Define a tenant with a secret of an action, and one of a door."""
    made = define(name, GATE, secrets={"API_KEY": secret})
    doors = MappingProxyType({"kratos": HookDoor("kratos", "deny", (DOOR_SECRET,))})
    return replace(made, flow=replace(made.flow, doors=doors))


def apply(database: KeyedDatabase, *tenants: Definition) -> None:
    applies.apply(database, tenants, author=AUTHOR, clock=lambda: NOON)


def snapshot(database: KeyedDatabase) -> Snapshot:
    with database.reading() as connection:
        image = images.read(connection, None, database.name)
    assert image is not None
    return image.snapshot


def secret_of(database: KeyedDatabase, name: str) -> str:
    return snapshot(database).tenants[name].secrets["a0"]["API_KEY"]


def all_text(database: KeyedDatabase) -> str:
    """Return every column that may hold a secret, as a thief of a copy sees it."""
    with database.reading() as connection:
        columns = ("value FROM secrets", "doors FROM tenants", "flow FROM superseded", "content FROM versions")
        found = [row[0] for column in columns for row in connection.execute(f"SELECT {column}").fetchall()]
    return "\n".join(text for text in found if text)


def test_sealed_secrets_are_nowhere_in_the_rows(opened: Opened) -> None:
    """Of actions, of doors, and of what was replaced: the control is the same store before it was sealed."""
    plain, sealed = opened(), opened(OLD)
    apply(plain, tenant("acme", "first-" + SECRET), tenant("bank"))
    apply(plain, tenant("acme"))
    before = snapshot(plain)
    assert all_text(plain).count("swordfish") >= 5, "the control"
    assert sealed_store.seal(sealed, sealed.keys, NOON) == 7
    assert "swordfish" not in all_text(sealed)
    assert secret_of(sealed, "acme") == SECRET
    assert snapshot(sealed).tenants == before.tenants
    apply(sealed, tenant("acme", "third-" + SECRET), tenant("club"))
    assert "swordfish" not in all_text(sealed)
    assert secret_of(sealed, "acme") == "third-" + SECRET
    assert snapshot(sealed).tenants["club"].doors["kratos"].secrets == (DOOR_SECRET,)


def test_without_the_right_key_nothing_is_read_or_written(opened: Opened) -> None:
    """No key, and another key: each is refused with the key that is wanted and the remedy, and nothing is changed."""
    sealed = opened(OLD)
    apply(opened(), tenant("acme"))
    sealed_store.seal(sealed, sealed.keys, NOON)
    wanted = sealed.keys.ids[0]
    with pytest.raises(CatalogUnavailable, match=rf"is sealed, and no key is given; .* has the key {wanted}"):
        snapshot(opened())
    with pytest.raises(CatalogUnavailable, match=rf"is sealed by the key {wanted}, and those that are given are"):
        snapshot(opened(NEW))
    for database in (opened(), opened(NEW)):
        with pytest.raises(CatalogUnavailable, match="is sealed"):
            apply(database, tenant("acme", "other"))
    assert secret_of(opened(NEW, OLD), "acme") == SECRET
    with pytest.raises(ConfigError, match="no key is given; make one"):
        sealed_store.seal(opened(), NO_STORE_KEYS, NOON)
    with pytest.raises(CatalogError, match="is sealed; `store rotate-key` seals it anew"):
        sealed_store.seal(sealed, sealed.keys, NOON)


SWAP = "UPDATE secrets SET value = (SELECT value FROM secrets WHERE tenant = 'bank') WHERE tenant = 'acme'"


def test_a_row_of_another_tenant_is_refused(opened: Opened) -> None:
    """Who can write the store cannot give a tenant's secret to another tenant's action; in a plain store it can."""
    plain, sealed = opened(), opened(OLD)
    apply(plain, tenant("acme"), tenant("bank", "of the bank"))
    alter(plain, SWAP)
    assert secret_of(plain, "acme") == "of the bank", "the control"
    apply(plain, tenant("acme", "anew"))
    sealed_store.seal(sealed, sealed.keys, NOON)
    alter(sealed, SWAP)
    with pytest.raises(CatalogUnavailable, match="secret of tenant acme a0 API_KEY was changed or moved"):
        snapshot(sealed)
    apply(sealed, tenant("acme", "mended"))
    assert secret_of(sealed, "acme") == "mended", "an apply mends it"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE secrets SET value = 'plain'", "is not sealed, in a store that is"),
        ("UPDATE secrets SET value = substr(value, 1, length(value) - 4)", "was changed or moved"),
        ("UPDATE data_keys SET sealed_by = 'ffffffff'", "is sealed by the key ffffffff"),
        ("DELETE FROM data_keys WHERE purpose = 'values'", "has lost one of its data keys"),
        ("UPDATE data_keys SET id = 'aaaaaaaaaaaaaaaa' WHERE purpose = 'values'", "a data key was changed"),
        (
            "UPDATE data_keys SET sealed = (SELECT sealed FROM data_keys WHERE purpose = 'fingerprints')",
            "a data key was changed",
        ),
    ],
)
def test_damage_is_refused_in_words(opened: Opened, damage: str, told: str) -> None:
    """A secret that was replaced by hand or cut, and data keys that were changed, swapped or dropped."""
    sealed = opened(OLD)
    apply(opened(), tenant("acme"))
    sealed_store.seal(sealed, sealed.keys, NOON)
    alter(sealed, damage)
    with pytest.raises(CatalogUnavailable, match=told):
        snapshot(sealed)


def test_sealing_makes_no_version_and_loses_no_suspended_login(opened: Opened) -> None:
    """What was suspended before finds its flow by the fingerprint of then; the same files are no change after."""
    plain, sealed = opened(), opened(OLD)
    apply(plain, tenant("acme"))
    before = snapshot(plain).tenants["acme"]
    sealed_store.seal(sealed, sealed.keys, NOON)
    after = snapshot(sealed).tenants["acme"]
    assert (after, after.version) == (before, 1)
    assert after.digest != before.digest == rows.digest(before)
    with sealed.reading() as connection:
        kept = suspended.kept(connection, "acme", before.digest)
        assert kept is not None
        assert kept.flow == before
        assert [version.number for version in versions.history(connection, "acme")] == [1]
    result = applies.apply(sealed, [tenant("acme")], author=AUTHOR)
    assert (result.unchanged, result.changed) == (("acme",), ())


def test_a_key_is_rotated_while_others_read(opened: Opened) -> None:
    """Every key of the file opens, the first seals; then the old key opens nothing, and reads went well all along."""
    sealed, both = opened(OLD), opened(NEW, OLD)
    apply(opened(), tenant("acme"))
    sealed_store.seal(sealed, sealed.keys, NOON)
    old, new = sealed.keys.ids[0], both.keys.ids[0]
    assert secret_of(both, "acme") == SECRET
    assert sealed_store.rotate(both, both.keys) == [old]
    assert sealed_store.state(both).keys == (new,)
    assert sealed_store.rotate(both, both.keys) == []
    assert secret_of(opened(NEW), "acme") == SECRET
    with pytest.raises(CatalogUnavailable, match=f"is sealed by the key {new}"):
        snapshot(sealed)


def test_resealing_is_taken_up_after_a_crash(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped half-way, the store has both data keys and every secret opens; once more, and the old one is gone."""
    sealed = opened(OLD)
    apply(opened(), *(tenant(f"t{at}", f"{SECRET} {at}") for at in range(5)))
    sealed_store.seal(sealed, sealed.keys, NOON)
    before = snapshot(sealed).tenants
    monkeypatch.setattr(sealed_store, "RESEALED_AT_ONCE", 3)

    def crash(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sealed_store.reseal(sealed, sealed.keys, NOON, crash)
    state = sealed_store.state(sealed)
    assert (state.data_keys, state.stale) == (2, state.secrets - 3)
    assert snapshot(sealed).tenants == before
    apply(sealed, tenant("t0", "changed meanwhile"))
    assert sealed_store.reseal(sealed, sealed.keys, NOON) > 0
    state = sealed_store.state(sealed)
    assert (state.data_keys, state.stale) == (1, 0)
    assert secret_of(sealed, "t0") == "changed meanwhile"
    assert secret_of(sealed, "t4") == f"{SECRET} 4"


def test_a_short_secret_cannot_be_guessed_by_the_fingerprint(opened: Opened) -> None:
    """A plain store's fingerprint tells a right guess from a wrong one; a sealed store's says nothing without a key."""
    plain, sealed = opened(), opened(OLD)
    apply(plain, define("acme", GATE, secrets={"PIN": "4711"}))

    def guess(database: KeyedDatabase) -> list[str]:
        ((digest,),) = alter(database, "SELECT digest FROM tenants")
        pins = ("0000", "1234", "4711")
        return [pin for pin in pins if rows.digest(define("acme", GATE, secrets={"PIN": pin}).flow) == bytes(digest)]

    assert guess(plain) == ["4711"], "the control"
    sealed_store.seal(sealed, sealed.keys, NOON)
    alter(sealed, "DELETE FROM superseded")
    assert guess(sealed) == []


def test_what_was_replaced_is_gone_when_purged(opened: Opened) -> None:
    """Replaced flows, secrets that no action may use and stored answers go; what is served or held stays."""
    database = opened()
    apply(database, tenant("acme", "of-acme-before"), tenant("bank", "first"))
    holds.hold(database, "bank", 1, 3600, AUTHOR)
    apply(database, tenant("acme", "second"), tenant("bank", "second"))
    alter(database, "INSERT INTO secrets (tenant, action, name, value) VALUES ('acme', 'gone', 'X', 'left')")
    assert sealed_store.purge(database, "other") == sealed_store.Purged(0, 0, 0)
    assert "of-acme-before" in all_text(database), "the control"
    purged = sealed_store.purge(database)
    assert "of-acme-before" not in all_text(database)
    assert (purged.flows >= 1, purged.secrets) == (True, 1)
    assert secret_of(database, "acme") == "second"
    with database.reading() as connection:
        assert holds.active(connection, NOON), "the held flow is there"
        assert dict(holds.changed(connection, 0))["bank"] is not None


def bytes_of(path: Path) -> bytes:
    """Read all files of a store, as a thief of the disk does."""
    return b"".join(found.read_bytes() for found in sorted(path.parent.glob(f"{path.name}*")))


def test_no_file_has_what_was_purged(tmp_path: Path) -> None:
    """The bytes of the file and of its log: there before, the control, and gone after, while a reader has it open."""
    path = tmp_path / "flows.db"
    with closing(open_database(f"sqlite:{path}", timeout_s=10.0)) as database:
        reader = sqlite3.connect(path)
        for secret in ("replaced-swordfish", "current-swordfish"):
            applies.apply(database, [define("acme", GATE, secrets={"API_KEY": secret})], author=AUTHOR)
        reader.execute("SELECT count(*) FROM tenants").fetchone()
        assert b"replaced-swordfish" in bytes_of(path), "the control"
        sealed_store.purge(database)
        assert b"replaced-swordfish" not in bytes_of(path)
        assert b"current-swordfish" in bytes_of(path)
        reader.close()


def test_no_file_has_what_was_sealed(tmp_path: Path) -> None:
    """Sealing leaves no plain secret in free pages or in the log; rotation leaves none of the old data key's texts."""
    path = tmp_path / "flows.db"
    setting = f"sqlite:{path}"
    with closing(open_database(setting)) as plain:
        apply(plain, *(tenant(f"t{at}") for at in range(50)))
        apply(plain, *(tenant(f"t{at}", f"second {SECRET}") for at in range(50)))
    assert b"swordfish" in bytes_of(path), "the control"
    with closing(open_database(setting, keys=lambda: StoreKeys([OLD]))) as sealed:
        sealed_store.seal(sealed, sealed.keys, NOON)
        assert b"swordfish" not in bytes_of(path)
        with sealed.reading() as connection:
            first = next(row.id for row in data_keys.found(connection) if row.purpose == data_keys.VALUES)
        assert first.encode() in bytes_of(path)
        sealed_store.reseal(sealed, sealed.keys, NOON)
        assert first.encode() not in bytes_of(path)


def test_a_version_on_trial_is_sealed_kept_and_promoted(opened: Opened) -> None:
    """A trial lasts through sealing and a purge, its secrets are nowhere in the rows, and it is promoted as it is."""
    plain, sealed = opened(), opened(OLD)
    apply(plain, tenant("acme"))
    new = tenant("acme", "new-" + SECRET)
    trials.begin(plain, [new], 10, Band(), AUTHOR, {})
    assert "new-" + SECRET in all_text(plain), "the control: it is found where it is not sealed"
    sealed_store.seal(sealed, sealed.keys, NOON)
    sealed_store.purge(sealed)
    assert SECRET not in all_text(sealed)
    found = snapshot(sealed)
    assert found.tenants["acme"].version == 1
    assert found.trials["acme"].definition.flow.secrets == new.flow.secrets
    version = trials.promote(sealed, "acme", AUTHOR)
    assert (version.number, version.copy_of) == (3, 2)
    assert secret_of(sealed, "acme") == "new-" + SECRET
    assert SECRET not in all_text(sealed)
    assert applies.apply(sealed, [new], author=AUTHOR).unchanged == ("acme",)
