"""Make a tenant what it was at an earlier version, or remove it: a new version each time. Secrets stay as they are."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.catalog import comparison, holds, lineage, rows, suspended, trials, versions
from runtime.catalog.base import Definition
from runtime.catalog.database import Connection, Writing
from runtime.catalog.tenant_rows import remove_tenant, replace_tenant
from runtime.catalog.versions import Author, Made, Version
from runtime.errors import UnknownVersion


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The newest version now, the one whose content it has, and the secrets that it names and the tenant has not.

    `changed` is False when the tenant had that content already.
    """

    version: Version
    to: int
    missing: tuple[str, ...] = ()
    changed: bool = True


def rollback(database: Writing, tenant: str, to: int | None, author: Author, *, force: bool = False) -> RolledBack:
    """Give a tenant the content of a version: of the one before what it has now, without a number.

    Raises: UnknownVersion, CatalogError; also for a version that names secrets which are gone, unless `force`.
    """
    with database.writing() as connection:
        newest, chosen = versions.version(connection, tenant), target(connection, tenant, to)
        state, missing = versions.state_with_secrets(connection, chosen, force=force)
        old = _present(connection, tenant)
        digest = rows.fingerprint(connection, state.flow)
        if old is not None and rows.fingerprint(connection, old.flow) == digest:
            return RolledBack(newest, chosen.number, missing, changed=False)
        versions.record_found(connection, [tenant])
        revision = lineage.advance(connection, author.at_s)
        if old is not None:
            suspended.keep(connection, tenant, author.at_s)
        replace_tenant(connection, state, digest, revision, keep_secrets=True)
        changes = comparison.changes(old.flow, state.flow) if old is not None else ()
        made = Made(state.flow, "rollback", chosen.number, changes)
        versions.record(connection, {tenant: made}, revision, author)
        trials.overtake(connection, [tenant], revision, author.at_s)
        holds.refresh(connection, [tenant], revision, author.at_s)
        return RolledBack(versions.version(connection, tenant), chosen.number, missing)


def target(connection: Connection, tenant: str, to: int | None) -> Version:
    """Return the version that a rollback goes back to. Raises: UnknownVersion."""
    history = versions.history(connection, tenant)
    return versions.version(connection, tenant, _before(history) if to is None else to)


def remove(database: Writing, tenant: str, author: Author) -> Version:
    """Remove a tenant and its secrets. Raises: UnknownVersion when it is not there, CatalogError."""
    with database.writing() as connection:
        versions.current(connection, tenant)
        versions.record_found(connection, [tenant])
        revision = lineage.advance(connection, author.at_s)
        suspended.keep(connection, tenant, author.at_s)
        remove_tenant(connection, tenant, revision)
        versions.record(connection, {tenant: Made(None, "delete")}, revision, author)
        trials.overtake(connection, [tenant], revision, author.at_s)
        holds.refresh(connection, [tenant], revision, author.at_s)
        return versions.version(connection, tenant)


def _before(history: list[Version]) -> int:
    """Return the version before what a tenant has now: a rollback has an earlier one. Raises: UnknownVersion."""
    by_number = {version.number: version for version in history}
    now = next(version for version in history if not version.beside)
    while now.copy_of is not None and now.copy_of in by_number:
        now = by_number[now.copy_of]
    for number in range(now.number - 1, 0, -1):
        version = by_number.get(number)
        if version is not None and version.content_hash and not version.beside:
            return number
    raise UnknownVersion([f"{now} is the first version of tenant {now.tenant!r}; there is none before it"])


def _present(connection: Connection, tenant: str) -> Definition | None:
    try:
        return versions.current(connection, tenant)
    except UnknownVersion:
        return None
