"""Holds: for a while, daemons serve a version of a tenant instead of its newest, or its policy alone.

A held flow lies in `superseded`, with the secrets of the moment, so that a suspended login finds it as it finds any
other flow. It is written anew when the tenant changes. When a hold ends is each daemon's own to see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from runtime.catalog import chosen, lineage, rows, suspended, versions
from runtime.catalog.base import HELD, NO_SECRETS, POLICY, Definition
from runtime.catalog.database import Connection, Writing
from runtime.catalog.versions import Author
from runtime.errors import UnknownVersion

_COLUMNS: Final = "tenant, number, held_until, held_by, held_at, message, digest, changed_in"


@dataclass(frozen=True, slots=True)
class TenantHold:
    """A tenant that is held: at a version, or, without a number, at its policy alone. Instants in seconds."""

    tenant: str
    number: int | None
    until: int
    held_by: str
    held_at: int
    message: str

    def __str__(self) -> str:
        what = "the policy alone" if self.number is None else f"version {self.number}"
        why = f": {self.message}" if self.message else ""
        return f"{what} until {datetime.fromtimestamp(self.until, UTC):%Y-%m-%dT%H:%M:%SZ} by {self.held_by}{why}"


def hold(
    database: Writing, tenant: str, number: int | None, span_s: int, author: Author, *, force: bool = False
) -> tuple[TenantHold, tuple[str, ...]]:
    """TenantHold a tenant for a while; return the hold, and the secrets that the version names and the tenant has not.

    Raises: UnknownVersion, CatalogError; also for a version that names secrets which are gone, unless `force`.
    """
    with database.writing() as connection:
        versions.current(connection, tenant)
        versions.record_found(connection, [tenant])
        held, missing = _held(connection, tenant, number, force=force)
        revision = lineage.advance(connection, author.at_s)
        found = TenantHold(tenant, number, author.at_s + span_s, author.who, author.at_s, author.message)
        _end(connection, tenant, author.at_s)
        suspended.keep_flow(connection, held.flow, found.until)
        connection.execute(
            f"INSERT INTO holds ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant) DO UPDATE SET "
            "number = excluded.number, held_until = excluded.held_until, held_by = excluded.held_by, "
            "held_at = excluded.held_at, message = excluded.message, digest = excluded.digest, "
            "changed_in = excluded.changed_in",
            (tenant, number, found.until, found.held_by, found.held_at, found.message, held.flow.digest, revision),
        )
    return found, missing


def release(database: Writing, tenant: str, author: Author) -> bool:
    """End a tenant's hold; False when there is none. Raises: UnknownVersion: the tenant never was; CatalogError."""
    with database.writing() as connection:
        versions.version(connection, tenant)
        if not active(connection, author.at_s, [tenant]):
            return False
        _end(connection, tenant, author.at_s)
        query = "UPDATE holds SET digest = NULL, held_until = ?, changed_in = ? WHERE tenant = ?"
        connection.execute(query, (author.at_s, lineage.advance(connection, author.at_s), tenant))
        return True


def refresh(connection: Connection, tenants: Iterable[str], revision: int, now_s: int) -> None:
    """Give held flows of tenants that were changed in a revision the secrets that these have now.

    The hold of a tenant that was removed ends.
    """
    held = active(connection, now_s, tenants)
    for tenant in sorted(held):
        _end(connection, tenant, now_s)
        try:
            state, _ = _held(connection, tenant, held[tenant].number, force=True)
        except UnknownVersion:
            query = "UPDATE holds SET digest = NULL, held_until = ?, changed_in = ? WHERE tenant = ?"
            connection.execute(query, (now_s, revision, tenant))
            continue
        suspended.keep_flow(connection, state.flow, held[tenant].until)
        query = "UPDATE holds SET digest = ?, changed_in = ? WHERE tenant = ?"
        connection.execute(query, (state.flow.digest, revision, tenant))


def active(connection: Connection, now_s: int, tenants: Iterable[str] | None = None) -> dict[str, TenantHold]:
    """Return the holds that have not ended, by tenant: of some tenants, or of all."""
    query = f"SELECT {_COLUMNS} FROM holds WHERE digest IS NOT NULL AND held_until > ? AND {{}} ORDER BY tenant"
    found = chosen.rows(connection, query, tenants, parameters=(now_s,))
    return {row[0]: TenantHold(*row[:6]) for row in found}


@dataclass(frozen=True, slots=True)
class HeldFlow:
    """What daemons serve of a tenant until an instant, in seconds: a flow, with its sources."""

    definition: Definition
    until: int


def changed(connection: Connection, since: int) -> Iterator[tuple[str, HeldFlow | None]]:
    """Return what tenants are held at, of holds that changed since a revision; None for one that was released.

    Raises: UNREADABLE.
    """
    query = f"SELECT {_COLUMNS} FROM holds WHERE changed_in > ? ORDER BY tenant"
    for row in connection.execute(query, (since,)).fetchall():
        tenant, number, until, digest = row[0], row[1], row[2], row[6]
        if digest is None:
            yield tenant, None
            continue
        state = suspended.kept(connection, tenant, digest)
        if state is None:
            raise KeyError(f"the held flow of tenant {tenant}")
        flow = replace(state.flow, version=number or 0, served=HELD if number else POLICY)
        yield tenant, HeldFlow(replace(state, flow=flow), until)


def _held(
    connection: Connection, tenant: str, number: int | None, *, force: bool
) -> tuple[Definition, tuple[str, ...]]:
    live = versions.current(connection, tenant)
    if number is None:
        return _fingerprinted(connection, Definition(replace(live.flow, bindings=(), secrets=NO_SECRETS))), ()
    version = versions.version(connection, tenant, number)
    state, missing = versions.state_with_secrets(connection, version, force=force)
    return _fingerprinted(connection, state), missing


def _fingerprinted(connection: Connection, state: Definition) -> Definition:
    return replace(state, flow=replace(state.flow, digest=rows.fingerprint(connection, state.flow)))


def _end(connection: Connection, tenant: str, now_s: int) -> None:
    """Let what a tenant was held at be kept as any flow that was replaced: for as long as a login may be suspended."""
    connection.execute(
        "UPDATE superseded SET replaced_at = ? WHERE tenant = ? AND replaced_at > ? AND digest IN "
        "(SELECT digest FROM holds WHERE tenant = ?)",
        (now_s, tenant, now_s, tenant),
    )
