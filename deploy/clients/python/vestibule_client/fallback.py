"""What happens to a login when there is no answer: refused, unless the gateway chose otherwise in so many words.

Must not know the network. A request that the daemon refuses is always refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.event_pb2 import PostLoginEvent

from vestibule_client import oauth
from vestibule_client.effects import plain
from vestibule_client.steps import AnswerMfaRequired, IssueTokens, NextStep, Refuse, Requirement, ShowFactors, refusal

Event: TypeAlias = PostLoginEvent | Mapping[str, Any]
"""A login: the contract's message, or Auth0's JSON of an event as Python has it."""


@dataclass(frozen=True)
class Deny:
    """Refuse the login: the user tries again later."""


@dataclass(frozen=True)
class RequireMfa:
    """Require one of these factors of every user. Name factors that every user has, or can be sent."""

    challenge: tuple[pb.Factor, ...] = ()
    enroll: tuple[pb.Factor, ...] = ()

    def __post_init__(self) -> None:
        if not (self.challenge or self.enroll):
            raise ValueError("fallback: RequireMfa needs a factor to challenge or to enrol")


@dataclass(frozen=True)
class AllowWithoutDecision:
    """Issue tokens as if no action had an opinion. Anyone who can keep the daemon from answering gets past it."""


Fallback: TypeAlias = Deny | RequireMfa | AllowWithoutDecision

DENY: Final = Deny()
_UNAVAILABLE: Final = "the login cannot be decided at the moment; try again later"
BACK_CHANNEL: Final = frozenset(
    {
        "oauth2-password",
        "oauth2-resource-owner",
        "oauth2-resource-owner-jwt-bearer",
        "oauth2-refresh-token",
        "oauth2-access-token",
        "oauth2-token-exchange",
        "oauth2-webauthn",
        "wstrust-usernamemixed",
        "oidc-ciba",
        "oidc-ciba-web-link",
    }
)


def refuse() -> Refuse:
    """Refuse a login that has no answer."""
    return refusal(oauth.NO_ANSWER, _UNAVAILABLE)


def step_without_answer(fallback: Fallback, event: Event) -> NextStep:
    """Say what to do with a login that has no answer."""
    match fallback:
        case AllowWithoutDecision():
            return IssueTokens()
        case RequireMfa(challenge=challenge, enroll=enroll):
            mfa = Requirement(challenge=challenge, enroll=enroll)
            protocol, prompts = _transaction(event)
            if protocol in BACK_CHANNEL:
                return AnswerMfaRequired(mfa=mfa)
            if "none" in prompts:
                return refusal(oauth.NO_PAGES, _UNAVAILABLE)
            return ShowFactors(mfa=mfa)
        case _:
            return refuse()


def _transaction(event: Event) -> tuple[str, tuple[str, ...]]:
    """Return the protocol, and the values of OIDC's `prompt`."""
    if isinstance(event, PostLoginEvent):
        query: Mapping[str, Any] = plain(event.request.query)
        return event.transaction.protocol, (*event.transaction.prompt.values, *_words(query.get("prompt")))
    transaction, request = _object(event.get("transaction")), _object(event.get("request"))
    prompts = (*_words(transaction.get("prompt")), *_words(_object(request.get("query")).get("prompt")))
    return str(transaction.get("protocol") or ""), prompts


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _words(value: Any) -> tuple[str, ...]:
    words = value.split() if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    return tuple(word for word in words if isinstance(word, str))
