"""What actions did in logins, as rows of the store: kept for a while, up to so many bytes a tenant.

Knows when and whose. Must not know what is in a row: it is a serialized message, masked already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.catalog import chosen
from runtime.catalog.database import Connection

_CUT = (
    "DELETE FROM executions WHERE tenant = ? AND number <= (SELECT coalesce(max(number), 0) FROM "
    "(SELECT number, sum(size) OVER (ORDER BY number DESC) AS total FROM executions WHERE tenant = ?) AS sums "
    "WHERE total > ?)"
)


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """One execution: of a tenant, when (milliseconds since the epoch), whether it failed, and its message."""

    tenant: str
    at_ms: int
    failed: bool
    body: bytes


def add(connection: Connection, rows: Sequence[ExecutionRow], now_us: int, most_bytes: int) -> None:
    """Add executions in order, and drop a tenant's oldest ones beyond its bytes.

    Numbers only grow, also after all rows were dropped: they begin at the instant, in microseconds.
    """
    (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM executions").fetchone()
    first = max(last + 1, now_us)
    connection.executemany(
        "INSERT INTO executions (number, tenant, at_ms, failed, size, body) VALUES (?, ?, ?, ?, ?, ?)",
        [(first + at, row.tenant, row.at_ms, int(row.failed), len(row.body), row.body) for at, row in enumerate(rows)],
    )
    for tenant in dict.fromkeys(row.tenant for row in rows):
        connection.execute(_CUT, (tenant, tenant, most_bytes))


def forget(connection: Connection, before_ms: int) -> None:
    """Drop what is too old, of every tenant."""
    connection.execute("DELETE FROM executions WHERE at_ms < ?", (before_ms,))


def of_present(connection: Connection, rows: Sequence[ExecutionRow]) -> list[ExecutionRow]:
    """Return the rows of tenants that are there: one that was removed meanwhile keeps none."""
    query = "SELECT tenant FROM tenants WHERE settings IS NOT NULL AND {}"
    present = {tenant for (tenant,) in chosen.rows(connection, query, {row.tenant for row in rows})}
    return [row for row in rows if row.tenant in present]


def purge(connection: Connection, tenant: str) -> None:
    """Drop the executions of a tenant."""
    connection.execute("DELETE FROM executions WHERE tenant = ?", (tenant,))


def newest(
    connection: Connection, tenant: str, before: int | None, most: int, *, failed: bool = False
) -> list[tuple[int, bytes]]:
    """Return executions with their numbers, the newest first; `failed`: those alone."""
    conditions, parameters = _conditions(tenant, failed)
    if before is not None:
        conditions += " AND number < ?"
        parameters.append(before)
    query = f"SELECT number, body FROM executions WHERE {conditions} ORDER BY number DESC LIMIT ?"
    return [(row[0], bytes(row[1])) for row in connection.execute(query, (*parameters, most)).fetchall()]


def after(
    connection: Connection, tenant: str, number: int, most: int, *, failed: bool = False
) -> list[tuple[int, bytes]]:
    """Return executions that were kept after a number, in order."""
    conditions, parameters = _conditions(tenant, failed)
    query = f"SELECT number, body FROM executions WHERE {conditions} AND number > ? ORDER BY number LIMIT ?"
    return [(row[0], bytes(row[1])) for row in connection.execute(query, (*parameters, number, most)).fetchall()]


def _conditions(tenant: str, failed: bool) -> tuple[str, list[object]]:
    return "tenant = ?" + (" AND failed = 1" if failed else ""), [tenant]
