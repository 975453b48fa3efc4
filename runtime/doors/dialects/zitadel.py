"""ZITADEL Actions v2: a target of the functions preuserinfo, preaccesstoken and presamlresponse, with a JSON payload.

Every target must say `interruptOnError: true`: without it ZITADEL passes over refusals and errors alike.
Source: zitadel/zitadel internal/execution/execution.go, pkg/actions/signing.go, internal/api/oidc/userinfo.go.
"""

from typing import Any, Final

from runtime.catalog.hook_door import HookDoor
from runtime.doors.dialects.base import (
    TRY_AGAIN,
    AskedLogin,
    Dialect,
    DoorAct,
    HookCall,
    HookReply,
    Ruling,
    Trouble,
    claims,
    member,
    plain_trouble,
    present,
    text_in,
)
from runtime.doors.dialects.verifiers import TOLERANCE_S, timestamped_hex
from runtime.errors import InvalidEvent

# Which claims of a decision each function takes.
_CLAIMS: Final = {"preuserinfo": "id_token_claims", "preaccesstoken": "access_token_claims", "presamlresponse": ""}
_UNSPECIFIED: Final = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"


def _login(call: HookCall) -> AskedLogin:
    body = call.body
    function = (member(body, "function", str, needed=True)).rpartition("/")[2].lower()
    if function not in _CLAIMS:
        raise InvalidEvent(f"want one of {', '.join(_CLAIMS)}; other conditions do not tell of a login", "function")
    human = member(body, "user.human", dict) or {}
    said = member(body, "userinfo", dict) or {}
    user = {"user_id": member(body, "user.id", str) or member(said, "sub", str, needed=True), "attributes": said}
    user |= present(
        email=text_in(said, "email") or text_in(human, "email"),
        email_verified=member(said, "email_verified", bool),
        username=text_in(said, "preferred_username") or member(body, "user.preferred_login_name", str),
        name=text_in(said, "name") or text_in(human, "display_name"),
    )
    grants = member(body, "user_grants", list) or []
    event: dict[str, Any] = {
        "user": user,
        "client": present(client_id=member(body, "application.client_id", str) or None),
        "facts": {"zitadel": {"function": function, "user_grants": grants}},
        "transaction": {"protocol": "samlp" if function == "presamlresponse" else "oidc-basic-profile"},
    }
    org = member(body, "org", dict)
    if org is not None and text_in(org, "id"):
        event["organization"] = present(
            id=text_in(org, "id"), name=text_in(org, "name"), display_name=text_in(org, "name")
        )
    roles = [role for grant in grants if isinstance(grant, dict) for role in _roles(grant)]
    if "user_grants" in body:
        event["authorization"] = {"roles": roles}
    return AskedLogin(event, hint=function)


def _roles(grant: dict[str, Any]) -> list[str]:
    roles = grant.get("roles")
    return [role for role in roles if isinstance(role, str)] if isinstance(roles, list) else []


def _reply(call: HookCall, asked: AskedLogin, ruling: Ruling) -> HookReply:
    if ruling.act is DoorAct.REFUSE:
        return _refused(ruling.text)
    which = _CLAIMS[asked.hint]
    if ruling.act is DoorAct.FACTOR:
        added = {call.door.options["claim"]: True}
    else:
        added = dict(claims(ruling.decision, which)) if which else {}
    if not added:
        return HookReply(200)
    if not which:
        attributes = [{"name": name, "name_format": _UNSPECIFIED, "value": ["true"]} for name in added]
        return HookReply.of(200, {"append_attribute": attributes})
    return HookReply.of(200, {"append_claims": [{"key": key, "value": value} for key, value in added.items()]})


def _refused(text: str) -> HookReply:
    return HookReply.of(200, {"forwardedStatusCode": 403, "forwardedErrorMessage": text})


def _trouble(door: HookDoor, trouble: Trouble, detail: str) -> HookReply:
    del door
    if trouble is Trouble.NO_DECISION:
        return _refused(TRY_AGAIN)
    return plain_trouble(trouble, detail)


# The timeout of a target is the operator's choice; our page says 3 s. Nothing is tried again.
ZITADEL: Final = Dialect(
    timestamped_hex("zitadel-signature"), _login, _reply, _trouble, budget_s=3, repeat_s=2 * TOLERANCE_S
)
