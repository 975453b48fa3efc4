"""AdminService: a serialized request in, a serialized response or a refusal out, for gRPC and HTTP alike.

Every call has a caller with credentials, a line in the log, and a row in the audit trail. The store is used by a thread
of its own, so that no login waits. Must not know gRPC or HTTP.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from google.protobuf.message import Message
from vestibule.v1 import admin_service_pb2 as pb

from runtime.admin import audit, changes, messages, reads
from runtime.admin.audit import AuditedCall
from runtime.callers.caller import EVERY_TENANT, Caller, Scope
from runtime.callers.errors import TenantNotAllowed
from runtime.calls.calls import Calls, Identify, NoAnswer, Remaining
from runtime.catalog.database import Connection
from runtime.catalog.directory import Check
from runtime.catalog.keyed import KeyedDatabase
from runtime.catalog.versions import Author
from runtime.errors import CapacityError, CatalogError, DeadlineExceeded, Draining, InvalidRequest, NotOffered
from runtime.offline import check
from runtime.ops.log import Log, clip

_SERVICE: Final = pb.DESCRIPTOR.services_by_name["AdminService"].full_name
# Calls at a time, those that wait for the store included: each holds its request.
_MOST: Final = 16
# What a call may take whose caller has set no deadline.
_LONGEST_S: Final = 60.0

_FOLLOW: Final = "FollowExecutions"
# Callers that follow executions at a time, of this process.
_FOLLOWERS: Final = 8
# How often the store is asked for what is new.
_LOOK_S: Final = 1.0

_T = TypeVar("_T")

_READERS: Final = (Scope.READ, Scope.AUTHOR, Scope.OPERATOR)
_HOLDERS: Final = (Scope.AUTHOR, Scope.OPERATOR)


class _Read(NamedTuple):
    """A method that changes nothing."""

    request: type[Message]
    act: Callable[..., Any]
    scopes: tuple[Scope, ...] = _READERS


class _Change(NamedTuple):
    """A method that changes tenants."""

    request: type[Message]
    prepare: Callable[..., changes.StoreChange]
    scopes: tuple[Scope, ...] = (Scope.AUTHOR,)


_METHODS: Final[dict[str, _Read | _Change]] = {
    "ListTenants": _Read(pb.ListTenantsRequest, reads.list_tenants),
    "ListTenantVersions": _Read(pb.ListTenantVersionsRequest, reads.list_versions),
    "GetTenantVersion": _Read(pb.GetTenantVersionRequest, reads.get_version),
    "CompareTenantVersions": _Read(pb.CompareTenantVersionsRequest, reads.compare),
    "ListAuditRecords": _Read(pb.ListAuditRecordsRequest, reads.list_audit, (Scope.OPERATOR,)),
    "ListExecutions": _Read(pb.ListExecutionsRequest, reads.list_executions),
    "FollowExecutions": _Read(pb.FollowExecutionsRequest, reads.last_executions),
    "ApplyTenants": _Change(pb.ApplyTenantsRequest, changes.apply),
    "RollbackTenant": _Change(pb.RollbackTenantRequest, changes.roll_back),
    "PromoteTenant": _Change(pb.PromoteTenantRequest, changes.promote),
    "AbandonTenant": _Change(pb.AbandonTenantRequest, changes.abandon),
    "DeleteTenant": _Change(pb.DeleteTenantRequest, changes.delete),
    "HoldTenant": _Change(pb.HoldTenantRequest, changes.hold, _HOLDERS),
    "ReleaseTenant": _Change(pb.ReleaseTenantRequest, changes.release, _HOLDERS),
}


class _Asked(NamedTuple):
    """A call that was accepted: its request, and who sent it."""

    call: AuditedCall
    request: Any
    caller: Caller


class AdminService:
    """Answers the methods of AdminService. Belongs to one event loop."""

    name = _SERVICE

    def __init__(
        self,
        database: KeyedDatabase | None,
        calls: Calls,
        log: Log,
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`database` is None where a directory is served, which only its files change.

        `calls` refuses as it does for logins; `changed` is called after a change, on the event loop.
        """
        self._database, self._calls, self._log, self._changed, self._clock = database, calls, log, changed, clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="admin")
        self._running = 0
        self.methods = {name: partial(self._answer, name) for name in _METHODS if name != _FOLLOW}
        """By name: each takes a serialized request, the caller's time, and who calls."""
        self._followers = 0
        self.streams = {_FOLLOW: self._follow}
        """The same of methods that answer again and again."""

    def close(self) -> None:
        """Take no more work to the store; what runs there ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _answer(self, name: str, data: bytes, remaining: Remaining, identify: Identify) -> bytes | NoAnswer:
        call = AuditedCall(int(self._clock()), "", name)
        self._running += 1
        try:
            caller = self._let_in(identify)
            call = replace(call, caller=caller.name)
            database = self._administered()
            call, request = _read(call, data)
            _permit(call, caller)
            asked = _Asked(call, request, caller)
            response = await self._in_time(partial(self._act, database, asked), remaining())
        except Exception as error:  # noqa: BLE001 - a process edge: whatever it is, the caller gets a status
            refusal = self._calls.refuse(error, " ".join(call.tenants), call.request_id)
            if call.caller:
                # Not of strangers, who could fill the trail.
                self._say(replace(call, code=refusal.code))
                self._thread.submit(self._note, replace(call, code=refusal.code))
            return refusal
        finally:
            self._running -= 1
        self._say(call)
        if isinstance(_METHODS[name], _Change):
            self._changed()
        return response

    async def _follow(
        self, data: bytes, remaining: Remaining, identify: Identify
    ) -> AsyncGenerator[bytes | NoAnswer, None]:
        """Send executions as they are kept, until the caller or the daemon ends; a refusal is the last thing sent."""
        call, begun = AuditedCall(int(self._clock()), "", _FOLLOW), False
        self._followers += 1
        try:
            caller = self._let_in(identify)
            if self._followers > _FOLLOWERS:
                raise CapacityError(f"{_FOLLOWERS} callers follow executions already; try again, or ask another daemon")
            call = replace(call, caller=caller.name)
            database = self._administered()
            call, request = _read(call, data)
            _permit(call, caller)
            async for response in self._kept(database, request, remaining):
                yield response
                if not begun:
                    begun = True
                    self._begun(call)
                if self._calls.draining:
                    raise Draining
                # A key that was revoked meanwhile sees no more.
                identify().require(request.tenant_id, *_READERS)
        except Exception as error:  # noqa: BLE001 - a process edge: whatever it is, the caller gets a status
            refusal = self._calls.refuse(error, " ".join(call.tenants), call.request_id)
            if call.caller and not begun:
                self._begun(replace(call, code=refusal.code))
            yield refusal
        finally:
            self._followers -= 1

    async def _kept(
        self, database: KeyedDatabase, request: pb.FollowExecutionsRequest, remaining: Remaining
    ) -> AsyncIterator[bytes]:
        """Look for what is new for ever; at first and each second there is a message, with nothing new an empty one."""
        number: int | None = None
        while True:
            response, number = await self._in_time(partial(_after, database, request, number), remaining())
            yield response.SerializeToString()
            if len(response.executions) < messages.PAGE:
                await asyncio.sleep(_LOOK_S)

    def _begun(self, call: AuditedCall) -> None:
        self._say(call)
        self._thread.submit(self._note, call)

    def _administered(self) -> KeyedDatabase:
        """Return the store. Raises: NotOffered."""
        if self._database is None:
            raise NotOffered("this daemon serves a directory: change its files, or administer another daemon")
        return self._database

    def _let_in(self, identify: Identify) -> Caller:
        """Return who calls. Raises: Draining, CapacityError, CallerError."""
        if self._calls.draining:
            raise Draining
        if self._running > _MOST:
            raise CapacityError(f"{_MOST} calls of {_SERVICE} are being answered; try again")
        return identify()

    async def _in_time(self, work: Callable[[], _T], remaining_s: float | None) -> _T:
        """Do work of the store. A change whose caller has no more time may still be made. Raises: DeadlineExceeded."""
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        within_s = _LONGEST_S if remaining_s is None else min(remaining_s, _LONGEST_S)
        done, _ = await asyncio.wait((future,), timeout=within_s)
        if not done:
            # One that has not begun never does.
            future.cancel()
            raise DeadlineExceeded
        return future.result()

    def _act(self, database: KeyedDatabase, asked: _Asked) -> bytes:
        method = _METHODS[asked.call.method]
        if isinstance(method, _Read):
            with database.reading() as connection:
                response: bytes = method.act(connection, asked.request, asked.caller).SerializeToString()
            self._note(asked.call)
            return response
        return _change(database, method, asked, partial(check.findings, log=self._log))

    def _note(self, call: AuditedCall) -> None:
        """Put a call that changed nothing into the trail. It is answered even if the store cannot be written."""
        if self._database is None:
            return
        try:
            with self._database.writing() as connection:
                audit.record(connection, call)
        except CatalogError as error:
            self._log.warning("admin.call_not_kept", method=call.method, reason=clip(str(error)))

    def _say(self, call: AuditedCall) -> None:
        self._log.info(
            "admin.called",
            method=call.method,
            caller=call.caller,
            tenants=list(call.tenants[:20]),
            request_id=call.request_id,
            code=call.code,
        )


def _after(
    database: KeyedDatabase, request: pb.FollowExecutionsRequest, number: int | None
) -> tuple[pb.FollowExecutionsResponse, int]:
    with database.reading() as connection:
        return reads.last_executions(connection, request, number)


def _change(database: KeyedDatabase, method: _Change, asked: _Asked, checked: Check) -> bytes:
    """Make a change once, however often it is sent."""
    call, content = asked.call, _content(asked)
    repeats = bool(call.request_id) and not getattr(asked.request, "validate_only", False)

    def answered(connection: Connection) -> bytes | None:
        return audit.answered(connection, call.caller, call.request_id, content) if repeats else None

    known, change = None, None
    if database.exists():
        with database.reading() as connection:
            known = answered(connection)
    if known is None:
        # Of the store as it is now. After the change the same request would be prepared otherwise, or be refused.
        change = method.prepare(asked.request, database, checked)
    with database.writing() as connection:
        if known is None:
            known = answered(connection)
        audit.record(connection, call)
        if known is not None or change is None:
            return known or b""
        response = change(connection, Author(call.caller, call.at_s, call.message)).SerializeToString()
        if repeats:
            audit.answer(connection, call, content, response)
    return response


def _read(call: AuditedCall, data: bytes) -> tuple[AuditedCall, Any]:
    """Read a request, and what the trail has of it. Raises: InvalidRequest."""
    if len(data) > messages.MAX_BYTES:
        message = f"has {len(data)} bytes; send at most {messages.MAX_BYTES}, or fewer tenants at a time"
        raise InvalidRequest("", message)
    request: Any = messages.parsed(_METHODS[call.method].request, data)
    request_id = messages.line(getattr(request, "request_id", ""), "request_id", messages.MAX_REQUEST_ID_CHARS)
    message = messages.line(getattr(request, "message", ""), "message")
    return replace(call, tenants=_tenants(request), request_id=request_id, message=message), request


def _permit(call: AuditedCall, caller: Caller) -> None:
    """Do nothing when a caller may make a call. Raises: ScopeMissing, TenantNotAllowed."""
    for tenant in call.tenants or (caller.tenant,):
        caller.require(tenant, *_METHODS[call.method].scopes)
    if call.method == "ListAuditRecords" and not call.tenants and caller.tenant != EVERY_TENANT:
        raise TenantNotAllowed(caller.tenant)


def _tenants(request: Any) -> tuple[str, ...]:
    """Return the tenants that a request is about; none for a list of all. Raises: InvalidRequest."""
    if isinstance(request, pb.ApplyTenantsRequest):
        sent = [(f"tenants[{at}].tenant_id", source.tenant_id) for at, source in enumerate(request.tenants)]
        removed = [(f"remove_tenant_ids[{at}]", tenant) for at, tenant in enumerate(request.remove_tenant_ids)]
        return tuple(messages.tenant_name(tenant, field) for field, tenant in (*sent, *removed))
    if isinstance(request, pb.ListTenantsRequest) or (
        isinstance(request, pb.ListAuditRecordsRequest) and not request.tenant_id
    ):
        return ()
    return (messages.tenant_name(request.tenant_id),)


def _content(asked: _Asked) -> bytes:
    """Return what tells a request from another. Values of secrets are left out: the hash stays in the store."""
    bare = type(asked.request)()
    bare.CopyFrom(asked.request)
    for source in getattr(bare, "tenants", ()):
        for secrets in (source.env_secrets, source.file_secrets):
            for name in secrets:
                secrets[name] = ""
    text = bare.SerializeToString(deterministic=True)
    return hashlib.sha256(f"{asked.call.method}\0".encode() + text).digest()
