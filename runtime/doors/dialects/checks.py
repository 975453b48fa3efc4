"""Answer Envoy's checks over gRPC: the service envoy.service.auth.v3.Authorization.

A check is of one HTTP request, and a login has many: equal ones get one answer for the tenant's `cache_s`.
Must not know gRPC.
"""

import hashlib
import json
import time
from collections.abc import Callable
from time import monotonic
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError
from vestibule.envoy.v1 import external_auth_pb2 as pb
from vestibule.v1.runtime_service_pb2 import VIEW_BASIC, ExecutePostLoginRequest, ExecutePostLoginResponse

from runtime.callers.caller import Caller, Scope
from runtime.callers.errors import TenantHasNoDoor
from runtime.calls import metadata
from runtime.calls.calls import Calls, Identify, NoAnswer, Remaining
from runtime.catalog.base import Snapshot
from runtime.catalog.hook_door import HookDoor
from runtime.doors.dialects import envoy
from runtime.doors.dialects.base import AskedLogin, Trouble, event_of
from runtime.doors.dialects.repeats import Kept, Repeats
from runtime.doors.dialects.ruling import rule
from runtime.errors import InvalidRequest
from runtime.login import event_json
from runtime.ops.labels import GRPC_METHOD
from runtime.ops.metrics import Metrics

SERVICE: Final = "envoy.service.auth.v3.Authorization"
METHOD: Final = "Check"
MAX_CHECK_BYTES: Final = 1 << 20
_DIALECT: Final = "envoy"
_TROUBLES: Final = {
    "INVALID_ARGUMENT": Trouble.MALFORMED,
    "UNAUTHENTICATED": Trouble.UNAUTHENTICATED,
    "PERMISSION_DENIED": Trouble.UNAUTHENTICATED,
}


class _Checked(NamedTuple):
    """A serialized answer or why there is none, and the label under which it is counted."""

    answer: bytes | NoAnswer
    result: str


class EnvoyChecks:
    """Answers checks. Belongs to one event loop."""

    def __init__(
        self,
        calls: Calls,
        snapshot: Callable[[], Snapshot],
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._calls, self._snapshot, self._metrics, self._clock = calls, snapshot, metrics, clock
        self._kept: Repeats[_Checked] = Repeats()

    async def check(self, data: bytes, remaining: Remaining, identify: Identify) -> bytes | NoAnswer:
        """Return the serialized CheckResponse. An error is left to Envoy's failure mode, which is closed by default.

        data: the serialized CheckRequest; hostile.
        """
        try:
            checked = await self._check(data, remaining, identify())
        except Exception as error:  # noqa: BLE001 - a process edge: whatever it is, Envoy gets a status
            checked = _unchecked(self._calls.refuse(error))
        self._metrics.hook_answered(_DIALECT, checked.result)
        return checked.answer

    async def _check(self, data: bytes, remaining: Remaining, caller: Caller) -> _Checked:
        check = _parsed(data)
        tenant = envoy.tenant_of(check)
        caller.require(tenant, Scope.EXECUTE)
        flow = self._snapshot().tenants.get(tenant)
        door = None if flow is None else flow.doors.get(_DIALECT)
        if flow is None or door is None:
            raise TenantHasNoDoor(_DIALECT)
        asked = envoy.to_login(check, door, self._clock())
        parts = (tenant, flow.digest.hex(), asked.second_factor, asked.hint, asked.event)
        key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()
        request = ExecutePostLoginRequest(
            tenant_id=tenant, event=event_json.from_json(event_of(asked, _DIALECT)), view=VIEW_BASIC
        )
        left_s = remaining()
        # A fifth is for the way back.
        ends = monotonic() + 0.8 * (envoy.BUDGET_S if left_s is None else left_s)
        # Of equal checks the first is decided: the trace is its own.
        trace = metadata.taken(envoy.headers_of(check.attributes.request.http).get(metadata.TRACEPARENT, ""))
        return await self._kept.once(
            key, door.options["cache_s"], ends, lambda: self._decide(door, asked, request, ends, caller, trace)
        )

    async def _decide(
        self,
        door: HookDoor,
        asked: AskedLogin,
        request: ExecutePostLoginRequest,
        ends: float,
        caller: Caller,
        traceparent: str,
    ) -> Kept[_Checked]:
        found = await self._calls.answer(
            self._calls.methods[GRPC_METHOD],
            request.SerializeToString(),
            lambda: ends - monotonic(),
            lambda: caller,
            traceparent,
        )
        if isinstance(found, NoAnswer):
            return Kept(_unchecked(found), 0, keep=False, for_all=not found.late)
        ruling = rule(ExecutePostLoginResponse.FromString(found.data).decision, door, asked)
        answer = envoy.reply(door, asked, ruling).SerializeToString()
        return Kept(_Checked(answer, ruling.result), len(answer), keep=True)


def _unchecked(refused: NoAnswer) -> _Checked:
    return _Checked(refused, _TROUBLES.get(refused.code, Trouble.NO_DECISION))


def _parsed(data: bytes) -> pb.CheckRequest:
    """Return what Envoy sent. Raises: InvalidRequest."""
    if len(data) > MAX_CHECK_BYTES:
        raise InvalidRequest("request", f"the check has more than {MAX_CHECK_BYTES} bytes; leave with_request_body out")
    try:
        return pb.CheckRequest.FromString(data)
    except DecodeError:
        raise InvalidRequest("request", "is no serialized CheckRequest") from None
