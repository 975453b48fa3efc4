"""Supabase Auth: the custom access token hook.

A session at aal1 is what its MFA API needs, so refusing a login for want of a second factor locks the user out of
getting one: `claim` is the usual choice.
Source: supabase/auth internal/hooks/v0hooks/v0hooks.go, internal/hooks/hookshttp/hookshttp.go.
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
    instant,
    member,
    plain_trouble,
    present,
    text_in,
)
from runtime.doors.dialects.verifiers import TOLERANCE_S, standard_webhooks

_OWN: Final = frozenset({"email", "phone", "role", "aal", "session_id", "is_anonymous"})
_PROTOCOLS: Final = {"token_refresh": "oauth2-refresh-token"}


def _login(call: HookCall) -> AskedLogin:
    body = call.body
    said = member(body, "claims", dict, needed=True)
    method = member(body, "authentication_method", str) or ""
    user = {"user_id": member(body, "user_id", str, needed=True)}
    user |= present(
        email=text_in(said, "email"),
        phone_number=text_in(said, "phone"),
        app_metadata=member(said, "app_metadata", dict),
        user_metadata=member(said, "user_metadata", dict),
    )
    methods = [item for item in member(said, "amr", list) or [] if isinstance(item, dict)]
    event: dict[str, Any] = {
        "user": user,
        "client": present(client_id=text_in(said, "client_id")),
        "request": present(ip=member(body, "metadata.ip_address", str) or None),
        "authentication": {"methods": [_method(item) for item in methods if text_in(item, "method")]},
        "transaction": present(protocol=_PROTOCOLS.get(method, "oidc-basic-profile")),
        "facts": {"supabase": present(aal=text_in(said, "aal"), role=text_in(said, "role"), method=method or None)},
    }
    session = text_in(said, "session_id")
    if session:
        event["session"] = {"id": session}
    return AskedLogin(event, second_factor=said.get("aal") == "aal2", hint=said)


def _method(item: dict[str, Any]) -> dict[str, str]:
    name = item["method"]
    word = {"password": "pwd", "oauth": "federated", "totp": "mfa", "mfa/phone": "mfa", "mfa/webauthn": "mfa"}
    return {"name": word.get(name, name)} | present(timestamp=instant(item.get("timestamp")))


def _reply(call: HookCall, asked: AskedLogin, ruling: Ruling) -> HookReply:
    if ruling.act is DoorAct.REFUSE:
        return _error(403, ruling.text)
    name = call.door.options["claim"]
    answered = {claim: value for claim, value in asked.hint.items() if claim != name}
    if ruling.act is DoorAct.FACTOR:
        answered[name] = True
    else:
        answered |= claims(ruling.decision, "access_token_claims", _OWN)
    return HookReply.of(200, {"claims": answered})


def _error(code: int, text: str) -> HookReply:
    # With 200: any other status is 500 to the user. Without a message it would count as no error.
    return HookReply.of(200, {"error": {"http_code": code, "message": text}})


def _trouble(door: HookDoor, trouble: Trouble, detail: str) -> HookReply:
    del door
    if trouble is Trouble.NO_DECISION:
        return _error(503, TRY_AGAIN)
    return plain_trouble(trouble, detail)


# Five seconds for all attempts together; a reply of 200 KB at most.
SUPABASE: Final = Dialect(
    standard_webhooks(), _login, _reply, _trouble, budget_s=5, repeat_s=2 * TOLERANCE_S, reply_bytes=200_000
)
