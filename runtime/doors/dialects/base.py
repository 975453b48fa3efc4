"""What the maps of a dialect take and give: a hook's call, a login to decide, a ruling, a reply. Pure values.

Must not know HTTP servers, gRPC, clocks or how a login is decided.
"""

import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from vestibule.v1.decision_pb2 import Decision

from runtime.catalog.hook_door import HookDoor
from runtime.doors.dialects.verifiers import Verifier
from runtime.errors import InvalidEvent

MAX_TEXT_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class HookCall:
    """A call that was verified and decoded. `headers` have lower-case names; `body` is JSON."""

    door: HookDoor
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class AskedLogin:
    """What a hook asks about.

    Args:
        event: Auth0's JSON of the login.
        call_id: the caller's own id of this call, equal in its retries; empty when it sends none.
        second_factor: the caller's session shows one already.
        hint: what the answer needs of the call.
    """

    event: Mapping[str, Any]
    call_id: str = ""
    second_factor: bool = False
    hint: Any = None


class DoorAct(StrEnum):
    """What a door makes of a decision."""

    ALLOW = "allow"
    FACTOR = "factor"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a door has to answer. FACTOR is `claim` or `native`, as the tenant says; `text` is for the user.

    `reason` is one word for programs, `result` a label of a metric.
    """

    act: DoorAct
    result: str
    decision: Decision
    text: str = ""
    reason: str = ""


class Trouble(StrEnum):
    """Why a call has no decision. Values are labels of a metric."""

    UNAUTHENTICATED = "unauthenticated"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    NO_DECISION = "no_decision"


@dataclass(frozen=True, slots=True)
class HookReply:
    """What goes back to the hook."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(status: int, value: Any) -> "HookReply":
        """Return a reply with a JSON body."""
        return HookReply(status, json.dumps(value, separators=(",", ":")).encode())


TROUBLE_STATUS: Final = {
    Trouble.UNAUTHENTICATED: 401,
    Trouble.MALFORMED: 400,
    Trouble.TOO_LARGE: 413,
    Trouble.NO_DECISION: 503,
}
TRY_AGAIN: Final = "The login cannot be checked now. Try again."


@dataclass(frozen=True, slots=True)
class Dialect:
    """One row of the table.

    Args:
        verify: says whether a call is authentic, by its raw body.
        to_login: what the call asks about; None where no user logs in. Raises: InvalidEvent.
        from_ruling: the reply to a decided login.
        not_a_login: the reply where `to_login` returned None.
        on_trouble: the reply to a call without a decision; it never lets a login in.
        budget_s: how long the product waits.
        repeat_s: how long an equal call is a retry, and gets the same reply.
        reply_bytes: what the product reads of a reply.
    """

    verify: Verifier
    to_login: Callable[[HookCall], AskedLogin | None]
    from_ruling: Callable[[HookCall, AskedLogin, Ruling], HookReply]
    on_trouble: Callable[[HookDoor, Trouble, str], HookReply]
    budget_s: float
    repeat_s: float
    not_a_login: HookReply = HookReply(204)
    reply_bytes: int = 1 << 20

    @property
    def deadline_s(self) -> float:
        """How long we take at most: a fifth of the budget is for the way."""
        return self.budget_s * 0.8


def plain_trouble(trouble: Trouble, detail: str) -> HookReply:
    """Reply with an HTTP error: for products that refuse the login then."""
    return HookReply.of(TROUBLE_STATUS[trouble], {"error": trouble.value, "error_description": detail})


def plain(text: str, most: int = MAX_TEXT_CHARS) -> str:
    """Make a tenant's text fit for users: one line, capped, without control and format characters."""
    kept = (" " if unicodedata.category(char)[0] in "CZ" else char for char in text[: 4 * most])
    return " ".join("".join(kept).split())[:most]


# How a hook's JSON is read: absent members are absent, members of a wrong type are the caller's fault.


def member(value: Any, path: str, kind: type, *, needed: bool = False) -> Any:
    """Return a member by a dotted path; None when it is absent. Raises: InvalidEvent for another type."""
    for name in path.split("."):
        if value is not None and not isinstance(value, dict):
            raise InvalidEvent(f"what holds {name!r} must be an object", path)
        value = None if value is None else value.get(name)
    if value is None:
        if needed:
            raise InvalidEvent("is missing", path)
        return None
    if not isinstance(value, kind) or (kind in (int, float) and isinstance(value, bool)):
        raise InvalidEvent(f"want {_KINDS[kind]}", path)
    return value


_KINDS: Final = {str: "text", bool: "true or false", dict: "an object", list: "a list", int: "a whole number"}


def event_of(asked: AskedLogin, dialect: str) -> dict[str, Any]:
    """Return the event of what a hook asks about. A product that does not name the application stands for it itself."""
    client = {"client_id": dialect} | asked.event.get("client", {})
    return {**asked.event, "client": client}


def present(**members: Any) -> dict[str, Any]:
    """Return the members that are not None."""
    return {name: value for name, value in members.items() if value is not None}


def text_in(value: Mapping[str, Any], name: str) -> str | None:
    """Return a text that an object has; None for none, an empty one or another type: of members that help at best."""
    found = value.get(name)
    return found if isinstance(found, str) and found else None


def texts(value: Any, path: str) -> list[str]:
    """Return a member that is a list of texts; empty when absent. Raises: InvalidEvent."""
    found = member(value, path, list) or []
    if not all(isinstance(item, str) for item in found):
        raise InvalidEvent("want a list of texts", path)
    return list(found)


def instant(seconds: Any) -> str | None:
    """Write Unix seconds as Auth0's JSON has instants; None for what is none."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 253_402_300_800:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


# RFC 8176's methods that are a second factor beside another one, and the words that Ory has for the same.
_SECOND: Final = frozenset({"otp", "sms", "tel", "hwk", "swk", "totp", "webauthn", "lookup_secret"})


def shows_second_factor(amr: list[str]) -> bool:
    """Say whether methods of a session include a second factor: `mfa`, or two methods of which one can be it."""
    return "mfa" in amr or (len(set(amr)) > 1 and not _SECOND.isdisjoint(amr))


# What a token says of itself: no action changes it.
_OWN: Final = frozenset(
    {"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "acr", "amr", "auth_time", "azp", "nonce", "sid", "client_id"}
)


def claims(decision: Decision, which: str, own: frozenset[str] = frozenset()) -> Iterator[tuple[str, Any]]:
    """List the claims that a decision sets, by name, without those that a token has by itself.

    `which` is `id_token_claims` or `access_token_claims`; `own` are more of the product's own.
    """
    found = MessageToDict(getattr(decision.on_success, which))
    yield from sorted((name, value) for name, value in found.items() if name not in _OWN | own)
