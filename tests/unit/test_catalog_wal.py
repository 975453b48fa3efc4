"""The store's journal and its schema: a writer never waits for a reader, and what is there says which it is."""

import contextlib
import hashlib
import sqlite3
from pathlib import Path

from runtime.catalog import applies, schema, sqlite
from runtime.catalog.base import Binding, Definition, Flow
from runtime.catalog.sqlite import SqliteDatabase
from runtime.core.model import Settings

SOURCE = "def on_execute_post_login(event, api):\n    pass\n"
SHA = hashlib.sha256(SOURCE.encode()).hexdigest()


def define(tenant: str) -> Definition:
    return Definition(Flow(tenant, Settings(), (Binding("a", SHA),), {}), {SHA: SOURCE})


def asked(connection: sqlite3.Connection, pragma: str) -> object:
    return connection.execute(f"PRAGMA {pragma}").fetchone()[0]


def test_a_store_has_a_write_ahead_log_and_a_version(tmp_path: Path) -> None:
    """The journal is a log, also for a process that opens the file later; the schema is as many steps as there are."""
    path = tmp_path / "flows.db"
    applies.apply(SqliteDatabase(path), [define("acme")])
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert asked(connection, "journal_mode") == "wal"
        assert asked(connection, "user_version") == schema.SCHEMA_VERSION == len(schema.MIGRATIONS)
        assert asked(connection, "application_id") == sqlite.APPLICATION_ID


def test_a_reader_keeps_what_it_began_to_read_while_an_apply_goes_through(tmp_path: Path) -> None:
    """Neither waits for the other: the apply is done, and the reader's transaction still has the tenants of before."""
    path = tmp_path / "flows.db"
    applies.apply(SqliteDatabase(path), [define("acme")])
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM tenants").fetchone()[0]
        assert applies.apply(SqliteDatabase(path, timeout_s=0.0), [define("another")]).revision == 2
        assert reader.execute("SELECT count(*) FROM tenants").fetchone()[0] == before == 1
        reader.execute("ROLLBACK")
        assert reader.execute("SELECT count(*) FROM tenants").fetchone()[0] == 2
