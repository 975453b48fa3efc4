"""The values that labels of metrics can have, and the names of our calls and of their status codes."""

from enum import StrEnum
from typing import Final

OUTCOMES: Final = ("allow", "mfa_required", "mfa_required_by_token", "deny", "suspend", "suspend_by_token")

TRIAL_SIDES: Final = ("own", "trial")
TRIAL_RESULTS: Final = ("denied", "degraded", "other")
REPORTED_CHANGES: Final = ("none", *OUTCOMES, "degraded", "undecided", "skipped")

GRPC_SERVICE: Final = "vestibule.v1.ActionRuntimeService"
GRPC_METHOD: Final = "ExecutePostLogin"
GRPC_CONTINUE: Final = "ContinuePostLogin"
GRPC_TENANT: Final = "GetTenant"
GRPC_STREAM: Final = "StreamPostLogin"
TRANSPORTS: Final = ("grpc", "http", "stream")
DOORS: Final = ("connect", "authzen", "hook", "openapi", "other")
"""What the HTTP port has: the service itself, AuthZEN, hooks of other products; `other` is a path that it has not."""
HTTP_STATUSES: Final = (
    "200", "204", "400", "401", "403", "404", "405", "409", "413", "415", "429", "499", "500", "501", "503", "504",
    "other",
)  # fmt: skip
FRONTS: Final = ("fast", "stock")
# The codes that status.py can answer, and what gRPC itself decides; named as the gRPC specification names them.
GRPC_CODES: Final = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
)


class WorkerState(StrEnum):
    """What a worker is doing."""

    STARTING = "starting"
    BLANK = "blank"
    IDLE = "idle"
    BUSY = "busy"


class KillReason(StrEnum):
    """Why the daemon killed a worker. Values are those of the pool's own reasons, and one for what is unknown."""

    DEADLINE = "deadline"
    VIOLATION = "violation"
    RECYCLED = "recycled"
    EVICTED = "evicted"
    OUTDATED = "outdated"
    RENEWED = "renewed"
    SHUTDOWN = "shutdown"
    START = "start"
    OTHER = "other"


class RenewalReason(StrEnum):
    """Why the zygote was replaced by a new one."""

    AGE = "age"
    CRASHES = "crashes"


class ExitReason(StrEnum):
    """How a worker went."""

    KILLED = "killed"  # by the daemon; worker_kills_total says why
    FILTERED = "filtered"  # by its own seccomp filter
    CRASHED = "crashed"  # a fault signal: the interpreter broke
    DIED = "died"  # in another way: killed from outside, no memory, the zygote's end
    OTHER = "other"


class ShedReason(StrEnum):
    """Why a login was refused for lack of capacity."""

    IN_FLIGHT = "in_flight"
    TENANT_IN_FLIGHT = "tenant_in_flight"
    STREAM = "stream"
    STREAMS = "streams"
    POOL = "pool"
    QUEUE = "queue"
    DRAINING = "draining"
    OTHER = "other"


SUSPENSIONS: Final = ("mfa", "redirect", "prompt")

CONTINUATIONS: Final = (
    "continued", "repeated", "running", "invalid", "expired", "mismatch", "used", "outdated", "gone",
    "other",
)  # fmt: skip
"""How continuations that were sent ended: a decision, or the reason of the error; see runtime/errors.py."""

CALLER_FILES: Final = ("tls", "certificates")
KEY_FILES: Final = ("continuation", "store")
CERTIFICATES: Final = ("server", "client_ca")

REFUSED_CALLERS: Final = (
    "no_credentials", "credentials_malformed", "key_unknown", "key_expired", "key_revoked", "certificate_unknown",
    "certificate_expired", "scope_missing", "tenant_not_allowed", "hook_not_authentic", "no_door", "other",
)  # fmt: skip
"""Why a caller was refused; see runtime/errors.py."""

HOOK_DIALECTS: Final = ("cas-trigger", "cas-policy", "kratos", "hydra", "zitadel", "supabase", "envoy", "unknown")
"""Hook dialects, and what stands for all other words."""
HOOK_RESULTS: Final = (
    "allow", "factor_shown", "mfa_required", "deny", "suspend", "not_a_login", "unauthenticated", "malformed",
    "too_large", "no_decision",
)  # fmt: skip
"""How a hook's call ended. factor_shown: a factor was required, and the session has one already."""
