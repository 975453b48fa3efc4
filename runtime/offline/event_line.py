"""One line of input of the commands that run actions: an event, and what makes its executions repeatable.

Knows the members of a line and what is wrong with one. Must not know flows or workers.
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from google.protobuf import json_format
from vestibule.v1.runtime_service_pb2 import GatewayContext

from runtime.errors import InvalidEvent, InvalidRequest
from runtime.login import event_json, event_rules, messages
from runtime.ops import log
from sandbox.contract.did_you_mean import nearest
from sandbox.contract.surface import CONTINUE, ENTRY

_LINE_KEYS: Final = frozenset({"event", "now", "seed", "secrets", "handler", "gateway", "completed"})
_NOW_END_S: Final = 9_000_000_000
"""In the year 2255: nanoseconds since the epoch have 63 bits."""
HANDLERS: Final = (ENTRY, CONTINUE)


class Line:
    """One line of input: an event, and what makes its executions repeatable."""

    __slots__ = ("completed", "event", "gateway", "handler", "message", "now_ns", "secrets", "seed")

    def __init__(
        self,
        said: Any,
        *,
        secrets_of: str | None,
        tenant: str | None = None,
        defaults: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Parse a line.

        Args:
            said: JSON text as a person wrote it, or what it says: an event, or an object with `event` and perhaps
                `now`, `seed`, `secrets`, `handler`, `gateway`, `completed`.
            secrets_of: the action that plain `secrets` belong to; None when they are given by action.
            tenant: whose flow is run; None for an action by itself.
            defaults: `now`, `seed` and `secrets` of a line that does not say them; of secrets, name by name.

        Raises: InvalidEvent, InvalidRequest.
        """
        data = _decoded(said) if isinstance(said, str) else said
        extra: dict[str, Any] = {}
        if isinstance(data, dict) and "event" in data:  # no event of Auth0's has such a member
            extra = data
            data = data["event"]
            _no_typo(extra)
        if isinstance(said, str):
            event_json.refuse_misspelt(data)
        self.message = event_json.from_json(data)
        self.now_ns = _now(extra.get("now", defaults.get("now")))
        self.seed = _seed(extra.get("seed", defaults.get("seed")))
        handler = extra.get("handler", HANDLERS[0])
        if handler not in HANDLERS:
            raise InvalidRequest("handler", f"must be one of {', '.join(HANDLERS)}; got {handler!r}")
        self.handler: str = handler
        self.gateway = _gateway(extra.get("gateway"))
        self.completed = _completed(extra.get("completed"))
        if self.completed is not None and secrets_of is not None:
            raise InvalidRequest("completed", f"continues a tenant's flow; for an action write handler {CONTINUE}")
        secrets = extra.get("secrets")
        if secrets is None and secrets_of is not None and isinstance(data, dict):
            secrets = data.get("secrets")
        self.secrets = _secrets(defaults.get("secrets"), secrets_of)
        for name, values in _secrets(secrets, secrets_of).items():
            self.secrets[name] = self.secrets.get(name, {}) | values
        event_rules.hold(self.message, tenant)
        self.event = self.message.SerializeToString()


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(f"is not JSON: {error}") from None


def _no_typo(extra: Mapping[str, Any]) -> None:
    """Let a line carry members of its own, such as an id, but none that was meant to be one of ours."""
    for key in extra:
        near = nearest(key, _LINE_KEYS) if key not in _LINE_KEYS else ""
        if near:
            raise InvalidRequest(log.clip(key, 60), f"is not a member of a line; did you mean {near}?")


def _now(value: Any) -> int:
    if value is None:
        return time.time_ns()
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidRequest(
                "now", f"must be an ISO 8601 instant such as 2026-01-31T12:00:00Z; got {value!r}"
            ) from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        value = moment.timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _NOW_END_S:
        raise InvalidRequest("now", "must be an ISO 8601 instant or seconds since the epoch, from 1970 to 2255")
    return int(value * 1_000_000) * 1000


def _seed(value: Any) -> bytes:
    if value is None:
        return os.urandom(16)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidRequest("seed", "must be a number or a string")
    return hashlib.sha256(str(value).encode("utf-8", "surrogatepass")).digest()[:16]


def _gateway(value: Any) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidRequest("gateway", "must be an object, vestibule.v1.GatewayContext as ProtoJSON")
    try:
        # The library raises SystemError for a name that holds one.
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidRequest("gateway", "holds half of a surrogate pair, which is not text") from None
    try:
        context = json_format.ParseDict(value, GatewayContext())
    except json_format.ParseError as error:
        raise InvalidRequest("gateway", f"is no vestibule.v1.GatewayContext: {error}") from None
    data: bytes = context.SerializeToString()
    return data


def _completed(value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    names = ", ".join(messages.FACTOR_TYPES)
    if not isinstance(value, list) or not all(
        isinstance(name, str) and name in messages.FACTOR_TYPES for name in value
    ):
        raise InvalidRequest(
            "completed", f"must list what satisfied each step, out of {names}; an empty list after a redirect or a form"
        )
    return tuple([messages.FACTOR_TYPES[name] for name in value])


def _secrets(value: Any, secrets_of: str | None) -> dict[str, dict[str, str]]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidRequest("secrets", "must be an object")
    by_action = value if secrets_of is None else {secrets_of: value}
    for action, names in by_action.items():
        if not isinstance(names, dict):
            raise InvalidRequest("secrets", f"must hold an object of strings for each action; {action!r} is none")
        for name, secret in names.items():
            if not isinstance(secret, str):
                place = name if secrets_of is not None else f"{action}.{name}"
                raise InvalidRequest(f"secrets.{log.clip(place, 80)}", "must be a string; put it in quotes")
            try:
                f"{name}{secret}".encode()
            except UnicodeEncodeError:
                raise InvalidRequest("secrets", "hold half of a surrogate pair, which is not text") from None
    return {action: dict(names) for action, names in by_action.items()}
