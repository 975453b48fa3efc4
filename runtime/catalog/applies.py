"""What an apply writes: definitions become rows, in one transaction. Reading them back is images.py's part."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from runtime.catalog import rows, suspended
from runtime.catalog.base import Definition
from runtime.catalog.comparison import ApplyResult, by_tenant, compare
from runtime.catalog.database import Connection, Database
from runtime.errors import CatalogError


def apply(
    database: Database,
    definitions: Iterable[Definition],
    *,
    prune: bool = False,
    agreed: Collection[str] | None = None,
    clock: Callable[[], float] = time.time,
) -> ApplyResult:
    """Create or replace the given tenants in one transaction; with `prune`, remove every other one.

    The catalog's revision goes up by one when anything changes, and stays when nothing does. Makes the store when it is
    missing. With `agreed`, no tenants but those may be removed. Raises: CatalogError, and then nothing was changed.
    """
    wanted = by_tenant(definitions)
    database.prepare()
    with database.writing() as connection:
        result = compare(connection, wanted, prune)
        others = set() if agreed is None else set(result.pruned) - set(agreed)
        if others:
            names = ", ".join(sorted(others))
            raise CatalogError([f"the store {database.name} has changed: {names} would be removed too; apply again"])
        return _write(connection, wanted, result, int(clock()))


def _write(connection: Connection, wanted: Mapping[str, Definition], result: ApplyResult, now_s: int) -> ApplyResult:
    revision = result.revision
    if result.created or result.changed or result.pruned:
        revision += 1
        connection.execute(
            "INSERT INTO applies (revision, id, applied_at) VALUES (?, ?, ?)", (revision, os.urandom(16), now_s)
        )
        for tenant in (*result.changed, *result.pruned):
            suspended.keep(connection, tenant, now_s)
        for tenant in (*result.created, *result.changed):
            replace_tenant(connection, wanted[tenant], rows.digest(wanted[tenant].flow), revision)
        for tenant in result.pruned:
            _clear(connection, tenant)
            connection.execute(
                "UPDATE tenants SET settings = NULL, digest = NULL, doors = NULL, changed_in = ? WHERE tenant = ?",
                (revision, tenant),
            )
    suspended.prune(connection, now_s)
    return replace(result, revision=revision)


def _clear(connection: Connection, tenant: str) -> None:
    connection.execute("DELETE FROM bindings WHERE tenant = ?", (tenant,))
    connection.execute("DELETE FROM secrets WHERE tenant = ?", (tenant,))


def replace_tenant(connection: Connection, definition: Definition, digest: bytes, revision: int) -> None:
    flow = definition.flow
    _clear(connection, flow.tenant)
    connection.execute(
        "INSERT INTO tenants (tenant, settings, digest, changed_in, doors) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (tenant) DO UPDATE SET settings = excluded.settings, digest = excluded.digest, "
        "changed_in = excluded.changed_in, doors = excluded.doors",
        (flow.tenant, rows.settings_text(flow.settings), digest, revision, rows.doors_text(flow)),
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
    connection.executemany(
        "INSERT INTO secrets (tenant, action, name, value) VALUES (?, ?, ?, ?)",
        [(flow.tenant, action, name, value) for action, named in flow.secrets.items() for name, value in named.items()],
    )
