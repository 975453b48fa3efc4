"""Where a store's history is, and whether another store is its past, its future, or a stranger."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from runtime.catalog.database import Connection
from runtime.errors import CatalogUnavailable


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a store's history: the newest apply, and the first, by which the store is known. None: no apply."""

    revision: int = 0
    apply_id: bytes = b""
    first_id: bytes = b""


NO_MARK: Final = Mark()


def newest(connection: Connection) -> Mark:
    """Read where a store's history is."""
    query = "SELECT revision, id FROM applies ORDER BY revision {} LIMIT 1"
    last = connection.execute(query.format("DESC")).fetchone()
    if last is None:
        return NO_MARK
    first = connection.execute(query.format("ASC")).fetchone()
    return Mark(last[0], last[1], first[1])


def advance(connection: Connection, now_s: int) -> int:
    """Begin a new revision of the store, which daemons follow, and return its number."""
    (last,) = connection.execute("SELECT coalesce(max(revision), 0) FROM applies").fetchone()
    statement = "INSERT INTO applies (revision, id, applied_at) VALUES (?, ?, ?)"
    connection.execute(statement, (last + 1, os.urandom(16), now_s))
    return int(last) + 1


def holds(connection: Connection, name: str, mark: Mark) -> None:
    """Do nothing when the store's history holds the mark. Raises: CatalogUnavailable: it is an older or another one."""
    if mark == NO_MARK:
        return
    query = "SELECT 1 FROM applies WHERE revision = ? AND id = ?"
    if connection.execute(query, (mark.revision, mark.apply_id)).fetchone():
        return
    found = newest(connection)
    if found == NO_MARK:
        what = "is empty: nothing was ever applied to it"
    elif found.first_id != mark.first_id:
        what = f"is another store than the one that is served, with a history of its own (revision {found.revision})"
    elif found.revision < mark.revision:
        what = f"is older than what is served: it is at revision {found.revision}"
    else:
        what = f"was restored to an older state and changed since then: it is at another revision {found.revision}"
    raise CatalogUnavailable(
        [
            f"the store {name} {what}; the daemon keeps serving revision {mark.revision}: put the right store back, or "
            "restart the daemon to serve this one"
        ]
    )
