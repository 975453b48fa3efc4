"""Turn each error of ours into a gRPC status with `google.rpc` details: the one place where an error becomes a code.

A code is the word of the gRPC specification, so that each transport writes it in its own way.
"""

from typing import Final

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from runtime import errors
from runtime.callers import errors as caller_errors

DOMAIN: Final = "vestibule"

# (code, reason) by class; a subclass without a line of its own is a fault that a test finds. Codes speak of the caller
# and of us; what tenant code did is in a decision, with OK.
_INTERNAL: Final = ("INTERNAL", "INTERNAL")
TABLE: Final[dict[type[errors.VestibuleError], tuple[str, str]]] = {
    errors.VestibuleError: _INTERNAL,
    errors.FaultsError: _INTERNAL,
    errors.ConfigError: ("INTERNAL", "MISCONFIGURED"),
    errors.StartError: ("UNAVAILABLE", "NOT_STARTED"),
    errors.RequestError: ("INVALID_ARGUMENT", "INVALID_REQUEST"),
    errors.InvalidRequest: ("INVALID_ARGUMENT", "INVALID_REQUEST"),
    errors.InvalidEvent: ("INVALID_ARGUMENT", "INVALID_EVENT"),
    errors.NotOffered: ("UNIMPLEMENTED", "NOT_OFFERED"),
    errors.RequestTooSlow: ("DEADLINE_EXCEEDED", "REQUEST_TOO_SLOW"),
    errors.UnknownTenant: ("NOT_FOUND", "UNKNOWN_TENANT"),
    errors.InvalidContinuation: ("INVALID_ARGUMENT", "CONTINUATION_INVALID"),
    errors.ContinuationError: ("FAILED_PRECONDITION", "CONTINUATION_INVALID"),
    errors.ContinuationExpired: ("FAILED_PRECONDITION", "CONTINUATION_EXPIRED"),
    errors.ContinuationMismatch: ("FAILED_PRECONDITION", "CONTINUATION_MISMATCH"),
    errors.ContinuationUsed: ("FAILED_PRECONDITION", "CONTINUATION_USED"),
    errors.ContinuationOutdated: ("FAILED_PRECONDITION", "CONTINUATION_OUTDATED"),
    errors.ContinuationRunning: ("UNAVAILABLE", "CONTINUATION_RUNNING"),
    errors.FlowGone: ("FAILED_PRECONDITION", "FLOW_GONE"),
    caller_errors.CallerError: ("UNAUTHENTICATED", "UNAUTHENTICATED"),
    caller_errors.NoCredentials: ("UNAUTHENTICATED", "NO_CREDENTIALS"),
    caller_errors.CredentialsMalformed: ("UNAUTHENTICATED", "CREDENTIALS_MALFORMED"),
    caller_errors.KeyUnknown: ("UNAUTHENTICATED", "KEY_UNKNOWN"),
    caller_errors.KeyExpired: ("UNAUTHENTICATED", "KEY_EXPIRED"),
    caller_errors.KeyRevoked: ("UNAUTHENTICATED", "KEY_REVOKED"),
    caller_errors.CertificateUnknown: ("UNAUTHENTICATED", "CERTIFICATE_UNKNOWN"),
    caller_errors.CertificateExpired: ("UNAUTHENTICATED", "CERTIFICATE_EXPIRED"),
    caller_errors.ScopeMissing: ("PERMISSION_DENIED", "SCOPE_MISSING"),
    caller_errors.TenantNotAllowed: ("PERMISSION_DENIED", "TENANT_NOT_ALLOWED"),
    caller_errors.HookNotAuthentic: ("UNAUTHENTICATED", "HOOK_NOT_AUTHENTIC"),
    caller_errors.TenantHasNoDoor: ("UNAUTHENTICATED", "NO_DOOR"),
    errors.DeadlineExceeded: ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
    errors.DuplicateId: ("INVALID_ARGUMENT", "DUPLICATE_ID"),
    errors.LoginCancelled: ("CANCELLED", "CANCELLED"),
    errors.AnswersNotTaken: ("RESOURCE_EXHAUSTED", "ANSWERS_NOT_TAKEN"),
    errors.CapacityError: ("RESOURCE_EXHAUSTED", "OVERLOADED"),
    errors.TooManyInFlight: ("RESOURCE_EXHAUSTED", "TOO_MANY_IN_FLIGHT"),
    errors.TenantInFlight: ("RESOURCE_EXHAUSTED", "TENANT_TOO_MANY_IN_FLIGHT"),
    errors.StreamFull: ("RESOURCE_EXHAUSTED", "STREAM_FULL"),
    errors.TooManyStreams: ("RESOURCE_EXHAUSTED", "TOO_MANY_STREAMS"),
    errors.PoolExhausted: ("RESOURCE_EXHAUSTED", "POOL_EXHAUSTED"),
    errors.QueueFull: ("RESOURCE_EXHAUSTED", "TENANT_QUEUE_FULL"),
    errors.Draining: ("UNAVAILABLE", "DRAINING"),
    errors.StreamEnded: ("UNAVAILABLE", "STREAM_ENDED"),
    errors.CatalogError: ("UNAVAILABLE", "CATALOG_UNAVAILABLE"),
    errors.CatalogUnavailable: ("UNAVAILABLE", "CATALOG_UNAVAILABLE"),
    errors.NoStore: ("UNAVAILABLE", "CATALOG_UNAVAILABLE"),
    errors.UnknownVersion: ("NOT_FOUND", "UNKNOWN_VERSION"),
    errors.Conflict: ("ABORTED", "VERSION_CONFLICT"),
    errors.TenantFaulty: ("INVALID_ARGUMENT", "TENANT_FAULTY"),
    errors.VersionUnusable: ("FAILED_PRECONDITION", "VERSION_UNUSABLE"),
    errors.RequestIdUsed: ("ALREADY_EXISTS", "REQUEST_ID_USED"),
    errors.StoreUnreachable: ("UNAVAILABLE", "CATALOG_UNAVAILABLE"),
    errors.StoreUnwritable: ("UNAVAILABLE", "CATALOG_UNAVAILABLE"),
    errors.StoreBusy: ("UNAVAILABLE", "CATALOG_UNAVAILABLE"),
    errors.WorkerError: ("UNAVAILABLE", "WORKER_UNAVAILABLE"),
    errors.WorkerStartError: ("UNAVAILABLE", "WORKER_UNAVAILABLE"),
    errors.WorkerLost: ("UNAVAILABLE", "WORKER_UNAVAILABLE"),
    errors.ProtocolViolation: ("INTERNAL", "WORKER_VIOLATION"),
    # Never raised in a daemon: they are what a command makes of the statuses above.
    errors.ClientError: _INTERNAL,
    errors.CannotReach: _INTERNAL,
    errors.NoDecision: _INTERNAL,
}

# Texts of these stay inside: they speak of processes, paths or sources, and a caller can do nothing about them.
_PRIVATE: Final = {
    "INTERNAL": "the daemon failed; its log says why",
    "UNAVAILABLE": "the daemon cannot decide now; try again",
}
_RETRY_AFTER_S: Final = 0.25
# Of a directory of tenants: a status must fit into headers of 8 KiB.
_MOST_FAULTS: Final = 20


def code_of(error: errors.VestibuleError) -> tuple[str, str]:
    """Return the code and reason of an error: that of its nearest class in the table."""
    for cls in type(error).__mro__:
        if cls in TABLE:
            return TABLE[cls]
    raise AssertionError("VestibuleError is in the table")  # unreachable: it is its own last resort


def to_status(error: Exception) -> tuple[str, str, status_pb2.Status]:
    """Return code, reason and the status for the caller. An error that is not ours becomes INTERNAL, without text."""
    code, reason = code_of(error) if isinstance(error, errors.VestibuleError) else _INTERNAL
    message = _PRIVATE.get(code, str(error))
    if isinstance(error, errors.Draining | errors.ContinuationRunning):
        message = str(error)
    if isinstance(error, errors.StoreUnwritable):
        message = error.public
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=_metadata(error))]
    if isinstance(error, errors.InvalidRequest):
        details.append(_bad_request([(error.field, error.description)]))
    elif isinstance(error, errors.TenantFaulty):
        details.append(_bad_request([(fault.where, fault.message) for fault in error.faults[:_MOST_FAULTS]]))
    if code in ("RESOURCE_EXHAUSTED", "UNAVAILABLE"):
        delay = Duration()
        delay.FromNanoseconds(int(getattr(error, "retry_after_s", _RETRY_AFTER_S) * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = [_pack(part) for part in details]
    return code, reason, status_pb2.Status(code=code_pb2.Code.Value(code), message=message, details=packed)


def _bad_request(violations: list[tuple[str, str]]) -> error_details_pb2.BadRequest:
    found = [error_details_pb2.BadRequest.FieldViolation(field=field, description=why) for field, why in violations]
    return error_details_pb2.BadRequest(field_violations=found)


def _metadata(error: Exception) -> dict[str, str]:
    if isinstance(error, errors.UnknownTenant | errors.FlowGone):
        return {"tenant_id": error.tenant_id}
    if isinstance(error, caller_errors.ScopeMissing):
        return {"scope": error.needed}
    if isinstance(error, errors.Conflict):
        listed = sorted(error.found.items())[:_MOST_FAULTS]
        expected = " ".join(f"{tenant}@{number}" for tenant, (number, _) in listed)
        return {"expected": expected, "newest": " ".join(f"{tenant}@{number}" for tenant, (_, number) in listed)}
    if isinstance(error, errors.TenantFaulty):
        return {"faults": str(len(error.faults))}
    return {"mismatch": error.what} if isinstance(error, errors.ContinuationMismatch) else {}


def _pack(message: Message) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed
