"""The calling side, for commands and tests: one login to a daemon, its decision or a readable reason.

Knows: grpc. Must not know: the daemon's insides. Called by: `vestibule execute`.
"""

import grpc
from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule.v1.runtime_service_pb2 import ExecutePostLoginRequest, ExecutePostLoginResponse

from runtime.errors import CannotReach, NoDecision
from runtime.metrics import GRPC_METHOD, GRPC_SERVICE
from runtime.rpc.status import explain


def execute(
    target: str, tenant_id: str, event: PostLoginEvent, *, request_id: str = "", timeout_s: float = 10.0
) -> ExecutePostLoginResponse:
    """Ask the daemon at `target` (host:port) to decide one login. Raises: CannotReach, NoDecision."""
    request = ExecutePostLoginRequest(tenant_id=tenant_id, request_id=request_id, event=event)
    with grpc.insecure_channel(target, options=[("grpc.enable_retries", 0)]) as channel:
        call = channel.unary_unary(
            f"/{GRPC_SERVICE}/{GRPC_METHOD}",
            request_serializer=ExecutePostLoginRequest.SerializeToString,
            response_deserializer=ExecutePostLoginResponse.FromString,
        )
        try:
            response: ExecutePostLoginResponse = call(request, timeout=timeout_s)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE and "grpc-status-details-bin" not in dict(
                error.trailing_metadata() or ()
            ):
                raise CannotReach(f"no daemon answers at {target}; is `vestibule serve` running there?") from None
            raise NoDecision(error.code().name, explain(error)) from None
        return response
