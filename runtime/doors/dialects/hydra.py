"""Ory Hydra: the token hook, called for every grant before tokens are issued.

Source: ory/hydra oauth2/token_hook.go.
"""

from typing import Any, Final

from runtime.catalog.hook_door import HookDoor
from runtime.doors.dialects.base import (
    TROUBLE_STATUS,
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
    present,
    shows_second_factor,
    text_in,
    texts,
)
from runtime.doors.dialects.verifiers import static_secret

# Grants in which no user logs in.
_MACHINE: Final = frozenset({"client_credentials"})
_PROTOCOLS: Final = {"refresh_token": "oauth2-refresh-token", "authorization_code": "oidc-basic-profile"}


def _login(call: HookCall) -> AskedLogin | None:
    body = call.body
    grants = texts(body, "request.grant_types")
    if grants and _MACHINE.issuperset(grants):
        return None
    said = member(body, "session.id_token.id_token_claims", dict) or {}
    subject = member(said, "sub", str) or member(body, "session.id_token.subject", str)
    user = {"user_id": subject or member(said, "sub", str, needed=True)}
    extra = member(said, "ext", dict) or {}
    amr, acr = texts(said, "amr"), member(said, "acr", str)
    at = instant(said.get("auth_time"))
    event: dict[str, Any] = {
        "user": user | {"attributes": extra} | present(email=text_in(extra, "email")),
        "client": present(client_id=member(body, "request.client_id", str) or None),
        "authentication": {"methods": [{"name": _word(name)} | present(timestamp=at) for name in amr]},
        "transaction": {"requested_scopes": texts(body, "request.granted_scopes")}
        | present(protocol=next((_PROTOCOLS[name] for name in grants if name in _PROTOCOLS), None)),
        "facts": {"hydra": present(grant_types=grants, acr=acr, auth_time=at)},
    }
    audience = texts(body, "request.granted_audience")
    if audience:
        event["resource_server"] = {"identifier": audience[0]}
    second = shows_second_factor(amr) or acr == call.door.options["acr"]
    old = {"access_token": member(body, "session.extra", dict) or {}, "id_token": extra}
    return AskedLogin(event, second_factor=second, hint=old)


def _word(method: str) -> str:
    return {"password": "pwd", "oidc": "federated", "totp": "mfa", "otp": "mfa", "webauthn": "mfa"}.get(method, method)


def _reply(call: HookCall, asked: AskedLogin, ruling: Ruling) -> HookReply:
    if ruling.act is DoorAct.REFUSE:
        # Hydra has a text of its own for users.
        return HookReply.of(403, {"error": ruling.reason, "error_description": ruling.text})
    name = call.door.options["claim"]
    session: dict[str, dict[str, Any]] = {}
    for token, old in asked.hint.items():
        # What we answer replaces what an earlier token had, so what was there is sent back.
        session[token] = {claim: value for claim, value in old.items() if claim != name}
        if ruling.act is DoorAct.FACTOR:
            session[token][name] = True
        else:
            session[token] |= claims(ruling.decision, f"{token}_claims")
    return HookReply(204) if session == asked.hint else HookReply.of(200, {"session": session})


def _trouble(door: HookDoor, trouble: Trouble, detail: str) -> HookReply:
    del door
    # Not 5xx: Hydra would ask twice more.
    status = 403 if trouble is Trouble.NO_DECISION else TROUBLE_STATUS[trouble]
    return HookReply.of(status, {"error": trouble.value, "error_description": detail or TRY_AGAIN})


# Hydra waits thirty seconds for each of three attempts; a client waits less.
HYDRA: Final = Dialect(static_secret(), _login, _reply, _trouble, budget_s=10, repeat_s=30)
