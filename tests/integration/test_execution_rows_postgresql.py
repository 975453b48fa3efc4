"""Kept executions in PostgreSQL: in order, bounded by bytes and by age, as in SQLite."""

from __future__ import annotations

from contextlib import closing

from runtime.catalog import executions
from runtime.catalog.executions import ExecutionRow
from runtime.catalog.opening import open_database
from tests.fixtures.postgresql import Cluster


def test_rows_are_kept_up_to_bytes_and_an_age(postgresql: Cluster) -> None:
    """The oldest go beyond a tenant's bytes; a number leads on; what is too old goes."""
    with closing(open_database(postgresql.database())) as database:
        database.migrate()
        rows = [ExecutionRow("acme", at, at % 2 == 0, b"%09d." % at) for at in range(10)]
        with database.writing() as connection:
            executions.add(connection, rows, 1, 35)
        with database.reading() as connection:
            found = executions.newest(connection, "acme", None, 10)
            assert [body for _, body in found] == [b"%09d." % at for at in (9, 8, 7)]
            assert executions.after(connection, "acme", found[-1][0], 10, failed=True) == [found[1]]
        with database.writing() as connection:
            executions.forget(connection, 100)
        with database.reading() as connection:
            assert executions.newest(connection, "acme", None, 10) == []
