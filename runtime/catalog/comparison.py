"""What an apply does to a store: which tenants it adds, changes, leaves and removes, and what changes in them.

It reads rows and writes none. Changes are in words for the operator, and quote no secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

from runtime.catalog import chosen, rows
from runtime.catalog.base import Binding, Definition, Flow
from runtime.catalog.database import Connection, Database
from runtime.catalog.hook_door import HookDoor
from runtime.catalog.keyed import vault_of
from runtime.core.model import Settings
from runtime.errors import CatalogError

# Settings as tenant.yaml names them.
_KEYS = {"experience": "login_experience", "cache": "cache"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `what` is action, order, setting, secret or door; `how` says what happened to it."""

    what: str
    name: str
    how: str

    def __str__(self) -> str:
        return f"{self.what} {self.name}: {self.how}"


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
    versions: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Of what was applied, by tenant, as they are afterwards."""


def plan(database: Database, definitions: Iterable[Definition], *, prune: bool) -> ApplyResult:
    """Tell what an apply would do, and do nothing; `revision` is the one that is there. Raises: CatalogError."""
    wanted = by_tenant(definitions)
    if not database.exists():
        return ApplyResult(0, tuple(sorted(wanted)), (), (), ())
    with database.reading() as connection:
        return compare(connection, wanted, prune)


def by_tenant(definitions: Iterable[Definition]) -> dict[str, Definition]:
    """Return the definitions by tenant. Raises: CatalogError for a tenant that is given twice."""
    wanted: dict[str, Definition] = {}
    for definition in definitions:
        if wanted.setdefault(definition.flow.tenant, definition) is not definition:
            raise CatalogError([f"tenant {definition.flow.tenant!r} is given twice"])
    return wanted


def compare(connection: Connection, wanted: Mapping[str, Definition], prune: bool) -> ApplyResult:
    """Compare what is wanted with what is there; `revision` is the one that is there."""
    query = "SELECT tenant, digest FROM tenants WHERE settings IS NOT NULL AND {}"
    # To prune is to know every name.
    present: dict[str, bytes] = dict(chosen.rows(connection, query, None if prune else wanted))
    both = sorted(wanted.keys() & present.keys())
    vault = vault_of(connection)
    changed = tuple([tenant for tenant in both if rows.digest(wanted[tenant].flow, vault) != present[tenant]])
    (revision,) = connection.execute("SELECT coalesce(max(revision), 0) FROM applies").fetchone()
    return ApplyResult(
        revision,
        created=tuple(sorted(wanted.keys() - present.keys())),
        changed=changed,
        unchanged=tuple(sorted(set(both).difference(changed))),
        pruned=tuple(sorted(present.keys() - wanted.keys())) if prune else (),
        changes={tenant: _changed(connection, wanted[tenant].flow) for tenant in changed},
    )


def _changed(connection: Connection, flow: Flow) -> tuple[Change, ...]:
    try:
        digest, text = rows.deployed(connection, flow.tenant)
        old = rows.definition_of(connection, flow.tenant, digest or b"", text).flow
    except rows.UNREADABLE:
        # An apply may replace what this version cannot read.
        return (Change("tenant", flow.tenant, "replaces what this version cannot read"),)
    return changes(old, flow)


def changes(old: Flow, new: Flow) -> tuple[Change, ...]:
    """List what is different: settings, then actions, their order, names of secrets, and doors."""
    return (
        *_settings(old.settings, new.settings),
        *_actions(old.bindings, new.bindings),
        *_secrets(old.secrets, new.secrets),
        *_doors(old.doors, new.doors),
    )


def _settings(old: Settings, new: Settings) -> Iterable[Change]:
    for declared in fields(Settings):
        before, after = getattr(old, declared.name), getattr(new, declared.name)
        if before != after:
            yield Change(
                "setting", _KEYS.get(declared.name, f"mfa.{declared.name}"), f"{_text(before)} -> {_text(after)}"
            )


def _actions(old: tuple[Binding, ...], new: tuple[Binding, ...]) -> Iterable[Change]:
    before, after = ({binding.action: binding for binding in bindings} for bindings in (old, new))
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            yield Change("action", name, "added" if name in after else "removed")
            continue
        was, is_ = before[name], after[name]
        if was.revision != is_.revision:
            yield Change("action", name, "another source")
        if was.on_error is not is_.on_error:
            yield Change("action", name, f"on_error {_text(was.on_error)} -> {_text(is_.on_error)}")
        if was.timeout_us != is_.timeout_us:
            yield Change("action", name, f"timeout_ms {_milliseconds(was)} -> {_milliseconds(is_)}")
        if was.uses != is_.uses:
            yield Change("action", name, f"uses {_uses(was)} -> {_uses(is_)}")
    kept = [[name for name in one if name in other] for one, other in ((before, after), (after, before))]
    if kept[0] != kept[1]:
        yield Change("order", "flows.post_login", ", ".join(after))


def _secrets(old: Mapping[str, Mapping[str, str]], new: Mapping[str, Mapping[str, str]]) -> Iterable[Change]:
    before, after = (
        {f"{action}.{name}": value for action, named in secrets.items() for name, value in named.items()}
        for secrets in (old, new)
    )
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            how = "added" if name not in before else "removed" if name not in after else "another value"
            yield Change("secret", name, how)


def _doors(old: Mapping[str, HookDoor], new: Mapping[str, HookDoor]) -> Iterable[Change]:
    for name in sorted(old.keys() | new.keys()):
        if name not in old or name not in new:
            yield Change("door", name, "opened" if name in new else "closed")
            continue
        was, is_ = old[name], new[name]
        if was.mfa_required_as != is_.mfa_required_as:
            yield Change("door", name, f"mfa_required_as {was.mfa_required_as} -> {is_.mfa_required_as}")
        if was.secrets != is_.secrets:
            yield Change("door", name, "other secrets")
        for option in sorted(was.options.keys() | is_.options.keys()):
            if was.options.get(option) != is_.options.get(option):
                yield Change("door", name, f"another {option}")


def _milliseconds(binding: Binding) -> str:
    return "the default" if binding.timeout_us is None else f"{binding.timeout_us // 1000}"


def _uses(binding: Binding) -> str:
    return "everything" if binding.uses is None else _text(binding.uses)


def _text(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return f"[{', '.join(str(part) for part in value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
