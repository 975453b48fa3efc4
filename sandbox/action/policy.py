"""`event.policy`: what the tenant's policy alone would decide of a login, computed when an action looks at it.

Knows the rule and which members of the message it reads. Must not know what actions ask for. It decides nothing: the
daemon applies the same rule to the same event by itself.
"""

from __future__ import annotations

from typing import NamedTuple, cast

from vestibule.v1 import event_pb2

from sandbox.action.views import ROOT, View
from sandbox.contract import event_facts
from sandbox.contract.event_fields import METHODS, POLICY_MEMBERS
from sandbox.contract.frozen import EventList, frozen_list
from sandbox.contract.policy_rule import Chosen, required

_NO_POLICY = Chosen()


class MessageFacts:
    """The members of a message that the policy depends on, each read when it is asked for."""

    __slots__ = ("_message",)

    def __init__(self, message: event_pb2.PostLoginEvent) -> None:
        self._message = message

    @property
    def protocol(self) -> str | None:
        """See `PolicyFacts`."""
        return event_facts.protocol(self._message)

    @property
    def acr_values(self) -> tuple[str, ...]:
        """See `PolicyFacts`."""
        return event_facts.acr_values(self._message)

    @property
    def risk_confidence(self) -> str | None:
        """See `PolicyFacts`."""
        return event_facts.risk_confidence(self._message)


class PolicyAnswer(NamedTuple):
    """What a policy would decide; the members are those of `event.policy`."""

    outcome: str
    reason: str | None
    factors: EventList


def judged(message: event_pb2.PostLoginEvent, chosen: Chosen | None) -> PolicyAnswer:
    """Apply a tenant's policy to an event."""
    settings = chosen or _NO_POLICY
    reason = required(settings, False, MessageFacts(message))
    verified = reason is not None and event_facts.email_verified(message)
    factors = [name for name in settings.factors if reason is not None and (name != "email" or verified)]
    outcome = "allow" if reason is None else "mfa_required"
    return PolicyAnswer(outcome, reason, frozen_list(factors, f"{ROOT}.policy.factors"))


class PolicyView(View):
    """`event.policy`."""

    __slots__ = ()
    _path_ = f"{ROOT}.policy"
    _listed_ = tuple(POLICY_MEMBERS)
    _below_ = {"outcome": False, "reason": False, "factors": True}  # noqa: RUF012 - of a class that is made by hand
    _exposed_ = frozenset({*POLICY_MEMBERS, *METHODS})

    @property
    def outcome(self) -> str:
        """See POLICY_MEMBERS."""
        return cast("str", self._message.outcome)

    @property
    def reason(self) -> str | None:
        """See POLICY_MEMBERS."""
        return cast("str | None", self._message.reason)

    @property
    def factors(self) -> EventList:
        """See POLICY_MEMBERS."""
        return cast("EventList", self._message.factors)
