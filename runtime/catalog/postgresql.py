"""A store in PostgreSQL, by psycopg: one pool of connections, transactions with time limits, one schema of our own.

What its errors mean is in postgresql_errors.py. Everything that a transaction needs is set inside it, so that a pooler
between us and the server may give each transaction another connection.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import psycopg
import psycopg_pool

from runtime.catalog import postgresql_schema
from runtime.catalog.database import SECRET_TABLES, Connection, Cursor
from runtime.catalog.deadlines import Deadlines
from runtime.catalog.postgresql_errors import explained
from runtime.catalog.postgresql_listener import CHANNEL, Announcements
from runtime.catalog.schema import Migration
from runtime.config import store_url
from runtime.errors import CatalogUnavailable, StoreUnreachable

T = TypeVar("T")

# "vestibul": held by the one transaction that writes what daemons follow.
_WRITERS: Final = 0x7665737469627578 & 0x7FFFFFFFFFFFFFFF
_POOL_SIZE: Final = 4
# A client that holds the writers' lock and does nothing is gone: its host is cut off, or it hangs.
_IDLE_IN_TRANSACTION_S: Final = 30
# What libpq asks of the kernel, unless the URL says otherwise: a host that is gone is found out in some ten seconds.
_KEEPALIVES: Final = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
_UNWRITABLE: Final = frozenset({"25006", "42501", "53100", "58030"})


@dataclass(frozen=True, slots=True)
class _Limits:
    """How long a transaction waits, in seconds: for a lock, and for the answer to one statement."""

    lock_s: float
    statement_s: float

    def sql(self) -> str:
        """Return the statements that set them for a transaction."""
        return (
            f"SET LOCAL lock_timeout = {_ms(self.lock_s)}; SET LOCAL statement_timeout = {_ms(self.statement_s)}; "
            f"SET LOCAL idle_in_transaction_session_timeout = {_IDLE_IN_TRANSACTION_S * 1000}; "
            f"SET LOCAL search_path = {postgresql_schema.SCHEMA}; "
        )


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))


@functools.lru_cache(maxsize=256)
def _native(sql: str) -> bytes:
    """Write a statement with psycopg's placeholders."""
    return sql.replace("%", "%%").replace("?", "%s").encode()


class _Transaction:
    """The Connection of one transaction: every statement has its time."""

    def __init__(self, connection: psycopg.Connection[Any], deadlines: Deadlines, limit_s: float, name: str) -> None:
        self._connection = connection
        self._deadlines = deadlines
        # The server's own limit first: it says more, and leaves the connection whole.
        self._limit_s = limit_s + 1.0
        self._name = name

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Run one statement."""
        return self.timed(lambda: self._connection.execute(_native(sql), parameters))

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> None:
        """Run one statement for each of the parameters, in one journey."""
        self.timed(lambda: self._connection.cursor().executemany(_native(sql), parameters))

    def script(self, statements: str) -> tuple[Any, ...] | None:
        """Run statements without parameters in one journey; return the first row of the last that has any."""
        with self.timed(lambda: self._connection.execute(statements.encode())) as cursor:
            row = None
            while True:
                if cursor.description is not None:
                    row = cursor.fetchone()
                if not cursor.nextset():
                    return row

    def timed(self, work: Callable[[], T]) -> T:
        """Do what waits for the server. Raises: StoreUnreachable when it takes too long."""
        with self._deadlines.within(self._connection.fileno(), self._limit_s) as wait:
            try:
                return work()
            except psycopg.OperationalError as error:
                if wait.expired:
                    raise _silent(self._name, self._limit_s) from error
                raise


def _silent(name: str, seconds: float) -> StoreUnreachable:
    return StoreUnreachable(
        [f"the store {name} did not answer within {seconds:g} s; check the server and the network between"]
    )


class PostgresqlDatabase:
    """One database in PostgreSQL as a Database. Only `vestibule migrate`, or an apply on an empty one, changes it."""

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        """Name a database by a URL without faults. `timeout_s` is how long another writer is waited for."""
        self._url = url
        self.name = self.setting = store_url.shown(url)
        self._reading = _Limits(timeout_s, 10 * timeout_s)
        self._claiming = _Limits(timeout_s, 2 * timeout_s)
        self._connect_s = min(10.0, 3 * timeout_s)
        self._deadlines = Deadlines()
        self._opening = threading.Lock()
        self._pool: psycopg_pool.ConnectionPool[psycopg.Connection[Any]] | None = None
        self._refused: tuple[float, psycopg.Error] | None = None
        self._reached = self._read_only = self._unwritable = False
        self._listener: Announcements | None = None

    # -- transactions --------------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Tell whether the database has a store of ours, however old its schema."""
        with self._transaction("BEGIN READ ONLY; ", self._reading) as transaction:
            return postgresql_schema.found(transaction, self.name) is not None

    def prepare(self) -> None:
        """Make the store in an empty database. Raises: CatalogUnavailable for one that must be migrated first."""
        with self._transaction("BEGIN READ ONLY; ", self._reading) as transaction:
            found = postgresql_schema.found(transaction, self.name)
        if found is None:
            self.migrate()
        else:
            postgresql_schema.must_fit(found, self.name, self.setting)

    def sql(self, step: Migration) -> list[str]:
        """Return the statements of a step of the schema, as PostgreSQL takes them."""
        return postgresql_schema.sql(step)

    def migrate(self) -> None:
        """Take every step that the schema lacks, in one transaction."""
        with self._writing() as transaction:
            postgresql_schema.migrate(transaction, self.name)

    def version(self) -> int:
        """Return the version of the schema; 0 for an empty database. Raises: CatalogUnavailable for one not ours."""
        with self._transaction("BEGIN READ ONLY; ", self._reading) as transaction:
            found = postgresql_schema.found(transaction, self.name)
            return found.version if found is not None else 0

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give one transaction that sees one state of the store, and writes nothing."""
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
        with self._transaction(begin, self._reading) as transaction:
            self._fits(transaction)
            yield transaction

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give one transaction that no other writer runs beside; a commit tells the daemons."""
        with self._writing() as transaction:
            self._fits(transaction)
            yield transaction

    @contextlib.contextmanager
    def claiming(self) -> Iterator[Connection]:
        """Give one transaction that may run beside a writer, and beside others of its kind."""
        with self._transaction("BEGIN; ", self._claiming, writes=True) as transaction:
            self._fits(transaction)
            yield transaction

    def writable(self) -> bool:
        """Tell whether the newest attempts say that the store can be written."""
        return self._reached and not self._read_only and not self._unwritable

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed`, from a thread of its own, when the store was written and when that may have been missed."""
        self._listener = Announcements(self._connect, changed, self._deadlines)
        self._listener.start()

    @property
    def watched(self) -> bool:
        """Whether `changed` is called for every change now."""
        return self._listener is not None and self._listener.listening

    def scrub(self) -> None:
        """Write the tables that hold secrets anew. The server's log and its copies are their owner's matter."""
        tables = ", ".join(f"{postgresql_schema.SCHEMA}.{table}" for table in SECRET_TABLES)
        try:
            with contextlib.closing(self._connect()) as connection:
                connection.execute(f"VACUUM (FULL) {tables}".encode())
                connection.execute(b"CHECKPOINT")
        except psycopg.errors.InsufficientPrivilege:
            # A checkpoint is the server's business; it makes one by itself within some minutes.
            return
        except psycopg.Error as error:
            raise self._explained(error) from error

    def close(self) -> None:
        """Close every connection."""
        if self._listener is not None:
            self._listener.close()
        with self._opening:
            if self._pool is not None:
                self._pool.close(timeout=1.0)
                self._pool = None
        self._deadlines.expire()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[_Transaction]:
        with self._transaction("BEGIN; ", self._reading, writes=True) as transaction:
            transaction.script(f"SELECT pg_advisory_xact_lock({_WRITERS})")
            yield transaction
            transaction.script(f"NOTIFY {CHANNEL}")

    @contextlib.contextmanager
    def _transaction(self, begin: str, limits: _Limits, *, writes: bool = False) -> Iterator[_Transaction]:
        """Run a block in a transaction, and turn what psycopg raises into CatalogUnavailable."""
        try:
            with self._connected(begin + limits.sql(), limits) as transaction:
                try:
                    yield transaction
                    transaction.script("COMMIT")
                except BaseException:
                    # Without a connection the server has rolled back.
                    with contextlib.suppress(psycopg.Error, CatalogUnavailable):
                        transaction.script("ROLLBACK")
                    raise
        except psycopg.Error as error:
            if writes and error.sqlstate in _UNWRITABLE:
                self._unwritable = True
            raise self._explained(error) from error
        except StoreUnreachable:
            self._lost()
            raise
        if writes:
            self._unwritable = False

    @contextlib.contextmanager
    def _connected(self, begin: str, limits: _Limits) -> Iterator[_Transaction]:
        """Give a connection whose transaction has begun; idle ones that have died meanwhile are passed over."""
        pool = self._pool or self._open()
        for attempt in range(_POOL_SIZE + 1):
            connection = self._take(pool)
            transaction = _Transaction(connection, self._deadlines, limits.statement_s, self.name)
            try:
                standby = transaction.script(begin + _STANDBY)
            except psycopg.OperationalError:
                broken = connection.closed
                pool.putconn(connection)
                if broken and attempt < _POOL_SIZE:
                    continue
                raise
            except BaseException:
                pool.putconn(connection)
                raise
            self._reached, self._read_only = True, bool(standby and standby[0])
            try:
                yield transaction
            finally:
                pool.putconn(connection)
            return

    def _take(self, pool: psycopg_pool.ConnectionPool[psycopg.Connection[Any]]) -> psycopg.Connection[Any]:
        """Take a connection out of the pool. Raises: psycopg.Error, as soon as an attempt to connect has failed."""
        began_s = time.monotonic()
        while True:
            try:
                return pool.getconn(timeout=0.1)
            except psycopg_pool.PoolTimeout as error:
                if self._refused is not None and self._refused[0] > began_s:
                    raise self._refused[1] from error
                if time.monotonic() - began_s > self._connect_s:
                    raise _silent(self.name, self._connect_s) from error

    # -- connections ---------------------------------------------------------------------------------------------------

    def _open(self) -> psycopg_pool.ConnectionPool[psycopg.Connection[Any]]:
        with self._opening:
            if self._pool is None:
                # What it would write about failed connections is in our own errors.
                logging.getLogger("psycopg").setLevel(logging.CRITICAL)
                self._pool = psycopg_pool.ConnectionPool(
                    connection_class=self._connection_class(),
                    kwargs=self._options,
                    conninfo=self._url,
                    min_size=0,
                    max_size=_POOL_SIZE,
                    num_workers=1,
                    reconnect_timeout=0.0,
                    open=True,
                    name="store",
                )
            return self._pool

    def _connection_class(self) -> type[psycopg.Connection[Any]]:
        """Return psycopg's class, which remembers here why there is no connection: the pool keeps that to itself."""
        database = self

        class Remembering(psycopg.Connection[Any]):
            @classmethod
            def connect(cls, conninfo: str = "", **options: Any) -> Any:
                try:
                    return super().connect(conninfo, **options)
                except psycopg.Error as error:
                    database._refused = (time.monotonic(), error)
                    raise

        return Remembering

    def _connect(self) -> psycopg.Connection[Any]:
        """Return a connection beside the pool. Raises: psycopg.Error."""
        return psycopg.Connection.connect(self._url, **self._options)

    @functools.cached_property
    def _options(self) -> dict[str, Any]:
        """What every connection has, unless the URL says otherwise."""
        given = psycopg.conninfo.conninfo_to_dict(self._url)
        wanted = {"connect_timeout": max(2, round(self._connect_s)), **_KEEPALIVES}
        ours: dict[str, Any] = {name: value for name, value in wanted.items() if name not in given}
        return ours | {
            "autocommit": True,  # a transaction is begun in the words that it needs
            "prepare_threshold": None,  # a pooler may give the next transaction another connection
            "client_encoding": "utf8",
            "fallback_application_name": "vestibule",
        }

    def _fits(self, transaction: _Transaction) -> None:
        found = postgresql_schema.found(transaction, self.name)
        postgresql_schema.must_fit(found, self.name, self.setting)

    def _explained(self, error: psycopg.Error) -> CatalogUnavailable:
        told = explained(error, self.name)
        if isinstance(told, StoreUnreachable):
            self._lost()
        return told

    def _lost(self) -> None:
        self._reached = False
        if self._listener is not None:
            self._listener.doubt()


# Whether nothing can be written here, whatever is asked.
_STANDBY: Final = "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'"
