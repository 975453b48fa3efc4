"""What an apply writes: definitions become rows, in one transaction. Reading them back is images.py's part."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from runtime.catalog import holds, lineage, rows, suspended, versions
from runtime.catalog import vault as places
from runtime.catalog.base import Definition, Flow
from runtime.catalog.comparison import ApplyResult, by_tenant, compare
from runtime.catalog.database import Connection, Database
from runtime.catalog.keyed import vault_of
from runtime.catalog.vault import Vault
from runtime.catalog.versions import Author, Made
from runtime.errors import CatalogError, Conflict

_NONE: Final[Mapping[str, int]] = MappingProxyType({})


def apply(
    database: Database,
    definitions: Iterable[Definition],
    *,
    prune: bool = False,
    agreed: Collection[str] | None = None,
    author: Author | None = None,
    expected: Mapping[str, int] = _NONE,
    clock: Callable[[], float] = time.time,
) -> ApplyResult:
    """Create or replace the given tenants in one transaction; with `prune`, remove every other one.

    The catalog's revision goes up by one when anything changes, and stays when nothing does. Makes the store when it is
    missing. Each tenant that changes gets a new version, by its author. With `agreed`, no tenants but those may be
    removed. `expected` has the versions that definitions were made from.
    Raises: Conflict when one of those was changed meanwhile, CatalogError; then nothing was changed.
    """
    wanted = by_tenant(definitions)
    database.prepare()
    with database.writing() as connection:
        result = compare(connection, wanted, prune)
        others = set() if agreed is None else set(result.pruned) - set(agreed)
        if others:
            names = ", ".join(sorted(others))
            raise CatalogError([f"the store {database.name} has changed: {names} would be removed too; apply again"])
        refuse_conflicts(connection, expected, result)
        result = _write(connection, wanted, result, author or Author("", int(clock())))
        known = versions.numbers(connection)
        return replace(result, versions={tenant: known[tenant] for tenant in sorted(wanted)})


def refuse_conflicts(connection: Connection, expected: Mapping[str, int], result: ApplyResult) -> None:
    """Do nothing when what would be changed is what its editor began with. Raises: Conflict."""
    found = versions.conflicts(connection, expected, (*result.created, *result.changed, *result.pruned))
    if found:
        raise Conflict({tenant: (expected[tenant], newest) for tenant, newest in found.items()})


def _write(
    connection: Connection, wanted: Mapping[str, Definition], result: ApplyResult, author: Author
) -> ApplyResult:
    revision, now_s = result.revision, author.at_s
    changing = (*result.created, *result.changed, *result.pruned)
    if changing:
        versions.record_found(connection, changing)
        revision = lineage.advance(connection, now_s)
        for tenant in (*result.changed, *result.pruned):
            suspended.keep(connection, tenant, now_s)
        for tenant in (*result.created, *result.changed):
            replace_tenant(connection, wanted[tenant], rows.fingerprint(connection, wanted[tenant].flow), revision)
        for tenant in result.pruned:
            remove_tenant(connection, tenant, revision)
        made = {
            tenant: Made(wanted[tenant].flow, changes=result.changes.get(tenant, ()))
            for tenant in (*result.created, *result.changed)
        }
        versions.record(connection, made | {tenant: Made(None) for tenant in result.pruned}, revision, author)
        holds.refresh(connection, changing, revision, now_s)
    suspended.prune(connection, now_s)
    return replace(result, revision=revision)


def remove_tenant(connection: Connection, tenant: str, revision: int) -> None:
    """Remove a tenant's rows but the one that says in which revision that was."""
    connection.execute("DELETE FROM bindings WHERE tenant = ?", (tenant,))
    connection.execute("DELETE FROM secrets WHERE tenant = ?", (tenant,))
    connection.execute(
        "UPDATE tenants SET settings = NULL, digest = NULL, doors = NULL, changed_in = ? WHERE tenant = ?",
        (revision, tenant),
    )


def replace_tenant(
    connection: Connection, definition: Definition, digest: bytes, revision: int, *, keep_secrets: bool = False
) -> None:
    """Write a tenant's rows anew; with `keep_secrets` all but those of its actions' secrets."""
    flow, vault = definition.flow, vault_of(connection)
    connection.execute("DELETE FROM bindings WHERE tenant = ?", (flow.tenant,))
    connection.execute(
        "INSERT INTO tenants (tenant, settings, digest, changed_in, doors) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (tenant) DO UPDATE SET settings = excluded.settings, digest = excluded.digest, "
        "changed_in = excluded.changed_in, doors = excluded.doors",
        (flow.tenant, rows.settings_text(flow.settings), digest, revision, _sealed_doors(vault, flow)),
    )
    connection.executemany(
        "INSERT INTO revisions (sha256, source) VALUES (?, ?) ON CONFLICT DO NOTHING",
        sorted(definition.sources.items()),
    )
    connection.executemany(
        "INSERT INTO bindings (tenant, position, action, sha256, on_error, timeout_us) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (flow.tenant, at, binding.action, binding.revision, binding.on_error.value, binding.timeout_us)
            for at, binding in enumerate(flow.bindings)
        ],
    )
    if keep_secrets:
        return
    connection.execute("DELETE FROM secrets WHERE tenant = ?", (flow.tenant,))
    connection.executemany(
        "INSERT INTO secrets (tenant, action, name, value) VALUES (?, ?, ?, ?)",
        [
            (flow.tenant, action, name, vault.seal(places.secret(flow.tenant, action, name), value))
            for action, named in flow.secrets.items()
            for name, value in named.items()
        ],
    )


def _sealed_doors(vault: Vault, flow: Flow) -> str | None:
    text = rows.doors_text(flow)
    return None if text is None else vault.seal(places.doors(flow.tenant), text)
