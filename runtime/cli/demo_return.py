"""What comes back of a demo login that waits for its user: factors presented, or the answer of a page elsewhere.

Knows the gateway's and the page's part, as the demo's list of logins says it. Must not know how a flow goes on.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from sandbox.contract import tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vestibule.v1 import decision_pb2

_STATE: Final = "state-of-the-demo"


@dataclass(frozen=True, slots=True)
class Return:
    """How the user comes back, and what it should lead to.

    `completed` are the factors presented. `page` is the secret that a page shares with the action, by name, and what
    the page says. `again` is the reason with which a second use of the continuation must be refused.
    """

    outcome: str
    see: str
    completed: tuple[str, ...] = ()
    page: Mapping[str, Any] | None = None
    again: str = ""

    def told(self) -> str:
        """Say what happens, in the demo's lines."""
        if self.page is not None:
            return "the user is back from the page elsewhere"
        return f"the user presents {', '.join(self.completed)}"


def event(before: str, back: Return, suspension: decision_pb2.Suspension, secrets: Mapping[str, str]) -> str:
    """Return the event of a user who comes back, as JSON.

    Args:
        before: the login's event so far.
        back: how the user comes back.
        suspension: what was waited for.
        secrets: those of the action that waits.
    """
    now = json.loads(before)
    for factor in back.completed:
        now["authentication"]["methods"].append(
            {"name": "mfa", "type": factor, "timestamp": "2026-11-24T08:01:00.000Z"}
        )
    if back.page is not None:
        # Its own request: the page sends the user back with its answer, and with the gateway's state.
        now["request"]["query"] = _answer(back.page, suspension.redirect.url, secrets) | {"state": _STATE}
    return json.dumps(now)


def _answer(page: Mapping[str, Any], url: str, secrets: Mapping[str, str]) -> dict[str, str]:
    """Be the page: believe the token that came along, and sign an answer for the same login."""
    secret = secrets[page["secret"]]
    (token,) = parse_qs(urlsplit(url).query)["session_token"]
    asked = tokens.verify(token, secret)
    now_s = int(time.time())
    claims = {"iss": asked["iss"], "sub": asked["sub"], "iat": now_s, "exp": now_s + 60, "state": _STATE}
    return {"session_token": tokens.sign(claims | dict(page["says"]), secret)}
