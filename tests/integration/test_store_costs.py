"""What a change of one tenant reads in a store of many, counted and not timed: by us, and by the store itself."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from runtime.catalog import applies, comparison, images, rollback, trials, versions
from runtime.catalog.base import Band, Binding, Definition, Flow
from runtime.catalog.database import Connection, Cursor, Database, Joined
from runtime.catalog.keyed import KeyedConnection
from runtime.catalog.store_keys import NO_STORE_KEYS
from runtime.catalog.versions import Author
from runtime.core.model import Policy, Settings
from tests.fixtures.stores import alter

MANY, FEW = 2000, 100
"""Tenants of the store, and what a change of one may read at most."""
GROWING = frozenset({"bindings", "revisions", "secrets", "superseded", "tenants", "versions"})
"""Tables that have rows of every tenant."""
COPIES = "WITH RECURSIVE copies (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < {}) "
COPIED = {
    "revisions": "SELECT 'unbound ' || n, source FROM revisions, copies",
    "tenants": "SELECT 't' || n, settings, digest, changed_in FROM tenants, copies",
    "bindings": "SELECT 't' || n, position, action, sha256, on_error FROM bindings, copies",
    "secrets": "SELECT 't' || n, action, name, value FROM secrets, copies",
    "versions": "SELECT 't' || n, number, revision, made_at, made_by, message, how, content, hash, changes "
    "FROM versions, copies",
}
COLUMNS = {
    "revisions": "sha256, source",
    "tenants": "tenant, settings, digest, changed_in",
    "bindings": "tenant, position, action, sha256, on_error",
    "secrets": "tenant, action, name, value",
    "versions": "tenant, number, revision, made_at, made_by, message, how, content, hash, changes",
}
ANN = Author("ann", 1_000_000)
_READ = (
    "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_xact_user_tables "
    "WHERE schemaname = 'vestibule'"
)


class Counted:
    """A transaction that counts statements and the rows that they give, and asks SQLite which tables it goes through.

    What PostgreSQL reads it counts itself.
    """

    def __init__(self, connection: Connection, kind: str) -> None:
        self._connection = connection
        self._kind = kind
        self.statements = self.rows = 0
        self.gone_through: set[str] = set()

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        self.statements += 1
        if self._kind == "sqlite":
            for *_, step in self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters):
                if step.startswith("SCAN ") and "USING INDEX" not in step:
                    self.gone_through.add(step.split()[1])
        return _Rows(self._connection.execute(sql, parameters), self)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object:
        self.statements += 1
        return self._connection.executemany(sql, parameters)

    def read_by_the_server(self) -> int:
        return int(self._connection.execute(_READ).fetchone()[0]) if self._kind == "postgresql" else 0


class _Rows:
    def __init__(self, cursor: Cursor, counted: Counted) -> None:
        self._cursor = cursor
        self._counted = counted
        self.rowcount = cursor.rowcount

    def fetchone(self) -> Any:
        self._counted.rows += 1
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        found = self._cursor.fetchall()
        self._counted.rows += len(found)
        return found

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


@contextlib.contextmanager
def counted(store: Database, kind: str) -> Iterator[Connection]:
    """Give a transaction that must read no more than a few rows in the end."""
    with store.writing() as connection:
        count = Counted(connection, kind)
        before = count.read_by_the_server()
        yield KeyedConnection(count, NO_STORE_KEYS, store.name)
        read = count.read_by_the_server() - before
    assert count.statements > 3, "it was this transaction that did the work"
    assert not count.gone_through & GROWING
    assert count.rows <= FEW
    assert read <= FEW


def define(tenant: str, policy: Policy = Policy.NEVER) -> Definition:
    source = "# of all"
    sha256 = hashlib.sha256(source.encode()).hexdigest()
    flow = Flow(tenant, Settings(policy=policy), (Binding("a", sha256),), {"a": {"KEY": "k"}})
    return Definition(flow, {sha256: source})


@pytest.fixture
def kind(store_setting: str) -> str:
    return store_setting.partition(":")[0]


@pytest.fixture
def store(empty_store: Database, kind: str) -> Database:
    """A store of many tenants: copies of one that was applied, made by the store itself."""
    applies.apply(empty_store, [define("t0")])
    for table, query in COPIED.items():
        # WITH stands behind the table's name: both databases take it there.
        alter(empty_store, f"INSERT INTO {table} ({COLUMNS[table]}) {COPIES.format(MANY - 1)}{query}")
    if kind == "postgresql":
        # As its server does by itself after a while.
        alter(empty_store, "ANALYZE")
    return empty_store


def test_a_change_of_one_tenant_reads_what_is_the_tenants(store: Database, kind: str) -> None:
    """An apply, what a daemon reads of it, a rollback, a trial and a removal read no other tenant."""
    with store.reading() as connection:
        image = images.read(connection, None, store.name)
    assert image is not None

    wanted = {"t7": define("t7", Policy.ALWAYS)}
    with counted(store, kind) as connection:
        planned = comparison.compare(connection, wanted, prune=False)
        done = applies.write(connection, wanted, planned, ANN, {"t7": 1})
    assert done.changed == ("t7",)
    assert done.versions == {"t7": 2}

    with counted(store, kind) as connection:
        changed = images.read(connection, image, store.name)
    assert changed is not None
    assert changed.changed == 1
    assert len(changed.snapshot.tenants) == MANY
    assert changed.snapshot.tenants["t7"].settings.policy is Policy.ALWAYS
    assert changed.snapshot.tenants["t7"].version == 2
    assert changed.snapshot.tenants["t8"] is image.snapshot.tenants["t8"]

    with counted(store, kind) as connection:
        trials.begin(Joined(connection), [define("t7", Policy.ADAPTIVE)], 10, Band(), ANN, {})
    with counted(store, kind) as connection:
        assert rollback.rollback(Joined(connection), "t7", 1, ANN).version.number == 4
    with counted(store, kind) as connection:
        rollback.remove(Joined(connection), "t7", ANN)
    with counted(store, kind) as connection:
        gone = images.read(connection, changed, store.name)
    assert gone is not None
    assert gone.removed == 1


def test_several_changed_tenants_are_read_together(store: Database, kind: str) -> None:
    """What a daemon reads of a change of five tenants is asked for together, and is theirs alone."""
    with store.reading() as connection:
        image = images.read(connection, None, store.name)
    names = [f"t{number}" for number in range(5)]
    applies.apply(store, [define(name, Policy.ALWAYS) for name in names])
    with counted(store, kind) as connection:
        changed = images.read(connection, image, store.name)
    assert changed is not None
    assert changed.changed == len(names)


@pytest.mark.parametrize("what", ["statement", "rows"])
def test_what_is_counted_is_seen(store: Database, kind: str, what: str) -> None:
    """The control: what goes through all tenants does not pass, in the store or out of it."""

    def read() -> None:
        with counted(store, kind) as connection:
            for _ in range(4):
                connection.execute("SELECT 1").fetchone()
            if what == "rows":
                versions.numbers(connection)
            else:
                connection.execute("SELECT count(*) FROM tenants WHERE settings <> ''").fetchone()

    with pytest.raises(AssertionError):
        read()


def test_more_names_than_a_statement_takes(store: Database) -> None:
    """Rows of chosen tenants are those of all of them, however many are asked for; none asks nothing."""
    names = [f"t{number}" for number in range(0, MANY, 3)] + ["nowhere"]
    for some in ([], names[:1], names[:8], names[:9], names, [f"t{number}" for number in range(MANY)]):
        with store.reading() as connection:
            assert versions.numbers(connection, some) == {name: 1 for name in some if name != "nowhere"}
