"""Claims in an SQLite file that is locked, gone, or of an older version. What holds for every store is elsewhere."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from runtime.catalog import applies, schema
from runtime.catalog.base import Definition, Flow
from runtime.catalog.sqlite import SqliteDatabase
from runtime.core.model import Settings
from runtime.errors import CatalogError, CatalogUnavailable
from tests.fixtures.stores import Replica, old_store

NOW_MS = 1_800_000_000_000
EXPIRES_MS = NOW_MS + 900_000
UNTIL_MS = NOW_MS + 10_000
NAME = b"n" * 16


def asked(path: Path, pragma: str) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


async def test_a_store_that_cannot_be_written_grants_nothing(tmp_path: Path) -> None:
    """Gone, locked or damaged: there is no claim and no silence, but an error."""
    path = tmp_path / "flows.db"
    applies.apply(SqliteDatabase(path), [Definition(Flow("acme", Settings()))])
    flows = Replica(SqliteDatabase(path, timeout_s=0.05))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogError, match="is locked by another process"):
            await flows.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)
    assert (await flows.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted
    await flows.close()
    gone = Replica(SqliteDatabase(tmp_path / "none.db"))
    with pytest.raises(CatalogUnavailable, match="is gone"):
        await gone.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)
    assert not (tmp_path / "none.db").exists()
    await gone.close()


async def test_an_older_store_is_taken_along(tmp_path: Path) -> None:
    """A store of the first version is migrated in place by its first reader or writer."""
    path = tmp_path / "old.db"
    old_store(path, 1)
    assert asked(path, "user_version") == 1
    flows = Replica(SqliteDatabase(path))
    assert (await flows.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted
    assert asked(path, "user_version") == schema.SCHEMA_VERSION
    await flows.close()
