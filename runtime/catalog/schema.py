"""The schema of every store, as steps that are taken in order, and which programs a schema is good for.

It knows no driver. A step that was released is never edited: a change of the schema is a step more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.errors import CatalogUnavailable


@dataclass(frozen=True, slots=True)
class Dialects:
    """A statement that the two databases cannot have in common."""

    sqlite: str
    postgresql: str


@dataclass(frozen=True, slots=True)
class Migration:
    """What takes a schema from one version to the next.

    Programs of the release before must be able to use what the step makes: they name the columns that they read and
    write, so a new table, or a column with a default, does not disturb them. What they still use may go a release
    later. A step that cannot be made so is `breaking`: every replica is stopped for it.
    """

    release: str
    statements: tuple[str | Dialects, ...]
    breaking: bool = False


# Each entry takes the schema from the version of its index to the next one. Written in SQLite's words: BLOB, INTEGER,
# WITHOUT ROWID and randomblob(16) have their own in PostgreSQL.
MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        "0.1",
        (
            # One row per apply that changed something. `id` is random: a reader that does not find the id it last read
            # knows that the store was replaced or restored, whatever the revision says.
            "CREATE TABLE applies (revision INTEGER PRIMARY KEY, id BLOB NOT NULL, applied_at INTEGER NOT NULL)",
            # Sources, immutable and shared between tenants and revisions of the catalog.
            "CREATE TABLE revisions (sha256 TEXT PRIMARY KEY, source TEXT NOT NULL) WITHOUT ROWID",
            Dialects(
                "CREATE TRIGGER revisions_are_immutable BEFORE UPDATE ON revisions "
                "BEGIN SELECT RAISE(ABORT, 'a revision is immutable'); END",
                "CREATE FUNCTION revision_is_immutable() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'a revision is immutable'; END $$; "
                "CREATE TRIGGER revisions_are_immutable BEFORE UPDATE ON revisions "
                "FOR EACH ROW EXECUTE FUNCTION revision_is_immutable()",
            ),
            # `changed_in` is the catalog revision of the last change; a removed tenant stays as a row without settings,
            # so that a reader can ask what changed since the revision it has.
            "CREATE TABLE tenants (tenant TEXT PRIMARY KEY, settings TEXT, digest BLOB, changed_in INTEGER NOT NULL) "
            "WITHOUT ROWID",
            "CREATE INDEX tenants_by_change ON tenants (changed_in)",
            "CREATE TABLE bindings (tenant TEXT NOT NULL REFERENCES tenants, position INTEGER NOT NULL, "
            "action TEXT NOT NULL, sha256 TEXT NOT NULL REFERENCES revisions, on_error TEXT NOT NULL, "
            "timeout_us INTEGER, PRIMARY KEY (tenant, position)) WITHOUT ROWID",
            "CREATE TABLE secrets (tenant TEXT NOT NULL REFERENCES tenants, action TEXT NOT NULL, name TEXT NOT NULL, "
            "value TEXT NOT NULL, PRIMARY KEY (tenant, action, name)) WITHOUT ROWID",
        ),
    ),
    Migration(
        "0.1",
        (
            # What applies replaced, kept for logins that were suspended before: such a login is resumed with the flow
            # it began with. Sources are in `revisions`.
            "CREATE TABLE superseded (tenant TEXT NOT NULL, digest BLOB NOT NULL, replaced_at INTEGER NOT NULL, "
            "flow TEXT NOT NULL, PRIMARY KEY (tenant, digest)) WITHOUT ROWID",
            "CREATE INDEX superseded_by_age ON superseded (replaced_at)",
            # Continuations in use, by their random name, and used ones, which no claim holds any more.
            "CREATE TABLE continuations (name BLOB PRIMARY KEY, expires_at_ms INTEGER NOT NULL, "
            "claimed_until_ms INTEGER) WITHOUT ROWID",
            "CREATE INDEX continuations_by_expiry ON continuations (expires_at_ms)",
        ),
    ),
    Migration(
        "0.1",
        (
            # JSON of the hook dialects that a tenant opens, with their secrets; NULL without any.
            "ALTER TABLE tenants ADD COLUMN doors TEXT",
        ),
    ),
    Migration(
        "0.1",
        (
            # API keys by the part of them that is no secret; a revoked one stays, so that its user learns why. Instants
            # in seconds.
            "CREATE TABLE api_keys (id TEXT PRIMARY KEY, digest BLOB NOT NULL, name TEXT NOT NULL, "
            "scopes TEXT NOT NULL, tenant TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, "
            "revoked_at INTEGER) WITHOUT ROWID",
            # One row, whose random value changes with every change of a key: what a reader compares.
            "CREATE TABLE api_keys_version (version BLOB NOT NULL)",
            "INSERT INTO api_keys_version VALUES (randomblob(16))",
        ),
    ),
    Migration(
        "0.1",
        (
            # The digest of the request that a continuation was claimed for, and its sealed answer.
            "ALTER TABLE continuations ADD COLUMN request BLOB",
            "ALTER TABLE continuations ADD COLUMN answer BLOB",
            "CREATE INDEX continuations_with_answer ON continuations (expires_at_ms) WHERE answer IS NOT NULL",
        ),
    ),
    Migration(
        "0.2",
        (
            # One row per migration: the version that it led to, the oldest version whose programs can use that, and
            # the release that has it.
            "CREATE TABLE schema_versions (version INTEGER PRIMARY KEY, oldest INTEGER NOT NULL, "
            "release TEXT NOT NULL, migrated_at INTEGER NOT NULL)",
        ),
    ),
    Migration(
        "0.2",
        (
            # Every state that a tenant had, the newest with the highest number; `content` is NULL when it was removed.
            # An earlier release writes none: then `revision` of the newest is less than `changed_in` of the tenant.
            "CREATE TABLE versions (tenant TEXT NOT NULL, number INTEGER NOT NULL, revision INTEGER NOT NULL, "
            "made_at INTEGER NOT NULL, made_by TEXT NOT NULL, message TEXT NOT NULL, how TEXT NOT NULL, "
            "copy_of INTEGER, content TEXT, hash TEXT NOT NULL, changes TEXT NOT NULL, PRIMARY KEY (tenant, number)) "
            "WITHOUT ROWID",
            # What daemons serve instead of the newest version until an instant, in seconds: a version, or without a
            # number the policy alone. The flow is in `superseded` by its digest, which is NULL once it is released.
            "CREATE TABLE holds (tenant TEXT PRIMARY KEY, number INTEGER, held_until INTEGER NOT NULL, "
            "held_by TEXT NOT NULL, held_at INTEGER NOT NULL, message TEXT NOT NULL, digest BLOB, "
            "changed_in INTEGER NOT NULL) WITHOUT ROWID",
            "CREATE INDEX holds_by_change ON holds (changed_in)",
        ),
    ),
    Migration(
        "0.2",
        (
            # One row per epoch of the store, each known by a random id: a continuation is good in the epoch in which it
            # was sealed. A store that was filled before has no row, and its epoch is the empty one, which is what the
            # continuations of the release before say.
            "CREATE TABLE epochs (number INTEGER PRIMARY KEY, id BLOB NOT NULL, began_at INTEGER NOT NULL)",
            "INSERT INTO epochs SELECT 1, randomblob(16), 0 WHERE NOT EXISTS (SELECT 1 FROM applies)",
        ),
    ),
    Migration(
        "0.2",
        (
            # The data keys of a sealed store, each sealed by a key that lies elsewhere; none of one that is not sealed.
            # The newest that seals values has the highest number.
            "CREATE TABLE data_keys (id TEXT PRIMARY KEY, purpose TEXT NOT NULL, number INTEGER NOT NULL, "
            "sealed_by TEXT NOT NULL, sealed BLOB NOT NULL, made_at INTEGER NOT NULL) WITHOUT ROWID",
            # The daemons that serve the store, for its operators: JSON of the ids of their keys, and what they sealed.
            "CREATE TABLE replicas (id TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, "
            "version TEXT NOT NULL, started_at INTEGER NOT NULL, seen_at INTEGER NOT NULL, stopped_at INTEGER, "
            "keys TEXT NOT NULL) WITHOUT ROWID",
        ),
    ),
    Migration(
        "0.2",
        (
            # One row: what expired until then, in milliseconds, may be gone from `continuations`. A replica whose clock
            # is behind refuses it, for nothing else tells whether it was used.
            "CREATE TABLE continuations_forgotten (until_ms INTEGER NOT NULL)",
            "INSERT INTO continuations_forgotten VALUES (0)",
        ),
    ),
    Migration(
        "0.2",
        (
            # The version that a tenant has on trial beside its own one: for a percentage of logins, 0 to be reported
            # only, and by how many points its shares may exceed the others'. The flow is in `superseded` by its
            # digest, which is NULL once the trial has ended; then `ended` says why.
            "CREATE TABLE trials (tenant TEXT PRIMARY KEY, number INTEGER NOT NULL, percent INTEGER NOT NULL, "
            "denied_points INTEGER NOT NULL, degraded_points INTEGER NOT NULL, digest BLOB, "
            "changed_in INTEGER NOT NULL, ended TEXT NOT NULL) WITHOUT ROWID",
            "CREATE INDEX trials_by_change ON trials (changed_in)",
        ),
    ),
    Migration(
        "0.2",
        (
            # Calls of the admin service, the newest with the highest number; `tenants` has names between spaces, with
            # one at both ends.
            "CREATE TABLE audit (number INTEGER PRIMARY KEY, made_at INTEGER NOT NULL, caller TEXT NOT NULL, "
            "method TEXT NOT NULL, tenants TEXT NOT NULL, request_id TEXT NOT NULL, code TEXT NOT NULL, "
            "message TEXT NOT NULL)",
            "CREATE INDEX audit_by_age ON audit (made_at)",
            # What changes with a request id were answered, so that one that is sent again is made once.
            "CREATE TABLE admin_requests (caller TEXT NOT NULL, request_id TEXT NOT NULL, content BLOB NOT NULL, "
            "response BLOB NOT NULL, made_at INTEGER NOT NULL, PRIMARY KEY (caller, request_id)) WITHOUT ROWID",
            "CREATE INDEX admin_requests_by_age ON admin_requests (made_at)",
        ),
    ),
    Migration(
        "0.2",
        (
            # What each daemon has counted of a running trial: logins on trial, and those of the tenant's own version.
            "CREATE TABLE trial_counts (tenant TEXT NOT NULL, number INTEGER NOT NULL, replica TEXT NOT NULL, "
            "trial_count INTEGER NOT NULL, trial_denied INTEGER NOT NULL, trial_degraded INTEGER NOT NULL, "
            "own_count INTEGER NOT NULL, own_denied INTEGER NOT NULL, own_degraded INTEGER NOT NULL, "
            "PRIMARY KEY (tenant, number, replica)) WITHOUT ROWID",
        ),
    ),
    Migration(
        "0.2",
        (
            # JSON of the groups of `api` that the action may call; NULL for all.
            "ALTER TABLE bindings ADD COLUMN uses TEXT",
        ),
    ),
    Migration(
        "0.2",
        (
            # What actions of chosen tenants did in logins, the newest with the highest number; `body` is a serialized
            # KeptExecution, without secrets. `at_ms` is an instant in milliseconds.
            "CREATE TABLE executions (number INTEGER PRIMARY KEY, tenant TEXT NOT NULL, at_ms INTEGER NOT NULL, "
            "failed INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL)",
            "CREATE INDEX executions_by_tenant ON executions (tenant, number)",
            "CREATE INDEX executions_by_age ON executions (at_ms)",
        ),
    ),
    Migration(
        "0.2",
        (
            # The trigger's cache of tenants that ask for a shared one; instants in milliseconds since the epoch.
            "CREATE TABLE cache_records (tenant TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, "
            "expires_at_ms INTEGER NOT NULL, PRIMARY KEY (tenant, key)) WITHOUT ROWID",
            "CREATE INDEX cache_records_by_expiry ON cache_records (expires_at_ms)",
        ),
    ),
)
SCHEMA_VERSION = len(MIGRATIONS)


def oldest(steps: Sequence[Migration]) -> int:
    """Return the lowest version whose programs can use a schema that was made by these steps.

    That is the last version of the release before, so a program never meets a schema of two releases later.
    """
    last = steps[-1].release
    return max(at for at, step in enumerate((steps[0], *steps)) if at == 0 or step.breaking or step.release != last)


def recorded(now_s: int) -> tuple[str, tuple[int, int, str, int]]:
    """Return the statement that records a migration to the newest version, with its parameters."""
    statement = "INSERT INTO schema_versions (version, oldest, release, migrated_at) VALUES (?, ?, ?, ?)"
    return statement, (SCHEMA_VERSION, oldest(MIGRATIONS), MIGRATIONS[-1].release, now_s)


def refuse_newer(name: str, version: int, oldest_program: int, release: str) -> None:
    """Do nothing when this program can use a schema. Raises: CatalogUnavailable."""
    if min(version, oldest_program) <= SCHEMA_VERSION:
        return
    whose = f" ({release})" if release else ""
    raise CatalogUnavailable(
        [
            f"the store {name} was written by a newer Vestibule{whose} (schema {version}, this one knows "
            f"{SCHEMA_VERSION}); upgrade this one"
        ]
    )
