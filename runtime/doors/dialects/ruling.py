"""Turn a decision into what a door has to answer: the one place where a door learns of a second factor. Pure.

No dialect looks at the outcome itself, so none can turn a required factor or a suspension into "allowed".
"""

from typing import Final

from vestibule.v1 import decision_pb2 as pb

from runtime.catalog.hook_door import HookDoor
from runtime.doors.dialects.base import AskedLogin, DoorAct, Ruling, plain

_FACTOR: Final = (pb.OUTCOME_MFA_REQUIRED, pb.OUTCOME_MFA_REQUIRED_BY_TOKEN)
_SUSPENDED: Final = (pb.OUTCOME_SUSPEND, pb.OUTCOME_SUSPEND_BY_TOKEN)

FACTOR_TEXT: Final = "A second factor is required for this login."
STEPS_TEXT: Final = "This login needs a step that cannot be shown here."
DENIED_TEXT: Final = "The login was refused."


def rule(decision: pb.Decision, door: HookDoor, asked: AskedLogin) -> Ruling:
    """Say what the tenant's door answers. An outcome that is not known is refused."""
    outcome = decision.outcome
    if outcome == pb.OUTCOME_ALLOW:
        return Ruling(DoorAct.ALLOW, "allow", decision)
    if outcome in _FACTOR:
        if asked.second_factor:
            return Ruling(DoorAct.ALLOW, "factor_shown", decision)
        act = DoorAct.REFUSE if door.mfa_required_as == "deny" else DoorAct.FACTOR
        return Ruling(act, "mfa_required", decision, FACTOR_TEXT, "mfa_required")
    if outcome in _SUSPENDED:
        return Ruling(DoorAct.REFUSE, "suspend", decision, STEPS_TEXT, "interaction_required")
    text = plain(decision.denial.description) or DENIED_TEXT
    return Ruling(DoorAct.REFUSE, "deny", decision, text, "access_denied")
