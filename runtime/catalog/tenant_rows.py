"""The rows of one tenant as it is now: written anew, or removed. What was there is kept elsewhere, by who calls."""

from __future__ import annotations

from runtime.catalog import cache_records, executions, rows
from runtime.catalog import vault as places
from runtime.catalog.base import Definition, Flow
from runtime.catalog.database import Connection
from runtime.catalog.keyed import vault_of
from runtime.catalog.vault import Vault


def remove_tenant(connection: Connection, tenant: str, revision: int) -> None:
    """Remove a tenant's rows but the one that says in which revision that was."""
    connection.execute("DELETE FROM bindings WHERE tenant = ?", (tenant,))
    connection.execute("DELETE FROM secrets WHERE tenant = ?", (tenant,))
    cache_records.purge(connection, tenant)
    executions.purge(connection, tenant)
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
    keep_sources(connection, definition)
    connection.executemany(
        "INSERT INTO bindings (tenant, position, action, sha256, on_error, timeout_us, uses) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                flow.tenant,
                at,
                binding.action,
                binding.revision,
                binding.on_error.value,
                binding.timeout_us,
                rows.uses_text(binding),
            )
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


def keep_sources(connection: Connection, definition: Definition) -> None:
    """Write the sources of a definition that are not there yet."""
    connection.executemany(
        "INSERT INTO revisions (sha256, source) VALUES (?, ?) ON CONFLICT DO NOTHING",
        sorted(definition.sources.items()),
    )
