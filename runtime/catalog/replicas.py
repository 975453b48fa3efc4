"""The daemons that serve a store, each with the ids of its keys: rows for operators, on which no login depends.

Knows no key, only ids. Every row is its daemon's own to write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from runtime.catalog.database import Connection, Database
from runtime.config.sections import MAX_LIFETIME_S
from runtime.errors import CatalogUnavailable

NOTE_EVERY_S: Final = 30
"""How often a daemon says that it is there."""
SILENT_AFTER_S: Final = 3 * NOTE_EVERY_S
"""When one counts as gone that did not say how it ended."""
_COLUMNS: Final = "id, host, pid, version, started_at, seen_at, stopped_at, keys"


@dataclass(frozen=True, slots=True)
class KeysInUse:
    """Ids of the keys of one daemon."""

    seals: str
    """What seals suspended logins now."""
    opens: tuple[str, ...] = ()
    """What opens them."""
    last_expiry_ms: Mapping[str, int] = field(default_factory=dict)
    """When the last login ends that it suspended, by the key that sealed it; milliseconds since the epoch."""
    store: tuple[str, ...] = ()
    """What opens the store."""
    own: bool = False
    """It has no keys file: what it suspended ends with it."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One daemon process. Instants are seconds since the epoch; `stopped_at` is None while it serves."""

    id: str
    host: str
    pid: int
    version: str
    started_at: int
    seen_at: int
    stopped_at: int | None
    keys: KeysInUse

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    def state(self, now_s: float) -> str:
        """Say whether it serves: serving, stopped, or silent, when it should have said more."""
        if self.stopped_at is not None:
            return "stopped"
        return "serving" if now_s - self.seen_at <= SILENT_AFTER_S else "silent"


def note(database: Database, replica: Replica) -> None:
    """Write the row of a daemon, and drop those of long ago. Raises: CatalogUnavailable."""
    keys = replica.keys
    text = json.dumps(
        {
            "seals": keys.seals,
            "opens": keys.opens,
            "last_expiry_ms": dict(keys.last_expiry_ms),
            "store": keys.store,
            "own": keys.own,
        }
    )
    values = (replica.id, replica.host, replica.pid, replica.version)
    instants = (replica.started_at, replica.seen_at, replica.stopped_at)
    with database.claiming() as connection:
        connection.execute(
            f"INSERT INTO replicas ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            "seen_at = excluded.seen_at, stopped_at = excluded.stopped_at, keys = excluded.keys",
            (*values, *instants, text),
        )
        # No login lives longer that one of these may have suspended.
        connection.execute("DELETE FROM replicas WHERE seen_at < ?", (replica.seen_at - 2 * MAX_LIFETIME_S,))


def listed(database: Database) -> list[Replica]:
    """Return all daemons of late, by host and process. Raises: CatalogUnavailable."""
    with database.reading() as connection:
        return _read(connection, database.name)


def _read(connection: Connection, name: str) -> list[Replica]:
    try:
        rows = connection.execute(f"SELECT {_COLUMNS} FROM replicas ORDER BY host, pid, started_at").fetchall()
        return [_replica(row) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        kind = type(error).__name__
        raise CatalogUnavailable([f"the store {name} has a row of a daemon that cannot be read ({kind})"]) from None


def _replica(row: tuple[Any, ...]) -> Replica:
    keys: dict[str, Any] = json.loads(row[7])
    found = KeysInUse(
        str(keys["seals"]),
        tuple(map(str, keys["opens"])),
        {str(name): int(instant) for name, instant in keys["last_expiry_ms"].items()},
        tuple(map(str, keys["store"])),
        bool(keys["own"]),
    )
    return Replica(row[0], row[1], row[2], row[3], row[4], row[5], row[6], found)


def lacking(database: Database, store_key: str, now_s: float) -> list[str]:
    """Return the daemons that serve, and have not that key of the store."""
    serving = [one for one in listed(database) if one.state(now_s) == "serving"]
    return [str(one) for one in serving if store_key not in one.keys.store]


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One key of continuations, over all daemons."""

    id: str
    seals_on: tuple[str, ...]
    opens_on: tuple[str, ...]
    missing_on: tuple[str, ...]
    """Daemons that serve and cannot open what it sealed."""
    needed_until_ms: int | None
    """When the last login ends that it sealed, as far as daemons have said; None: none that is known."""
    unsure: tuple[str, ...]
    """Daemons that sealed with it, and have been silent since: they may have sealed more."""

    def removable(self, now_ms: float) -> bool:
        """Say whether no login needs it any more."""
        return not self.seals_on and not self.unsure and (self.needed_until_ms or 0) <= now_ms


def uses(found: list[Replica], now_s: float, lifetime_s: float) -> list[KeyUse]:
    """Say of each key where it seals and opens, and what still needs it. `lifetime_s` is that of a suspended login."""
    now_ms, since_s = now_s * 1000, now_s - lifetime_s - SILENT_AFTER_S
    serving = [one for one in found if one.state(now_s) == "serving"]
    silent = [one for one in found if one.state(now_s) == "silent" and one.seen_at >= since_s]
    ids = dict.fromkeys(name for one in [*serving, *silent] for name in (one.keys.seals, *one.keys.opens))
    ids |= dict.fromkeys(name for one in found for name, until in one.keys.last_expiry_ms.items() if until > now_ms)
    result = []
    for name in ids:
        until = [one.keys.last_expiry_ms[name] for one in found if name in one.keys.last_expiry_ms]
        result.append(
            KeyUse(
                name,
                tuple(str(one) for one in serving if one.keys.seals == name),
                tuple(str(one) for one in serving if name in one.keys.opens),
                tuple(str(one) for one in serving if name not in one.keys.opens),
                max(until, default=None),
                tuple(str(one) for one in silent if one.keys.seals == name),
            )
        )
    return sorted(result, key=lambda use: (-len(use.seals_on), -len(use.opens_on), use.id))
