"""Turn each error of ours into a gRPC status with `google.rpc` details: the one place where an error becomes a code."""

from typing import Final, Never

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from runtime import errors
from runtime.ops.printable import printable

DOMAIN: Final = "vestibule"

# (code, reason) by class; a subclass without a line of its own is a fault that a test finds. Codes speak of the caller
# and of us; what tenant code did is in a decision, with OK.
_INTERNAL: Final = (grpc.StatusCode.INTERNAL, "INTERNAL")
TABLE: Final[dict[type[errors.VestibuleError], tuple[grpc.StatusCode, str]]] = {
    errors.VestibuleError: _INTERNAL,
    errors.FaultsError: _INTERNAL,
    errors.ConfigError: (grpc.StatusCode.INTERNAL, "MISCONFIGURED"),
    errors.StartError: (grpc.StatusCode.UNAVAILABLE, "NOT_STARTED"),
    errors.RequestError: (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
    errors.InvalidRequest: (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
    errors.InvalidEvent: (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_EVENT"),
    errors.UnknownTenant: (grpc.StatusCode.NOT_FOUND, "UNKNOWN_TENANT"),
    errors.InvalidContinuation: (grpc.StatusCode.INVALID_ARGUMENT, "CONTINUATION_INVALID"),
    errors.ContinuationError: (grpc.StatusCode.FAILED_PRECONDITION, "CONTINUATION_INVALID"),
    errors.ContinuationExpired: (grpc.StatusCode.FAILED_PRECONDITION, "CONTINUATION_EXPIRED"),
    errors.ContinuationMismatch: (grpc.StatusCode.FAILED_PRECONDITION, "CONTINUATION_MISMATCH"),
    errors.ContinuationUsed: (grpc.StatusCode.FAILED_PRECONDITION, "CONTINUATION_USED"),
    errors.FlowGone: (grpc.StatusCode.FAILED_PRECONDITION, "FLOW_GONE"),
    errors.DeadlineExceeded: (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
    errors.CapacityError: (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"),
    errors.TooManyInFlight: (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_IN_FLIGHT"),
    errors.TenantInFlight: (grpc.StatusCode.RESOURCE_EXHAUSTED, "TENANT_TOO_MANY_IN_FLIGHT"),
    errors.PoolExhausted: (grpc.StatusCode.RESOURCE_EXHAUSTED, "POOL_EXHAUSTED"),
    errors.QueueFull: (grpc.StatusCode.RESOURCE_EXHAUSTED, "TENANT_QUEUE_FULL"),
    errors.Draining: (grpc.StatusCode.UNAVAILABLE, "DRAINING"),
    errors.CatalogError: (grpc.StatusCode.UNAVAILABLE, "CATALOG_UNAVAILABLE"),
    errors.CatalogUnavailable: (grpc.StatusCode.UNAVAILABLE, "CATALOG_UNAVAILABLE"),
    errors.NoStore: (grpc.StatusCode.UNAVAILABLE, "CATALOG_UNAVAILABLE"),
    errors.WorkerError: (grpc.StatusCode.UNAVAILABLE, "WORKER_UNAVAILABLE"),
    errors.WorkerStartError: (grpc.StatusCode.UNAVAILABLE, "WORKER_UNAVAILABLE"),
    errors.WorkerLost: (grpc.StatusCode.UNAVAILABLE, "WORKER_UNAVAILABLE"),
    errors.ProtocolViolation: (grpc.StatusCode.INTERNAL, "WORKER_VIOLATION"),
    # Never raised in a daemon: they are what a command makes of the statuses above.
    errors.ClientError: _INTERNAL,
    errors.CannotReach: _INTERNAL,
    errors.NoDecision: _INTERNAL,
}

# Texts of these stay inside: they speak of processes, paths or sources, and a caller can do nothing about them.
_PRIVATE: Final = {
    grpc.StatusCode.INTERNAL: "the daemon failed; its log says why",
    grpc.StatusCode.UNAVAILABLE: "the daemon cannot decide now; try again",
}
_RETRY_AFTER_S: Final = 0.25


def code_of(error: errors.VestibuleError) -> tuple[grpc.StatusCode, str]:
    """Return the code and reason of an error: that of its nearest class in the table."""
    for cls in type(error).__mro__:
        if cls in TABLE:
            return TABLE[cls]
    raise AssertionError("VestibuleError is in the table")  # unreachable: it is its own last resort


def to_status(error: Exception) -> tuple[grpc.StatusCode, str, status_pb2.Status]:
    """Return code, reason and the status for the caller. An error that is not ours becomes INTERNAL, without text."""
    code, reason = code_of(error) if isinstance(error, errors.VestibuleError) else _INTERNAL
    message = _PRIVATE.get(code, str(error))
    if isinstance(error, errors.Draining):
        message = str(error)
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=_metadata(error))]
    if isinstance(error, errors.InvalidRequest):
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.description)
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE):
        delay = Duration()
        delay.FromNanoseconds(int(getattr(error, "retry_after_s", _RETRY_AFTER_S) * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = [_pack(part) for part in details]
    return code, reason, status_pb2.Status(code=code.value[0], message=message, details=packed)


def _metadata(error: Exception) -> dict[str, str]:
    if isinstance(error, errors.UnknownTenant | errors.FlowGone):
        return {"tenant_id": error.tenant_id}
    return {"mismatch": error.what} if isinstance(error, errors.ContinuationMismatch) else {}


def _pack(message: Message) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed


async def abort(context: grpc.aio.ServicerContext[bytes, bytes], status: status_pb2.Status) -> Never:
    """End the call with this status."""
    await context.abort_with_status(rpc_status.to_status(status))


def explain(error: grpc.Call) -> str:
    """Say in lines for a person what a failed call's status and details say. For the client side."""
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
