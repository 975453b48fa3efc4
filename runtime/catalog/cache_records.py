"""The rows of tenants' caches that all daemons of a store share: what `api.cache` wrote, sealed where the store is.

They are a cache: what cannot be read is as good as gone, and who seals the store anew drops them. Must not know logins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from runtime.catalog import vault as places
from runtime.catalog.database import Connection, Database
from runtime.catalog.keyed import vault_of
from runtime.catalog.vault import Unsealable


class CachedRecord(NamedTuple):
    """What is kept under a key, and until when, in milliseconds since the epoch."""

    value: str
    until_ms: int


def read(database: Database, tenant: str, now_ms: int) -> dict[str, CachedRecord]:
    """Return a tenant's records. Raises: CatalogError."""
    with database.reading() as connection:
        return _read(connection, tenant, now_ms)


def write(
    database: Database, tenant: str, changes: Mapping[str, CachedRecord | None], now_ms: int, *, entries: int, size: int
) -> None:
    """Set records and remove others; beyond the limits what expires first goes. Raises: CatalogError.

    A tenant that was removed meanwhile keeps none.
    """
    with database.claiming() as connection:
        query = "SELECT 1 FROM tenants WHERE tenant = ? AND settings IS NOT NULL"
        if connection.execute(query, (tenant,)).fetchone() is None:
            return
        # Of every tenant: one that does not come back keeps nothing either.
        connection.execute("DELETE FROM cache_records WHERE expires_at_ms <= ?", (now_ms,))
        vault = vault_of(connection)
        # In one order: two daemons that write the same rows do not wait for each other.
        for key, record in sorted(changes.items()):
            if record is None:
                connection.execute("DELETE FROM cache_records WHERE tenant = ? AND key = ?", (tenant, key))
                continue
            connection.execute(
                "INSERT INTO cache_records (tenant, key, value, expires_at_ms) VALUES (?, ?, ?, ?) ON CONFLICT "
                "(tenant, key) DO UPDATE SET value = excluded.value, expires_at_ms = excluded.expires_at_ms",
                (tenant, key, vault.seal(places.cached(tenant, key), record.value), record.until_ms),
            )
        kept = _read(connection, tenant, now_ms)
        for key in _too_many(kept, entries, size):
            connection.execute("DELETE FROM cache_records WHERE tenant = ? AND key = ?", (tenant, key))


def _read(connection: Connection, tenant: str, now_ms: int) -> dict[str, CachedRecord]:
    vault, found = vault_of(connection), {}
    query = "SELECT key, value, expires_at_ms FROM cache_records WHERE tenant = ? AND expires_at_ms > ?"
    for key, text, until_ms in connection.execute(query, (tenant, now_ms)).fetchall():
        try:
            found[key] = CachedRecord(vault.open(places.cached(tenant, key), text), int(until_ms))
        except Unsealable:
            continue
    return found


def _too_many(kept: Mapping[str, CachedRecord], entries: int, size: int) -> list[str]:
    """Return the keys that must go, those first that expire first."""
    held = sum(len(key.encode()) + len(record.value.encode()) for key, record in kept.items())
    gone: list[str] = []
    for key in sorted(kept, key=lambda key: (kept[key].until_ms, key)):
        if len(kept) - len(gone) <= entries and held <= size:
            break
        held -= len(key.encode()) + len(kept[key].value.encode())
        gone.append(key)
    return gone


def purge(connection: Connection, tenant: str | None = None) -> int:
    """Drop the records of a tenant, or of all; return how many."""
    if tenant is None:
        return connection.execute("DELETE FROM cache_records").rowcount
    return connection.execute("DELETE FROM cache_records WHERE tenant = ?", (tenant,)).rowcount
