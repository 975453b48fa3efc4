"""A client of Vestibule for identity gateways: what to do with a login, as one of eight steps."""

from vestibule_client.attempts import Retries
from vestibule_client.channel import Tls
from vestibule_client.client import AsyncClient, Client, Decided
from vestibule_client.effects import OnAnyOutcome, OnSuccess, RefreshTokenChanges, SessionChanges
from vestibule_client.errors import Failure, NoAnswer, RequestRefused, VestibuleError
from vestibule_client.fallback import DENY, AllowWithoutDecision, Deny, Event, Fallback, RequireMfa
from vestibule_client.steps import (
    AnswerMfaRequired,
    AnswerMfaRequiredWithSteps,
    Challenge,
    Enroll,
    FactorOption,
    IssueTokens,
    Memory,
    NextStep,
    RedirectUser,
    Refuse,
    Requirement,
    Resume,
    ShowFactors,
    ShowForm,
    ShowSteps,
    next_step,
)

__all__ = [
    "DENY",
    "AllowWithoutDecision",
    "AnswerMfaRequired",
    "AnswerMfaRequiredWithSteps",
    "AsyncClient",
    "Challenge",
    "Client",
    "Decided",
    "Deny",
    "Enroll",
    "Event",
    "FactorOption",
    "Failure",
    "Fallback",
    "IssueTokens",
    "Memory",
    "NextStep",
    "NoAnswer",
    "OnAnyOutcome",
    "OnSuccess",
    "RedirectUser",
    "RefreshTokenChanges",
    "Refuse",
    "RequestRefused",
    "RequireMfa",
    "Requirement",
    "Resume",
    "Retries",
    "SessionChanges",
    "ShowFactors",
    "ShowForm",
    "ShowSteps",
    "Tls",
    "VestibuleError",
    "next_step",
]
