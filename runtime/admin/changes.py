"""The methods that change tenants. What takes long, compiling actions, is done before the store is locked.

Each has a first part, which reads and checks, and returns the second, which changes the store in a transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from google.protobuf.message import Message
from vestibule.v1 import admin_service_pb2 as pb

from runtime.admin import messages, reads, sources
from runtime.catalog import applies, comparison, holds, lineage, rollback, sealed_store, trials, versions
from runtime.catalog.base import Band, Definition
from runtime.catalog.comparison import ApplyResult
from runtime.catalog.database import Connection, Joined
from runtime.catalog.directory import Check
from runtime.catalog.keyed import KeyedDatabase
from runtime.catalog.versions import Author
from runtime.errors import CatalogError, CatalogUnavailable, Conflict, InvalidRequest, UnknownVersion, VersionUnusable
from runtime.findings import code_of
from runtime.offline import version_check

_T = TypeVar("_T")

StoreChange = Callable[[Connection, Author], Message]
"""Changes the store in one transaction, and returns the response."""

MAX_HOLD_S: Final = 30 * 86_400
_POINTS: Final = 5
_REMEDY: Final = "read the newest version and take its change over, or send no expected_version to replace it"


def apply(request: pb.ApplyTenantsRequest, database: KeyedDatabase, check: Check) -> StoreChange:
    """Create or replace tenants. Raises: InvalidRequest, TenantFaulty, Conflict, CatalogUnavailable."""
    sealed_store.accept_keys(database, int(time.time()))
    database.prepare()
    band = _band(request)
    found, read_at = sources.read(request.tenants, database, check)
    wanted = comparison.by_tenant(found.definitions)
    for at, tenant in enumerate(request.remove_tenant_ids):
        if tenant in wanted:
            raise InvalidRequest(f"remove_tenant_ids[{at}]", f"is {tenant}, which is sent to be applied too")
    expected = read_at | {
        source.tenant_id: source.expected_version for source in request.tenants if source.HasField("expected_version")
    }
    warnings = [f"{warning} [{code_of(warning)}]" for warning in found.warnings]

    def change(connection: Connection, author: Author) -> Message:
        if band is not None:
            return _tried(connection, request.trial.percent, band, wanted, author, expected, warnings)
        sent = wanted.keys() | set(request.remove_tenant_ids)
        now = versions.numbers(connection, sent)
        planned = replace(
            comparison.compare(connection, wanted, prune=False),
            pruned=tuple(sorted(now.keys() & set(request.remove_tenant_ids))),
        )
        try:
            if request.validate_only:
                versions.refuse_conflicts(connection, expected, (*planned.created, *planned.changed, *planned.pruned))
                done = planned
            else:
                done = applies.write(connection, wanted, planned, author, expected)
                now = dict(done.versions)
        except Conflict as error:
            raise Conflict(error.found, _REMEDY) from None
        return pb.ApplyTenantsResponse(
            tenants=_applied(done, now, holds.active(connection, author.at_s, sent)),
            warnings=warnings,
            store_id=lineage.store_id(connection),
            store_revision=done.revision,
        )

    return change


def _band(request: pb.ApplyTenantsRequest) -> Band | None:
    """Return the band of a trial; None when none is asked for. Raises: InvalidRequest."""
    if not request.HasField("trial"):
        return None
    for field in ("validate_only", "remove_tenant_ids"):
        if getattr(request, field):
            raise InvalidRequest(field, "does not go with trial; send one of them")
    trial = request.trial
    points = trial.denied_points or _POINTS, trial.degraded_points or _POINTS
    for field, value in (("percent", trial.percent or 1), ("denied_points", points[0]), ("degraded_points", points[1])):
        if not 0 < value < 100:
            raise InvalidRequest(f"trial.{field}", "is no percentage; send 1 to 99, or 0")
    return Band(*points)


def _tried(
    connection: Connection,
    percent: int,
    band: Band,
    wanted: Mapping[str, Definition],
    author: Author,
    expected: Mapping[str, int],
    warnings: list[str],
) -> pb.ApplyTenantsResponse:
    """Put what is different on trial. Raises: Conflict, VersionUnusable: a tenant is new, or tries another version."""
    try:
        begun = trials.begin(Joined(connection), wanted.values(), percent, band, author, expected)
    except Conflict as error:
        raise Conflict(error.found, _REMEDY) from None
    except CatalogUnavailable:
        raise
    except CatalogError as error:
        raise VersionUnusable(error.faults) from None
    numbers, now = {trial.tenant: trial.number for trial in begun}, versions.numbers(connection, wanted)
    found = [
        pb.AppliedTenant(tenant_id=tenant, version=numbers[tenant], result=pb.AppliedTenant.RESULT_ON_TRIAL)
        if tenant in numbers
        else pb.AppliedTenant(tenant_id=tenant, version=now[tenant], result=pb.AppliedTenant.RESULT_UNCHANGED)
        for tenant in sorted(wanted)
    ]
    return pb.ApplyTenantsResponse(tenants=found, warnings=warnings, store_id=lineage.store_id(connection))


def promote(request: pb.PromoteTenantRequest, _database: KeyedDatabase, _check: Check) -> StoreChange:
    """Make what is on trial a tenant's newest version."""

    def change(connection: Connection, author: Author) -> Message:
        version = _usable(lambda: trials.promote(Joined(connection), request.tenant_id, author))
        return pb.PromoteTenantResponse(version=messages.version_message(version))

    return change


def abandon(request: pb.AbandonTenantRequest, _database: KeyedDatabase, _check: Check) -> StoreChange:
    """End a tenant's trial."""

    def change(connection: Connection, author: Author) -> Message:
        ended = trials.abandon(Joined(connection), request.tenant_id, author)
        return pb.AbandonTenantResponse(trial=messages.trial_message(ended))

    return change


def _applied(done: ApplyResult, now: Mapping[str, int], held: Mapping[str, holds.TenantHold]) -> list[pb.AppliedTenant]:
    results = {
        **dict.fromkeys(done.created, pb.AppliedTenant.RESULT_CREATED),
        **dict.fromkeys(done.changed, pb.AppliedTenant.RESULT_CHANGED),
        **dict.fromkeys(done.unchanged, pb.AppliedTenant.RESULT_UNCHANGED),
        **dict.fromkeys(done.pruned, pb.AppliedTenant.RESULT_REMOVED),
    }
    return [
        pb.AppliedTenant(
            tenant_id=tenant,
            version=now.get(tenant, 0),
            result=results[tenant],
            changes=messages.change_messages(done.changes.get(tenant, ())),
            hold=messages.hold_message(held[tenant]) if tenant in held else None,
        )
        for tenant in sorted(results)
    ]


def roll_back(request: pb.RollbackTenantRequest, database: KeyedDatabase, _check: Check) -> StoreChange:
    """Make an earlier version of a tenant its newest. Raises: UnknownVersion, VersionUnusable, CatalogUnavailable."""
    to = messages.version_number(request.to_version, "to_version")
    with database.reading() as connection:
        target = rollback.target(connection, request.tenant_id, to)
        if not request.force:
            _usable(lambda: version_check.refuse_faulty(connection, target))

    def change(connection: Connection, author: Author) -> Message:
        _expect(connection, request)
        done = _usable(
            lambda: rollback.rollback(Joined(connection), request.tenant_id, target.number, author, force=request.force)
        )
        return pb.RollbackTenantResponse(
            version=messages.version_message(done.version),
            changed=done.changed,
            missing_secrets=done.missing,
            to_version=done.to,
            hold=reads.held_message(connection, request.tenant_id),
        )

    return change


def delete(request: pb.DeleteTenantRequest, _database: KeyedDatabase, _check: Check) -> StoreChange:
    """Remove a tenant."""

    def change(connection: Connection, author: Author) -> Message:
        _expect(connection, request)
        version = rollback.remove(Joined(connection), request.tenant_id, author)
        return pb.DeleteTenantResponse(version=messages.version_message(version))

    return change


def hold(request: pb.HoldTenantRequest, database: KeyedDatabase, _check: Check) -> StoreChange:
    """Serve a version, or the policy alone, for a while.

    Raises: InvalidRequest, UnknownVersion, VersionUnusable, CatalogUnavailable.
    """
    which = request.WhichOneof("held_at")
    if which is None or (which == "policy_only" and not request.policy_only):
        raise InvalidRequest("held_at", "is missing; send version, or policy_only: true")
    number = request.version if which == "version" else None
    if number is not None and number < 1:
        raise InvalidRequest("version", "is no version's number; versions count from 1")
    span_s = request.ttl.seconds + (request.ttl.nanos > 0)
    if not 0 < span_s <= MAX_HOLD_S:
        raise InvalidRequest("ttl", "is missing, not positive or longer than 30 days")
    if number is not None and not request.force:
        with database.reading() as connection:
            version = versions.version(connection, request.tenant_id, number)
            _usable(lambda: version_check.refuse_faulty(connection, version))

    def change(connection: Connection, author: Author) -> Message:
        held, missing = _usable(
            lambda: holds.hold(Joined(connection), request.tenant_id, number, span_s, author, force=request.force)
        )
        return pb.HoldTenantResponse(hold=messages.hold_message(held), missing_secrets=missing)

    return change


def release(request: pb.ReleaseTenantRequest, _database: KeyedDatabase, _check: Check) -> StoreChange:
    """End a hold."""

    def change(connection: Connection, author: Author) -> Message:
        return pb.ReleaseTenantResponse(released=holds.release(Joined(connection), request.tenant_id, author))

    return change


def _usable(work: Callable[[], _T]) -> _T:
    """Do what goes back to a version. Raises: VersionUnusable where that cannot be."""
    try:
        return work()
    except (CatalogUnavailable, UnknownVersion):
        raise
    except CatalogError as error:
        raise VersionUnusable(error.faults) from None


def _expect(connection: Connection, request: pb.RollbackTenantRequest | pb.DeleteTenantRequest) -> None:
    """Do nothing when the newest version is the one that the caller knows. Raises: Conflict, UnknownVersion."""
    if request.HasField("expected_version"):
        newest = versions.version(connection, request.tenant_id).number
        if newest != request.expected_version:
            raise Conflict({request.tenant_id: (request.expected_version, newest)}, _REMEDY)
