"""The calls of the contract, from what a gateway has at hand. Must not know the network or steps."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from vestibule.v1 import decision_pb2
from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule.v1.runtime_service_pb2 import (
    ContinuePostLoginRequest,
    ContinuePostLoginResponse,
    ExecutePostLoginRequest,
    ExecutePostLoginResponse,
    GatewayContext,
    GetTenantRequest,
    GetTenantResponse,
    View,
)

from vestibule_client.fallback import Event

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response")


@dataclass(frozen=True)
class Call(Generic[Request, Response]):
    """A request, the method that it is for, and how its response is read."""

    method: str
    request: Request
    parse: Callable[[bytes], Response]

    @property
    def path(self) -> str:
        """Return the method as gRPC names it."""
        return f"/vestibule.v1.ActionRuntimeService/{self.method}"

    @property
    def may_be_streamed(self) -> bool:
        """Say whether a stream of logins can carry it."""
        return self.method in ("ExecutePostLogin", "ContinuePostLogin")

    def serialize(self, request: Request) -> bytes:
        """Write the request."""
        return request.SerializeToString()

    def answer(self, end: StopIteration) -> Response:
        """Return the response with which a plan has ended."""
        return cast("Response", end.value)


def execution(request: ExecutePostLoginRequest) -> Call[ExecutePostLoginRequest, ExecutePostLoginResponse]:
    """Decide a login."""
    return Call("ExecutePostLogin", request, ExecutePostLoginResponse.FromString)


def continuation_of(request: ContinuePostLoginRequest) -> Call[ContinuePostLoginRequest, ContinuePostLoginResponse]:
    """Continue a suspended login."""
    return Call("ContinuePostLogin", request, ContinuePostLoginResponse.FromString)


def tenant(tenant_id: str) -> Call[GetTenantRequest, GetTenantResponse]:
    """Ask about a tenant."""
    return Call("GetTenant", GetTenantRequest(tenant_id=tenant_id), GetTenantResponse.FromString)


def execute(
    tenant_id: str, event: Event, request_id: str, gateway: GatewayContext | None, view: View
) -> ExecutePostLoginRequest:
    """Ask to decide a login. Every attempt sends this very request, so that each gets the same decision."""
    return ExecutePostLoginRequest(
        tenant_id=tenant_id, request_id=request_id or new_request_id(), gateway=gateway, view=view, **_login(event)
    )


def resume(
    tenant_id: str,
    event: Event,
    continuation: bytes,
    completed: Iterable[decision_pb2.Factor | str],
    request_id: str,
    gateway: GatewayContext | None,
    view: View,
) -> ContinuePostLoginRequest:
    """Ask to continue a suspended login. Raises: ValueError: what satisfied a step is no factor."""
    completed = tuple(completed)
    for at, factor in enumerate(completed):
        if isinstance(factor, str) and factor not in decision_pb2.Factor.keys():  # noqa: SIM118  # no mapping
            raise ValueError(f"completed[{at}]: {factor!r} is no factor; give one of the step, such as 'FACTOR_OTP'")
    return ContinuePostLoginRequest(
        tenant_id=tenant_id,
        request_id=request_id or new_request_id(),
        gateway=gateway,
        view=view,
        continuation=continuation,
        completed=completed,
        **_login(event),
    )


def new_request_id() -> str:
    """Return an id that no other login has."""
    return uuid.uuid4().hex


def _login(event: Event) -> dict[str, Any]:
    if isinstance(event, PostLoginEvent):
        return {"event": event}
    try:
        return {"auth0_event": json_format.ParseDict(dict(event), Struct())}
    except (json_format.ParseError, RecursionError) as error:
        raise ValueError(f"event: holds what JSON has no word for ({error}); give plain JSON values") from None
