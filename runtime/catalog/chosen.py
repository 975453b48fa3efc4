"""Reads rows of chosen tenants: some hundred names a statement, so that the cost is theirs and not the store's.

Must not know what is in the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from runtime.catalog.database import Connection

# How many names a statement takes. A few sizes only: each makes another text, and a database prepares each text anew.
_SIZES: Final = (1, 8, 64, 512)
# SQLite's "true", which PostgreSQL has too.
_ALL: Final = "1 = 1"


def rows(
    connection: Connection,
    query: str,
    names: Iterable[str] | None,
    *,
    column: str = "tenant",
    parameters: Sequence[Any] = (),
) -> Iterator[Any]:
    """Go through the rows of a query, in which `{}` stands for the condition on a column. None: without one.

    `parameters` are of the conditions before it. The rows of one statement are in the query's order, those of several
    follow each other.
    """
    if names is None:
        yield from connection.execute(query.format(_ALL), parameters).fetchall()
        return
    wanted = list(names)
    for at in range(0, len(wanted), _SIZES[-1]):
        some = _padded(wanted[at : at + _SIZES[-1]])
        condition = f"{column} IN ({', '.join('?' * len(some))})"
        yield from connection.execute(query.format(condition), (*parameters, *some)).fetchall()


def _padded(names: Sequence[str]) -> list[str]:
    """Repeat the last name until there are as many as a statement takes."""
    size = next(size for size in _SIZES if len(names) <= size)
    return [*names, *[names[-1]] * (size - len(names))]
