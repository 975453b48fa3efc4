"""Envoy: external authorization over gRPC. A check is of one HTTP request, so its token is what is looked at.

The tenant, and what else a route says, come from `context_extensions`: configuration, which no client can change.
Who the user is comes from the claims that Envoy's JWT filter has verified.
Source: envoy.service.auth.v3 external_auth.proto and attribute_context.proto; RFC 9470.
"""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from google.rpc import code_pb2
from vestibule.envoy.v1 import external_auth_pb2 as pb

from runtime.calls.codec import AUTH0_VALUES
from runtime.catalog.hook_door import HookDoor
from runtime.doors.dialects.base import AskedLogin, DoorAct, Ruling, instant, present, shows_second_factor
from runtime.errors import InvalidEvent, InvalidRequest
from runtime.login import structs

BUDGET_S: Final = 0.2
"""Envoy's default. It closes by default when it gets no answer in time."""
JWT: Final = "envoy.filters.http.jwt_authn"
_DECISION_ID: Final = "x-vestibule-decision-id"
_MAX_HEADERS: Final = 200


def tenant_of(check: pb.CheckRequest) -> str:
    """Return the tenant that the route names. Raises: InvalidRequest."""
    tenant: str = check.attributes.context_extensions.get("tenant", "")
    if not tenant:
        raise InvalidRequest("attributes.context_extensions", "has no tenant; set context_extensions: {tenant: NAME}")
    return tenant


def to_login(check: pb.CheckRequest, door: HookDoor, now_s: float) -> AskedLogin:
    """Return what a check asks about: the user and the client of its token. Raises: InvalidEvent."""
    attributes = check.attributes
    http = attributes.request.http
    headers = headers_of(http)
    said = _verified_claims(attributes.metadata_context)
    subject = said.get("sub")
    if not isinstance(subject, str) or not subject:
        raise InvalidEvent(f"there is no `sub` in the metadata of {JWT}; see payload_in_metadata", "attributes")
    amr = [name for name in _list(said.get("amr")) if isinstance(name, str)]
    at = said.get("auth_time")
    user = {"user_id": subject, "attributes": said} | present(
        email=said.get("email") if isinstance(said.get("email"), str) else None,
        email_verified=said.get("email_verified") if isinstance(said.get("email_verified"), bool) else None,
    )
    extensions = {name: value for name, value in attributes.context_extensions.items() if name != "tenant"}
    client = next((said[name] for name in ("azp", "client_id") if isinstance(said.get(name), str)), None)
    event: dict[str, Any] = {
        "user": user,
        "client": present(client_id=client or None),
        "request": present(
            ip=attributes.source.address.socket_address.address or None,
            hostname=http.host or None,
            method=http.method or None,
            user_agent=headers.get("user-agent"),
        ),
        "authentication": {"methods": [{"name": name} | present(timestamp=instant(at)) for name in amr]},
        # Not the path: requests of one session to one route have one answer for a while. A route says what it guards.
        "facts": {"envoy": {"route": extensions} | present(principal=attributes.source.principal or None)},
    }
    session = said.get("sid")
    if isinstance(session, str) and session:
        event["session"] = {"id": session}
    wants_page = "text/html" in headers.get("accept", "")
    return AskedLogin(event, second_factor=_satisfied(said, amr, door, now_s), hint=wants_page)


def _satisfied(said: Mapping[str, Any], amr: list[str], door: HookDoor, now_s: float) -> bool:
    """Say whether the token shows a second factor that is not too old."""
    if said.get("acr") != door.options["acr"] and not shows_second_factor(amr):
        return False
    most = door.options.get("max_age_s")
    if most is None:
        return True
    at = said.get("auth_time")
    return isinstance(at, int | float) and not isinstance(at, bool) and 0 <= now_s - at <= most


def headers_of(http: pb.AttributeContext.HttpRequest) -> dict[str, str]:
    """Return the headers of the checked request, by names in lower case."""
    found = dict(http.headers)
    for header in http.header_map.headers[:_MAX_HEADERS]:
        found[header.key.lower()] = header.value or header.raw_value.decode("utf-8", "replace")
    return found


def _verified_claims(metadata: pb.Metadata) -> dict[str, Any]:
    """Return the claims that Envoy's JWT filter has put into the metadata, under whichever name was configured."""
    if JWT not in metadata.filter_metadata:
        return {}
    try:
        payloads = structs.read(metadata.filter_metadata[JWT], AUTH0_VALUES).values()
    except structs.TooMany:
        raise InvalidEvent(f"the metadata of {JWT} has more than {AUTH0_VALUES} values", "attributes") from None
    found = [payload for payload in payloads if isinstance(payload, dict) and "sub" in payload]
    if len(found) > 1:
        raise InvalidEvent(f"{len(found)} tokens are in the metadata of {JWT}; guard a route by one", "attributes")
    return found[0] if found else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def reply(door: HookDoor, asked: AskedLogin, ruling: Ruling) -> pb.CheckResponse:
    """Return the answer to a check."""
    decision_id = ruling.decision.decision_id
    answer = pb.CheckResponse()
    answer.dynamic_metadata.update({"outcome": ruling.result, "decision_id": decision_id})
    if ruling.act is DoorAct.ALLOW:
        answer.status.code = code_pb2.OK
        answer.ok_response.headers.add().header.CopyFrom(pb.HeaderValue(key=_DECISION_ID, value=decision_id))
        return answer
    if ruling.act is DoorAct.FACTOR:
        return _challenge(answer, door, asked, ruling)
    answer.status.code = code_pb2.PERMISSION_DENIED
    _deny(answer, 403, {"error": ruling.reason, "error_description": ruling.text, "decision_id": decision_id})
    return answer


def _challenge(answer: pb.CheckResponse, door: HookDoor, asked: AskedLogin, ruling: Ruling) -> pb.CheckResponse:
    """Ask for another token: by RFC 9470, or by a way to the login page where a browser asks for one."""
    acr: str = door.options["acr"]
    most, login_url = door.options.get("max_age_s"), door.options.get("login_url")
    answer.status.code = code_pb2.UNAUTHENTICATED
    if login_url and asked.hint:
        query = f"acr_values={quote(acr, safe='')}" + ("" if most is None else f"&max_age={most}")
        _deny(answer, 302, None, location=login_url + ("&" if urlsplit(login_url).query else "?") + query)
        return answer
    error = "insufficient_user_authentication"
    challenge = f'Bearer error="{error}", error_description="{ruling.text}", acr_values="{acr}"'
    challenge += "" if most is None else f', max_age="{most}"'
    _deny(answer, 401, {"error": error, "error_description": ruling.text}, **{"www-authenticate": challenge})
    return answer


def _deny(answer: pb.CheckResponse, status: int, body: Mapping[str, str] | None, **headers: str) -> None:
    denied = answer.denied_response
    denied.status.code = status
    if body is not None:
        denied.body = json.dumps(body)
        headers["content-type"] = "application/json"
    headers["cache-control"] = "no-store"
    for key, value in headers.items():
        denied.headers.add().header.CopyFrom(pb.HeaderValue(key=key, value=value))
