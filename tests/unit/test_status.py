"""Statuses: every error of ours has one, with details, and inner texts stay inside."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2

from runtime import errors
from runtime.calls import status


def subclasses(cls: type[errors.VestibuleError]) -> Iterator[type[errors.VestibuleError]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from subclasses(sub)


def detail(answer: status_pb2.Status, message: type) -> Any:
    for packed in answer.details:
        unpacked = message()
        if packed.Unpack(unpacked):
            return unpacked
    raise AssertionError(f"no {message.__name__}")


@pytest.mark.parametrize("cls", list(subclasses(errors.VestibuleError)), ids=lambda cls: cls.__name__)
def test_every_error_is_mapped(cls: type[errors.VestibuleError]) -> None:
    """A class of errors without a line of its own in the table is a fault."""
    if cls.__module__ == errors.__name__:
        assert cls in status.TABLE
        code, reason = status.TABLE[cls]
        assert code_pb2.Code.Value(code)
        assert reason == reason.upper()
        assert 0 < len(reason) <= 63


def test_a_field_is_named() -> None:
    """The answer to a request at fault names the field, and what to send instead."""
    code, reason, answer = status.to_status(errors.InvalidRequest("tenant_id", "is absent; send one"))
    assert (code, reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    info = detail(answer, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain) == ("INVALID_REQUEST", "vestibule")
    (violation,) = detail(answer, error_details_pb2.BadRequest).field_violations
    assert (violation.field, violation.description) == ("tenant_id", "is absent; send one")


def test_an_event_is_a_field() -> None:
    """A malformed event names the field `event`."""
    _, reason, answer = status.to_status(errors.InvalidEvent("is too large"))
    assert reason == "INVALID_EVENT"
    assert detail(answer, error_details_pb2.BadRequest).field_violations[0].field == "event"


def test_a_continuation_is_a_field() -> None:
    """A continuation that is none of ours names its field, and what to send."""
    code, reason, answer = status.to_status(errors.InvalidContinuation("is cut short"))
    assert (code, reason) == ("INVALID_ARGUMENT", "CONTINUATION_INVALID")
    assert detail(answer, error_details_pb2.BadRequest).field_violations[0].field == "continuation"


@pytest.mark.parametrize(
    ("error", "reason", "metadata"),
    [
        (errors.ContinuationExpired(0), "CONTINUATION_EXPIRED", {}),
        (errors.ContinuationMismatch("user"), "CONTINUATION_MISMATCH", {"mismatch": "user"}),
        (errors.ContinuationUsed(), "CONTINUATION_USED", {}),
        (errors.ContinuationOutdated(), "CONTINUATION_OUTDATED", {}),
        (errors.FlowGone("acme"), "FLOW_GONE", {"tenant_id": "acme"}),
    ],
)
def test_why_a_continuation_cannot_be_used_is_reported(
    error: errors.ContinuationError, reason: str, metadata: dict[str, str]
) -> None:
    """A continuation of ours that is of no use here and now is FAILED_PRECONDITION, with a reason for a program."""
    code, told, answer = status.to_status(error)
    assert (code, told) == ("FAILED_PRECONDITION", reason)
    assert detail(answer, error_details_pb2.ErrorInfo).metadata == metadata


def test_an_unknown_tenant_is_named() -> None:
    """NOT_FOUND says which tenant, for a program too."""
    code, _, answer = status.to_status(errors.UnknownTenant("acme"))
    assert code == "NOT_FOUND"
    assert detail(answer, error_details_pb2.ErrorInfo).metadata == {"tenant_id": "acme"}


@pytest.mark.parametrize(
    ("error", "code", "delay_ns"),
    [
        (errors.QueueFull("full", retry_after_s=0.5), "RESOURCE_EXHAUSTED", 500_000_000),
        (errors.PoolExhausted("full"), "RESOURCE_EXHAUSTED", 100_000_000),
        (errors.Draining(), "UNAVAILABLE", 0),
        (errors.WorkerLost("pid 7 died"), "UNAVAILABLE", 250_000_000),
    ],
)
def test_who_may_try_again_learns_when(error: Exception, code: str, delay_ns: int) -> None:
    """Overload and absence carry RetryInfo."""
    found, _, answer = status.to_status(error)
    assert found is code
    assert detail(answer, error_details_pb2.RetryInfo).retry_delay.ToNanoseconds() == delay_ns


@pytest.mark.parametrize(
    "error", [KeyError("secret-of-acme"), errors.WorkerLost("secret-of-acme"), errors.CatalogError(["secret-of-acme"])]
)
def test_inner_texts_stay_inside(error: Exception) -> None:
    """No caller reads what speaks of our insides, or of something unknown."""
    _, _, answer = status.to_status(error)
    assert b"secret-of-acme" not in answer.SerializeToString()
    assert answer.message
