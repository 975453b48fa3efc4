"""How a flow is written into the store's rows, and read from them: the text of settings, the fingerprint, old flows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from runtime.catalog import door_sections
from runtime.catalog import vault as places
from runtime.catalog.base import Binding, Definition, Flow
from runtime.catalog.database import Connection
from runtime.catalog.hook_door import NO_DOORS, HookDoor
from runtime.catalog.keyed import vault_of
from runtime.catalog.vault import PLAIN, Vault
from runtime.core.model import OnError, Settings

_DEFAULT: Final = Settings()
# Settings of the first version. Later ones are written when a tenant sets them, so that older fingerprints stay.
_FIRST: Final = ("experience", "policy", "factors", "merge", "none_lifts_adaptive")

UNREADABLE: Final = (ValueError, KeyError, TypeError)
"""What reading raises for a row that this version cannot read."""


def settings_text(settings: Settings) -> str:
    """Write settings as JSON, in the order of their declaration: a fingerprint covers the text."""
    values = {member.name: getattr(settings, member.name) for member in fields(Settings)}
    kept = {name: value for name, value in values.items() if name in _FIRST or value != getattr(_DEFAULT, name)}
    return json.dumps({name: value.value if isinstance(value, Enum) else value for name, value in kept.items()})


def settings_of(text: str) -> Settings:
    """Read settings. Raises: UNREADABLE."""
    row = json.loads(text)
    names = [member.name for member in fields(Settings) if member.name in _FIRST or member.name in row]
    return Settings(**{name: type(getattr(_DEFAULT, name))(row[name]) for name in names})


def doors_text(flow: Flow) -> str | None:
    """Write the doors as JSON; None without any."""
    return json.dumps(door_sections.to_row(flow.doors)) if flow.doors else None


def doors_of(text: str | None) -> Mapping[str, HookDoor]:
    """Read doors. Raises: UNREADABLE."""
    return NO_DOORS if text is None else door_sections.of_row(json.loads(text))


def binding_row(binding: Binding) -> list[Any]:
    """Write a binding; what it uses only where it says so, so that older fingerprints stay."""
    row = [binding.action, binding.revision, binding.on_error.value, binding.timeout_us]
    return row if binding.uses is None else [*row, list(binding.uses)]


def binding_of(
    action: str, sha256: str, on_error: str, timeout_us: int | None, uses: Sequence[str] | None = None
) -> Binding:
    """Read a binding. Raises: UNREADABLE."""
    return Binding(action, sha256, OnError(on_error), timeout_us, None if uses is None else tuple(uses))


def uses_text(binding: Binding) -> str | None:
    """Write what a binding uses; None for everything."""
    return None if binding.uses is None else json.dumps(binding.uses)


def digest(flow: Flow, vault: Vault = PLAIN) -> bytes:
    """Fingerprint everything that an apply writes for a tenant, to tell a change from a repetition.

    In a sealed store it is its vault's, so that no secret can be guessed by it.
    """
    secrets = {action: dict(sorted(named.items())) for action, named in sorted(flow.secrets.items())}
    bindings = [binding_row(binding) for binding in flow.bindings]
    parts: list[Any] = [settings_text(flow.settings), bindings, secrets]
    # Only where there are some, so that older fingerprints stay.
    parts += [doors_text(flow)] if flow.doors else []
    return vault.fingerprint(json.dumps(parts).encode())


def frozen(secrets: Mapping[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, str]]:
    """Make secrets read-only."""
    return MappingProxyType({action: MappingProxyType(dict(named)) for action, named in secrets.items()})


def source_of(sha256: str, source: str) -> str:
    """Return a source that is what its name says. Raises: ValueError."""
    if hashlib.sha256(source.encode()).hexdigest() != sha256:
        raise ValueError(f"revision {sha256} does not match its source")
    return source


def deployed(connection: Connection, tenant: str) -> tuple[bytes | None, str]:
    """Read a tenant's flow as it is now: its fingerprint, and the text that `superseded` holds of one."""
    query = "SELECT settings, digest, doors FROM tenants WHERE tenant = ?"
    settings, digest, opened = connection.execute(query, (tenant,)).fetchone() or (None, None, None)
    query = "SELECT action, sha256, on_error, timeout_us, uses FROM bindings WHERE tenant = ? ORDER BY position"
    bindings = [
        [*row, *([] if uses is None else [json.loads(uses)])]
        for *row, uses in connection.execute(query, (tenant,)).fetchall()
    ]
    bound = {binding[0] for binding in bindings}
    secrets = {action: named for action, named in secrets_of(connection, tenant).items() if action in bound}
    opened = None if opened is None else vault_of(connection).open(places.doors(tenant), opened)
    return digest, _text(settings, bindings, secrets, opened)


def fingerprint(connection: Connection, flow: Flow) -> bytes:
    """Return the digest of a flow in a store."""
    return digest(flow, vault_of(connection))


def secrets_of(connection: Connection, tenant: str) -> dict[str, dict[str, str]]:
    """Return the secrets of a tenant; a rollback leaves those of actions that no flow binds now."""
    secrets: dict[str, dict[str, str]] = {}
    vault = vault_of(connection)
    query = "SELECT action, name, value FROM secrets WHERE tenant = ?"
    for action, name, value in connection.execute(query, (tenant,)):
        secrets.setdefault(action, {})[name] = vault.open(places.secret(tenant, action, name), value)
    return secrets


def text_of(flow: Flow) -> str:
    """Write a flow as `superseded` holds one."""
    bindings = [binding_row(binding) for binding in flow.bindings]
    secrets = {action: dict(named) for action, named in flow.secrets.items()}
    return _text(settings_text(flow.settings), bindings, secrets, doors_text(flow))


def _text(settings: str | None, bindings: Sequence[Any], secrets: Mapping[str, Any], doors: str | None) -> str:
    return json.dumps({"settings": settings, "bindings": bindings, "secrets": secrets, "doors": doors})


def definition_of(connection: Connection, tenant: str, digest: bytes, text: str) -> Definition:
    """Return a flow from that text, with its sources. Raises: UNREADABLE."""
    row: dict[str, Any] = json.loads(text)
    bindings = tuple([binding_of(*members) for members in row["bindings"]])
    opened = doors_of(row.get("doors"))  # absent in what an earlier version kept
    flow = Flow(tenant, settings_of(row["settings"]), bindings, frozen(row["secrets"]), digest, opened)
    return Definition(flow, sources_of(connection, bindings))


def sources_of(connection: Connection, bindings: Iterable[Binding]) -> dict[str, str]:
    """Return the source of each bound revision. Raises: UNREADABLE."""
    sources = {}
    for binding in bindings:
        query = "SELECT source FROM revisions WHERE sha256 = ?"
        (source,) = connection.execute(query, (binding.revision,)).fetchone()
        sources[binding.revision] = source_of(binding.revision, source)
    return sources
