"""The application of the HTTP port: the doors' paths, and what is the same for every answer.

Must not know what a door reads or writes.
"""

from collections.abc import Sequence
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Router
from starlette.types import Message, Receive, Scope, Send

from runtime.calls.calls import Calls
from runtime.doors.connect import error_response
from runtime.doors.door import DoorRoutes
from runtime.errors import InvalidRequest, NotOffered
from runtime.ops.labels import HTTP_STATUSES
from runtime.ops.log import Log, where
from runtime.ops.metrics import Metrics

_TWO_FRAMINGS: Final = frozenset({b"content-length", b"transfer-encoding"})
_REQUEST_ID: Final = b"x-request-id"
_NO_STORE: Final = (b"cache-control", b"no-store")
_NO_SNIFF: Final = (b"x-content-type-options", b"nosniff")
# What is counted of a request whose caller has gone.
_GONE: Final = 499
_REMEDIES: Final = {
    404: "there is no such path; proto/README.md and /openapi.json list what there is",
    405: "the path is not asked for with this verb; see the Allow header",
}


class Application:
    """Routes requests to doors. Counts them, and gives each answer the request's id."""

    def __init__(self, doors: Sequence[DoorRoutes], calls: Calls, metrics: Metrics, log: Log) -> None:
        self._calls, self._metrics, self._log = calls, metrics, log
        self._doors: dict[object, str] = {route.endpoint: door.name for door in doors for route in door.routes}
        routes = [route for door in doors for route in door.routes]
        self._routed = ExceptionMiddleware(Router(routes, redirect_slashes=False), {HTTPException: self._refused})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        ids = [(name, value) for name, value in scope["headers"] if name == _REQUEST_ID]
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = [*message["headers"], _NO_SNIFF, *ids]
                cached = any(name == b"cache-control" for name, _ in own)
                message["headers"] = own if cached else [*own, _NO_STORE]
            await send(message)

        scope["app"] = self  # or the router answers a path that it does not have by itself
        try:
            if _TWO_FRAMINGS.issubset([name for name, _ in scope["headers"]]):
                await self._two_framings(scope, receive, answer)
            else:
                await self._routed(scope, receive, answer)
        except ClientDisconnect:
            return  # half a request, and its sender has gone
        except Exception as error:  # noqa: BLE001 - a process edge: whatever it is, the caller gets a status
            if not status:
                await error_response(self._calls.refuse(error))(scope, receive, answer)
            else:
                self._log.error("http.failed", error=type(error).__name__, where=where(error))
        finally:
            known = str(status or _GONE)
            known = known if known in HTTP_STATUSES else "other"
            self._metrics.http_answered(self._doors.get(scope.get("endpoint"), "other"), known)

    async def _two_framings(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request whose end a proxy in front may see elsewhere: what follows could be taken for another's."""
        problem = InvalidRequest("Content-Length", "is given beside Transfer-Encoding; send one of them")
        refused = error_response(self._calls.refuse(problem))
        refused.headers["connection"] = "close"
        await refused(scope, receive, send)

    async def _refused(self, _request: Request, error: Any) -> Response:
        """Answer what no door has: a path, or a verb of it."""
        problem = NotOffered(_REMEDIES.get(error.status_code, "this is not answered here"))
        refused = error_response(self._calls.refuse(problem), error.status_code)
        for name, value in (error.headers or {}).items():
            refused.headers[name] = value
        return refused
