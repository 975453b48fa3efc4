"""Why a call has no decision: `NoAnswer` when the daemon gave none, `RequestRefused` when it refuses the request.

Must not know calls or steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import grpc
from google.rpc import error_details_pb2, status_pb2

_DETAILS = "grpc-status-details-bin"
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_NO_ANSWER = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.DATA_LOSS,
    }
)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How one attempt failed."""

    status: grpc.StatusCode
    message: str = ""
    reason: str = ""
    """The stable word of the daemon's ErrorInfo; empty when gRPC itself failed."""
    facts: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with which field of the request."""
    retry_after_s: float | None = None

    def is_no_answer(self) -> bool:
        """Say whether another attempt, or another daemon, may answer; otherwise the request itself is refused."""
        return self.status in _NO_ANSWER

    def is_about_the_continuation(self) -> bool:
        """Say whether a suspended login cannot be continued; it is to begin again."""
        return self.reason.startswith("CONTINUATION_") or self.reason == "FLOW_GONE"

    def may_be_retried(self) -> bool:
        """Say whether to try again: a daemon that cannot be reached, and one that says when."""
        # RESOURCE_EXHAUSTED without a delay is a message over gRPC's own limit.
        return self.status is grpc.StatusCode.UNAVAILABLE or self.retry_after_s is not None


class VestibuleError(Exception):
    """There is no decision."""

    def __init__(self, failure: Failure, attempts: int) -> None:
        told = [f"{name}: {fault}" for name, fault in failure.fields.items()]
        fields = "".join(f"; {one}" for one in told if one not in failure.message)
        reason = f" {failure.reason}" if failure.reason else ""
        super().__init__(f"{failure.status.name}{reason}: {failure.message}{fields}")
        self.failure = failure
        self.attempts = attempts


class NoAnswer(VestibuleError):
    """The daemon gave no answer in time."""


class RequestRefused(VestibuleError):
    """The daemon refuses the request: a fault of the gateway, its key, its tenant's name or its continuation."""


def failure_of(error: grpc.RpcError) -> Failure:
    """Read how an attempt failed."""
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return Failure(status=grpc.StatusCode.UNKNOWN, message=str(error))
    details = status_pb2.Status()
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            details = status_pb2.Status.FromString(value)
    return _failure(error.code(), error.details(), details)


def failure_of_status(status: status_pb2.Status) -> Failure:
    """Read how a login of a stream failed."""
    return _failure(_CODES.get(status.code, grpc.StatusCode.UNKNOWN), status.message, status)


def _failure(code: grpc.StatusCode, message: str | None, details: status_pb2.Status) -> Failure:
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    retry_after_s = None
    for detail in details.details:
        if detail.Unpack(retry):
            retry_after_s = max(0.0, retry.retry_delay.ToNanoseconds() / 1e9)
        elif not detail.Unpack(info):
            detail.Unpack(bad)
    return Failure(
        status=code,
        message=message or "no further information",
        reason=info.reason,
        facts=dict(info.metadata),
        fields={violation.field: violation.description for violation in bad.field_violations},
        retry_after_s=retry_after_s,
    )
