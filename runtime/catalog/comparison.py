"""What an apply would do to a store: which tenants it adds, changes, leaves and removes, and what changes in them.

Knows the store's rows. Must not write any.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.catalog import rows, store, suspended
from runtime.catalog.base import Definition, Flow
from runtime.catalog.changes import Change, changes
from runtime.errors import CatalogError


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What an apply did, by tenant name, ordered. `revision` is the catalog's afterwards."""

    revision: int
    created: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    pruned: tuple[str, ...]
    changes: Mapping[str, tuple[Change, ...]] = field(default_factory=dict, compare=False)
    """By tenant that changed."""


def plan(
    path: str | os.PathLike[str], definitions: Iterable[Definition], *, prune: bool, timeout_s: float = 10.0
) -> ApplyResult:
    """Tell what an apply would do, and do nothing; `revision` is the one that is there. Raises: CatalogError."""
    file = Path(path)
    wanted = by_tenant(definitions)
    if not file.exists():
        return ApplyResult(0, tuple(sorted(wanted)), (), (), ())
    with store.reading(file, timeout_s) as connection, store.transaction(connection, "BEGIN"):
        return compare(connection, wanted, prune)


def by_tenant(definitions: Iterable[Definition]) -> dict[str, Definition]:
    """Return the definitions by tenant. Raises: CatalogError for a tenant that is given twice."""
    wanted: dict[str, Definition] = {}
    for definition in definitions:
        if wanted.setdefault(definition.flow.tenant, definition) is not definition:
            raise CatalogError([f"tenant {definition.flow.tenant!r} is given twice"])
    return wanted


def compare(connection: sqlite3.Connection, wanted: Mapping[str, Definition], prune: bool) -> ApplyResult:
    """Compare what is wanted with what is there; `revision` is the one that is there."""
    found = connection.execute("SELECT tenant, digest FROM tenants WHERE settings IS NOT NULL")
    present: dict[str, bytes] = dict(found.fetchall())
    both = sorted(wanted.keys() & present.keys())
    changed = tuple([tenant for tenant in both if rows.digest(wanted[tenant].flow) != present[tenant]])
    (revision,) = connection.execute("SELECT coalesce(max(revision), 0) FROM applies").fetchone()
    return ApplyResult(
        revision,
        created=tuple(sorted(wanted.keys() - present.keys())),
        changed=changed,
        unchanged=tuple([tenant for tenant in both if tenant not in set(changed)]),
        pruned=tuple(sorted(present.keys() - wanted.keys())) if prune else (),
        changes={tenant: _changes(connection, wanted[tenant].flow) for tenant in changed},
    )


def _changes(connection: sqlite3.Connection, flow: Flow) -> tuple[Change, ...]:
    digest, text = suspended.deployed(connection, flow.tenant)
    try:
        old = suspended.definition_of(connection, flow.tenant, digest or b"", text).flow
    except (ValueError, KeyError, TypeError):
        # An apply may replace what this version cannot read.
        return (Change("tenant", flow.tenant, "replaces what this version cannot read"),)
    return changes(old, flow)
