"""A decision to AuthZEN's answer: a pure map. It permits only what may be let in as it is; all else is a denial."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf import json_format
from vestibule.v1 import decision_pb2
from vestibule.v1.decision_pb2 import Decision, Denial

from runtime.doors.authzen_request import CUSTOM, STEP_UP, Evaluation

# Source: RFC 8176. Factors without a word of their own there are not named.
AMR: Final = {
    decision_pb2.FACTOR_OTP: "otp",
    decision_pb2.FACTOR_SMS: "sms",
    decision_pb2.FACTOR_VOICE: "tel",
    decision_pb2.FACTOR_WEBAUTHN_ROAMING: "hwk",
}
FRESH: Final = timedelta(minutes=5)
"""How old a factor may be that satisfies a requirement when the caller asks again."""
_REASON: Final = 500
_AHEAD: Final = timedelta(minutes=1)  # of our clock, by the caller's
_MFA: Final = (decision_pb2.OUTCOME_MFA_REQUIRED, decision_pb2.OUTCOME_MFA_REQUIRED_BY_TOKEN)
_SUSPEND: Final = (decision_pb2.OUTCOME_SUSPEND, decision_pb2.OUTCOME_SUSPEND_BY_TOKEN)


def answer(decision: Decision, asked: Evaluation, now: datetime, acr: str) -> dict[str, Any]:
    """Return the answer to one question. `acr` is the class that a step-up asks for."""
    context: dict[str, Any] = {"decision_id": decision.decision_id}
    if decision.degraded:
        context["degraded"] = True
    permit = decision.outcome == decision_pb2.OUTCOME_ALLOW
    if decision.outcome in _MFA:
        permit = presented(asked, now)
        context |= {"reason_code": "mfa_presented"} if permit else _step_up(decision, asked, acr)
    elif decision.outcome in _SUSPEND:
        context |= _continue(decision, asked)
    elif decision.outcome == decision_pb2.OUTCOME_DENY:
        context |= _denied(decision.denial)
    elif not permit:
        context["reason_code"] = "unknown_outcome"
    return {"decision": permit, "context": context}


def presented(asked: Evaluation, now: datetime) -> bool:
    """Say whether the question tells of a second factor that was presented just now."""
    authentication = asked.context.get("authentication")
    methods = authentication.get("methods") if isinstance(authentication, dict) else None
    for method in methods if isinstance(methods, list) else ():
        if isinstance(method, dict) and method.get("name") == "mfa" and _fresh(method.get("timestamp"), now):
            return True
    return False


def _fresh(text: Any, now: datetime) -> bool:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return False
    return at.tzinfo is not None and now - FRESH <= at.astimezone(UTC) <= now + _AHEAD


def _step_up(decision: Decision, asked: Evaluation, acr: str) -> dict[str, Any]:
    found: dict[str, Any] = {"reason_code": "mfa_required", "reason_user": "A second factor is required."}
    if asked.supported is not None and STEP_UP not in asked.supported:
        return found  # a caller that cannot do it is refused, and reads why
    # A list of words that must all be used: it cannot say "any of", so one factor is named only if there is only one.
    words, named = ["mfa"], decision.multifactor
    if len(named.challenge) == 1 and not named.enroll and named.challenge[0] in AMR:
        words.append(AMR[named.challenge[0]])
    properties = {"acr_value": acr, "amr_values": words}
    return found | {"obligations": [_obligation(decision, STEP_UP, properties)]}


def _continue(decision: Decision, asked: Evaluation) -> dict[str, Any]:
    suspended = decision.suspension
    found: dict[str, Any] = {"reason_code": "interaction_required", "reason_user": "More is needed to log in."}
    if asked.supported is None or CUSTOM not in asked.supported:
        return found
    kind = suspended.WhichOneof("step")
    step = json_format.MessageToDict(getattr(suspended, kind)) if kind else {}
    properties = {
        "vendor": "vestibule",
        "action": "continue",
        "step": {str(kind): step},
        "continuation": base64.urlsafe_b64encode(suspended.continuation).rstrip(b"=").decode(),
        "expires_at": suspended.expires_at.ToJsonString(),
    }
    return found | {"obligations": [_obligation(decision, CUSTOM, properties)]}


def _obligation(decision: Decision, kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"{decision.decision_id}-1", "type": kind, "properties": properties}


def _denied(denial: Denial) -> dict[str, Any]:
    reason = Denial.Reason.Name(denial.reason).removeprefix("REASON_").lower()
    found = {"reason_code": reason, "reason_admin": reason}
    if denial.validation_code:
        found["reason_admin"] = f"{reason}: {denial.validation_code}"
    if denial.description:
        # An author's text, for the user: no control character, no novel.
        found["reason_user"] = "".join([char if char.isprintable() else " " for char in denial.description[:_REASON]])
    return found
