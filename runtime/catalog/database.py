"""What every store is to the code above it: transactions that give a connection. SQL is written once, for all of them.

It must not know what the rows mean. SQL keeps to what SQLite and PostgreSQL both understand, with `?` for parameters;
instants and random ids are parameters. A driver turns every error of its own into CatalogUnavailable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol

from runtime.catalog.schema import Migration

SECRET_TABLES: Final = ("tenants", "secrets", "superseded", "continuations", "data_keys", "cache_records")
"""Tables in whose rows there are secrets, sealed or not."""


class Cursor(Protocol):
    """What a statement found. Rows are tuples; bytes are `bytes`."""

    @property
    def rowcount(self) -> int:
        """How many rows were written."""

    def fetchone(self) -> Any:
        """Return the next row; None after the last."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Go through the rows that are left."""


class Connection(Protocol):
    """One transaction. It ends with the block that it was given for: committed, or undone when the block raises."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Run one statement."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object:
        """Run one statement for each of the parameters."""


class Writing(Protocol):
    """What gives transactions to write in."""

    def writing(self) -> AbstractContextManager[Connection]:
        """Give one transaction that no other `writing` runs beside, in no process. Raises: NoStore as well."""


class Joined:
    """Gives a transaction that is open already, so that several changes are made together or not at all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give the transaction; it ends with the block that opened it."""
        yield self._connection


class Database(Protocol):
    """One store. Its methods block, may be called from any thread, and raise CatalogUnavailable in plain words."""

    @property
    def name(self) -> str:
        """How messages name it: never with a password."""

    @property
    def setting(self) -> str:
        """The setting that leads to it, without a password."""

    def exists(self) -> bool:
        """Tell whether there is a store, however old its schema."""

    def prepare(self) -> None:
        """Make sure that the store is there, with a schema that this version can use."""

    def reading(self) -> AbstractContextManager[Connection]:
        """Give one transaction that sees one state of the store, and writes nothing. Raises: NoStore as well."""

    def writing(self) -> AbstractContextManager[Connection]:
        """Give one transaction that no other `writing` runs beside, in no process. Raises: NoStore as well."""

    def claiming(self) -> AbstractContextManager[Connection]:
        """Give one transaction for rows of single logins. It may wait for `writing`, and must not need to."""

    def writable(self) -> bool:
        """Tell whether the store could be written, without an error."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed`, from any thread, when the store may have changed. A follower polls nevertheless."""

    @property
    def watched(self) -> bool:
        """Whether every change is announced now, so that a follower need not poll often."""

    def version(self) -> int:
        """Return the version of the schema; 0 where there is no store."""

    def sql(self, step: Migration) -> list[str]:
        """Return the statements of a step of the schema, as this database takes them."""

    def migrate(self) -> None:
        """Bring the schema to the newest version, or make the store."""

    def scrub(self) -> None:
        """Write anew what holds secrets, so that no file of the store has what was deleted before."""

    def close(self) -> None:
        """Release what is open."""
