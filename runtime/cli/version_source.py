"""What the commands about versions work on: a store, or a daemon's AdminService. One interface, so that each command,
its output and its errors are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from vestibule.v1.admin_service_pb2 import KeptExecution, TenantSource

    from runtime.catalog.base import Band, Definition
    from runtime.catalog.comparison import ApplyResult
    from runtime.catalog.holds import TenantHold
    from runtime.catalog.rollback import RolledBack
    from runtime.catalog.trials import TrialRow
    from runtime.catalog.versions import Author, Version
    from runtime.errors import Fault


class ListedTenant(NamedTuple):
    """A tenant, what it is held at, and what it has on trial."""

    version: Version
    hold: TenantHold | None
    trial: TrialRow | None


class TenantHistory(NamedTuple):
    """All versions of a tenant, the newest first, what it is held at, and why its last trial ended."""

    versions: Sequence[Version]
    hold: TenantHold | None
    trial_end: str


class ShownVersion(NamedTuple):
    """One version with its content, None where the tenant was removed; the newest one's number, and the store's id."""

    version: Version
    state: Definition | None
    hold: TenantHold | None
    newest: int
    store_id: str


@dataclass(frozen=True, slots=True)
class ReadTenants:
    """What a directory holds that is to be applied. `folders` are by tenant; `single`: it is one tenant's own folder.

    `read_at` has the versions that secrets of the store were read at; `sent` is what a daemon gets.
    """

    folders: Mapping[str, Path]
    single: bool
    warnings: Sequence[Fault]
    definitions: Sequence[Definition]
    read_at: Mapping[str, int] = field(default_factory=dict)
    sent: Sequence[TenantSource] = ()


class Applied(NamedTuple):
    """What an apply did, what is worth a look, the name of a store that it made, and the holds."""

    result: ApplyResult
    warnings: Sequence[Fault]
    made: str = ""
    held: Mapping[str, TenantHold] = {}


class VersionSource(Protocol):
    """Tenants and their versions. Each method raises CatalogError or ClientError where it cannot be done."""

    @property
    def name(self) -> str:
        """What a user knows it by."""

    def store_id(self) -> str:
        """Return what tells the store from others; empty before the first apply."""

    def listed(self) -> list[ListedTenant]:
        """Return the tenants by name."""

    def history(self, tenant: str) -> TenantHistory:
        """Return the versions of a tenant. Raises: UnknownVersion."""

    def shown(self, tenant: str, number: int | None) -> ShownVersion:
        """Return a version; the newest without a number. Raises: UnknownVersion."""

    def read(self, args: argparse.Namespace) -> ReadTenants:
        """Read and check the directory of an apply. Raises: CatalogError with every fault, ConfigError."""

    def plan(self, tenants: ReadTenants, *, prune: bool, expected: Mapping[str, int]) -> ApplyResult:
        """Tell what an apply would do. Raises: Conflict."""

    def apply(
        self,
        tenants: ReadTenants,
        *,
        prune: bool,
        agreed: Sequence[str] | None,
        author: Author,
        expected: Mapping[str, int],
    ) -> Applied:
        """Apply; with `agreed`, remove no tenants but those. Raises: Conflict."""

    def begin_trial(
        self, tenants: ReadTenants, percent: int, band: Band, author: Author, expected: Mapping[str, int]
    ) -> list[TrialRow]:
        """Put what is different on trial. Raises: Conflict."""

    def promote(self, tenant: str, author: Author) -> Version:
        """Make what is on trial the newest version."""

    def abandon(self, tenant: str, author: Author) -> TrialRow:
        """End the trial."""

    def roll_back(
        self, tenant: str, to: int | None, author: Author, *, force: bool
    ) -> tuple[RolledBack, TenantHold | None]:
        """Go back to a version, the one before without a number; also return what the tenant is held at."""

    def delete(self, tenant: str, author: Author) -> Version:
        """Remove a tenant."""

    def hold(
        self, tenant: str, number: int | None, span_s: int, author: Author, *, force: bool
    ) -> tuple[TenantHold, Sequence[str]]:
        """Hold a tenant at a version, or at its policy; also return the secrets that are gone."""

    def release(self, tenant: str, author: Author) -> bool:
        """End a hold; False when there is none."""

    def executions(self, tenant: str, last: int, *, failed: bool, follow: bool) -> Iterator[KeptExecution]:
        """Go through the last executions, the oldest first; with `follow` also what is kept from then on, for ever."""
