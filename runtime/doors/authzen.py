"""OpenID AuthZEN Authorization API 1.0 by HTTP: evaluation, evaluations and the metadata of a tenant's decision point.

Knows paths, statuses and the order of a batch. Must not know what the objects or a decision mean.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from vestibule.v1.runtime_service_pb2 import (
    ContinuePostLoginRequest,
    ContinuePostLoginResponse,
    ExecutePostLoginResponse,
)

from runtime.callers.caller import Caller, Scope
from runtime.callers.callers import Callers
from runtime.calls import metadata
from runtime.calls.calls import NoAnswer
from runtime.catalog.base import TENANT_NAME, Snapshot
from runtime.catalog.door_sections import step_up_acr
from runtime.catalog.hook_door import NO_DOORS
from runtime.doors import authzen_answer, authzen_request, bodies, protojson
from runtime.doors.connect import HTTP_STATUS, JSON
from runtime.doors.door import DoorRoutes, LoginDesk, identify
from runtime.errors import DeadlineExceeded, InvalidRequest, VestibuleError

_TENANT: Final = re.compile(TENANT_NAME).fullmatch
_HOST: Final = re.compile(r"[A-Za-z0-9._\-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?").fullmatch
_REQUEST_ID_CHARS: Final = 120  # and the place in a batch
_METADATA_AGE_S: Final = 3600
# AuthZEN has no 504; a caller that may try again reads 503.
_STATUS: Final = {**HTTP_STATUS, "DEADLINE_EXCEEDED": 503, "CANCELLED": 503, "UNIMPLEMENTED": 400}
_ENDS_AT: Final = {"execute_all": None, "deny_on_first_deny": False, "permit_on_first_permit": True}


class AuthZen:
    """A decision point for each tenant."""

    def __init__(
        self,
        desk: LoginDesk,
        callers: Callers,
        snapshot: Callable[[], Snapshot],
        most_bytes: int,
        request_s: float,
        budget_s: float,
        public_url: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Read at most so many bytes of a request, and for so long; decide all of its questions within the budget.

        `public_url` is what callers reach us by; `snapshot` returns the catalog, which has each tenant's `acr`.
        """
        self._desk, self._callers, self._snapshot, self._clock = desk, callers, snapshot, clock
        self._most, self._request_s = most_bytes, request_s
        self._budget_s, self._public_url = budget_s, public_url

    def door(self) -> DoorRoutes:
        """Return its paths."""
        return DoorRoutes(
            "authzen",
            [
                Route("/t/{tenant}/access/v1/evaluation", self._evaluation, methods=["POST"]),
                Route("/t/{tenant}/access/v1/evaluations", self._evaluations, methods=["POST"]),
                Route("/.well-known/authzen-configuration/t/{tenant}", self._metadata, methods=["GET"]),
            ],
        )

    async def _evaluation(self, request: Request) -> Response:
        try:
            caller, body = await self._read(request)
        except VestibuleError as error:
            return _refused(self._desk.refuse(error))
        return await self._single(request, caller, body)

    async def _evaluations(self, request: Request) -> Response:
        try:
            caller, body = await self._read(request)
            batch = authzen_request.batch(body)
        except VestibuleError as error:
            return _refused(self._desk.refuse(error))
        if not batch.items:
            return await self._single(request, caller, body)
        ends_at, ends = _ENDS_AT[batch.semantic], monotonic() + self._budget_s
        results: list[dict[str, Any]] = []
        for place, item in enumerate(batch.items):
            found = await self._decide(request, caller, item, f".{place}", ends - monotonic())
            await asyncio.sleep(0)  # other logins are answered in between, also when this one needed no worker
            results.append(_error_item(found) if isinstance(found, NoAnswer) else found)
            if results[-1]["decision"] is ends_at:
                break
        return _json({"evaluations": results})

    async def _single(self, request: Request, caller: Caller, body: Any) -> Response:
        found = await self._decide(request, caller, body, "", self._budget_s)
        return _refused(found) if isinstance(found, NoAnswer) else _json(found)

    async def _read(self, request: Request) -> tuple[Caller, Any]:
        """Return who asks and what. Raises: CallerError, InvalidRequest, RequestTooSlow, NotOffered."""
        caller = identify(request, self._callers)
        caller.require(_tenant(request), Scope.EXECUTE)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            raise InvalidRequest("Content-Type", f"is not {JSON}; send the request as JSON")
        body = await bodies.read(request, self._most, self._request_s)
        body = bodies.inflated(body, request.headers.get("content-encoding", ""), self._most)
        return caller, await bodies.beside(len(body), partial(bodies.as_json, body))

    async def _decide(
        self, request: Request, caller: Caller, item: Any, suffix: str, budget_s: float
    ) -> dict[str, Any] | NoAnswer:
        """Decide one question."""
        if budget_s <= 0:
            return self._desk.refuse(DeadlineExceeded())
        try:
            asked = authzen_request.evaluation(item)
            login = authzen_request.login(asked, _tenant(request), _request_id(request, suffix))
        except InvalidRequest as error:
            return self._desk.refuse(error)
        trace = metadata.taken(request.headers.get(metadata.TRACEPARENT, ""))
        if isinstance(login, ContinuePostLoginRequest):
            found: ContinuePostLoginResponse | ExecutePostLoginResponse | NoAnswer
            found = await self._desk.resume(login, budget_s, caller, trace)
        else:
            found = await self._desk.execute(login, budget_s, caller, trace)
        if isinstance(found, NoAnswer):
            return found
        return authzen_answer.answer(found.decision, asked, self._clock(), self._acr(login.tenant_id))

    def _acr(self, tenant: str) -> str:
        flow = self._snapshot().tenants.get(tenant)
        return step_up_acr(NO_DOORS if flow is None else flow.doors)

    async def _metadata(self, request: Request) -> Response:
        try:
            base = f"{self._base(request)}/t/{_tenant(request)}"
        except InvalidRequest as error:
            return _refused(self._desk.refuse(error))
        document = {
            "policy_decision_point": base,
            "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
            "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
            "supported_obligations": list(authzen_request.OBLIGATIONS),
        }
        answer = _json(document)
        answer.headers["cache-control"] = f"max-age={_METADATA_AGE_S}"
        return answer

    def _base(self, request: Request) -> str:
        """Return the URL that this port is reached by. Raises: InvalidRequest."""
        if self._public_url:
            return self._public_url
        host = request.headers.get("host", "")
        if not _HOST(host):
            raise InvalidRequest("Host", "is not a host name; send the one that this port is reached by")
        return f"{request.scope['scheme']}://{host}"


def _tenant(request: Request) -> str:
    tenant: str = request.path_params["tenant"]
    if not _TENANT(tenant):
        raise InvalidRequest("tenant", "is not a tenant's id; see the path of the metadata document")
    return tenant


def _request_id(request: Request, suffix: str) -> str:
    """Return the id of a login: equal for equal requests; the daemon chooses one where the caller has none."""
    given = request.headers.get("x-request-id", "")
    if not given:
        return ""
    if len(given) > _REQUEST_ID_CHARS or not given.isprintable():
        given = hashlib.sha256(given.encode("latin-1", "replace")).hexdigest()
    return given + suffix


def _json(value: dict[str, Any]) -> Response:
    return Response(protojson.text(value), media_type=JSON)


def _refused(refused: NoAnswer) -> Response:
    text = protojson.text({"message": refused.status.message, "reason": protojson.reason(refused.status)})
    return Response(text, _STATUS[refused.code], protojson.headers_of(refused), JSON)


def _error_item(refused: NoAnswer) -> dict[str, Any]:
    error = {"status": _STATUS[refused.code], "message": refused.status.message}
    return {"decision": False, "context": {"error": error}}
