"""gRPC calls as a client's library makes them, typed by hand: its stubs know neither bytes nor Health."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2_grpc
from grpc_status import rpc_status
from vestibule.v1 import decision_pb2, runtime_service_pb2

from tests import strict_reader

METHOD = "/vestibule.v1.ActionRuntimeService/ExecutePostLogin"
CONTINUE = "/vestibule.v1.ActionRuntimeService/ContinuePostLogin"


class Refused(Exception):
    """No decision: the status, with its details by type."""

    def __init__(self, error: grpc.RpcError) -> None:
        self.code: str = error.code().name
        self.message: str = error.details() or ""
        metadata: Any = error.trailing_metadata() or ()
        for key, value in metadata:
            if key == "grpc-status-details-bin":
                strict_reader.read(value, status_pb2.Status)
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an error is its call
        self.details: dict[str, Any] = {}
        for packed in status.details if status is not None else ():
            for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
                detail: Message = kind()
                if packed.Unpack(detail):
                    self.details[kind.__name__] = detail
        super().__init__(f"{self.code}: {self.message}")

    @property
    def reason(self) -> str:
        """The reason of its ErrorInfo."""
        reason: str = self.details["ErrorInfo"].reason
        return reason


def result(call: grpc.Future[Any]) -> decision_pb2.Decision:
    """Wait for a login that was begun. Raises: Refused."""
    try:
        response: runtime_service_pb2.ExecutePostLoginResponse = call.result()
    except grpc.RpcError as error:
        raise Refused(error) from None
    return response.decision


def unary(channel: grpc.Channel | grpc.aio.Channel, path: str, read: Callable[[bytes], Any] | None = None) -> Any:
    """Return a method that sends bytes, and answers with bytes or what `read` makes of them."""
    return channel.unary_unary(path, None, read)


def health(channel: grpc.Channel | grpc.aio.Channel) -> Any:
    """Return the methods of grpc.health.v1.Health."""
    return health_pb2_grpc.HealthStub(channel)
