"""The API keys in the store: made and revoked by a command, read by the daemons that follow the store.

Only the hash of a secret is kept. Must not know what a key looks like, nor what its scopes allow.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from runtime.catalog.database import Connection, Database
from runtime.errors import CatalogError, CatalogUnavailable

_COLUMNS: Final = "id, digest, name, scopes, tenant, created_at, expires_at, revoked_at"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key. Instants are seconds since the epoch; None: never. `digest` is the SHA-256 of its secret."""

    key_id: str
    digest: bytes = field(repr=False)
    name: str
    scopes: tuple[str, ...]
    tenant: str
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """All keys by id, and what tells them from an earlier state. Never mutated."""

    version: bytes = b""
    by_id: Mapping[str, ApiKey] = field(default_factory=lambda: MappingProxyType({}))


NO_KEYS: Final = ApiKeys()


def add(database: Database, key: ApiKey) -> None:
    """Keep a key; makes the store where there is none. Raises: CatalogError."""
    database.prepare()
    with database.writing() as connection:
        values = (key.key_id, key.digest, key.name, " ".join(key.scopes), key.tenant, key.created_at, key.expires_at)
        connection.execute(f"INSERT INTO api_keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", values)
        _changed(connection)


def listed(database: Database) -> list[ApiKey]:
    """Return all keys, the oldest first. Raises: CatalogError."""
    with database.reading() as connection:
        return list(read(connection, NO_KEYS, database.name).by_id.values())


def revoke(database: Database, key_id: str) -> ApiKey:
    """Revoke a key for good, and return it as it is now. Raises: CatalogError, also for a key that is not there."""
    with database.writing() as connection:
        query = "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?"
        if not connection.execute(query, (int(time.time()), key_id)).rowcount:
            message = f"the store {database.name} has no API key {key_id!r}; `vestibule api-keys list` shows them"
            raise CatalogError([message])
        _changed(connection)
        return read(connection, NO_KEYS, database.name).by_id[key_id]


def read(connection: Connection, known: ApiKeys, name: str) -> ApiKeys:
    """Return the keys of the store: `known` itself when nothing changed. Raises: CatalogUnavailable."""
    (version,) = connection.execute("SELECT version FROM api_keys_version").fetchone()
    if version == known.version:
        return known
    found = {}
    try:
        for row in connection.execute(f"SELECT {_COLUMNS} FROM api_keys ORDER BY created_at, id"):
            found[row[0]] = ApiKey(row[0], bytes(row[1]), row[2], tuple(row[3].split()), *row[4:])
    except (TypeError, ValueError, AttributeError) as error:
        kind = type(error).__name__
        raise CatalogUnavailable([f"the store {name} holds an API key that cannot be read ({kind})"]) from None
    return ApiKeys(version, MappingProxyType(found))


def _changed(connection: Connection) -> None:
    # Random, as the ids of applies are: a number could be the same in another store.
    connection.execute("UPDATE api_keys_version SET version = ?", (os.urandom(16),))
