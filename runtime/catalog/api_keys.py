"""The API keys in the store: made and revoked by a command, read by the daemons that follow the store.

Only the hash of a secret is kept. Must not know what a key looks like, nor what its scopes allow.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from runtime.catalog import store
from runtime.errors import CatalogError, CatalogUnavailable

_TIMEOUT_S: Final = 10.0
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


def add(path: str | os.PathLike[str], key: ApiKey) -> None:
    """Keep a key; makes the store where there is none. Raises: CatalogError."""
    file = Path(path)
    store.prepare(file, _TIMEOUT_S)
    with store.writing(file, _TIMEOUT_S) as connection:
        values = (key.key_id, key.digest, key.name, " ".join(key.scopes), key.tenant, key.created_at, key.expires_at)
        connection.execute(f"INSERT INTO api_keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", values)
        _changed(connection)


def listed(path: str | os.PathLike[str]) -> list[ApiKey]:
    """Return all keys, the oldest first. Raises: CatalogError."""
    with store.reading(Path(path), _TIMEOUT_S) as connection:
        return list(read(connection, NO_KEYS, Path(path)).by_id.values())


def revoke(path: str | os.PathLike[str], key_id: str) -> ApiKey:
    """Revoke a key for good, and return it as it is now. Raises: CatalogError, also for a key that is not there."""
    file = Path(path)
    with store.writing(file, _TIMEOUT_S) as connection:
        query = "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?"
        if not connection.execute(query, (int(time.time()), key_id)).rowcount:
            raise CatalogError([f"the store {file} has no API key {key_id!r}; `vestibule api-keys list` shows them"])
        _changed(connection)
        return read(connection, NO_KEYS, file).by_id[key_id]


def read(connection: sqlite3.Connection, known: ApiKeys, path: Path) -> ApiKeys:
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
        raise CatalogUnavailable([f"the store {path} holds an API key that cannot be read ({kind})"]) from None
    return ApiKeys(version, MappingProxyType(found))


def _changed(connection: sqlite3.Connection) -> None:
    # Random, as the ids of applies are: a number could be the same in another store.
    connection.execute("UPDATE api_keys_version SET version = randomblob(16)")
