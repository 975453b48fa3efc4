"""What a door is made of, and what it may ask of the daemon. Must not know a form in which it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from starlette.requests import Request
from starlette.routing import Route
from vestibule.v1.runtime_service_pb2 import (
    ContinuePostLoginRequest,
    ContinuePostLoginResponse,
    ExecutePostLoginRequest,
    ExecutePostLoginResponse,
)

from runtime.callers.caller import ANYONE, Caller
from runtime.callers.callers import Callers
from runtime.callers.errors import CredentialsMalformed
from runtime.calls.calls import Answered, Calls, NoAnswer
from runtime.ops.labels import GRPC_CONTINUE, GRPC_METHOD


@dataclass(frozen=True, slots=True)
class DoorRoutes:
    """Some paths of the HTTP port. `name` is one of DOORS, the label under which its requests are counted."""

    name: str
    routes: Sequence[Route]


def identify(request: Request, callers: Callers) -> Caller:
    """Return who sent a request, by its Authorization header or its client certificate. Raises: CallerError."""
    chain = request.scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", ())
    sent = request.headers.getlist("authorization")
    if len(sent) > 1 and callers.required:
        raise CredentialsMalformed
    return callers.identify(sent[0] if sent else None, chain[0].encode() if chain else None)


class LoginDesk:
    """Decides logins for a door, by the call path that gRPC takes: same caps, checks, counts and drain."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def execute(
        self,
        request: ExecutePostLoginRequest,
        budget_s: float | None = None,
        caller: Caller = ANYONE,
        traceparent: str = "",
    ) -> ExecutePostLoginResponse | NoAnswer:
        """Decide a login that begins, within a budget in seconds (None: the daemon's own), if its caller may ask.

        `traceparent` is that of the caller's trace, well formed, or empty.
        """
        answer = await self._ask(GRPC_METHOD, request.SerializeToString(), budget_s, caller, traceparent)
        return answer if isinstance(answer, NoAnswer) else ExecutePostLoginResponse.FromString(answer.data)

    async def resume(
        self,
        request: ContinuePostLoginRequest,
        budget_s: float | None = None,
        caller: Caller = ANYONE,
        traceparent: str = "",
    ) -> ContinuePostLoginResponse | NoAnswer:
        """Decide a login that is continued, as `execute` does one that begins."""
        answer = await self._ask(GRPC_CONTINUE, request.SerializeToString(), budget_s, caller, traceparent)
        return answer if isinstance(answer, NoAnswer) else ContinuePostLoginResponse.FromString(answer.data)

    def refuse(self, error: Exception, tenant_id: str = "", request_id: str = "") -> NoAnswer:
        """Count and log an error that a door found itself, and return what it is for the caller."""
        return self._calls.refuse(error, tenant_id, request_id)

    async def _ask(
        self, method: str, data: bytes, budget_s: float | None, caller: Caller, traceparent: str
    ) -> Answered | NoAnswer:
        ends = None if budget_s is None else monotonic() + budget_s
        return await self._calls.answer(
            self._calls.http_methods[method],
            data,
            lambda: None if ends is None else ends - monotonic(),
            lambda: caller,
            traceparent,
        )
