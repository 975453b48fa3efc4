"""Kept executions as rows of the store: in order, bounded by age and by bytes of each tenant."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.catalog import applies, executions, rollback
from runtime.catalog.base import Definition, Flow
from runtime.catalog.executions import ExecutionRow
from runtime.catalog.sqlite import SqliteDatabase
from runtime.catalog.versions import Author
from runtime.core.model import Settings


@pytest.fixture
def database(tmp_path: Path) -> SqliteDatabase:
    made = SqliteDatabase(str(tmp_path / "flows.db"))
    made.migrate()
    return made


def row(tenant: str, at_ms: int, body: bytes = b"x" * 10, failed: bool = False) -> ExecutionRow:
    return ExecutionRow(tenant, at_ms, failed, body)


def bodies(database: SqliteDatabase, tenant: str, *, failed: bool = False) -> list[bytes]:
    with database.reading() as connection:
        return [body for _, body in executions.newest(connection, tenant, None, 100, failed=failed)]


def test_the_newest_come_first_and_what_follows_in_order(database: SqliteDatabase) -> None:
    """A number leads on in both directions; tenants do not see each other's."""
    with database.writing() as connection:
        executions.add(connection, [row("acme", 1, b"a"), row("beta", 1, b"b"), row("acme", 2, b"c", True)], 5, 1000)
    with database.reading() as connection:
        (last, newest), (first, oldest) = executions.newest(connection, "acme", None, 10)
        assert (newest, oldest) == (b"c", b"a")
        assert executions.newest(connection, "acme", last, 10) == [(first, b"a")]
        assert executions.after(connection, "acme", first, 10) == [(last, b"c")]
        assert executions.after(connection, "acme", last, 10) == []
    assert bodies(database, "acme", failed=True) == [b"c"]


def test_a_tenant_has_its_bytes(database: SqliteDatabase) -> None:
    """Beyond them its oldest go, and no other tenant's."""
    with database.writing() as connection:
        executions.add(connection, [row("beta", 1)], 1, 1000)
        executions.add(connection, [row("acme", at, b"%09d." % at) for at in range(10)], 1, 35)
    assert bodies(database, "acme") == [b"%09d." % at for at in (9, 8, 7)]
    assert len(bodies(database, "beta")) == 1


def test_what_is_old_goes_and_numbers_still_grow(database: SqliteDatabase) -> None:
    """A follower that has seen the last number sees what comes after everything was dropped."""
    with database.writing() as connection:
        executions.add(connection, [row("acme", 1_000)], 1_000_000, 1000)
    with database.reading() as connection:
        ((number, _),) = executions.newest(connection, "acme", None, 1)
    with database.writing() as connection:
        executions.forget(connection, 2_000)
    assert bodies(database, "acme") == []
    with database.writing() as connection:
        executions.add(connection, [row("acme", 3_000)], 3_000_000, 1000)
    with database.reading() as connection:
        assert len(executions.after(connection, "acme", number, 10)) == 1


def test_a_tenant_that_is_removed_leaves_none(database: SqliteDatabase) -> None:
    """Neither what was kept nor what a daemon still brings; the executions of other tenants stay."""
    applies.apply(database, [Definition(Flow(tenant, Settings())) for tenant in ("acme", "beta")])
    with database.writing() as connection:
        kept = executions.of_present(connection, [row("acme", 1), row("beta", 1), row("nowhere", 1)])
        assert [each.tenant for each in kept] == ["acme", "beta"]
        executions.add(connection, kept, 5, 1000)
    rollback.remove(database, "acme", Author("ann", 1))
    with database.writing() as connection:
        late = executions.of_present(connection, [row("acme", 2), row("beta", 2, b"late")])
        executions.add(connection, late, 6, 1000)
    assert bodies(database, "acme") == []
    assert bodies(database, "beta") == [b"late", b"x" * 10]
