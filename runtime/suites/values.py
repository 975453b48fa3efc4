"""The values of a case: events laid over one another, instants relative to its clock, tokens of a page.

Knows Auth0's JSON and what a gateway adds. Must not know files, expectations or how a case is run.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import yaml
from google.protobuf import json_format
from vestibule.v1 import decision_pb2 as pb

from sandbox.contract import tokens

NOW: Final = "2026-01-31T12:00:00Z"
"""The clock of a case that names none: any instant will do, as long as it is always the same."""
BASES: Final = ("browser", "bare")
"""Events that a case's own is laid over: an ordinary login by password in a browser, and what no login is without."""
STATE: Final = "state-of-the-test"
"""What a gateway tells a page, and the page says again."""

_INSTANT: Final = re.compile(r"now(?:([+-])(\d{1,9})(ms|s|m|h|d))?")
_UNITS: Final = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_FIVE_MINUTES_S: Final = 300


@cache
def base(name: str) -> dict[str, Any]:
    """Return an event that others are laid over; not to be changed."""
    text = (Path(__file__).with_name("events") / f"{name}.yaml").read_text(encoding="utf-8")
    event: dict[str, Any] = yaml.safe_load(text)
    return event


def overlay(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay members over others: objects are merged, null removes a member, anything else replaces it."""
    merged = copy.copy(dict(under))
    for name, value in over.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            below = merged.get(name)
            merged[name] = overlay(below if isinstance(below, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def combined(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge what is yet to be laid over something else: as `overlay`, but null stays, to remove a member there."""
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = combined(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def moment(text: str, now: datetime) -> datetime:
    """Read an instant: `now`, `now+1h`, or ISO 8601. Raises: ValueError."""
    found = _relative(text, now)
    if found is None:
        found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _relative(value: Any, now: datetime) -> datetime | None:
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    sign, count, unit = found.groups()
    return (now + timedelta(**{_UNITS[unit]: int(sign + count)}) if unit else now).astimezone(UTC)


def rendered(value: Any, now: datetime) -> Any:
    """Replace each `now`, `now-90s` or `now+1h` by that instant, as Auth0 writes it, and each `{jwt}` by a token."""
    if isinstance(value, dict):
        if value.keys() == {"jwt"}:
            return _signed(value["jwt"], now)
        return {name: rendered(member, now) for name, member in value.items()}
    if isinstance(value, list):
        return [rendered(item, now) for item in value]
    found = _relative(value, now)
    return value if found is None else found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def gateway(given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return what a gateway knows as ProtoJSON of `vestibule.v1.GatewayContext`; a case has a decision's words."""
    shown: dict[str, Any] = rendered(dict(given), now)
    if isinstance(memory := shown.get("remembered_browser"), dict) and isinstance(memory.get("provider"), str):
        name = memory["provider"].upper().replace("-", "_")
        shown["remembered_browser"] = memory | {"provider": f"PROVIDER_{name}"}
    return shown


def _signed(given: Mapping[str, Any], now: datetime) -> str:
    """Sign claims as the page does that a user was sent to; instants are seconds there."""
    claims = {}
    for name, value in given["claims"].items():
        found = _relative(value, now)
        claims[name] = value if found is None else int(found.timestamp())
    return tokens.sign(claims, given["secret"])


def from_page(
    page: Mapping[str, Any], event: Mapping[str, Any], redirect: str, secret: str, now: datetime
) -> dict[str, Any]:
    """Be the page of a redirect: believe the token that came along, and sign an answer for the same login.

    Args:
        page: `claims`, which go before those that every token has; `parameter`, where the token is.
        event: the login's.
        redirect: where the user was sent.
        secret: that the action and the page share.
        now: the instant at which the user is back.

    Returns: the event of the user's return.
    Raises: TokenError: the token that came along is not signed by this secret.
    """
    parameter = page.get("parameter", "session_token")
    asked: dict[str, Any] = {"iss": event.get("request", {}).get("hostname"), "sub": event["user"]["user_id"]}
    for token in parse_qs(urlsplit(redirect).query).get(parameter, ()):
        asked |= tokens.verify(token, secret)
    now_s = int(now.timestamp())
    claims = {"iss": asked["iss"], "sub": asked["sub"], "iat": now_s, "exp": now_s + _FIVE_MINUTES_S, "state": STATE}
    token = tokens.sign(claims | rendered(page.get("claims", {}), now), secret)
    return overlay(event, {"request": {"query": {"state": STATE, parameter: token}}})


def from_form(fields: Mapping[str, Any], event: Mapping[str, Any], prompt: pb.RenderPrompt) -> dict[str, Any]:
    """Return the event of a user who filled in a form."""
    filled = {"id": prompt.id, "fields": dict(fields), "vars": json_format.MessageToDict(prompt.vars)}
    return dict(event) | {"prompt": filled}
