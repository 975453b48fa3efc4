"""The one place where the setting `store` becomes a store. No other module knows which kinds there are."""

from __future__ import annotations

from collections.abc import Callable

from runtime.catalog.database import Database
from runtime.catalog.keyed import KeyedDatabase
from runtime.catalog.sqlite import SqliteDatabase
from runtime.catalog.store_keys import NO_STORE_KEYS, StoreKeys
from runtime.config.store_url import SCHEMES

DAEMON_TIMEOUT_S = 1.0
"""How long a daemon waits for its store: a suspended login waits meanwhile."""


def _none() -> StoreKeys:
    return NO_STORE_KEYS


def open_database(store: str, *, timeout_s: float = 10.0, keys: Callable[[], StoreKeys] = _none) -> KeyedDatabase:
    """Return the store that a setting names. It connects to nothing yet; the caller closes it.

    `keys` returns the keys that may open it, when a transaction begins.
    """
    return KeyedDatabase(_driver(store, timeout_s), keys)


def _driver(store: str, timeout_s: float) -> Database:
    if store.startswith(SCHEMES):
        # As long to import as all else that a command needs.
        from runtime.catalog.postgresql import PostgresqlDatabase

        return PostgresqlDatabase(store, timeout_s=timeout_s)
    return SqliteDatabase(store.removeprefix("sqlite:"), timeout_s=timeout_s)
