"""The commands about versions on a store: the catalog does the work, and actions are compiled on this host."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vestibule.v1 import admin_service_pb2 as pb

from runtime.catalog import applies, comparison, directory, holds, lineage, rollback, sealed_store, trials, versions
from runtime.catalog.base import Band
from runtime.catalog.comparison import ApplyResult
from runtime.catalog.database import Connection
from runtime.catalog.holds import TenantHold
from runtime.catalog.keyed import KeyedDatabase
from runtime.catalog.rollback import RolledBack
from runtime.catalog.stored_secrets import StoredSecrets
from runtime.catalog.trials import TrialRow
from runtime.catalog.versions import Author, Version
from runtime.cli import kept_executions
from runtime.cli.secret_flags import secrets_of
from runtime.cli.version_source import Applied, ListedTenant, ReadTenants, ShownVersion, TenantHistory
from runtime.config.sections import SandboxConfig
from runtime.errors import Fault
from runtime.offline import check
from runtime.offline.version_check import refuse_faulty


class StoreSource:
    """Tenants of a store. See VersionSource."""

    def __init__(self, database: KeyedDatabase) -> None:
        self._database = database

    @property
    def name(self) -> str:
        """See VersionSource."""
        return self._database.setting

    def store_id(self) -> str:
        """See VersionSource."""
        if not self._database.exists():
            return ""
        with self._database.reading() as connection:
            return lineage.store_id(connection)

    def listed(self) -> list[ListedTenant]:
        """See VersionSource."""
        with self._database.reading() as connection:
            held, tried = _holds(connection), trials.listed(connection)
            return [
                ListedTenant(version, held.get(version.tenant), tried.get(version.tenant))
                for version in versions.newest(connection)
            ]

    def history(self, tenant: str) -> TenantHistory:
        """See VersionSource."""
        with self._database.reading() as connection:
            listed = versions.history(connection, tenant)
            return TenantHistory(listed, _holds(connection).get(tenant), trials.last_end(connection, tenant))

    def shown(self, tenant: str, number: int | None) -> ShownVersion:
        """See VersionSource."""
        with self._database.reading() as connection:
            version = versions.version(connection, tenant, number)
            state = versions.content(connection, version)
            newest = versions.version(connection, tenant).number
            return ShownVersion(version, state, _holds(connection).get(tenant), newest, lineage.store_id(connection))

    def read(self, args: argparse.Namespace) -> ReadTenants:
        """See VersionSource."""
        stored = StoredSecrets(self._database)
        found = directory.load(
            args.directory, check.findings, secrets_of(args, stored=stored), SandboxConfig().flow_timeout_ms
        )
        return ReadTenants(
            folders(args.directory, found), found.single, found.warnings, found.definitions, stored.read_at
        )

    def plan(self, tenants: ReadTenants, *, prune: bool, expected: Mapping[str, int]) -> ApplyResult:
        """See VersionSource."""
        planned = comparison.plan(self._database, tenants.definitions, prune=prune)
        if self._database.exists():
            with self._database.reading() as connection:
                changing = (*planned.created, *planned.changed, *planned.pruned)
                versions.refuse_conflicts(connection, {**tenants.read_at, **expected}, changing)
        return planned

    def apply(
        self,
        tenants: ReadTenants,
        *,
        prune: bool,
        agreed: Sequence[str] | None,
        author: Author,
        expected: Mapping[str, int],
    ) -> Applied:
        """See VersionSource."""
        made = "" if self._database.exists() else self._database.name
        sealed_store.accept_keys(self._database, int(time.time()))
        result = applies.apply(
            self._database,
            tenants.definitions,
            prune=prune,
            agreed=agreed,
            author=author,
            expected={**tenants.read_at, **expected},
        )
        with self._database.reading() as connection:
            held = _holds(connection)
            return Applied(result, [*tenants.warnings, *self._plain(connection)], made, held)

    def _plain(self, connection: Connection) -> list[Fault]:
        """Say so where others could read its secrets."""
        if self._database.keys or not sealed_store.any_plain_secret(connection):
            return []
        remedy = "make a key, set catalog.keys_file and run `vestibule store seal`"
        return [Fault(f"store {self.name}", f"its secrets lie there as plain text; {remedy}")]

    def begin_trial(
        self, tenants: ReadTenants, percent: int, band: Band, author: Author, expected: Mapping[str, int]
    ) -> list[TrialRow]:
        """See VersionSource."""
        known = {**tenants.read_at, **expected}
        return trials.begin(self._database, tenants.definitions, percent, band, author, known)

    def promote(self, tenant: str, author: Author) -> Version:
        """See VersionSource."""
        return trials.promote(self._database, tenant, author)

    def abandon(self, tenant: str, author: Author) -> TrialRow:
        """See VersionSource."""
        return trials.abandon(self._database, tenant, author)

    def roll_back(
        self, tenant: str, to: int | None, author: Author, *, force: bool
    ) -> tuple[RolledBack, TenantHold | None]:
        """See VersionSource."""
        with self._database.reading() as connection:
            target = rollback.target(connection, tenant, to)
            if not force:
                refuse_faulty(connection, target)
        done = rollback.rollback(self._database, tenant, target.number, author, force=force)
        with self._database.reading() as connection:
            return done, _holds(connection).get(tenant)

    def delete(self, tenant: str, author: Author) -> Version:
        """See VersionSource."""
        return rollback.remove(self._database, tenant, author)

    def hold(
        self, tenant: str, number: int | None, span_s: int, author: Author, *, force: bool
    ) -> tuple[TenantHold, Sequence[str]]:
        """See VersionSource."""
        if number is not None and not force:
            with self._database.reading() as connection:
                refuse_faulty(connection, versions.version(connection, tenant, number))
        return holds.hold(self._database, tenant, number, span_s, author, force=force)

    def release(self, tenant: str, author: Author) -> bool:
        """See VersionSource."""
        return holds.release(self._database, tenant, author)

    def executions(self, tenant: str, last: int, *, failed: bool, follow: bool) -> Iterator[pb.KeptExecution]:
        """See VersionSource."""
        request = pb.FollowExecutionsRequest(tenant_id=tenant, last=last, failed_only=failed)
        return kept_executions.of_store(self._database, request, follow=follow, sleep=time.sleep)


def folders(given: str, found: directory.Tenants) -> dict[str, Path]:
    """Return the folders of a directory's tenants."""
    return {
        definition.flow.tenant: Path(given, *(() if found.single else (definition.flow.tenant,)))
        for definition in found.definitions
    }


def _holds(connection: Connection) -> dict[str, TenantHold]:
    return holds.active(connection, int(time.time()))
