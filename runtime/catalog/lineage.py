"""Where a store's history is, and whether another store is its past, its future, a restored copy, or a stranger.

A history is the applies, the epochs, and the continuations that were used. It must not know tenants.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from runtime.catalog.database import Connection, Database
from runtime.errors import CatalogUnavailable


class Used(NamedTuple):
    """A continuation that was used, which a store must not forget in its epoch before it expires."""

    name: bytes
    expires_at_ms: int
    epoch: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a store's history: the newest apply, and the first, by which the store is known. None: no apply.

    `epochs` are the ids of all epochs, the one that lasts at the end. `used` are some continuations that were used.
    """

    revision: int = 0
    apply_id: bytes = b""
    first_id: bytes = b""
    epochs: tuple[bytes, ...] = ()
    used: tuple[Used, ...] = field(default=(), compare=False, repr=False)

    @property
    def epoch(self) -> bytes:
        """The id of the epoch that lasts; empty in the first one of an old store."""
        return self.epochs[-1] if self.epochs else b""


NO_MARK: Final = Mark()

_RESTORED: Final = (
    "put the right store back, or, if it was restored on purpose, run `vestibule store accept-restore` on it"
)
_STRANGER: Final = "put the right store back, or restart the daemon to serve this one"


def newest(connection: Connection) -> Mark:
    """Read where a store's history is."""
    epochs = tuple([bytes(id_) for (id_,) in connection.execute("SELECT id FROM epochs ORDER BY number")])
    query = "SELECT revision, id FROM applies ORDER BY revision {} LIMIT 1"
    last = connection.execute(query.format("DESC")).fetchone()
    if last is None:
        return Mark(epochs=epochs)
    first = connection.execute(query.format("ASC")).fetchone()
    return Mark(last[0], last[1], first[1], epochs, _last_used(connection, epochs))


def store_id(connection: Connection) -> str:
    """Return what tells a store from others: its first apply, in hex; empty before that."""
    row = connection.execute("SELECT id FROM applies ORDER BY revision LIMIT 1").fetchone()
    return bytes(row[0]).hex() if row is not None else ""


def advance(connection: Connection, now_s: int) -> int:
    """Begin a new revision of the store, which daemons follow, and return its number."""
    (last,) = connection.execute("SELECT coalesce(max(revision), 0) FROM applies").fetchone()
    statement = "INSERT INTO applies (revision, id, applied_at) VALUES (?, ?, ?)"
    connection.execute(statement, (last + 1, os.urandom(16), now_s))
    return int(last) + 1


def epoch(connection: Connection) -> bytes:
    """Read the id of the epoch that lasts; empty in the first one of an old store."""
    found = connection.execute("SELECT id FROM epochs ORDER BY number DESC LIMIT 1").fetchone()
    return found[0] if found is not None else b""


def forgotten_until_ms(connection: Connection) -> int:
    """Read when the last of the continuations expired that are forgotten: milliseconds since the epoch."""
    (until_ms,) = connection.execute("SELECT until_ms FROM continuations_forgotten").fetchone()
    return int(until_ms)


def _last_used(connection: Connection, epochs: tuple[bytes, ...]) -> tuple[Used, ...]:
    """Read the one that expires last, of the continuations that were used: it is among the latest."""
    query = (
        "SELECT name, expires_at_ms FROM continuations WHERE claimed_until_ms IS NULL "
        "ORDER BY expires_at_ms DESC LIMIT 1"
    )
    found = connection.execute(query).fetchone()
    return () if found is None else (Used(found[0], found[1], epochs[-1] if epochs else b""),)


def holds(connection: Connection, name: str, mark: Mark, found: Mark, now_ms: int) -> bool:
    """Tell whether a store's history holds a mark; False for a copy that was restored and accepted since.

    Args:
        connection: to the store.
        name: of the store.
        mark: what is served.
        found: where the store's history is now.
        now_ms: what has expired by then may be forgotten; milliseconds since the epoch.

    Raises: CatalogUnavailable: it is an older or another one.
    """
    if not mark.apply_id:
        return True
    if found.epochs != mark.epochs and found.epoch not in (*mark.epochs, b"") and found.first_id == mark.first_id:
        return False
    what, remedy = _fault(connection, mark, found, now_ms)
    if not what:
        return True
    message = f"the store {name} {what}; the daemon keeps serving revision {mark.revision}: {remedy}"
    raise CatalogUnavailable([message])


def _fault(connection: Connection, mark: Mark, found: Mark, now_ms: int) -> tuple[str, str]:
    """Say what is wrong with a store of no newer epoch, and what is to be done; nothing when it holds the mark."""
    query = "SELECT 1 FROM applies WHERE revision = ? AND id = ?"
    if not connection.execute(query, (mark.revision, mark.apply_id)).fetchone():
        if not found.apply_id:
            return "is empty: nothing was ever applied to it", _STRANGER
        if found.first_id != mark.first_id:
            kind = "is another store than the one that is served"
            return f"{kind}, with a history of its own (revision {found.revision})", _STRANGER
        if found.revision < mark.revision:
            return f"is older than what is served: it is at revision {found.revision}", _RESTORED
        since = f"it is at another revision {found.revision}"
        return f"was restored to an older state and changed since then: {since}", _RESTORED
    if found.epochs != mark.epochs:
        return "is of an earlier epoch than what is served", _RESTORED
    since_ms = max(now_ms, forgotten_until_ms(connection))
    remembered = [used for used in mark.used if used.epoch == found.epoch and used.expires_at_ms > since_ms]
    if not all(_was_used(connection, used.name) for used in remembered):
        return "was restored to an older state: it has forgotten that a continuation was used", _RESTORED
    return "", ""


def _was_used(connection: Connection, name: bytes) -> bool:
    query = "SELECT 1 FROM continuations WHERE name = ? AND claimed_until_ms IS NULL"
    return connection.execute(query, (name,)).fetchone() is not None


class Begun(NamedTuple):
    """An epoch that has begun: its number, and where the store's history was then."""

    number: int
    mark: Mark
    applied_at: int


def begin_epoch(database: Database, now_s: int) -> Begun:
    """Begin an epoch: daemons follow the store as it is, and no earlier continuation is good.

    Raises: CatalogUnavailable.
    """
    with database.writing() as connection:
        mark = newest(connection)
        if not mark.apply_id:
            message = f"the store {database.name} is empty: nothing was ever applied to it; restore a copy"
            raise CatalogUnavailable([message])
        (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM epochs").fetchone()
        connection.execute(
            "INSERT INTO epochs (number, id, began_at) VALUES (?, ?, ?)", (last + 1, os.urandom(16), now_s)
        )
        query = "SELECT applied_at FROM applies WHERE revision = ?"
        (applied_at,) = connection.execute(query, (mark.revision,)).fetchone()
        return Begun(last + 1, newest(connection), applied_at)
