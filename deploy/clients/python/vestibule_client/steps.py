"""What a gateway does next, as one tagged union: `next_step` turns a decision into exactly one step.

A decision that this version does not understand is refused. Must not know calls, retries or the network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from vestibule.v1 import decision_pb2 as pb

from vestibule_client import oauth
from vestibule_client.effects import OnAnyOutcome, OnSuccess, Plain, instant, on_any_outcome, on_success, plain


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What is remembered of a browser: send it back as GatewayContext.remembered_browser."""

    lifetime: timedelta
    idle_lifetime: timedelta
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """A second factor that is required: what to show, and what a passed challenge leads to."""

    challenge: tuple[pb.Factor, ...] = ()
    """Factors to present one of, safest first. This or `enroll` has at least one."""
    enroll: tuple[pb.Factor, ...] = ()
    """Factors to enrol one of, safest first. Beside a challenge: for a user who is enrolled in nothing."""
    choice: bool = False
    verify_email_first: bool = False
    recovery_code_allowed: bool = False
    provider: pb.Provider = pb.PROVIDER_ANY
    provider_options: pb.ProviderOptions | None = field(default=None, repr=False)
    """Holds a secret key of Duo, so that it is in no repr."""
    remember: pb.Multifactor.RememberMode = pb.Multifactor.REMEMBER_MODE_NONE
    memory: Memory | None = None
    forget_remembered_browser: bool = False
    records_amr: bool = False


@dataclass(frozen=True, kw_only=True)
class Resume:
    """What `resume` needs, to be kept with the transaction."""

    continuation: bytes = field(repr=False)
    expires_at: datetime
    action: str = ""


@dataclass(frozen=True, kw_only=True)
class FactorOption:
    """One factor of a step."""

    factor: pb.Factor
    preferred_method: pb.PhoneMethod = pb.PHONE_METHOD_UNSPECIFIED
    otp_fallback: bool = True


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """The user presents any one of the factors."""

    factors: tuple[FactorOption, ...]
    choice: bool = False
    ignored: tuple[pb.IgnoredFactor, ...] = ()
    """Log each as a warning."""


@dataclass(frozen=True, kw_only=True)
class Enroll:
    """The user enrols any one of the factors."""

    factors: tuple[FactorOption, ...]
    choice: bool = False
    ignored: tuple[pb.IgnoredFactor, ...] = ()
    """Log each as a warning."""


# -- the steps ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class IssueTokens:
    """Apply both kinds of effects and issue tokens."""

    on_any_outcome: OnAnyOutcome = field(default_factory=OnAnyOutcome)
    on_success: OnSuccess = field(default_factory=OnSuccess)
    renew: Memory | None = None
    """The remembered browser satisfied the requirement: renew what is remembered."""


@dataclass(frozen=True, kw_only=True)
class ShowFactors:
    """Apply `on_any_outcome`, show the pages. Once the user passed, apply `on_success` and issue tokens.

    Nothing is sent back to the daemon.
    """

    mfa: Requirement
    on_any_outcome: OnAnyOutcome = field(default_factory=OnAnyOutcome)
    on_success: OnSuccess = field(default_factory=OnSuccess)


@dataclass(frozen=True, kw_only=True)
class AnswerMfaRequired:
    """As ShowFactors without pages: answer `oauth_error` with a token for the MFA API."""

    mfa: Requirement
    on_any_outcome: OnAnyOutcome = field(default_factory=OnAnyOutcome)
    on_success: OnSuccess = field(default_factory=OnSuccess)
    oauth_error: str = oauth.MFA_REQUIRED[0]
    http_status: int = oauth.MFA_REQUIRED[1]


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """Apply `on_any_outcome` and refuse the login."""

    oauth_error: str
    http_status: int
    description: str
    reason: pb.Denial.Reason = pb.Denial.REASON_UNSPECIFIED
    validation_code: str | None = None
    """The code that an action chose, for the page that the user sees."""
    on_any_outcome: OnAnyOutcome = field(default_factory=OnAnyOutcome)


@dataclass(frozen=True, kw_only=True)
class ShowSteps:
    """Apply nothing yet. The user passes each step in order; then `resume` with what satisfied each."""

    steps: tuple[Challenge | Enroll, ...]
    resume: Resume
    hide_remember_browser: bool = False
    verify_email_first: bool = False


@dataclass(frozen=True, kw_only=True)
class AnswerMfaRequiredWithSteps:
    """As ShowSteps without pages: answer `oauth_error` with the steps as requirements; `resume` once they are done."""

    steps: tuple[Challenge | Enroll, ...]
    resume: Resume
    verify_email_first: bool = False
    oauth_error: str = oauth.MFA_REQUIRED[0]
    http_status: int = oauth.MFA_REQUIRED[1]


@dataclass(frozen=True, kw_only=True)
class RedirectUser:
    """Apply nothing yet. Send the user to `url` with a `state` of yours; `resume` with the request that came back."""

    url: str
    resume: Resume


@dataclass(frozen=True, kw_only=True)
class ShowForm:
    """Apply nothing yet. Show the form; `resume` with what was filled in."""

    id: str
    fields: Plain
    vars: Plain
    resume: Resume


NextStep: TypeAlias = (
    IssueTokens
    | ShowFactors
    | AnswerMfaRequired
    | Refuse
    | ShowSteps
    | AnswerMfaRequiredWithSteps
    | RedirectUser
    | ShowForm
)


def next_step(decision: pb.Decision) -> NextStep:
    """Say what the gateway does with a decision. What is not understood is refused."""
    match decision.outcome:
        case pb.OUTCOME_ALLOW:
            multifactor = decision.multifactor
            remembered = multifactor.status == pb.Multifactor.STATUS_REMEMBERED
            return IssueTokens(
                on_any_outcome=on_any_outcome(decision),
                on_success=on_success(decision),
                renew=_memory(multifactor) if remembered else None,
            )
        case pb.OUTCOME_MFA_REQUIRED | pb.OUTCOME_MFA_REQUIRED_BY_TOKEN:
            return _required(decision)
        case pb.OUTCOME_SUSPEND | pb.OUTCOME_SUSPEND_BY_TOKEN:
            return _suspended(decision)
        case pb.OUTCOME_DENY:
            denial = decision.denial
            error, status = oauth.denial(denial.reason)
            return Refuse(
                oauth_error=error,
                http_status=status,
                description=denial.description,
                reason=denial.reason,
                validation_code=denial.validation_code if denial.HasField("validation_code") else None,
                on_any_outcome=on_any_outcome(decision),
            )
        case _:
            return not_understood(decision)


def not_understood(decision: pb.Decision) -> Refuse:
    """Refuse a decision that this version of the client does not understand."""
    return refusal(oauth.NOT_UNDERSTOOD, "the login could not be decided", on_any_outcome(decision))


def refusal(error: tuple[str, int], description: str, effects: OnAnyOutcome | None = None) -> Refuse:
    """Refuse a login that no decision refuses."""
    return Refuse(
        oauth_error=error[0],
        http_status=error[1],
        description=description,
        on_any_outcome=effects or OnAnyOutcome(),
    )


def _required(decision: pb.Decision) -> NextStep:
    mfa = _requirement(decision.multifactor)
    if not (mfa.challenge or mfa.enroll) or mfa.provider not in _VERIFIERS:
        return not_understood(decision)
    kind = ShowFactors if decision.outcome == pb.OUTCOME_MFA_REQUIRED else AnswerMfaRequired
    return kind(mfa=mfa, on_any_outcome=on_any_outcome(decision), on_success=on_success(decision))


def _requirement(said: pb.Multifactor) -> Requirement:
    return Requirement(
        challenge=_known(said.challenge),
        enroll=_known(said.enroll),
        choice=said.choice,
        verify_email_first=said.verify_email_first,
        recovery_code_allowed=said.recovery_code_allowed,
        provider=said.provider,
        provider_options=said.provider_options if said.HasField("provider_options") else None,
        remember=said.remember,
        memory=_memory(said),
        forget_remembered_browser=said.forget_remembered_browser,
        records_amr=said.records_amr,
    )


def _known(factors: Iterable[pb.Factor]) -> tuple[pb.Factor, ...]:
    """Leave out what a later version may name, which no page of this gateway can show."""
    return tuple(factor for factor in factors if factor in _FACTORS)


_FACTORS: Final = frozenset(pb.Factor.values()) - {pb.FACTOR_UNSPECIFIED}
_VERIFIERS: Final = frozenset(pb.Provider.values()) - {pb.PROVIDER_UNSPECIFIED, pb.PROVIDER_NONE}


def _memory(said: pb.Multifactor) -> Memory | None:
    if not said.HasField("memory"):
        return None
    return Memory(
        lifetime=said.memory.lifetime.ToTimedelta(),
        idle_lifetime=said.memory.idle_lifetime.ToTimedelta(),
        expires_at=instant(said.memory.expires_at) if said.memory.HasField("expires_at") else None,
    )


def _suspended(decision: pb.Decision) -> NextStep:
    said = decision.suspension
    if not said.continuation:
        return not_understood(decision)
    resume = Resume(continuation=said.continuation, expires_at=instant(said.expires_at), action=said.action)
    by_token = decision.outcome == pb.OUTCOME_SUSPEND_BY_TOKEN
    match said.WhichOneof("step"):
        case "mfa":
            steps = tuple(step for each in said.mfa.steps if (step := _mfa_step(each)) is not None)
            if not steps or len(steps) < len(said.mfa.steps):
                return not_understood(decision)
            first = said.mfa.verify_email_first
            if by_token:
                return AnswerMfaRequiredWithSteps(steps=steps, resume=resume, verify_email_first=first)
            hidden = said.mfa.hide_remember_browser
            return ShowSteps(steps=steps, resume=resume, hide_remember_browser=hidden, verify_email_first=first)
        case "redirect" if not by_token:
            return RedirectUser(url=said.redirect.url, resume=resume)
        case "prompt" if not by_token:
            prompt = said.prompt
            return ShowForm(id=prompt.id, fields=plain(prompt.fields), vars=plain(prompt.vars), resume=resume)
        case _:
            return not_understood(decision)


def _mfa_step(said: pb.MfaSteps.MfaStep) -> Challenge | Enroll | None:
    """Read one step; None if this gateway cannot show it."""
    factors = tuple(
        FactorOption(
            factor=option.factor,
            preferred_method=option.preferred_method,
            otp_fallback=option.otp_fallback if option.HasField("otp_fallback") else True,
        )
        for option in said.factors
        if option.factor in _FACTORS
    )
    if not factors:
        return None
    match said.kind:
        case pb.MfaSteps.KIND_CHALLENGE:
            return Challenge(factors=factors, choice=said.choice, ignored=tuple(said.ignored))
        case pb.MfaSteps.KIND_ENROLL:
            return Enroll(factors=factors, choice=said.choice, ignored=tuple(said.ignored))
        case _:
            return None
