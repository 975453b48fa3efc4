"""What an apply writes: definitions become rows, in one transaction. Reading them back is images.py's part."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from runtime.catalog import holds, lineage, rows, suspended, trials, versions
from runtime.catalog.base import Definition
from runtime.catalog.comparison import ApplyResult, by_tenant, compare
from runtime.catalog.database import Connection, Database
from runtime.catalog.tenant_rows import remove_tenant, replace_tenant
from runtime.catalog.versions import Author, Made
from runtime.errors import CatalogError

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
        return write(connection, wanted, result, author or Author("", int(clock())), expected)


def write(
    connection: Connection,
    wanted: Mapping[str, Definition],
    planned: ApplyResult,
    author: Author,
    expected: Mapping[str, int] = _NONE,
) -> ApplyResult:
    """Do what `compare` has planned, in its transaction. Raises: Conflict."""
    versions.refuse_conflicts(connection, expected, (*planned.created, *planned.changed, *planned.pruned))
    result = _write(connection, wanted, planned, author)
    known = versions.numbers(connection, wanted)
    return replace(result, versions={tenant: known[tenant] for tenant in sorted(wanted)})


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
        trials.overtake(connection, changing, revision, now_s)
        holds.refresh(connection, changing, revision, now_s)
    suspended.prune(connection, now_s)
    return replace(result, revision=revision)
