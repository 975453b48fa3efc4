"""The one place where the setting `store` becomes a store. No other module knows which kinds there are."""

from __future__ import annotations

from runtime.catalog.database import Database
from runtime.catalog.sqlite import SqliteDatabase
from runtime.config.store_url import SCHEMES

DAEMON_TIMEOUT_S = 1.0
"""How long a daemon waits for its store: a suspended login waits meanwhile."""


def open_database(store: str, *, timeout_s: float = 10.0) -> Database:
    """Return the store that a setting names. It connects to nothing yet; the caller closes it."""
    if store.startswith(SCHEMES):
        # As long to import as all else that a command needs.
        from runtime.catalog.postgresql import PostgresqlDatabase

        return PostgresqlDatabase(store, timeout_s=timeout_s)
    return SqliteDatabase(store.removeprefix("sqlite:"), timeout_s=timeout_s)
