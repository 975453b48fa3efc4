"""The OAuth error and the HTTP status of each refusal. Knows reasons; must not know steps or calls."""

from __future__ import annotations

from typing import Final

from vestibule.v1 import decision_pb2
from vestibule.v1.decision_pb2 import Denial

MFA_REQUIRED: Final = ("mfa_required", 403)
NO_ANSWER: Final = ("temporarily_unavailable", 503)
NOT_UNDERSTOOD: Final = ("server_error", 500)
BEGIN_AGAIN: Final = ("invalid_request", 400)
NO_PAGES: Final = ("interaction_required", 403)

_DENIED: Final = ("access_denied", 403)
_OTHERS: Final = {
    Denial.REASON_REFRESH_TOKEN_REVOKED: ("invalid_grant", 400),
    Denial.REASON_INTERACTION_REQUIRED: NO_PAGES,
    Denial.REASON_MFA_GRANT_NOT_ALLOWED: ("unauthorized_client", 400),
    Denial.REASON_TOKEN_EXCHANGE_NOT_SUPPORTED: ("invalid_request", 400),
}


def denial(reason: decision_pb2.Denial.Reason) -> tuple[str, int]:
    """Return the OAuth error and the HTTP status of a denial; one of a later version is `access_denied`, too."""
    return _OTHERS.get(reason, _DENIED)
