"""The commands about versions on a daemon: each method is a call of its AdminService, and messages become what a store
returns. The daemon compiles the actions; this host reads files and those secrets that its flags allow.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from vestibule.v1 import admin_service_pb2 as pb

from runtime.admin import sources
from runtime.admin.messages import MAX_PAGE, ORIGINS
from runtime.catalog import directory
from runtime.catalog.base import Band
from runtime.catalog.beneath import Folder
from runtime.catalog.comparison import ApplyResult, Change
from runtime.catalog.holds import TenantHold
from runtime.catalog.rollback import RolledBack
from runtime.catalog.secret_values import Secrets
from runtime.catalog.tenant_texts import text_of
from runtime.catalog.trials import TrialRow
from runtime.catalog.versions import Author, Version
from runtime.cli import kept_executions
from runtime.cli.secret_flags import secrets_of
from runtime.cli.store_source import folders
from runtime.cli.version_source import Applied, ListedTenant, ReadTenants, ShownVersion, TenantHistory
from runtime.errors import ConfigError, Fault, TenantFaulty
from runtime.findings import SourceFinding, moved
from runtime.rpc.admin_client import AdminClient
from sandbox.contract import bundle
from sandbox.contract.codes import CODES
from sandbox.contract.wire import MAX_SOURCE_BYTES

_HOW: Final = {origin: how for how, origin in ORIGINS.items()}
# Versions have no files in a list, and stay small.
_PAGE: Final = MAX_PAGE // 5


class RemoteSource:
    """Tenants of a daemon. See VersionSource."""

    def __init__(self, client: AdminClient, request_id: str) -> None:
        self._client, self._request_id = client, request_id

    @property
    def name(self) -> str:
        """See VersionSource."""
        return self._client.target

    def store_id(self) -> str:
        """See VersionSource."""
        request = pb.ListTenantsRequest(page_size=1)
        return self._client.call("ListTenants", request, pb.ListTenantsResponse).store_id

    def listed(self) -> list[ListedTenant]:
        """See VersionSource."""
        found: list[ListedTenant] = []
        token = ""
        while True:
            request = pb.ListTenantsRequest(page_size=_PAGE, page_token=token)
            answer = self._client.call("ListTenants", request, pb.ListTenantsResponse)
            found += [
                ListedTenant(
                    _version(one.version), _hold(one.version.tenant_id, one), _trial(one.version.tenant_id, one)
                )
                for one in answer.tenants
            ]
            token = answer.next_page_token
            if not token:
                return found

    def history(self, tenant: str) -> TenantHistory:
        """See VersionSource."""
        found: list[Version] = []
        token = ""
        while True:
            request = pb.ListTenantVersionsRequest(tenant_id=tenant, page_size=_PAGE, page_token=token)
            answer = self._client.call("ListTenantVersions", request, pb.ListTenantVersionsResponse)
            found += [_version(version) for version in answer.versions]
            token = answer.next_page_token
            if not token:
                return TenantHistory(found, _hold(tenant, answer), answer.last_trial_end)

    def shown(self, tenant: str, number: int | None) -> ShownVersion:
        """See VersionSource."""
        request = pb.GetTenantVersionRequest(tenant_id=tenant, number=number or 0)
        answer = self._client.call("GetTenantVersion", request, pb.GetTenantVersionResponse)
        state = sources.definition(tenant, answer.version.files) if answer.version.files else None
        return ShownVersion(
            _version(answer.version), state, _hold(tenant, answer), answer.newest_number, answer.store_id
        )

    # -- apply -------------------------------------------------------------------------------------------------------

    def read(self, args: argparse.Namespace) -> ReadTenants:
        """See VersionSource."""
        given = secrets_of(args)
        secrets = _Collected(given.environ, given.allowed, given.directory, given.placeholders)
        found = directory.load(args.directory, None, secrets)
        places = folders(args.directory, found)
        sent = [
            pb.TenantSource(
                tenant_id=tenant,
                files=_texts(folder),
                env_secrets=secrets.sent["env"].get(tenant, {}),
                file_secrets=secrets.sent["file"].get(tenant, {}),
            )
            for tenant, folder in places.items()
        ]
        tenants = ReadTenants(places, found.single, found.warnings, found.definitions, {}, sent)
        if not args.strict:
            return tenants
        # The daemon has the warnings about sources; what they stop must not have been applied by then.
        answer = self._apply(tenants, {}, validate_only=True)
        return replace(tenants, warnings=[_warning(text, tenants) for text in answer.warnings])

    def plan(self, tenants: ReadTenants, *, prune: bool, expected: Mapping[str, int]) -> ApplyResult:
        """See VersionSource."""
        removed = self._others(tenants) if prune else ()
        answer = self._apply(tenants, expected, validate_only=True, remove_tenant_ids=removed)
        return replace(_result(answer), versions={})

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
        removed = () if not prune else self._others(tenants) if agreed is None else agreed
        answer = self._apply(
            tenants, expected, message=author.message, request_id=self._request_id, remove_tenant_ids=removed
        )
        held = {one.tenant_id: hold for one in answer.tenants if (hold := _hold(one.tenant_id, one)) is not None}
        return Applied(_result(answer), [_warning(text, tenants) for text in answer.warnings], held=held)

    def begin_trial(
        self, tenants: ReadTenants, percent: int, band: Band, author: Author, expected: Mapping[str, int]
    ) -> list[TrialRow]:
        """See VersionSource."""
        trial = pb.Trial(percent=percent, denied_points=band.denied_points, degraded_points=band.degraded_points)
        answer = self._apply(tenants, expected, message=author.message, request_id=self._request_id, trial=trial)
        return [
            TrialRow(one.tenant_id, one.version, percent, band)
            for one in answer.tenants
            if one.result == pb.AppliedTenant.RESULT_ON_TRIAL
        ]

    def _apply(self, tenants: ReadTenants, expected: Mapping[str, int], **members: Any) -> pb.ApplyTenantsResponse:
        request = pb.ApplyTenantsRequest(tenants=tenants.sent, **members)
        for source in request.tenants:
            if source.tenant_id in expected:
                source.expected_version = expected[source.tenant_id]
        try:
            return self._client.call("ApplyTenants", request, pb.ApplyTenantsResponse)
        except TenantFaulty as error:
            raise TenantFaulty([_here(fault, tenants) for fault in error.faults]) from None

    def _others(self, tenants: ReadTenants) -> list[str]:
        return [one.version.tenant for one in self.listed() if one.version.tenant not in tenants.folders]

    # -- other changes -----------------------------------------------------------------------------------------------

    def promote(self, tenant: str, author: Author) -> Version:
        """See VersionSource."""
        request = pb.PromoteTenantRequest(request_id=self._request_id, tenant_id=tenant, message=author.message)
        return _version(self._client.call("PromoteTenant", request, pb.PromoteTenantResponse).version)

    def abandon(self, tenant: str, author: Author) -> TrialRow:
        """See VersionSource."""
        request = pb.AbandonTenantRequest(request_id=self._request_id, tenant_id=tenant)
        return _trial_row(tenant, self._client.call("AbandonTenant", request, pb.AbandonTenantResponse).trial)

    def roll_back(
        self, tenant: str, to: int | None, author: Author, *, force: bool
    ) -> tuple[RolledBack, TenantHold | None]:
        """See VersionSource."""
        request = pb.RollbackTenantRequest(
            request_id=self._request_id, tenant_id=tenant, to_version=to or 0, message=author.message, force=force
        )
        answer = self._client.call("RollbackTenant", request, pb.RollbackTenantResponse)
        done = RolledBack(
            _version(answer.version), answer.to_version, tuple(answer.missing_secrets), changed=answer.changed
        )
        return done, _hold(tenant, answer)

    def delete(self, tenant: str, author: Author) -> Version:
        """See VersionSource."""
        request = pb.DeleteTenantRequest(request_id=self._request_id, tenant_id=tenant, message=author.message)
        return _version(self._client.call("DeleteTenant", request, pb.DeleteTenantResponse).version)

    def hold(
        self, tenant: str, number: int | None, span_s: int, author: Author, *, force: bool
    ) -> tuple[TenantHold, Sequence[str]]:
        """See VersionSource."""
        at: dict[str, Any] = {"policy_only": True} if number is None else {"version": number}
        request = pb.HoldTenantRequest(
            request_id=self._request_id, tenant_id=tenant, message=author.message, force=force, **at
        )
        request.ttl.FromSeconds(span_s)
        answer = self._client.call("HoldTenant", request, pb.HoldTenantResponse)
        return _tenant_hold(tenant, answer.hold), list(answer.missing_secrets)

    def executions(self, tenant: str, last: int, *, failed: bool, follow: bool) -> Iterator[pb.KeptExecution]:
        """See VersionSource."""
        request = pb.FollowExecutionsRequest(tenant_id=tenant, last=last, failed_only=failed)
        return kept_executions.of_daemon(self._client, request, follow=follow, sleep=time.sleep)

    def release(self, tenant: str, author: Author) -> bool:
        """See VersionSource."""
        request = pb.ReleaseTenantRequest(request_id=self._request_id, tenant_id=tenant)
        return self._client.call("ReleaseTenant", request, pb.ReleaseTenantResponse).released


@dataclass(frozen=True, slots=True)
class _Collected(Secrets):
    """Keeps what was read for tenants, to be sent. What the store has is the daemon's to look up."""

    sent: dict[str, dict[str, dict[str, str]]] = field(default_factory=lambda: {"env": {}, "file": {}}, repr=False)

    def env(self, tenant: str, name: str) -> str:
        """Return a value. Raises: Unresolved."""
        return self.sent["env"].setdefault(tenant, {}).setdefault(name, Secrets.env(self, tenant, name))

    def file(self, tenant: str, name: str) -> str:
        """Return a value. Raises: Unresolved."""
        return self.sent["file"].setdefault(tenant, {}).setdefault(name, Secrets.file(self, tenant, name))

    def kept(self, tenant: str, owner: str, name: str | int) -> str:
        """Return what stands for a value that only the daemon's store has."""
        return Secrets(placeholders=True).kept(tenant, owner, name)


def _texts(folder: Path) -> dict[str, str]:
    """Return the files of a tenant that was read a moment ago. Raises: CatalogError."""
    try:
        with Folder(folder) as opened:
            files = {"tenant.yaml": text_of(opened, folder, "tenant.yaml", directory.MAX_TENANT_FILE_BYTES)}
            for place in ("actions", bundle.PACKAGE):
                for file in opened.names(place) if (folder / place).is_dir() else []:
                    if file.endswith(".py"):
                        files[f"{place}/{file}"] = text_of(opened, folder, f"{place}/{file}", MAX_SOURCE_BYTES)
    except OSError:
        raise ConfigError([Fault(str(folder), "has changed while it was read; apply again")]) from None
    return files


# -- messages as what a store returns --------------------------------------------------------------------------------


def _version(found: pb.TenantVersion) -> Version:
    return Version(
        found.tenant_id,
        found.number,
        found.store_revision,
        found.create_time.seconds,
        found.author,
        found.message,
        _HOW.get(found.origin, "unknown"),
        found.copy_of or None,
        found.content_hash,
        _changes(found.changes),
    )


def _changes(found: Iterable[pb.Change]) -> tuple[Change, ...]:
    return tuple([Change(change.what, change.name, change.how) for change in found])


def _hold(tenant: str, answer: Any) -> TenantHold | None:
    """Return the hold of an answer that may have one."""
    return _tenant_hold(tenant, answer.hold) if answer.HasField("hold") else None


def _tenant_hold(tenant: str, hold: pb.Hold) -> TenantHold:
    number = hold.version or None
    return TenantHold(tenant, number, hold.expire_time.seconds, hold.author, hold.create_time.seconds, hold.message)


def _trial(tenant: str, answer: pb.TenantSummary) -> TrialRow | None:
    return _trial_row(tenant, answer.trial) if answer.HasField("trial") else None


def _trial_row(tenant: str, trial: pb.Trial) -> TrialRow:
    return TrialRow(tenant, trial.version, trial.percent, Band(trial.denied_points, trial.degraded_points))


def _result(answer: pb.ApplyTenantsResponse) -> ApplyResult:
    by_result: dict[int, list[str]] = {}
    for one in answer.tenants:
        by_result.setdefault(one.result, []).append(one.tenant_id)
    kinds = pb.AppliedTenant
    created, changed, unchanged, removed = (
        tuple(by_result.get(kind, ()))
        for kind in (kinds.RESULT_CREATED, kinds.RESULT_CHANGED, kinds.RESULT_UNCHANGED, kinds.RESULT_REMOVED)
    )
    return ApplyResult(
        answer.store_revision,
        created,
        changed,
        unchanged,
        removed,
        changes={one.tenant_id: _changes(one.changes) for one in answer.tenants if one.tenant_id in changed},
        versions={one.tenant_id: one.version for one in answer.tenants if one.tenant_id not in removed},
    )


def _here(fault: Fault, tenants: ReadTenants) -> Fault:
    """Name a place as this host knows it: the daemon says TENANT/actions/NAME.py:LINE:COLUMN."""
    tenant, slash, rest = fault.where.partition("/")
    folder = tenants.folders.get(tenant)
    return moved(fault, f"{folder}/{rest}", fault.message) if slash and folder is not None else fault


def _warning(text: str, tenants: ReadTenants) -> Fault:
    where, colon, message = text.partition(": ")
    if not colon:
        return Fault("", text)
    plain, _, code = message.removesuffix("]").rpartition(" [")
    return _here(SourceFinding(where, plain, code) if code in CODES else Fault(where, message), tenants)
