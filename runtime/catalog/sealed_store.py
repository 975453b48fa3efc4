"""Seals a store that was plain, seals it anew with other keys, and purges what was replaced.

Each of them is done again from where it stopped: what is left to do can be seen in the rows. Daemons serve meanwhile.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from runtime.catalog import cache_records, data_keys, lineage, rows, suspended, versions
from runtime.catalog import vault as places
from runtime.catalog.data_keys import FINGERPRINTS, VALUES
from runtime.catalog.database import Connection, Database
from runtime.catalog.keyed import KeyedDatabase, vault_of
from runtime.catalog.store_keys import StoreKeys
from runtime.catalog.vault import SealedVault, SecretPlace, Vault
from runtime.errors import CatalogError, CatalogUnavailable, ConfigError, Fault

# In one transaction: other writers wait for as long as it takes.
RESEALED_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class StoreSeal:
    """How a store is sealed. `keys` are those that seal its data keys; none: it is not sealed."""

    keys: tuple[str, ...]
    data_keys: int
    secrets: int
    """Texts with secrets: of actions, doors and replaced flows."""
    stale: int
    """Those that the newest data key has not sealed."""


def state(database: Database) -> StoreSeal:
    """Look at how a store is sealed; no key is needed. Raises: CatalogUnavailable."""
    with database.reading() as connection:
        found = data_keys.found(connection)
        values = [row for row in found if row.purpose == VALUES]
        kept = [text for _, _, text in _texts(connection)]
        head = places.head(values[-1].id) if values else ""
        stale = sum(not text.startswith(head) for text in kept)
        return StoreSeal(tuple(dict.fromkeys(row.sealed_by for row in found)), len(values), len(kept), stale)


def any_plain_secret(connection: Connection) -> bool:
    """Tell whether the secrets of a store lie there as they are, and there are some."""
    if data_keys.found(connection):
        return False
    secrets = connection.execute("SELECT 1 FROM secrets LIMIT 1").fetchone()
    doors = connection.execute("SELECT doors FROM tenants WHERE doors IS NOT NULL")
    return secrets is not None or any(door.secrets for (text,) in doors for door in rows.doors_of(text).values())


def accept_keys(database: KeyedDatabase, now_s: int) -> None:
    """Let a store that is to be written be sealed where there is a key: one without a secret is sealed at once.

    Raises: CatalogUnavailable: its secrets are plain. Whether every daemon has the key by now is its operator's to say.
    """
    if not database.keys:
        return
    database.prepare()
    with database.reading() as connection:
        sealed, plain = bool(data_keys.found(connection)), any_plain_secret(connection)
    if plain:
        raise CatalogUnavailable(
            [
                f"the store {database.name} has plain secrets, and a key is given; give every daemon the key, and then "
                f"run `vestibule store seal --store {database.setting}`"
            ]
        )
    if not sealed:
        seal(database, database.keys, now_s)


def seal(database: Database, keys: StoreKeys, now_s: int) -> int:
    """Seal all that is secret in a plain store; return how many texts. Raises: CatalogError, ConfigError without a key.

    In one transaction: no reader ever finds a store that is sealed in part.
    """
    _require(keys)
    with database.writing() as connection:
        # What this transaction opens with, to its end.
        if vault_of(connection).sealed:
            raise CatalogError([f"the store {database.name} is sealed; `store rotate-key` seals it anew"])
        data_keys.add(connection, keys, FINGERPRINTS, now_s)
        data_keys.add(connection, keys, VALUES, now_s)
        vault = data_keys.load(connection, keys, database.name)
        _fingerprint_anew(connection, vault, now_s)
        # Nothing of it is missed.
        cache_records.purge(connection)
        count = 0
        for place, write, text in _texts(connection):
            write(connection, vault.seal(place, text))
            count += 1
    database.scrub()
    return count


def _fingerprint_anew(connection: Connection, vault: Vault, now_s: int) -> None:
    """Give each tenant a fingerprint by which no secret can be guessed; what is suspended finds the one before."""
    query = "SELECT tenant FROM tenants WHERE settings IS NOT NULL ORDER BY tenant"
    tenants = [tenant for (tenant,) in connection.execute(query)]
    if not tenants:
        return
    revision = lineage.advance(connection, now_s)
    for tenant in tenants:
        digest, text = rows.deployed(connection, tenant)
        flow = rows.definition_of(connection, tenant, digest or b"", text).flow
        suspended.keep(connection, tenant, now_s)
        query = "UPDATE tenants SET digest = ?, changed_in = ? WHERE tenant = ?"
        connection.execute(query, (rows.digest(flow, vault), revision, tenant))
        # It is the version that it was.
        query = (
            "UPDATE versions SET revision = ? WHERE tenant = ? AND number = "
            f"(SELECT max(number) FROM versions WHERE tenant = ? AND {versions.OWN})"
        )
        connection.execute(query, (revision, tenant, tenant))


def rotate(database: Database, keys: StoreKeys) -> list[str]:
    """Seal the data keys by the first key; return the ids of keys that the store needs no more.

    Raises: CatalogError, ConfigError without a key.
    """
    _require(keys)
    with database.writing() as connection:
        if not data_keys.found(connection):
            raise CatalogError([f"the store {database.name} is not sealed; `store seal` seals it"])
        return data_keys.rewrap(connection, keys, database.name)


def reseal(database: Database, keys: StoreKeys, now_s: int, progress: Callable[[int], None] = lambda _: None) -> int:
    """Seal every secret with a new data key, and drop the one before; return how many. It begins where it stopped.

    Raises: CatalogError, ConfigError without a key.
    """
    rotate(database, keys)
    with database.writing() as connection:
        if sum(row.purpose == VALUES for row in data_keys.found(connection)) == 1:
            data_keys.add(connection, keys, VALUES, now_s)
    count = 0
    while True:
        with database.writing() as connection:
            done = _reseal_some(connection)
            if not done:
                cache_records.purge(connection)
                _drop_unused(connection)
                break
        count += done
        progress(count)
    database.scrub()
    return count


def _reseal_some(connection: Connection) -> int:
    vault = vault_of(connection)
    assert isinstance(vault, SealedVault)
    head = places.head(vault.newest)
    stale = list(itertools.islice(_texts(connection, without=f"{head}%"), RESEALED_AT_ONCE))
    for place, write, text in stale:
        write(connection, vault.seal(place, vault.open(place, text)))
    return len(stale)


def _drop_unused(connection: Connection) -> None:
    values = [row for row in data_keys.found(connection) if row.purpose == VALUES]
    for row in values[:-1]:
        connection.execute("DELETE FROM data_keys WHERE id = ?", (row.id,))


@dataclass(frozen=True, slots=True)
class Purged:
    """What was dropped for good."""

    flows: int
    secrets: int
    answers: int


def purge(database: Database, tenant: str | None = None) -> Purged:
    """Drop what was replaced, and write the store anew, so that no file of it has any of that.

    These are flows that suspended logins began with, secrets of actions that no flow binds, stored answers, and records
    of shared caches. A flow
    that a tenant is held at, or has on trial, stays. Raises: CatalogUnavailable.
    """
    of = " AND tenant = ?" if tenant is not None else ""
    whose = () if tenant is None else (tenant,)
    with database.writing() as connection:
        flows = connection.execute(
            "DELETE FROM superseded WHERE NOT EXISTS (SELECT 1 FROM holds WHERE holds.tenant = superseded.tenant "
            "AND holds.digest = superseded.digest) AND NOT EXISTS (SELECT 1 FROM trials WHERE "
            f"trials.tenant = superseded.tenant AND trials.digest = superseded.digest){of}",
            whose,
        ).rowcount
        secrets = connection.execute(
            "DELETE FROM secrets WHERE NOT EXISTS (SELECT 1 FROM bindings WHERE bindings.tenant = secrets.tenant "
            f"AND bindings.action = secrets.action){of}",
            whose,
        ).rowcount
        cache_records.purge(connection, tenant)
        answers = 0
        if tenant is None:
            query = "UPDATE continuations SET answer = NULL WHERE answer IS NOT NULL"
            answers = connection.execute(query).rowcount
    database.scrub()
    return Purged(flows, secrets, answers)


WriteText = Callable[[Connection, str], object]


def _texts(connection: Connection, *, without: str = "") -> Iterator[tuple[SecretPlace, WriteText, str]]:
    """Go through texts with secrets: each one's place, how it is written, and what is kept there.

    Those are left out that begin as the pattern `without` says.
    """
    both = (without, without)
    found = connection.execute("SELECT tenant, action, name, value FROM secrets WHERE value NOT LIKE ? OR ? = ''", both)
    for tenant, action, name, text in found.fetchall():
        sql = "UPDATE secrets SET value = ? WHERE tenant = ? AND action = ? AND name = ?"
        yield places.secret(tenant, action, name), _writer(sql, (tenant, action, name)), text
    found = connection.execute(
        "SELECT tenant, doors FROM tenants WHERE doors IS NOT NULL AND (doors NOT LIKE ? OR ? = '')", both
    )
    for tenant, text in found.fetchall():
        yield places.doors(tenant), _writer("UPDATE tenants SET doors = ? WHERE tenant = ?", (tenant,)), text
    found = connection.execute("SELECT tenant, digest, flow FROM superseded WHERE flow NOT LIKE ? OR ? = ''", both)
    for tenant, digest, text in found.fetchall():
        sql = "UPDATE superseded SET flow = ? WHERE tenant = ? AND digest = ?"
        yield places.superseded(tenant, bytes(digest)), _writer(sql, (tenant, digest)), text


def _writer(sql: str, where: tuple[Any, ...]) -> WriteText:
    return lambda connection, text: connection.execute(sql, (text, *where))


def _require(keys: StoreKeys) -> None:
    if not keys:
        raise ConfigError(
            [Fault("catalog.keys_file", "no key is given; make one with `head -c 32 /dev/urandom | base64`")]
        )
