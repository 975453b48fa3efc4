"""The methods that change nothing: each takes a connection and a message, and returns a message."""

from __future__ import annotations

import time
from typing import Final

from vestibule.v1 import admin_service_pb2 as pb

from runtime.admin import audit, messages
from runtime.callers.caller import EVERY_TENANT, Caller
from runtime.catalog import differences, executions, holds, lineage, tenant_writer, trials, versions
from runtime.catalog.database import Connection
from runtime.errors import InvalidRequest

# The token of a list that is ordered by name is the last name; this is before every other.
_FIRST: Final = ""


def list_tenants(connection: Connection, request: pb.ListTenantsRequest, caller: Caller) -> pb.ListTenantsResponse:
    """List the tenants that a caller may see. Raises: InvalidRequest."""
    size = messages.page_size(request.page_size)
    after = request.page_token
    if after:
        try:
            messages.tenant_name(after)
        except InvalidRequest:
            raise messages.bad_token() from None
    seen = [
        version
        for version in versions.newest(connection)
        if version.tenant > after and caller.tenant in (EVERY_TENANT, version.tenant)
    ]
    found, more = messages.page(seen, size)
    held, tried = holds.active(connection, int(time.time())), trials.listed(connection)
    response = pb.ListTenantsResponse(
        next_page_token=found[-1].tenant if more else "", store_id=lineage.store_id(connection)
    )
    for version in found:
        summary = pb.TenantSummary(version=messages.version_message(version))
        if version.tenant in held:
            summary.hold.CopyFrom(messages.hold_message(held[version.tenant]))
        if version.tenant in tried:
            summary.trial.CopyFrom(messages.trial_message(tried[version.tenant]))
        response.tenants.append(messages.masked(summary, request.read_mask))
    return response


def list_versions(
    connection: Connection, request: pb.ListTenantVersionsRequest, _caller: Caller
) -> pb.ListTenantVersionsResponse:
    """List the versions of a tenant. Raises: InvalidRequest, UnknownVersion."""
    size, before = messages.page_size(request.page_size), messages.numbered(request.page_token)
    listed = [
        version
        for version in versions.history(connection, request.tenant_id)
        if before is None or version.number < before
    ]
    found, more = messages.page(listed, size)
    return pb.ListTenantVersionsResponse(
        versions=[messages.masked(messages.version_message(version), request.read_mask) for version in found],
        next_page_token=str(found[-1].number) if more else "",
        hold=held_message(connection, request.tenant_id),
        last_trial_end=trials.last_end(connection, request.tenant_id),
    )


def get_version(
    connection: Connection, request: pb.GetTenantVersionRequest, _caller: Caller
) -> pb.GetTenantVersionResponse:
    """Return a version with its files. Raises: InvalidRequest, UnknownVersion."""
    version = versions.version(connection, request.tenant_id, messages.version_number(request.number, "number"))
    message = messages.version_message(version)
    state = versions.content(connection, version)
    if state is not None:
        message.files["tenant.yaml"] = tenant_writer.tenant_yaml(state.flow)
        for name, source in state.files.items():
            message.files[name] = source
    return pb.GetTenantVersionResponse(
        version=messages.masked(message, request.read_mask),
        hold=held_message(connection, request.tenant_id),
        newest_number=versions.version(connection, request.tenant_id).number,
        store_id=lineage.store_id(connection),
    )


def held_message(connection: Connection, tenant: str) -> pb.Hold | None:
    """Return what a tenant is held at; None when its newest version is served."""
    held = holds.active(connection, int(time.time())).get(tenant)
    return messages.hold_message(held) if held is not None else None


def compare(
    connection: Connection, request: pb.CompareTenantVersionsRequest, _caller: Caller
) -> pb.CompareTenantVersionsResponse:
    """Tell two versions apart. Raises: InvalidRequest, UnknownVersion."""
    if not request.base:
        raise InvalidRequest("base", "is missing; send the number of a version")
    sides = [
        versions.version(connection, request.tenant_id, messages.version_number(number, field))
        for number, field in ((request.base, "base"), (request.other, "other"))
    ]
    before, after = ((str(side), versions.content(connection, side)) for side in sides)
    found = differences.differences(*before, *after)
    return pb.CompareTenantVersionsResponse(
        changes=messages.change_messages(found.changes),
        sources=[pb.SourceDiff(action=source.action, diff="\n".join(source.lines)) for source in found.sources],
    )


def list_audit(
    connection: Connection, request: pb.ListAuditRecordsRequest, _caller: Caller
) -> pb.ListAuditRecordsResponse:
    """List calls. Raises: InvalidRequest."""
    size, before = messages.page_size(request.page_size), messages.numbered(request.page_token)
    found, more = messages.page(audit.listed(connection, request.tenant_id, before, size + 1), size)
    response = pb.ListAuditRecordsResponse(next_page_token=str(found[-1][0]) if more else "")
    for _, call in found:
        record = response.records.add(
            caller=call.caller,
            method=call.method,
            tenant_ids=call.tenants,
            request_id=call.request_id,
            code=call.code,
            message=call.message,
        )
        record.time.FromSeconds(call.at_s)
    return response


def list_executions(
    connection: Connection, request: pb.ListExecutionsRequest, _caller: Caller
) -> pb.ListExecutionsResponse:
    """List the executions of a tenant. Raises: InvalidRequest, UnknownVersion: there was never such a tenant."""
    size, before = messages.page_size(request.page_size), messages.numbered(request.page_token)
    versions.version(connection, request.tenant_id)
    rows = executions.newest(connection, request.tenant_id, before, size + 1, failed=request.failed_only)
    found, more = messages.page(rows, size)
    return pb.ListExecutionsResponse(
        executions=[pb.KeptExecution.FromString(body) for _, body in found],
        next_page_token=str(found[-1][0]) if more else "",
    )


def last_executions(
    connection: Connection, request: pb.FollowExecutionsRequest, after: int | None
) -> tuple[pb.FollowExecutionsResponse, int]:
    """Return the executions after a number, or the last ones without, and the number to continue with.

    Raises: InvalidRequest, UnknownVersion.
    """
    tenant, failed = request.tenant_id, request.failed_only
    if after is None:
        if not 0 <= request.last <= messages.MAX_PAGE:
            raise InvalidRequest("last", f"want 0 to {messages.MAX_PAGE}")
        versions.version(connection, tenant)
        # One at least: what is new comes after it.
        found = executions.newest(connection, tenant, None, max(request.last, 1), failed=failed)[::-1]
        number = found[-1][0] if found else 0
        found = found if request.last else []
    else:
        found = executions.after(connection, tenant, after, messages.PAGE, failed=failed)
        number = found[-1][0] if found else after
    return pb.FollowExecutionsResponse(executions=[pb.KeptExecution.FromString(body) for _, body in found]), number
