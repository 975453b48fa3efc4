"""Have what a hook asks about decided, inside its product's budget, and give equal calls one reply.

Knows the call path and tenants' doors. Must not know HTTP servers.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic
from typing import Any, Final, NamedTuple

from vestibule.v1.runtime_service_pb2 import VIEW_BASIC, ExecutePostLoginRequest

from runtime.callers.caller import Caller, Scope
from runtime.callers.errors import HookNotAuthentic, TenantHasNoDoor
from runtime.calls import metadata
from runtime.calls.calls import NoAnswer
from runtime.calls.codec import AUTH0_VALUES
from runtime.catalog.base import Flow, Snapshot
from runtime.catalog.hook_door import HookDoor
from runtime.doors import bodies
from runtime.doors.dialects.base import AskedLogin, Dialect, HookCall, HookReply, Trouble, event_of, plain_trouble
from runtime.doors.dialects.repeats import Kept, Repeats
from runtime.doors.dialects.ruling import rule
from runtime.doors.door import LoginDesk
from runtime.errors import InvalidRequest
from runtime.login import event_json
from runtime.ops.metrics import Metrics

MAX_BODY_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 24
_NOT_AUTHENTIC: Final = "the call is not authentic; check the tenant, its doors and their secrets"


class CountedReply(NamedTuple):
    """A reply, and the label under which it is counted."""

    reply: HookReply
    result: str


class HookDesk:
    """Answers hooks that are called by HTTP, of every dialect. Belongs to one event loop."""

    def __init__(
        self,
        desk: LoginDesk,
        snapshot: Callable[[], Snapshot],
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Tenants' doors are those of `snapshot` at each call; `clock` is what signatures' times are compared with."""
        self._desk, self._snapshot, self._metrics, self._clock = desk, snapshot, metrics, clock
        self._replies: Repeats[CountedReply] = Repeats()

    async def answer(
        self, name: str, dialect: Dialect, tenant: str, headers: Mapping[str, str], body: bytes | None
    ) -> HookReply:
        """Answer one call of a dialect. `body` is None when it was too large to be read, or not whole in time."""
        found = await self._answer(name, dialect, tenant, headers, body)
        self._metrics.hook_answered(name, found.result)
        return found.reply

    async def _answer(
        self, name: str, dialect: Dialect, tenant: str, headers: Mapping[str, str], body: bytes | None
    ) -> CountedReply:
        flow = self._snapshot().tenants.get(tenant)
        door = None if flow is None else flow.doors.get(name)
        if flow is None or door is None:
            # As for a wrong secret: who has none does not learn which tenants there are.
            self._desk.refuse(TenantHasNoDoor(name), tenant)
            return CountedReply(plain_trouble(Trouble.UNAUTHENTICATED, _NOT_AUTHENTIC), Trouble.UNAUTHENTICATED)
        if body is None:
            return _trouble(dialect, door, Trouble.TOO_LARGE, f"want a body of {MAX_BODY_BYTES} bytes at most, at once")
        try:
            return await self._of_tenant(flow, door, dialect, headers, body)
        except Exception as error:  # noqa: BLE001 - a process edge: a product may take our 500 for a yes
            refused = self._desk.refuse(error, tenant)
            return _trouble(dialect, door, Trouble.NO_DECISION, refused.status.message)

    async def _of_tenant(
        self, flow: Flow, door: HookDoor, dialect: Dialect, headers: Mapping[str, str], body: bytes
    ) -> CountedReply:
        name, tenant = door.dialect, flow.tenant
        proof = dialect.verify(door.secrets, headers, body, self._clock())
        if proof.problem:
            self._desk.refuse(HookNotAuthentic(name, proof.problem), tenant)
            return _trouble(dialect, door, Trouble.UNAUTHENTICATED, _NOT_AUTHENTIC)
        try:
            call = HookCall(door, headers, await bodies.beside(len(body), partial(_decoded, body, headers)))
            asked = dialect.to_login(call)
            if asked is None:
                return CountedReply(dialect.not_a_login, "not_a_login")
            parts = (name, tenant, flow.digest.hex(), proof.once, asked.call_id, hashlib.sha256(body).hexdigest())
            key = hashlib.sha256(json.dumps(parts).encode()).digest()
            request = ExecutePostLoginRequest(
                tenant_id=tenant,
                request_id=f"{name}-{key.hex()[:48]}",
                event=event_json.from_json(event_of(asked, name)),
                view=VIEW_BASIC,
            )
        except InvalidRequest as error:
            self._desk.refuse(error, tenant)
            return _trouble(dialect, door, Trouble.MALFORMED, str(error))
        ends = monotonic() + dialect.deadline_s
        return await self._replies.once(
            key, dialect.repeat_s, ends, lambda: self._decide(dialect, call, asked, request, ends)
        )

    async def _decide(
        self, dialect: Dialect, call: HookCall, asked: AskedLogin, request: ExecutePostLoginRequest, ends: float
    ) -> Kept[CountedReply]:
        door = call.door
        caller = Caller(f"door {door.dialect}", frozenset({Scope.EXECUTE}), request.tenant_id)
        trace = metadata.taken(call.headers.get(metadata.TRACEPARENT, ""))
        found = await self._desk.execute(request, ends - monotonic(), caller, trace)
        if isinstance(found, NoAnswer):
            kind = Trouble.MALFORMED if found.code == "INVALID_ARGUMENT" else Trouble.NO_DECISION
            trouble = _trouble(dialect, door, kind, found.status.message)
            return Kept(trouble, 0, keep=False, for_all=not found.late)
        ruling = rule(found.decision, door, asked)
        reply = dialect.from_ruling(call, asked, ruling)
        if len(reply.body) > dialect.reply_bytes:
            return Kept(_trouble(dialect, door, Trouble.NO_DECISION, "the reply is too large"), 0, keep=False)
        return Kept(CountedReply(reply, ruling.result), len(reply.body), keep=True)


def _trouble(dialect: Dialect, door: HookDoor, kind: Trouble, detail: str) -> CountedReply:
    return CountedReply(dialect.on_trouble(door, kind, detail), kind)


def _decoded(body: bytes, headers: Mapping[str, str]) -> Any:
    """Return what a body says. Raises: InvalidRequest."""
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise InvalidRequest("request", "the body is compressed; hooks send it as it is")
    value = bodies.as_json(body)
    if not bodies.bounded(value, MAX_DEPTH, AUTH0_VALUES):
        limits = f"{MAX_DEPTH} levels or {AUTH0_VALUES} values"
        raise InvalidRequest("request", f"the JSON has more than {limits}, or a number beyond it")
    return value
