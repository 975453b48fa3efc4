"""How rows become snapshots: a reader's image of the store, brought up to date by what changed since."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from runtime.catalog import chosen, holds, lineage, rows, trials, versions
from runtime.catalog import vault as places
from runtime.catalog.base import EMPTY, NO_TRIALS, Binding, Flow, Snapshot, Trial
from runtime.catalog.database import Connection
from runtime.catalog.holds import HeldFlow
from runtime.catalog.keyed import vault_of
from runtime.catalog.lineage import NO_MARK, Mark
from runtime.core.model import Settings
from runtime.errors import CatalogUnavailable

T = TypeVar("T")


@dataclass(slots=True)
class Image:
    """What a reader holds of the store: a snapshot, and what it takes to bring it up to date.

    `newest` has every tenant at its newest version; in `snapshot` those that are held are at what they are held at, and
    the others have their trials.
    """

    snapshot: Snapshot = EMPTY
    mark: Mark = NO_MARK
    changed: int = 0
    removed: int = 0
    # How many bindings use each source, so that unused ones are dropped.
    uses: dict[str, int] = field(default_factory=dict)
    newest: Snapshot = EMPTY
    held: Mapping[str, HeldFlow] = field(default_factory=dict)
    trials: Mapping[str, Trial] = field(default_factory=lambda: NO_TRIALS)

    @property
    def next_end_s(self) -> float:
        """When the next hold ends; infinite without any."""
        return min((held.until for held in self.held.values()), default=math.inf)

    def at(self, now_s: float) -> Image:
        """Return the image at an instant: itself, unless a hold has ended by then."""
        kept = {tenant: held for tenant, held in self.held.items() if now_s < held.until}
        if len(kept) == len(self.held):
            return self
        return replace(
            self,
            snapshot=served(self.newest, kept, self.trials),
            held=kept,
            changed=len(self.held) - len(kept),
            removed=0,
        )


def served(newest: Snapshot, held: Mapping[str, HeldFlow], trials: Mapping[str, Trial]) -> Snapshot:
    """Return a snapshot in which held tenants are at what they are held at, and the others have their trials."""
    if not held and not trials:
        return newest
    tenants, sources = _copied(newest.tenants), _copied(newest.sources)
    for tenant, hold in held.items():
        if tenant in tenants:
            tenants[tenant] = hold.definition.flow
            sources |= hold.definition.sources
    tried = {tenant: trial for tenant, trial in trials.items() if tenant in tenants and tenant not in held}
    return Snapshot(
        newest.revision, MappingProxyType(tenants), MappingProxyType(sources), MappingProxyType(tried) or NO_TRIALS
    )


def _copied(mapping: Mapping[str, T]) -> dict[str, T]:
    # dict() asks a proxy for each key: that takes fifty times as long.
    return mapping.copy() if isinstance(mapping, MappingProxyType) else dict(mapping)


def read(connection: Connection, image: Image | None, name: str, now_s: float = 0.0) -> Image | None:
    """Bring an image up to date at an instant; None when nothing changed. Raises: CatalogUnavailable.

    Only tenants that changed since the image are read. A store that the image did not come from, or that is older, is
    refused, unless it is a copy that an operator has accepted: that is read whole.
    """
    try:
        mark = lineage.newest(connection)
        if image is not None:
            if not lineage.holds(connection, name, image.mark, mark, int(now_s * 1000)):
                return _again(connection, image, mark).at(now_s)
            if mark == image.mark:
                # What was used since is no change, and is remembered.
                image.mark = mark
                return None
        return _update(connection, image, mark).at(now_s)
    except rows.UNREADABLE as error:
        kind = type(error).__name__
        raise CatalogUnavailable(
            [f"the store {name} holds a row that this version cannot read ({kind}: {error})"]
        ) from error


def _again(connection: Connection, image: Image, mark: Mark) -> Image:
    """Read all of a store whose revisions are not those of the image."""
    before, whole = image.newest.tenants, _update(connection, None, mark)
    now = dict(whole.newest.tenants)
    changed = 0
    for tenant, flow in whole.newest.tenants.items():
        old = before.get(tenant)
        changed += flow != old
        if old is not None and flow == old and flow.version == old.version:
            # Its workers stay.
            now[tenant] = old
    newest = replace(whole.newest, tenants=MappingProxyType(now))
    removed = len(before.keys() - now.keys())
    return replace(
        whole, snapshot=served(newest, whole.held, whole.trials), newest=newest, changed=changed, removed=removed
    )


def _update(connection: Connection, image: Image | None, mark: Mark) -> Image:
    before = image.newest if image is not None else EMPTY
    since = before.revision if image is not None else -1
    tenants, sources = _copied(before.tenants), _copied(before.sources)
    uses: dict[str, int] = dict(image.uses) if image is not None else {}
    # Bounded on both sides, or a database without statistics would read every tenant to find the few.
    query = "SELECT tenant, settings, digest, doors FROM tenants WHERE changed_in > ? AND changed_in <= ? ORDER BY 1"
    differing = connection.execute(query, (since, mark.revision)).fetchall()
    # None: all of them.
    names = [tenant for tenant, *_ in differing] if image is not None else None

    bindings: dict[str, list[Binding]] = {}
    columns = "tenant, sha256, action, on_error, timeout_us, uses"
    query = f"SELECT {columns} FROM bindings WHERE {{}} ORDER BY 1, position"
    for tenant, sha256, action, on_error, timeout_us, groups in chosen.rows(connection, query, names):
        named = None if groups is None else json.loads(groups)
        bindings.setdefault(tenant, []).append(rows.binding_of(action, sha256, on_error, timeout_us, named))
        uses[sha256] = uses.get(sha256, 0) + 1
    vault = vault_of(connection)
    secrets: dict[str, dict[str, dict[str, str]]] = {}
    query = "SELECT tenant, action, name, value FROM secrets WHERE {}"
    for tenant, action, name, value in chosen.rows(connection, query, names):
        text = vault.open(places.secret(tenant, action, name), value)
        secrets.setdefault(tenant, {}).setdefault(action, {})[name] = text
    query = "SELECT sha256, source FROM revisions WHERE {}"
    bound = dict.fromkeys(binding.revision for bindings_ in bindings.values() for binding in bindings_)
    missing = [sha256 for sha256 in bound if sha256 not in sources]
    for sha256, source in chosen.rows(connection, query, missing, column="sha256"):
        sources[sha256] = rows.source_of(sha256, source)
    for sha256 in missing:
        sources[sha256]  # a KeyError here is a binding without its source

    numbers = versions.numbers(connection, names)
    changed = removed = 0
    known: dict[str, Settings] = {}
    for tenant, text, digest, opened in differing:
        old = before.tenants.get(tenant)
        if old is not None:
            for binding in old.bindings:
                uses[binding.revision] -= 1
                if not uses[binding.revision]:
                    del uses[binding.revision], sources[binding.revision]
        if text is None:
            removed += tenants.pop(tenant, None) is not None
            continue
        if text not in known:
            known[text] = rows.settings_of(text)
        in_order = tuple(bindings.get(tenant, ()))
        of_bound = {binding.action for binding in in_order}
        named = rows.frozen({action: of for action, of in secrets.get(tenant, {}).items() if action in of_bound})
        doors = rows.doors_of(None if opened is None else vault.open(places.doors(tenant), opened))
        flow = Flow(tenant, known[text], in_order, named, digest, doors, numbers.get(tenant, 0))
        changed += flow != old
        # The old object when it is equal, so that a comparison by identity sees no change.
        tenants[tenant] = old if old is not None and flow == old and flow.version == old.version else flow
    held = dict(image.held) if image is not None else {}
    for tenant, hold in holds.changed(connection, since):
        changed += held.get(tenant) != hold
        if hold is None:
            held.pop(tenant, None)
        else:
            held[tenant] = hold
    tried = dict(image.trials) if image is not None else {}
    for tenant, trial in trials.changed(connection, since):
        changed += tried.get(tenant) != trial
        if trial is None:
            tried.pop(tenant, None)
        else:
            tried[tenant] = trial
    newest = Snapshot(mark.revision, MappingProxyType(tenants), MappingProxyType(sources))
    return Image(served(newest, held, tried), mark, changed, removed, uses, newest, held, tried)
