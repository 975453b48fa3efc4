"""Apereo CAS: the REST trigger of multifactor authentication, and the REST authentication policy.

CAS takes every error of a trigger for "no second factor", so a trigger is always answered with 200: at worst with the
tenant's fallback provider. It cannot refuse a login; the policy, which the tenant must have beside it, can.
Source: apereo.github.io/cas, mfa/Configuring-Multifactor-Authentication-Triggers-Rest and
authentication/Configuring-Authentication-Policy-REST.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from vestibule.v1 import decision_pb2 as pb

from runtime.catalog.hook_door import HookDoor
from runtime.doors.dialects.base import (
    TROUBLE_STATUS,
    AskedLogin,
    Dialect,
    DoorAct,
    HookCall,
    HookReply,
    Ruling,
    Trouble,
    member,
    present,
)
from runtime.doors.dialects.verifiers import static_secret

_TEXT: Final = "text/plain"
# Words of the tenant's map by factors of a decision.
_WORDS: Final = {
    pb.FACTOR_PUSH_NOTIFICATION: "push-notification",
    pb.FACTOR_SMS: "sms",
    pb.FACTOR_VOICE: "voice",
    pb.FACTOR_OTP: "otp",
    pb.FACTOR_EMAIL: "email",
    pb.FACTOR_WEBAUTHN_ROAMING: "webauthn-roaming",
    pb.FACTOR_WEBAUTHN_PLATFORM: "webauthn-platform",
    pb.FACTOR_RECOVERY_CODE: "recovery-code",
    pb.FACTOR_DUO: "duo",
}


def _trigger_login(call: HookCall) -> AskedLogin:
    principal = member(call.body, "principalId", str, needed=True)
    service = member(call.body, "serviceId", str)
    event: dict[str, Any] = {"user": {"user_id": principal, "username": principal}}
    if service:
        event["client"] = {"client_id": service}
        event["transaction"] = {"redirect_uri": service}
        event["request"] = present(hostname=_host(service))
    return AskedLogin(event)


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _trigger_reply(call: HookCall, asked: AskedLogin, ruling: Ruling) -> HookReply:
    del asked
    if ruling.act is DoorAct.ALLOW:
        return HookReply(200, b"", _TEXT)
    providers = call.door.options["providers"]
    multifactor = ruling.decision.multifactor
    # Safest first, as the decision lists them; CAS enrols users on the pages of a provider.
    factors = (_WORDS.get(factor, "") for factor in (*multifactor.challenge, *multifactor.enroll))
    known = [providers[word] for word in factors if word in providers] if ruling.act is DoorAct.FACTOR else []
    return _provider(call.door, known[0] if known else "")


def _provider(door: HookDoor, provider: str = "") -> HookReply:
    return HookReply(200, (provider or str(door.options["fallback_provider"])).encode(), _TEXT)


def _trigger_trouble(door: HookDoor, trouble: Trouble, detail: str) -> HookReply:
    del detail
    reply = _provider(door)
    return HookReply(reply.status, reply.body, _TEXT, {"Vestibule-Trouble": trouble.value})


def _policy_login(call: HookCall) -> AskedLogin:
    ident = member(call.body, "id", str, needed=True)
    attributes = member(call.body, "attributes", dict) or {}
    user = {"user_id": ident, "username": ident, "attributes": attributes}
    return AskedLogin({"user": user | present(email=_first(attributes, "email", "mail"))})


def _first(attributes: dict[str, Any], *names: str) -> str | None:
    """Return an attribute's value, or the first of several."""
    for name in names:
        value = attributes.get(name)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, str):
            return value
    return None


def _policy_reply(call: HookCall, asked: AskedLogin, ruling: Ruling) -> HookReply:
    del call, asked
    # The trigger, which is asked later, asks for the factor.
    return HookReply(403 if ruling.act is DoorAct.REFUSE else 200, b"", _TEXT)


def _policy_trouble(door: HookDoor, trouble: Trouble, detail: str) -> HookReply:
    del door
    return HookReply(TROUBLE_STATUS[trouble], detail.encode(), _TEXT)


# CAS waits five seconds to connect and five for data, and asks up to three times.
TRIGGER: Final = Dialect(
    static_secret(),
    _trigger_login,
    _trigger_reply,
    _trigger_trouble,
    budget_s=5,
    repeat_s=15,
    not_a_login=HookReply(200),
)
POLICY: Final = Dialect(static_secret(), _policy_login, _policy_reply, _policy_trouble, budget_s=5, repeat_s=15)
