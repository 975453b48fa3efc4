"""The schema of a store in PostgreSQL: whether there is one, whether it fits this program, and how it is migrated."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Final

from runtime.catalog import schema
from runtime.catalog.database import Connection
from runtime.errors import CatalogUnavailable, NoStore

SCHEMA: Final = "vestibule"
"""Ours alone: what other programs keep in the database is never touched."""

# SQLite's words, and PostgreSQL's for the same.
_WORDS: Final = (
    (r"\bBLOB\b", "BYTEA"),
    (r"\bINTEGER\b", "BIGINT"),
    (r"\s+WITHOUT ROWID\b", ""),
    (r"\brandomblob\(16\)", "decode(replace(gen_random_uuid()::text, '-', ''), 'hex')"),
)
# What is there beside our store. What an extension brought is no program's.
_OTHERS: Final = """\
SELECT n.nspname = ?, count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') GROUP BY 1"""


@dataclass(frozen=True, slots=True)
class StoreSchema:
    """The schema of a store: its version, the oldest one whose programs can use it, and the release that made it."""

    version: int
    oldest: int
    release: str


def found(connection: Connection, name: str) -> StoreSchema | None:
    """Return the schema of the store; None for a database that holds nothing yet.

    Raises: CatalogUnavailable for a database that is not ours.
    """
    (ours,) = connection.execute(f"SELECT to_regclass('{SCHEMA}.schema_versions') IS NOT NULL").fetchone()
    if ours:
        query = f"SELECT version, oldest, release FROM {SCHEMA}.schema_versions ORDER BY version DESC LIMIT 1"
        row = connection.execute(query).fetchone()
        if row is not None:
            return StoreSchema(*row)
    others = dict(connection.execute(_OTHERS, (SCHEMA,)).fetchall())
    if others.get(True):
        raise CatalogUnavailable(
            [f"the store {name} has a schema {SCHEMA} of another program, or a damaged one; name another database"]
        )
    (made,) = connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname = ?", (SCHEMA,)).fetchone()
    if others.get(False) and not made:
        raise CatalogUnavailable(
            [
                f"the store {name} is another program's database; name another one, or run CREATE SCHEMA {SCHEMA} in "
                "it to share it"
            ]
        )
    return None


def must_fit(state: StoreSchema | None, name: str, setting: str) -> None:
    """Do nothing when this program can use the schema. Raises: NoStore, CatalogUnavailable."""
    if state is None:
        raise NoStore(
            [f"the store {name} holds nothing yet; apply to it, or run `vestibule migrate --store {setting}`"]
        )
    if state.version < schema.SCHEMA_VERSION:
        raise CatalogUnavailable(
            [
                f"the store {name} has schema {state.version} ({state.release}), and this version needs "
                f"{schema.SCHEMA_VERSION}; run `vestibule migrate --store {setting}`, which the version before bears"
            ]
        )
    schema.refuse_newer(name, state.version, state.oldest, state.release)


def migrate(connection: Connection, name: str) -> None:
    """Take every step that is missing, in a transaction beside no other writer. Raises: CatalogUnavailable."""
    (encoding,) = connection.execute("SHOW server_encoding").fetchone()
    if encoding != "UTF8":
        message = f"the store {name} has the encoding {encoding}; make its database with ENCODING 'UTF8'"
        raise CatalogUnavailable([message])
    state = found(connection, name)
    if state is not None:
        schema.refuse_newer(name, state.version, state.oldest, state.release)
    steps = schema.MIGRATIONS[state.version if state is not None else 0 :]
    if not steps:
        return
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    for step in steps:
        for statement in sql(step):
            connection.execute(statement)
    connection.execute(*schema.recorded(int(time.time())))


def sql(step: schema.Migration) -> list[str]:
    """Write the statements of a migration as PostgreSQL understands them."""
    return [_translated(statement) for statement in step.statements]


def _translated(statement: str | schema.Dialects) -> str:
    if isinstance(statement, schema.Dialects):
        return statement.postgresql
    for pattern, word in _WORDS:
        statement = re.sub(pattern, word, statement)
    return statement
