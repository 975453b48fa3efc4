"""The data keys of a store, in rows of its own: each is sealed by a key that lies elsewhere. They seal the secrets.

A store without data keys is not sealed. Reads and writes the rows of data keys alone; what they seal is sealed_store's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from runtime.catalog import vault
from runtime.catalog.database import Connection
from runtime.catalog.store_keys import StoreKeys
from runtime.catalog.vault import PLAIN, SealedVault, Vault
from runtime.errors import CatalogUnavailable
from runtime.ops import key_file

VALUES: Final = "values"
FINGERPRINTS: Final = "fingerprints"


@dataclass(frozen=True, slots=True)
class DataKey:
    """One data key as the store has it. `number` orders those of one purpose."""

    id: str
    purpose: str
    number: int
    sealed_by: str
    sealed: bytes

    @property
    def what(self) -> bytes:
        """What its sealed form is bound to."""
        return f"{self.purpose} {self.id}".encode()


def found(connection: Connection) -> list[DataKey]:
    """Return the data keys of a store, the newest last; none of one that is not sealed."""
    query = "SELECT id, purpose, number, sealed_by, sealed FROM data_keys ORDER BY number, id"
    rows = connection.execute(query)
    return [DataKey(id_, purpose, number, by, bytes(sealed)) for id_, purpose, number, by, sealed in rows]


def load(connection: Connection, keys: StoreKeys, name: str) -> Vault:
    """Return what seals and opens the secrets of a store. Raises: CatalogUnavailable: it is sealed, and not for us."""
    rows = found(connection)
    if not rows:
        return PLAIN
    opened = {row.id: _opened(row, keys, name) for row in rows}
    values = [row.id for row in rows if row.purpose == VALUES]
    fingerprints = [opened[row.id] for row in rows if row.purpose == FINGERPRINTS]
    if not values or not fingerprints:
        raise CatalogUnavailable([f"the store {name} has lost one of its data keys; restore it from a backup"])
    return SealedVault(values[-1], {name_: opened[name_] for name_ in values}, fingerprints[-1])


def _opened(row: DataKey, keys: StoreKeys, name: str) -> bytes:
    if not keys:
        raise CatalogUnavailable(
            [
                f"the store {name} is sealed, and no key is given; set catalog.keys_file to the file that has the key "
                f"{row.sealed_by}, or catalog.keys_env to the variable"
            ]
        )
    try:
        opened = keys.unwrap(row.sealed_by, row.what, row.sealed)
    except ValueError as error:
        raise CatalogUnavailable([f"the store {name} is damaged: {error}; restore it from a backup"]) from error
    if opened is None:
        raise CatalogUnavailable(
            [
                f"the store {name} is sealed by the key {row.sealed_by}, and those that are given are "
                f"{', '.join(keys.ids)}; add that key to catalog.keys_file"
            ]
        )
    return opened


def add(connection: Connection, keys: StoreKeys, purpose: str, now_s: int) -> None:
    """Make a data key, which is the newest of its purpose."""
    (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM data_keys").fetchone()
    made = DataKey(os.urandom(vault.ID_BYTES).hex(), purpose, last + 1, "", b"")
    sealed_by, sealed = keys.wrap(made.what, key_file.generate())
    connection.execute(
        "INSERT INTO data_keys (id, purpose, number, sealed_by, sealed, made_at) VALUES (?, ?, ?, ?, ?, ?)",
        (made.id, purpose, made.number, sealed_by, sealed, now_s),
    )


def rewrap(connection: Connection, keys: StoreKeys, name: str) -> list[str]:
    """Seal each data key by the first key; return the ids of the keys that sealed one before."""
    before = []
    for row in found(connection):
        if row.sealed_by != keys.ids[0]:
            sealed_by, sealed = keys.wrap(row.what, _opened(row, keys, name))
            query = "UPDATE data_keys SET sealed_by = ?, sealed = ? WHERE id = ?"
            connection.execute(query, (sealed_by, sealed, row.id))
            before.append(row.sealed_by)
    return list(dict.fromkeys(before))
