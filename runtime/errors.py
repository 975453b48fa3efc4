"""Every error of the trusted side: one tree, raised where the fault is known, made a status in calls/status.py.

What tenant code did is no error but a verdict, a value. Messages carry ids and numbers, never a tenant's payload.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

# The last instant that has a name: 9999-12-31.
_LAST_MS: Final = 253_402_214_400_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, where it is, and what to do about it, in words fit to show to its author."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class VestibuleError(Exception):
    """The root: catching it catches what we foresaw, and nothing else."""


class FaultsError(VestibuleError):
    """An error that lists every fault at once. Not raised itself."""

    def __init__(self, faults: Sequence[Fault | str]) -> None:
        self.faults: tuple[Fault, ...] = tuple(f if isinstance(f, Fault) else Fault("", f) for f in faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class ConfigError(FaultsError):
    """The configuration cannot be used; every fault names its source, the value's kind and the remedy."""


class StartError(VestibuleError):
    """The daemon cannot start, for example because a port is in use."""


class RequestError(VestibuleError):
    """The caller's request cannot be served as it is."""


class InvalidRequest(RequestError):
    """A field of the request is not acceptable. `field` is its path in the request, such as `tenant_id`."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(f"{field}: {message}")
        self.description = message


class NotOffered(RequestError):
    """The HTTP port has no such path, verb, codec or encoding."""


class RequestTooSlow(RequestError):
    """A request to the HTTP port did not arrive in the time that it may take."""


class InvalidEvent(InvalidRequest):
    """The event is malformed, too large, or of the wrong shape. `field` starts with `event`."""

    def __init__(self, message: str, field: str = "event") -> None:
        super().__init__(field, message)


class UnknownTenant(RequestError):
    """The catalog has no such tenant."""

    def __init__(self, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        super().__init__(f"tenant {tenant_id!r} is not in the catalog; check the id, or apply the tenant's directory")


class InvalidContinuation(InvalidRequest):
    """The continuation is none of ours, or not as we sealed it. `result` is a metric label, from CONTINUATIONS."""

    result = "invalid"

    def __init__(self, message: str) -> None:
        super().__init__("continuation", message)


class ContinuationError(RequestError):
    """The continuation is ours, and cannot be used here and now. Not raised itself. `result` as above."""

    result = "other"


class ContinuationExpired(ContinuationError):
    """The user came back too late."""

    result = "expired"

    def __init__(self, expired_at_ms: int) -> None:
        instant = datetime.fromtimestamp(min(max(expired_at_ms, 0), _LAST_MS) / 1000, UTC)
        super().__init__(f"the continuation expired at {instant:%Y-%m-%dT%H:%M:%SZ}; begin the login again")


class ContinuationMismatch(ContinuationError):
    """The continuation is of another login. `what` says in which respect.

    It is tenant, user, transaction, client, protocol or prompt.
    """

    result = "mismatch"

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"the continuation is of another {what}; send it with the {what} of the suspended flow")


class ContinuationUsed(ContinuationError):
    """The continuation was used before, or is being used by another request."""

    result = "used"

    def __init__(self) -> None:
        super().__init__(
            "another request has used the continuation; begin the login again, or send that request once more, "
            "with its request_id and its content"
        )


class ContinuationRunning(ContinuationError):
    """The same request with the continuation is being decided by another daemon, or by one that has died since."""

    result = "running"
    retry_after_s = 1.0

    def __init__(self) -> None:
        super().__init__("another daemon decides this request; send it again")


class ContinuationOutdated(ContinuationError):
    """The store was restored from a copy since, which may not know whether the continuation was used."""

    result = "outdated"

    def __init__(self) -> None:
        super().__init__(
            "the continuation is of an earlier epoch of the store, which was restored from a copy since; begin the "
            "login again"
        )


class FlowGone(ContinuationError):
    """The suspended flow cannot be continued any more: the catalog does not have it."""

    result = "gone"

    def __init__(self, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        super().__init__(
            f"tenant {tenant_id!r}: the flow that was suspended is not kept any more; begin the login again"
        )


class DuplicateId(InvalidRequest):
    """A login of a stream has the id of another one that is still open."""

    def __init__(self, login: int) -> None:
        super().__init__("id", f"{login} is that of a login that is still open, which has its own answer; send another")


class LoginCancelled(RequestError):
    """The caller of a stream wants the answer to a login no more."""

    def __init__(self) -> None:
        super().__init__("the login was cancelled by its caller")


class AnswersNotTaken(RequestError):
    """The caller of a stream reads no answers."""


class DeadlineExceeded(RequestError):
    """Time ran out before anything could be decided."""

    def __init__(self, message: str = "the deadline passed before the login could be decided") -> None:
        super().__init__(message)


class CapacityError(VestibuleError):
    """We are full; the caller may try again. `retry_after_s` says when; `reason` is a metric label, from ShedReason."""

    reason = "capacity"

    def __init__(self, message: str, *, retry_after_s: float = 0.1) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class TooManyInFlight(CapacityError):
    """The daemon already decides as many logins as it is allowed to."""

    reason = "in_flight"


class TenantInFlight(TooManyInFlight):
    """The tenant already has its share of the logins that the daemon decides at a time."""

    reason = "tenant_in_flight"


class StreamFull(TooManyInFlight):
    """A message of a stream has more logins than the stream may have in flight."""

    reason = "stream"


class TooManyStreams(TooManyInFlight):
    """As many streams are open as are allowed."""

    reason = "streams"


class PoolExhausted(CapacityError):
    """No worker can be had: as many as allowed exist and are busy."""

    reason = "pool"


class QueueFull(CapacityError):
    """The tenant's own queue is full: its logins arrive faster than its workers decide them."""

    reason = "queue"


class Draining(VestibuleError):
    """The daemon is going away; another one should be asked."""

    retry_after_s = 0.0

    def __init__(self, message: str = "the daemon is draining") -> None:
        super().__init__(message)


class StreamEnded(Draining):
    """A stream is as old as it may get; a new one should be opened."""

    def __init__(self) -> None:
        super().__init__("the stream is as old as it may get; open another")


class CatalogError(FaultsError):
    """Tenant definitions or their store cannot be used; lists every fault, and the warnings that were found beside."""

    def __init__(self, faults: Sequence[Fault | str], warnings: Sequence[Fault] = ()) -> None:
        super().__init__(faults)
        self.warnings = tuple(warnings)


class CatalogUnavailable(CatalogError):
    """The store cannot be read or written as it is, with any definitions."""


class NoStore(CatalogUnavailable):
    """There is no store, or an empty file in its place. A reader never makes one."""


class StoreUnreachable(CatalogUnavailable):
    """The server of the store does not answer, or cannot serve now; it may come back by itself."""


class StoreUnwritable(CatalogUnavailable):
    """The store is read-only, or its disk is full. It may still be read, so that logins are decided as before."""

    public = "the store cannot be written, because it is read-only or full; nothing was changed"


class StoreBusy(CatalogUnavailable):
    """Another transaction was in the way, and nothing was changed: the same work may be done again at once."""


class UnknownVersion(CatalogError):
    """The store has no such tenant, or the tenant no such version."""


class Conflict(CatalogError):
    """A tenant was changed since its editor read it. `found` has, by tenant, the version expected and the newest."""

    def __init__(
        self,
        found: Mapping[str, tuple[int, int]],
        remedy: str = "take the change over, or apply with --force to replace it",
    ) -> None:
        self.found = found
        super().__init__(
            [
                f"{tenant}: was changed meanwhile: it is {_at(newest)}, and this was made from version {expected}; "
                f"{remedy}"
                for tenant, (expected, newest) in sorted(found.items())
            ]
        )


def _at(version: int) -> str:
    return f"at version {version}" if version else "not in the store"


class TenantFaulty(CatalogError):
    """Definitions that a caller sent cannot be applied; lists every fault."""


class VersionUnusable(CatalogError):
    """A version cannot be gone back to: its tenant was removed, its secrets are gone, or its actions are refused."""


class RequestIdUsed(VestibuleError):
    """Another request of the same caller had this id."""

    def __init__(self, request_id: str) -> None:
        super().__init__(f"request_id {request_id} was sent with another request before; send another id")


class WorkerError(VestibuleError):
    """A worker or the zygote failed, through no fault of the tenant's code."""


class WorkerStartError(WorkerError):
    """A worker cannot be started, for example because a required layer is not active on this host."""


class WorkerLost(WorkerError):
    """A worker died, or its socket closed, while it had a question to answer."""


class ProtocolViolation(WorkerError):
    """A worker sent what it may not send in its state; it is killed, not argued with."""


class ClientError(VestibuleError):
    """A command that calls a daemon got no decision."""


class CannotReach(ClientError):
    """No daemon answered at the target."""


class NoDecision(ClientError):
    """The daemon answered with an error. `code` names its gRPC status; the message has one line per detail."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)
