"""A store with the keys that may open it: each transaction can seal and open its secrets.

Knows no SQL of its own. A store that is not sealed needs no key, and one that is says which key it wants.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

from runtime.catalog import data_keys
from runtime.catalog.database import Connection, Cursor, Database
from runtime.catalog.store_keys import NO_STORE_KEYS, StoreKeys
from runtime.catalog.vault import Vault


class KeyedConnection:
    """One transaction, in which secrets can be sealed and opened."""

    def __init__(self, connection: Connection, keys: StoreKeys, name: str) -> None:
        self._keys = keys
        self._name = name
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Run one statement."""
        return self._connection.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object:
        """Run one statement for each of the parameters."""
        return self._connection.executemany(sql, parameters)

    @cached_property
    def vault(self) -> Vault:
        """What seals and opens; as the store is when it is first asked for. Raises: CatalogUnavailable."""
        return data_keys.load(self._connection, self._keys, self._name)


def vault_of(connection: Connection) -> Vault:
    """Return what seals and opens the secrets of a store. Raises: CatalogUnavailable: it is sealed, and not for us."""
    if isinstance(connection, KeyedConnection):
        return connection.vault
    return data_keys.load(connection, NO_STORE_KEYS, "that was opened without keys")


class KeyedDatabase:
    """A store, and keys; all else is the store's own."""

    def __init__(self, database: Database, keys: Callable[[], StoreKeys]) -> None:
        """Use the keys that are in effect when a transaction begins."""
        self._database = database
        self._keys = keys
        self.name = database.name
        self.setting = database.setting
        self.exists = database.exists
        self.prepare = database.prepare
        self.writable = database.writable
        self.watch = database.watch
        self.version = database.version
        self.migrate = database.migrate
        self.scrub = database.scrub
        self.sql = database.sql
        self.close = database.close

    @property
    def keys(self) -> StoreKeys:
        """The keys that are in effect."""
        return self._keys()

    @property
    def watched(self) -> bool:
        """Whether every change is announced now, so that a follower need not poll often."""
        return self._database.watched

    def reading(self) -> AbstractContextManager[Connection]:
        """Give one transaction that sees one state of the store, and writes nothing."""
        return self._keyed(self._database.reading())

    def writing(self) -> AbstractContextManager[Connection]:
        """Give one transaction that no other `writing` runs beside."""
        return self._keyed(self._database.writing())

    def claiming(self) -> AbstractContextManager[Connection]:
        """Give one transaction for rows of single logins."""
        return self._keyed(self._database.claiming())

    @contextlib.contextmanager
    def _keyed(self, transaction: AbstractContextManager[Connection]) -> Iterator[Connection]:
        with transaction as connection:
            yield KeyedConnection(connection, self._keys(), self.name)
