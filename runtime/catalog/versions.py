"""Numbered versions of tenants: what each apply, rollback or removal made of one, by whom, when and why.

A version holds settings, bindings, doors and the names of secrets, never a value. Its sources are in `revisions`, and
stay there. Must not know files and terminals.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from runtime.catalog import chosen, door_sections, rows
from runtime.catalog.base import GRADUAL, REPORT_ONLY, Definition, Flow
from runtime.catalog.comparison import Change
from runtime.catalog.database import Connection
from runtime.catalog.differences import without_values
from runtime.core.model import Settings
from runtime.errors import CatalogError, CatalogUnavailable, Conflict, UnknownVersion

MAX_TEXT_CHARS: Final = 500
"""Of a message, and of the name of who made a version."""

# These stand beside a tenant's own versions: they were never what the tenant was.
_BESIDE: Final = frozenset({GRADUAL, REPORT_ONLY})
OWN: Final = f"how NOT IN ('{GRADUAL}', '{REPORT_ONLY}')"
"""What is true of a tenant's own versions, in SQL."""
_COLUMNS: Final = "tenant, number, revision, made_at, made_by, message, how, copy_of, hash, changes"


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a version, when (seconds since the epoch), and why."""

    who: str
    at_s: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """One state that a tenant had. `content_hash` is empty when the tenant was removed, and covers no secret's value.

    `how` is apply, rollback, delete, promote, or found: an earlier release made it; or gradual and report_only, which
    are on trial beside the tenant's own version. `copy_of` is the version that a rollback
    went back to. `revision` is the store's at that moment, `changes` what is different from the version before.
    """

    tenant: str
    number: int
    revision: int
    made_at: int
    made_by: str
    message: str
    how: str
    copy_of: int | None = None
    content_hash: str = ""
    changes: tuple[Change, ...] = ()

    def __str__(self) -> str:
        return f"{self.tenant}@{self.number}"

    @property
    def beside(self) -> bool:
        """Whether it was on trial only."""
        return self.how in _BESIDE


@dataclass(frozen=True, slots=True)
class Made:
    """A state to be numbered: what the tenant is now, None when it was removed, and how it came to be so."""

    flow: Flow | None
    how: str = "apply"
    copy_of: int | None = None
    changes: Sequence[Change] = ()


def content_text(flow: Flow) -> str:
    """Write what a version holds of a flow."""
    bare = without_values(flow)
    doors = {
        name: {"mfa_required_as": door.mfa_required_as, "options": dict(door.options), "secrets": len(door.secrets)}
        for name, door in sorted(bare.doors.items())
    }
    content = {
        "settings": json.loads(rows.settings_text(bare.settings)),
        "bindings": [rows.binding_row(binding) for binding in bare.bindings],
        "secrets": {action: list(named) for action, named in bare.secrets.items()},
        "doors": doors,
    }
    return json.dumps(content)


def content_hash(text: str) -> str:
    """Return the hash of what a version holds, sources included: their hashes are in it."""
    return hashlib.sha256(text.encode()).hexdigest()


def _definition(connection: Connection, tenant: str, text: str) -> Definition:
    """Read what a version holds; its secrets have names alone. Raises: UNREADABLE."""
    row: dict[str, Any] = json.loads(text)
    bindings = tuple([rows.binding_of(*members) for members in row["bindings"]])
    secrets = {action: dict.fromkeys(names, "") for action, names in row["secrets"].items()}
    doors = {name: door | {"secrets": [""] * door["secrets"]} for name, door in row["doors"].items()}
    settings = rows.settings_of(json.dumps(row["settings"]))
    flow = Flow(tenant, settings, bindings, rows.frozen(secrets), doors=door_sections.of_row(doors))
    return Definition(flow, rows.sources_of(connection, bindings))


# -- write -----------------------------------------------------------------------------------------------------------


def record(connection: Connection, made: Mapping[str, Made], revision: int, author: Author) -> dict[str, int]:
    """Number what was made of tenants, in the transaction that makes it. Return the numbers by tenant."""
    if not made:
        return {}
    last = _last(connection, made)
    numbers = {tenant: last.get(tenant, _NONE).number + 1 for tenant in made}
    values = [
        (
            tenant,
            numbers[tenant],
            revision,
            author.at_s,
            author.who,
            author.message,
            state.how,
            state.copy_of,
            *_content(state.flow),
            json.dumps([[change.what, change.name, change.how] for change in state.changes]),
        )
        for tenant, state in made.items()
    ]
    connection.executemany(
        "INSERT INTO versions (tenant, number, revision, made_at, made_by, message, how, copy_of, content, hash, "
        "changes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    return numbers


def _content(flow: Flow | None) -> tuple[str | None, str]:
    if flow is None:
        return None, ""
    text = content_text(flow)
    return text, content_hash(text)


def record_found(connection: Connection, tenants: Collection[str]) -> None:
    """Number what tenants hold where no version is of it. An earlier release, or its apply, made it.

    To be called before something else is made of them.
    """
    last = _last(connection, tenants)
    for tenant in sorted(tenants):
        found = _found(connection, tenant, last.get(tenant, _NONE))
        if found is not None:
            version, flow = found
            author = Author("", version.made_at)
            record(connection, {tenant: Made(flow, "found", changes=version.changes)}, version.revision, author)


def _found(connection: Connection, tenant: str, last: _Last) -> tuple[Version, Flow | None] | None:
    """Return what a tenant holds if it is newer than its last version."""
    number, revision = last.number, last.revision
    query = (
        "SELECT t.settings, t.changed_in, a.applied_at FROM tenants t LEFT JOIN applies a ON a.revision = t.changed_in "
        "WHERE t.tenant = ?"
    )
    row = connection.execute(query, (tenant,)).fetchone()
    if row is None or row[1] <= revision or (row[0] is None and not number):
        return None
    flow = None
    if row[0] is not None:
        flow = current(connection, tenant).flow
    version = Version(tenant, number + 1, row[1], row[2] or 0, "", "", "found", None, _content(flow)[1])
    return version, flow


class _Last(NamedTuple):
    """Of a tenant: the last number, and number and store's revision of the last version that was its own."""

    number: int = 0
    own: int = 0
    revision: int = 0


_NONE: Final = _Last()


def _last(connection: Connection, tenants: Iterable[str] | None) -> dict[str, _Last]:
    """Return the last versions of tenants; None: of all."""
    own, revision = (f"max(CASE WHEN {OWN} THEN {column} ELSE 0 END)" for column in ("number", "revision"))
    query = f"SELECT tenant, max(number), {own}, {revision} FROM versions WHERE {{}} GROUP BY tenant"
    return {row[0]: _Last(*row[1:]) for row in chosen.rows(connection, query, tenants)}


# -- read ------------------------------------------------------------------------------------------------------------


def newest(connection: Connection) -> list[Version]:
    """Return the newest version of every tenant, ordered by name. Removed tenants are left out."""
    query = (
        f"SELECT {_COLUMNS} FROM versions v WHERE number = "
        f"(SELECT max(number) FROM versions WHERE tenant = v.tenant AND {OWN})"
    )
    own = {row[0]: _version(row) for row in connection.execute(query).fetchall()}
    present = connection.execute("SELECT tenant, changed_in FROM tenants WHERE settings IS NOT NULL ORDER BY tenant")
    found = []
    for tenant, changed_in in present.fetchall():
        version = own.get(tenant)
        if version is None or version.revision < changed_in:
            later = _found(connection, tenant, _last(connection, [tenant]).get(tenant, _NONE))
            version = later[0] if later is not None else version
        if version is not None:
            found.append(version)
    return found


def history(connection: Connection, tenant: str) -> list[Version]:
    """Return every version of a tenant, the newest first. Raises: UnknownVersion for a tenant that never was."""
    query = f"SELECT {_COLUMNS} FROM versions WHERE tenant = ? ORDER BY number DESC"
    listed = [_version(row) for row in connection.execute(query, (tenant,)).fetchall()]
    found = _found(connection, tenant, _last(connection, [tenant]).get(tenant, _NONE))
    if found is not None:
        listed.insert(0, found[0])
    if not listed:
        raise UnknownVersion([f"there is no tenant {tenant!r} in the store; `vestibule list` shows them"])
    return listed


def version(connection: Connection, tenant: str, number: int | None = None) -> Version:
    """Return a version of a tenant: what it is now without a number. Raises: UnknownVersion."""
    listed = history(connection, tenant)
    for found in listed:
        if found.number == number or (number is None and not found.beside):
            return found
    message = f"tenant {tenant!r} has no version {number}; it has 1 to {listed[0].number}"
    raise UnknownVersion([f"{message}: `vestibule history {tenant}` shows them"])


def content(connection: Connection, found: Version) -> Definition | None:
    """Return what a version holds, with names of secrets alone; None when the tenant was removed.

    Raises: CatalogUnavailable.
    """
    query = "SELECT content FROM versions WHERE tenant = ? AND number = ?"
    row = connection.execute(query, (found.tenant, found.number)).fetchone()
    if row is None:
        # Not numbered in the store yet: it is what the tenant is now.
        if not found.content_hash:
            return None
        live = current(connection, found.tenant)
        return replace(live, flow=without_values(live.flow))
    if row[0] is None:
        return None
    try:
        return _definition(connection, found.tenant, row[0])
    except rows.UNREADABLE as error:
        kind = type(error).__name__
        raise CatalogUnavailable(
            [f"the store holds {found} in a form that this version cannot read ({kind})"]
        ) from None


def current(connection: Connection, tenant: str) -> Definition:
    """Return a tenant as it is now, with its secrets. Raises: UnknownVersion, CatalogUnavailable."""
    digest, text = rows.deployed(connection, tenant)
    if digest is None:
        raise UnknownVersion([f"there is no tenant {tenant!r} in the store now; `vestibule list` shows them"])
    try:
        return rows.definition_of(connection, tenant, digest, text)
    except rows.UNREADABLE as error:
        raise _unreadable(f"tenant {tenant!r}", error) from None


def _unreadable(what: str, error: Exception) -> CatalogUnavailable:
    kind = type(error).__name__
    return CatalogUnavailable([f"the store holds {what} in a form that this version cannot read ({kind})"])


def numbers(connection: Connection, tenants: Collection[str] | None = None) -> dict[str, int]:
    """Return the number of what tenants hold now, of those that are there; None: of all."""
    query = "SELECT tenant, changed_in FROM tenants WHERE settings IS NOT NULL AND {}"
    changed_in = dict(chosen.rows(connection, query, tenants))
    last = _last(connection, tenants)
    return {tenant: _number(revision, last.get(tenant, _NONE)) for tenant, revision in changed_in.items()}


def _number(changed_in: int, last: _Last) -> int:
    """Return the number of what a tenant holds: the next one where an earlier release has made it."""
    return last.own if changed_in <= last.revision else last.number + 1


def _version(row: Any) -> Version:
    *members, text = row
    return replace(Version(*members), changes=tuple([Change(*change) for change in json.loads(text)]))


def missing_secrets(wanted: Flow, having: Flow) -> list[str]:
    """Name the secrets that a flow names and another one does not have."""
    missing = [
        f"{action}.{name}"
        for action, named in sorted(wanted.secrets.items())
        for name in sorted(named)
        if name not in having.secrets.get(action, {})
    ]
    doors = [name for name, door in sorted(wanted.doors.items()) if door.secrets and not _door_secrets(having, name)]
    return missing + [f"doors.{name}" for name in doors]


def _door_secrets(flow: Flow, name: str) -> tuple[str, ...]:
    door = flow.doors.get(name)
    return door.secrets if door is not None else ()


def with_secrets(state: Definition, having: Flow) -> Definition:
    """Return a state with the secrets that another flow has. A door whose secrets are gone is left closed."""
    flow = state.flow
    bound = {binding.action for binding in flow.bindings}
    secrets = {action: dict(named) for action, named in having.secrets.items() if action in bound}
    doors = {
        name: replace(door, secrets=_door_secrets(having, name))
        for name, door in flow.doors.items()
        if not door.secrets or _door_secrets(having, name)
    }
    return replace(state, flow=replace(flow, secrets=rows.frozen(secrets), doors=doors, digest=b""))


def state_with_secrets(connection: Connection, version: Version, *, force: bool) -> tuple[Definition, tuple[str, ...]]:
    """Return what a version holds with the secrets that its tenant has now, and the names of those that are gone.

    Raises: CatalogError for a version at which the tenant was removed, or, unless `force`, with secrets that are gone.
    """
    state = content(connection, version)
    if state is None:
        raise CatalogError([f"{version}: the tenant was removed; name another version, or delete the tenant"])
    having = secrets_now(connection, version.tenant)
    missing = tuple(missing_secrets(state.flow, having))
    if missing and not force:
        names = ", ".join(missing)
        raise CatalogError(
            [f"{version} names secrets that are gone: {names}; apply the tenant with them, or add --force"]
        )
    return with_secrets(state, having), missing


def secrets_now(connection: Connection, tenant: str) -> Flow:
    """Return all secrets that a tenant has, also those of actions that no flow binds now, on a flow."""
    try:
        live = current(connection, tenant).flow
    except UnknownVersion:
        return Flow(tenant, Settings())
    return replace(live, secrets=rows.secrets_of(connection, tenant))


def refuse_conflicts(connection: Connection, expected: Mapping[str, int], changing: Iterable[str]) -> None:
    """Do nothing when what would be changed is what its editor began with. Raises: Conflict."""
    found = {}
    for tenant in changing:
        if tenant in expected:
            newest = _changed_since(connection, tenant, expected[tenant])
            if newest is not None:
                found[tenant] = (expected[tenant], newest)
    if found:
        raise Conflict(found)


def _changed_since(connection: Connection, tenant: str, expected: int) -> int | None:
    """Return the version that a tenant has now if it was changed since another one; 0 for a tenant that never was."""
    try:
        listed = history(connection, tenant)
    except UnknownVersion:
        return 0
    now = next(found for found in listed if not found.beside)
    if now.number == expected or (now.how == "promote" and now.copy_of == expected):
        return None
    # On trial, and nothing was made of the tenant since.
    tried = any(found.number == expected and found.beside for found in listed)
    return None if tried and now.number < expected else now.number
