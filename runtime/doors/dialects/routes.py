"""The paths of hook dialects: `/doors/DIALECT/TENANT`. Reads requests and writes replies; knows no dialect."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.doors import bodies
from runtime.doors.connect import error_response
from runtime.doors.dialects.desk import MAX_BODY_BYTES, HookDesk
from runtime.doors.dialects.table import DIALECTS
from runtime.doors.door import DoorRoutes, LoginDesk
from runtime.errors import InvalidRequest, NotOffered, RequestTooSlow, TooManyInFlight
from runtime.ops.metrics import Metrics
from sandbox.contract.did_you_mean import did_you_mean

_LIKE: Final = 0.6


class Hooks:
    """Answers hooks by HTTP."""

    def __init__(self, hooks: HookDesk, desk: LoginDesk, metrics: Metrics, request_s: float) -> None:
        """Read a request for at most `request_s`."""
        self._hooks, self._desk, self._metrics, self._request_s = hooks, desk, metrics, request_s
        # A body is read before its signature is checked.
        self._room = bodies.Room()

    def door(self) -> DoorRoutes:
        """Return its paths."""
        return DoorRoutes("hook", [Route("/doors/{dialect}/{tenant}", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        name, tenant = request.path_params["dialect"], request.path_params["tenant"]
        dialect = DIALECTS.get(name)
        if dialect is None:
            self._metrics.hook_answered("unknown", "malformed")
            hint = did_you_mean(name, DIALECTS, _LIKE)
            problem = NotOffered(f"there is no such dialect; known here are {', '.join(DIALECTS)}{hint}")
            return error_response(self._desk.refuse(problem, tenant), 404)
        headers: dict[str, str] = {}
        for key, value in request.headers.items():
            # A header that comes twice is joined, so that none of two credentials or signatures is taken for the one.
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        body: bytes | None
        try:
            body = await bodies.read(request, MAX_BODY_BYTES, self._request_s, self._room)
        except (InvalidRequest, RequestTooSlow, TooManyInFlight) as error:
            self._desk.refuse(error, tenant)
            body = None
        reply = await self._hooks.answer(name, dialect, tenant, headers, body)
        media = reply.media_type if reply.body else None
        return Response(reply.body, reply.status, dict(reply.headers), media)
