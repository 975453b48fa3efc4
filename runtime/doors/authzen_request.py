"""AuthZEN's four objects to a login: a pure map. Must not know HTTP, or what was decided.

Known names are read and must have the right kind, all others are ignored; actions find the objects as they were sent in
`event.facts["authzen"]`. proto/README.md has the table.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from vestibule.v1.runtime_service_pb2 import ContinuePostLoginRequest, ExecutePostLoginRequest, GatewayContext

from runtime.calls.codec import AUTH0_VALUES
from runtime.doors import bodies, json_request
from runtime.errors import InvalidRequest
from runtime.login import structs

# Source: PAPE 1.0, the class of several factors.
MULTI_FACTOR: Final = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
STEP_UP: Final = "step-up"
CUSTOM: Final = "custom"
OBLIGATIONS: Final = (STEP_UP, CUSTOM)
SEMANTICS: Final = ("execute_all", "deny_on_first_deny", "permit_on_first_permit")
MOST_EVALUATIONS: Final = 100
"""In one batch: each is a login."""

_DEEP: Final = 20
_OBJECTS: Final = (("subject", ("type", "id")), ("action", ("name",)), ("resource", ("type", "id")))
_PROTOCOLS: Final = {
    "login": "oidc-basic-profile",
    "step_up": "oidc-basic-profile",
    "refresh": "oauth2-refresh-token",
    "token_exchange": "oauth2-token-exchange",
}
# Members of the context that are members of the event.
_OF_EVENT: Final = ("request", "authentication", "session", "organization", "connection", "prompt")
_OF_LISTS: Final = ("acr_values", "prompt", "requested_scopes")
_USER_ID: Final = ("user_id", "userId")


class Evaluation(NamedTuple):
    """One question. `supported` is what obligations its caller says it can meet; None when it does not say."""

    subject: Mapping[str, Any]
    action: Mapping[str, Any]
    resource: Mapping[str, Any]
    context: Mapping[str, Any]
    supported: frozenset[str] | None


class Batch(NamedTuple):
    """Several questions, as they were sent, with the defaults filled in."""

    semantic: str
    items: tuple[Any, ...]


def batch(body: Any) -> Batch:
    """Return the questions of a request; none when it is one question itself. Raises: InvalidRequest."""
    members = _object(body, "request")
    options = _object(members.get("options", {}), "options")
    semantic = options.get("evaluations_semantic", SEMANTICS[0])
    if semantic not in SEMANTICS:
        raise InvalidRequest("options.evaluations_semantic", f"is not known; send one of {', '.join(SEMANTICS)}")
    items = members.get("evaluations", [])
    if not isinstance(items, list):
        raise InvalidRequest("evaluations", "is not a list; send one, or leave it out")
    if len(items) > MOST_EVALUATIONS:
        raise InvalidRequest("evaluations", f"has {len(items)} members; send at most {MOST_EVALUATIONS} at a time")
    defaults = {name: members[name] for name in ("subject", "action", "resource", "context") if name in members}
    # An item's object replaces the default whole.
    return Batch(semantic, tuple({**defaults, **item} if isinstance(item, dict) else item for item in items))


def evaluation(body: Any) -> Evaluation:
    """Return one question, checked. Raises: InvalidRequest."""
    members = _object(body, "request")
    for name, wanted in _OBJECTS:
        found = _object(members.get(name), name)
        for key in wanted:
            if not isinstance(found.get(key), str) or not found[key]:
                raise InvalidRequest(f"{name}.{key}", "is not text, or empty; send a string")
        _object(found.get("properties", {}), f"{name}.properties")
    context = _object(members.get("context", {}), "context")
    if not bodies.bounded(members, _DEEP, AUTH0_VALUES):
        wrong = f"has more than {_DEEP} levels or {AUTH0_VALUES} values, or a number that JSON has not"
        raise InvalidRequest("request", f"{wrong}; send what actions need")
    return Evaluation(members["subject"], members["action"], members["resource"], context, _supported(context))


def login(asked: Evaluation, tenant: str, request_id: str) -> ExecutePostLoginRequest | ContinuePostLoginRequest:
    """Return the login that a question is about: one that begins, or one that is continued. Raises: InvalidRequest."""
    context = asked.context
    gateway = None
    if "gateway" in context:
        try:
            gateway = GatewayContext.FromString(json_request.serialized(context["gateway"], GatewayContext))
        except InvalidRequest as error:
            field = "context.gateway" if error.field == "request" else f"context.gateway.{error.field}"
            raise InvalidRequest(field, error.description) from None
    common: dict[str, Any] = {"tenant_id": tenant, "request_id": request_id, "gateway": gateway}
    if "continuation" not in context:
        request = ExecutePostLoginRequest(**common)
        request.auth0_event.MergeFromString(_event(asked))
        return request
    leg: dict[str, Any] = {"completed": context.get("completed", [])}
    try:
        resumed = ContinuePostLoginRequest.FromString(json_request.serialized(leg, ContinuePostLoginRequest))
    except InvalidRequest as error:
        raise InvalidRequest(f"context.{error.field}", error.description) from None
    resumed.MergeFrom(ContinuePostLoginRequest(continuation=_token(context["continuation"]), **common))
    resumed.auth0_event.MergeFromString(_event(asked))
    return resumed


def _event(asked: Evaluation) -> bytes:
    """Return Auth0's JSON of the event as a serialized Struct."""
    subject, action, resource, context = asked.subject, asked.action, asked.resource, asked.context
    user = {name: value for name, value in subject.get("properties", {}).items() if name not in _USER_ID}
    roles = user.pop("roles", None)
    about, doing = resource.get("properties", {}), action.get("properties", {})
    transaction = {name: _words(doing[name]) for name in _OF_LISTS if name in doing}
    if "protocol" in doing:
        transaction["protocol"] = doing["protocol"]
    if action["name"] in _PROTOCOLS:
        transaction.setdefault("protocol", _PROTOCOLS[action["name"]])
    if action["name"] == "step_up":
        transaction.setdefault("acr_values", [MULTI_FACTOR])
    client = {name: about[name] for name in ("name", "metadata") if name in about}
    event: dict[str, Any] = {
        **{name: context[name] for name in _OF_EVENT if name in context},
        "user": {**user, "user_id": _id(subject, "user")},
        "client": {**client, "client_id": _id(resource, "application")},
        "transaction": transaction,
        "facts": {"authzen": {"subject": subject, "action": action, "resource": resource, "context": context}},
    }
    if roles is not None:
        event["authorization"] = {"roles": roles}
    if "audience" in about:
        event["resource_server"] = {"identifier": about["audience"]}
    try:
        return structs.write(event)
    except (UnicodeError, OverflowError, ValueError):
        raise InvalidRequest("request", "has half of a character, or a number that is too large") from None


def _id(thing: Mapping[str, Any], usual: str) -> str:
    """Return the id of a user or an application; that of another type says so, so that it is never taken for one."""
    return str(thing["id"] if thing["type"] == usual else f"{thing['type']}:{thing['id']}")


def _words(value: Any) -> Any:
    """Return a list of texts; OAuth has it as words with blanks between them."""
    return value.split() if isinstance(value, str) else value


def _token(value: Any) -> bytes:
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidRequest("context.continuation", "is not base64url; send what the obligation had") from None


def _supported(context: Mapping[str, Any]) -> frozenset[str] | None:
    named = context.get("supported_obligations")
    if named is None:
        return None
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise InvalidRequest("context.supported_obligations", "is not a list of strings; send one, or leave it out")
    return frozenset(named) & frozenset(OBLIGATIONS)


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        missing = "is absent" if value is None else "is not an object"
        raise InvalidRequest(name, f"{missing}; send an object")
    return value
