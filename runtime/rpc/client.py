"""Ask a daemon to decide one login, as commands and tests do: its decision or a readable reason."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, cast

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2
from grpc_status import rpc_status
from vestibule.v1.decision_pb2 import Factor
from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule.v1.runtime_service_pb2 import (
    ContinuePostLoginRequest,
    ContinuePostLoginResponse,
    ExecutePostLoginRequest,
    ExecutePostLoginResponse,
    GatewayContext,
    GetTenantRequest,
    GetTenantResponse,
)

from runtime.errors import CannotReach, NoDecision
from runtime.ops.labels import GRPC_CONTINUE, GRPC_METHOD, GRPC_SERVICE, GRPC_TENANT
from runtime.ops.printable import printable

MOST_ANSWER_BYTES: Final = 64 << 20
"""Of an answer: all sources of a large tenant."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a daemon knows us, and we it. Without `authorities` TLS takes those that gRPC brings; texts are PEM."""

    tls: bool = False
    authorities: bytes | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    private_key: bytes | None = field(default=None, repr=False)
    api_key: str = field(default="", repr=False)

    def channel(self, target: str) -> grpc.Channel:
        """Open a channel."""
        options = [("grpc.enable_retries", 0), ("grpc.max_receive_message_length", MOST_ANSWER_BYTES)]
        if not self.tls:
            return grpc.insecure_channel(target, options)
        made = grpc.ssl_channel_credentials(self.authorities, self.private_key, self.certificate)
        return grpc.secure_channel(target, made, options)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what each call carries."""
        return (("authorization", f"Bearer {self.api_key}"),) if self.api_key else ()

    def doubt(self) -> str:
        """Ask what may be wrong when no daemon answers."""
        if not self.tls:
            return "is `vestibule serve` running there? If it has TLS, give --tls-ca"
        asked = "" if self.certificate else " If it asks for a certificate, give --tls-cert and --tls-key"
        return f"is `vestibule serve` running there, with TLS and a certificate of these authorities?{asked}"


PLAIN: Final = Credentials()
SERVING: Final = "SERVING"
"""The state of a daemon that takes logins."""
_HEALTH: Final = "grpc.health.v1.Health"


def execute(
    target: str,
    tenant_id: str,
    event: PostLoginEvent,
    *,
    gateway: GatewayContext | None = None,
    request_id: str = "",
    timeout_s: float = 10.0,
    credentials: Credentials = PLAIN,
) -> ExecutePostLoginResponse:
    """Ask the daemon at `target` (host:port or unix:PATH) to decide one login. Raises: CannotReach, NoDecision."""
    request = ExecutePostLoginRequest(tenant_id=tenant_id, request_id=request_id, event=event, gateway=gateway)
    data = _call(target, GRPC_METHOD, request.SerializeToString(), timeout_s, credentials)
    return ExecutePostLoginResponse.FromString(data)


def resume(
    target: str,
    tenant_id: str,
    event: PostLoginEvent,
    continuation: bytes,
    completed: Iterable[Factor] = (),
    *,
    gateway: GatewayContext | None = None,
    request_id: str = "",
    timeout_s: float = 10.0,
    credentials: Credentials = PLAIN,
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
    data = _call(target, GRPC_CONTINUE, request.SerializeToString(), timeout_s, credentials)
    return ContinuePostLoginResponse.FromString(data)


def get_tenant(
    target: str, tenant_id: str, *, timeout_s: float = 10.0, credentials: Credentials = PLAIN
) -> GetTenantResponse:
    """Ask the daemon at `target` what a gateway may know of a tenant. Raises: CannotReach, NoDecision."""
    request = GetTenantRequest(tenant_id=tenant_id)
    return GetTenantResponse.FromString(_call(target, GRPC_TENANT, request.SerializeToString(), timeout_s, credentials))


def health(target: str, *, timeout_s: float = 3.0, credentials: Credentials = PLAIN) -> str:
    """Ask the daemon at `target` for its state, such as SERVING. Raises: CannotReach, NoDecision."""
    request = health_pb2.HealthCheckRequest().SerializeToString()
    try:
        answer = _call(target, "Check", request, timeout_s, credentials, service=_HEALTH)
    except NoDecision as error:
        if error.code != grpc.StatusCode.DEADLINE_EXCEEDED.name:
            raise
        raise CannotReach(f"no daemon answers at {target} within {timeout_s:g} s; {credentials.doubt()}") from None
    return health_pb2.HealthCheckResponse.ServingStatus.Name(health_pb2.HealthCheckResponse.FromString(answer).status)


def _call(
    target: str, method: str, request: bytes, timeout_s: float, credentials: Credentials, service: str = GRPC_SERVICE
) -> bytes:
    with credentials.channel(target) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{service}/{method}")
        try:
            return call(request, timeout=timeout_s, metadata=credentials.metadata())
        except grpc.RpcError as error:
            failed = cast(grpc.Call, error)
            details = {key for key, _ in failed.trailing_metadata() or ()}
            if failed.code() is grpc.StatusCode.UNAVAILABLE and "grpc-status-details-bin" not in details:
                raise CannotReach(f"no daemon answers at {target}; {credentials.doubt()}") from None
            raise NoDecision(failed.code().name, explain(failed)) from None


def explain(error: grpc.Call) -> str:
    """Say in lines for a person what a failed call's status and details say."""
    status = rpc_status.from_call(error)
    return explain_status(error.code().name, status or status_pb2.Status(message=error.details() or ""))


def explain_status(code: str, status: status_pb2.Status) -> str:
    """Do the same with a status that came in another way."""
    lines = [f"{code}: {status.message or 'no further information'}"]
    for detail in status.details:
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
