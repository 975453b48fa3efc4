"""Trials: a version of a tenant beside the one that it has, for a share of its logins, or only to be reported on.

The flow of a trial lies in `superseded`, as a held one does. A trial ends by promotion, by command, when its denied or
degraded share leaves its band, or when the tenant is changed otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from runtime.catalog import chosen, comparison, holds, lineage, rows, suspended, versions
from runtime.catalog.base import GRADUAL, REPORT_ONLY, Band, Definition, Trial
from runtime.catalog.database import Connection, Database, Writing
from runtime.catalog.tenant_rows import keep_sources, replace_tenant
from runtime.catalog.versions import Author, Made, Version
from runtime.errors import CatalogError, UnknownVersion

# Longer than any trial, and an instant that both databases keep.
_FAR_S: Final = 32_503_680_000
_COLUMNS: Final = "tenant, number, percent, denied_points, degraded_points, digest, changed_in, ended"


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A trial as commands see it: of a version, for a percentage of logins; 0 is reported on only."""

    tenant: str
    number: int
    percent: int
    band: Band

    def __str__(self) -> str:
        return (
            f"version {self.number} for {self.percent} % of logins"
            if self.percent
            else f"version {self.number}, reported only"
        )


def begin(
    database: Writing,
    definitions: Iterable[Definition],
    percent: int,
    band: Band,
    author: Author,
    expected: Mapping[str, int],
) -> list[TrialRow]:
    """Begin a trial of each definition that is different from what its tenant has; 0 % is to be reported on only.

    The same definition again changes percentage and band. Raises: Conflict, CatalogError; then nothing was changed.
    """
    wanted = comparison.by_tenant(definitions)
    with database.writing() as connection:
        found = comparison.compare(connection, wanted, prune=False)
        if found.created:
            names = ", ".join(found.created)
            raise CatalogError(
                [f"{names}: is not in the store, so there is no version beside it; apply it whole first"]
            )
        versions.refuse_conflicts(connection, expected, found.changed)
        if not found.changed:
            return []
        versions.record_found(connection, found.changed)
        revision = lineage.advance(connection, author.at_s)
        begun = []
        for tenant in found.changed:
            changes = found.changes.get(tenant, ())
            begun.append(_begin(connection, wanted[tenant], percent, band, changes, revision, author))
        return begun


def _begin(
    connection: Connection,
    definition: Definition,
    percent: int,
    band: Band,
    changes: Iterable[comparison.Change],
    revision: int,
    author: Author,
) -> TrialRow:
    flow = replace(definition.flow, digest=rows.fingerprint(connection, definition.flow))
    running = _running(connection, flow.tenant)
    if running is not None and running[1] != flow.digest:
        message = f"{flow.tenant}: version {running[0].number} is on trial; promote or abandon it first"
        raise CatalogError([message])
    if running is not None:
        number = running[0].number
    else:
        keep_sources(connection, definition)
        suspended.keep_flow(connection, flow, _FAR_S)
        made = Made(flow, GRADUAL if percent else REPORT_ONLY, changes=tuple(changes))
        number = versions.record(connection, {flow.tenant: made}, revision, author)[flow.tenant]
        # A daemon may have told of the trial before while it was ending.
        connection.execute("DELETE FROM trial_counts WHERE tenant = ?", (flow.tenant,))
    values = (flow.tenant, number, percent, band.denied_points, band.degraded_points, flow.digest, revision, "")
    connection.execute(
        f"INSERT INTO trials ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant) DO UPDATE SET "
        "number = excluded.number, percent = excluded.percent, denied_points = excluded.denied_points, "
        "degraded_points = excluded.degraded_points, digest = excluded.digest, changed_in = excluded.changed_in, "
        "ended = excluded.ended",
        values,
    )
    return TrialRow(flow.tenant, number, percent, band)


def promote(database: Writing, tenant: str, author: Author) -> Version:
    """Make what is on trial the tenant's version. Raises: UnknownVersion, CatalogError."""
    with database.writing() as connection:
        begun, digest = _required(connection, tenant)
        state = suspended.kept(connection, tenant, digest)
        if state is None:
            raise CatalogError([f"{tenant}: the flow of version {begun.number} is not kept; apply it again"])
        old = versions.current(connection, tenant)
        versions.record_found(connection, [tenant])
        revision = lineage.advance(connection, author.at_s)
        suspended.keep(connection, tenant, author.at_s)
        replace_tenant(connection, state, rows.fingerprint(connection, state.flow), revision)
        changes = comparison.changes(old.flow, state.flow)
        versions.record(connection, {tenant: Made(state.flow, "promote", begun.number, changes)}, revision, author)
        _end(connection, tenant, digest, revision, author.at_s, "promoted")
        holds.refresh(connection, [tenant], revision, author.at_s)
        return versions.version(connection, tenant)


def abandon(database: Writing, tenant: str, author: Author) -> TrialRow:
    """End a tenant's trial; every login is decided by its own version again. Raises: UnknownVersion, CatalogError."""
    with database.writing() as connection:
        begun, digest = _required(connection, tenant)
        revision = lineage.advance(connection, author.at_s)
        _end(connection, tenant, digest, revision, author.at_s, f"abandoned by {author.who}")
        return begun


def give_up(database: Database, tenant: str, number: int, reason: str, now_s: int) -> bool:
    """End the trial of a version if it is still running: a daemon saw that it leaves its band. Raises: CatalogError."""
    with database.writing() as connection:
        running = _running(connection, tenant)
        if running is None or running[0].number != number:
            return False
        revision = lineage.advance(connection, now_s)
        _end(connection, tenant, running[1], revision, now_s, reason)
        return True


def runs(connection: Connection, tenant: str, number: int) -> bool:
    """Tell whether a version of a tenant is on trial."""
    running = _running(connection, tenant)
    return running is not None and running[0].number == number


def overtake(connection: Connection, tenants: Iterable[str], revision: int, now_s: int) -> None:
    """End the trials of tenants that were changed otherwise: they were made from what is not there any more."""
    query = "SELECT tenant, digest FROM trials WHERE digest IS NOT NULL AND {}"
    for tenant, digest in chosen.rows(connection, query, tenants):
        _end(connection, tenant, bytes(digest), revision, now_s, "the tenant was changed otherwise")


def listed(connection: Connection) -> dict[str, TrialRow]:
    """Return the running trials by tenant."""
    query = f"SELECT {_COLUMNS} FROM trials WHERE digest IS NOT NULL ORDER BY tenant"
    return {row[0]: _begun(row) for row in connection.execute(query)}


def last_end(connection: Connection, tenant: str) -> str:
    """Say why a tenant's last trial ended; empty while it runs, or without one."""
    row = connection.execute("SELECT number, ended FROM trials WHERE tenant = ?", (tenant,)).fetchone()
    return f"the trial of version {row[0]} ended: {row[1]}" if row is not None and row[1] else ""


def changed(connection: Connection, since: int) -> Iterator[tuple[str, Trial | None]]:
    """Return the trials that changed since a revision; None for one that has ended. Raises: UNREADABLE."""
    query = f"SELECT {_COLUMNS} FROM trials WHERE changed_in > ? ORDER BY tenant"
    for row in connection.execute(query, (since,)).fetchall():
        begun = _begun(row)
        if row[5] is None:
            yield begun.tenant, None
            continue
        state = suspended.kept(connection, begun.tenant, bytes(row[5]))
        if state is None:
            raise KeyError(f"the flow on trial of tenant {begun.tenant}")
        served = GRADUAL if begun.percent else REPORT_ONLY
        flow = replace(state.flow, version=begun.number, served=served)
        yield begun.tenant, Trial(replace(state, flow=flow), begun.percent, begun.band)


def _begun(row: tuple[str, int, int, int, int]) -> TrialRow:
    tenant, number, percent, denied, degraded, *_ = row
    return TrialRow(tenant, number, percent, Band(denied, degraded))


def _running(connection: Connection, tenant: str) -> tuple[TrialRow, bytes] | None:
    query = f"SELECT {_COLUMNS} FROM trials WHERE tenant = ? AND digest IS NOT NULL"
    row = connection.execute(query, (tenant,)).fetchone()
    return None if row is None else (_begun(row), bytes(row[5]))


def _required(connection: Connection, tenant: str) -> tuple[TrialRow, bytes]:
    versions.version(connection, tenant)
    running = _running(connection, tenant)
    if running is None:
        why = last_end(connection, tenant)
        raise UnknownVersion([f"tenant {tenant!r} has no version on trial" + (f"; {why}" if why else "")])
    return running


def _end(connection: Connection, tenant: str, digest: bytes, revision: int, now_s: int, why: str) -> None:
    query = "UPDATE trials SET digest = NULL, changed_in = ?, ended = ? WHERE tenant = ?"
    connection.execute(query, (revision, why, tenant))
    query = "UPDATE superseded SET replaced_at = ? WHERE tenant = ? AND digest = ?"
    connection.execute(query, (now_s, tenant, digest))
    connection.execute("DELETE FROM trial_counts WHERE tenant = ?", (tenant,))
