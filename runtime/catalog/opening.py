"""The one place where the setting `store` becomes a store. No other module knows which kinds there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runtime.catalog.database import Database
from runtime.catalog.keyed import KeyedDatabase
from runtime.catalog.sqlite import SqliteDatabase
from runtime.catalog.store_keys import NO_STORE_KEYS, StoreKeys
from runtime.config.store_url import DIRECTORY, SCHEMES
from runtime.errors import ConfigError, Fault

if TYPE_CHECKING:
    from runtime.catalog.base import OnChange, SuspendedFlows
    from runtime.catalog.served_directory import CheckSources, DirectoryCatalog
    from runtime.catalog.stored import StoredCatalog
    from runtime.config.effective import Config

DAEMON_TIMEOUT_S: Final = 1.0
"""How long a daemon waits for its store: a suspended login waits meanwhile."""


def _none() -> StoreKeys:
    return NO_STORE_KEYS


def open_database(store: str, *, timeout_s: float = 10.0, keys: Callable[[], StoreKeys] = _none) -> KeyedDatabase:
    """Return the store that a setting names. It connects to nothing yet; the caller closes it. Raises: ConfigError.

    `keys` returns the keys that may open it, when a transaction begins.
    """
    return KeyedDatabase(_driver(store, timeout_s), keys)


def _driver(store: str, timeout_s: float) -> Database:
    if store.startswith(DIRECTORY):
        message = f"{store} is a directory, which only a daemon reads: change its files, or name the state store"
        raise ConfigError([Fault("store", message)])
    if store.startswith(SCHEMES):
        # As long to import as all else that a command needs.
        from runtime.catalog.postgresql import PostgresqlDatabase

        return PostgresqlDatabase(store, timeout_s=timeout_s)
    return SqliteDatabase(store.removeprefix("sqlite:"), timeout_s=timeout_s)


@dataclass(frozen=True, slots=True)
class DaemonStores:
    """What a daemon has of its store. `setting` leads to it, without a password."""

    setting: str
    catalog: StoredCatalog | DirectoryCatalog
    suspended: SuspendedFlows
    database: KeyedDatabase | None = None

    @property
    def tenants(self) -> KeyedDatabase | None:
        """The store that tenants can be changed in; None for a directory, whose files are."""
        return None if self.setting.startswith(DIRECTORY) else self.database

    def close(self) -> None:
        """Release the store, once nothing uses it any more."""
        if self.database is not None:
            self.database.close()


def open_stores(
    config: Config, check: CheckSources, on_change: OnChange, keys: Callable[[], StoreKeys] = _none
) -> DaemonStores:
    """Return the catalog that a daemon follows, and where its claims lie. `check` is for sources of a directory."""
    from runtime.catalog.stored import StoredCatalog
    from runtime.catalog.suspended import StoredSuspendedFlows, SuspendsNothing

    if not config.store.startswith(DIRECTORY):
        database = open_database(config.store, timeout_s=DAEMON_TIMEOUT_S, keys=keys)
        catalog = StoredCatalog(database, on_change=on_change)
        return DaemonStores(database.setting, catalog, StoredSuspendedFlows(database, mark=catalog.mark), database)
    from runtime.catalog.served_directory import OFF, DirectoryCatalog

    setting = config.catalog.state_store
    state = open_database(setting, timeout_s=DAEMON_TIMEOUT_S, keys=keys) if setting else None
    secrets_dir = Path(config.catalog.secrets_dir) if config.catalog.secrets_dir else None
    path = config.store.removeprefix(DIRECTORY)
    served = DirectoryCatalog(path, check, on_change, state=state, secrets_dir=secrets_dir)
    suspended = SuspendsNothing(OFF) if state is None else StoredSuspendedFlows(state, mark=served.mark)
    return DaemonStores(config.store, served, suspended, state)
