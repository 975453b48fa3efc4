"""What stands beside an answer or an error: the ids of the request and of the decision, and the caller's trace.

Knows names and forms; each transport writes them as its trailing metadata. Must not know transports.
Source: https://www.w3.org/TR/trace-context/, section 3.2.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

DECISION_ID: Final = "vestibule-decision-id"
REQUEST_ID: Final = "vestibule-request-id"
TRACEPARENT: Final = "traceparent"
# Version, trace, span, flags. A later version may have more behind them; `ff` and ids of zeros alone are forbidden.
_IDS: Final = r"(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_FORM: Final = re.compile(rf"00-{_IDS}|(?!00|ff)[0-9a-f]{{2}}-{_IDS}(?:-[!-~]{{0,200}})?").fullmatch

Pairs = tuple[tuple[str, str], ...]


def taken(said: str) -> str:
    """Return a traceparent that a caller sends; empty for what is none, which the specification wants passed over."""
    return said if _FORM(said) else ""


def beside(request_id: str, decision_id: str, traceparent: str) -> Pairs:
    """Return what stands beside an answer, or, without a decision's id, beside an error. What is empty is left out."""
    # Metadata is ASCII, and an id need not be.
    request = ((REQUEST_ID, request_id if request_id.isascii() else quote(request_id)),) if request_id else ()
    decision = ((DECISION_ID, decision_id),) if decision_id else ()
    return (*decision, *request, (TRACEPARENT, traceparent)) if traceparent else decision + request
