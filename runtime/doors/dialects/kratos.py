"""Ory Kratos: `web_hook` after login, with `response.parse`.

The hook runs before the session is stored, and a second factor needs a stored session: a login that is refused here for
want of one can never get one. `native` is for projects with `required_aal: highest_available`, where Kratos itself asks
users who have a factor; a user who is not said to have one is refused.
Source: ory/kratos selfservice/hook/web_hook.go, session/session.go.
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
    member,
    present,
    text_in,
)
from runtime.doors.dialects.verifiers import static_secret

_DENIED: Final = 4_900_001
_FACTOR: Final = 4_900_002
_TROUBLE: Final = 4_900_003
ENROL_TEXT: Final = "A second factor is required for this login, and none is set up."


def _login(call: HookCall) -> AskedLogin:
    body = call.body
    traits = member(body, "user.traits", dict) or {}
    user = {"user_id": member(body, "user.id", str, needed=True), "attributes": traits}
    user |= present(email=text_in(traits, "email"), username=text_in(traits, "username"), name=text_in(traits, "name"))
    device = _device(member(body, "session.devices", list) or [])
    aal = member(body, "session.aal", str)
    flow = member(body, "flow", dict) or {}
    methods = [_method(item) for item in member(body, "session.methods", list) or [] if isinstance(item, dict)]
    event: dict[str, Any] = {
        "user": user,
        "request": present(ip=text_in(device, "ip_address"), user_agent=text_in(device, "user_agent")),
        "authentication": {"methods": [method for method in methods if method]},
        "transaction": present(id=text_in(flow, "id")),
        "facts": {"kratos": {"flow": flow, "aal": aal}},
    }
    session_id = member(body, "session.id", str)
    if session_id:
        event["session"] = {"id": session_id}
    return AskedLogin(
        event,
        call.headers.get("ory-webhook-trigger-id", ""),
        second_factor=aal == "aal2",
        hint=member(body, "user.second_factor", bool),
    )


def _device(devices: list[Any]) -> dict[str, Any]:
    return devices[-1] if devices and isinstance(devices[-1], dict) else {}


def _method(item: dict[str, Any]) -> dict[str, str]:
    """Return a method in Auth0's words; a factor at aal2 is `mfa`."""
    name = text_in(item, "method")
    if name is None:
        return {}
    word = "mfa" if item.get("aal") == "aal2" else {"password": "pwd", "oidc": "federated"}.get(name, name)
    return {"name": word} | present(timestamp=text_in(item, "completed_at"))


def _reply(call: HookCall, asked: AskedLogin, ruling: Ruling) -> HookReply:
    del call
    if ruling.act is DoorAct.ALLOW:
        return HookReply(204)
    if ruling.act is DoorAct.FACTOR:
        # Kratos asks only users who have a factor, and lets any other one in.
        return HookReply(204) if asked.hint else _message(403, _FACTOR, ENROL_TEXT, ruling.reason)
    return _message(403, _DENIED, ruling.text, ruling.reason, ruling.decision.decision_id)


def _message(status: int, ident: int, text: str, reason: str, decision_id: str = "") -> HookReply:
    context = {"reason": reason} | ({"decision_id": decision_id} if decision_id else {})
    message = {"id": ident, "text": text, "type": "error", "context": context}
    return HookReply.of(status, {"messages": [{"instance_ptr": "#/", "messages": [message]}]})


def _trouble(door: HookDoor, trouble: Trouble, detail: str) -> HookReply:
    del door, detail
    # Not 5xx: Kratos would ask twice more and throw the text away.
    status = 403 if trouble is Trouble.NO_DECISION else TROUBLE_STATUS[trouble]
    return _message(status, _TROUBLE, TRY_AGAIN, trouble.value)


# Kratos waits thirty seconds for each of three attempts; a user waits less.
KRATOS: Final = Dialect(static_secret(), _login, _reply, _trouble, budget_s=10, repeat_s=60)
