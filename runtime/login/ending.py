"""How a login ended, for every caller that waited for it: each gets its own view of the same decision.

Knows outcomes and the public response. Must not know how a login is decided, or the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from vestibule.v1.runtime_service_pb2 import ExecutePostLoginResponse

if TYPE_CHECKING:
    from runtime.login.engine import LoginOutcome


class Decided(NamedTuple):
    """A decided login: the serialized response of its RPC, and the decision's id."""

    response: bytes
    decision_id: str


# Not frozen: that takes a microsecond more, of every login.
@dataclass(slots=True)
class LoginEnd:
    """An outcome with what else a response says; or `stored`, the response that the same request got before."""

    outcome: LoginOutcome | None
    decision_id: str = ""
    catalog_revision: int = 0
    wall_us: int = 0
    stored: bytes = b""
    tenant_version: int = 0

    def answer(self, request_id: str, *, basic: bool = False) -> Decided:
        """Return what a caller gets; `basic` leaves contributions and executions out."""
        if self.outcome is None:
            decision_id: str = ExecutePostLoginResponse.FromString(self.stored).decision.decision_id
            return Decided(_basic(self.stored) if basic else self.stored, decision_id)
        said = request_id, self.decision_id, self.catalog_revision, self.wall_us
        return Decided(self.outcome.response(*said, basic=basic, tenant_version=self.tenant_version), self.decision_id)


def _basic(response: bytes) -> bytes:
    message = ExecutePostLoginResponse.FromString(response)
    message.decision.ClearField("contributions")
    message.decision.ClearField("executions")
    return message.SerializeToString(deterministic=True)
