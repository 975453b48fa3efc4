"""Ask a daemon to decide one login, as commands and tests do: its decision or a readable reason."""

from collections.abc import Iterable
from typing import cast

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from vestibule.v1.decision_pb2 import FactorType
from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule.v1.runtime_service_pb2 import (
    ContinuePostLoginRequest,
    ContinuePostLoginResponse,
    ExecutePostLoginRequest,
    ExecutePostLoginResponse,
    GatewayContext,
)

from runtime.errors import CannotReach, NoDecision
from runtime.ops.labels import GRPC_CONTINUE, GRPC_METHOD, GRPC_SERVICE
from runtime.ops.printable import printable


def execute(
    target: str,
    tenant_id: str,
    event: PostLoginEvent,
    *,
    gateway: GatewayContext | None = None,
    request_id: str = "",
    timeout_s: float = 10.0,
) -> ExecutePostLoginResponse:
    """Ask the daemon at `target` (host:port) to decide one login. Raises: CannotReach, NoDecision."""
    request = ExecutePostLoginRequest(tenant_id=tenant_id, request_id=request_id, event=event, gateway=gateway)
    data = _call(target, GRPC_METHOD, request.SerializeToString(), timeout_s)
    return ExecutePostLoginResponse.FromString(data)


def resume(
    target: str,
    tenant_id: str,
    event: PostLoginEvent,
    continuation: bytes,
    completed: Iterable[FactorType] = (),
    *,
    gateway: GatewayContext | None = None,
    request_id: str = "",
    timeout_s: float = 10.0,
) -> ContinuePostLoginResponse:
    """Ask the daemon at `target` to resume a suspended login. Raises: CannotReach, NoDecision."""
    request = ContinuePostLoginRequest(
        tenant_id=tenant_id,
        request_id=request_id,
        event=event,
        gateway=gateway,
        continuation=continuation,
        completed=completed,
    )
    data = _call(target, GRPC_CONTINUE, request.SerializeToString(), timeout_s)
    return ContinuePostLoginResponse.FromString(data)


def _call(target: str, method: str, request: bytes, timeout_s: float) -> bytes:
    with grpc.insecure_channel(target, options=[("grpc.enable_retries", 0)]) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{GRPC_SERVICE}/{method}")
        try:
            return call(request, timeout=timeout_s)
        except grpc.RpcError as error:
            failed = cast(grpc.Call, error)
            details = {key for key, _ in failed.trailing_metadata() or ()}
            if failed.code() is grpc.StatusCode.UNAVAILABLE and "grpc-status-details-bin" not in details:
                raise CannotReach(f"no daemon answers at {target}; is `vestibule serve` running there?") from None
            raise NoDecision(failed.code().name, explain(failed)) from None


def explain(error: grpc.Call) -> str:
    """Say in lines for a person what a failed call's status and details say."""
    code = error.code()
    lines = [f"{code.name}: {error.details() or 'no further information'}"]
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            facts = "".join(f", {key}={value}" for key, value in sorted(info.metadata.items()))
            lines.append(f"  reason: {info.reason} ({info.domain}{facts})")
        elif detail.Unpack(bad):
            lines += [f"  field {violation.field}: {violation.description}" for violation in bad.field_violations]
        elif detail.Unpack(retry):
            lines.append(f"  try again in {retry.retry_delay.ToNanoseconds() / 1e9:g} s")
    # Each is one line, whatever a daemon that is not ours might answer.
    return "\n".join([printable(line) for line in lines])
