"""A gateway that knows the table of outcomes and nothing else, and what must be true of every login it serves.

`ROWS` are the rows of proto/README.md. The truth about a login is worked out from what its actions asked for, not by
the core. Must not know resolutions, or how an outcome comes about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from vestibule.v1 import decision_pb2 as pb

from runtime.core.model import Execution, Merge, OnError, Policy, Settings, Verdict
from runtime.core.remembered import PAPE_MULTI_FACTOR, RememberedBrowser
from tests.event_facts import EventFacts


class Row(NamedTuple):
    """What a gateway does on one outcome, and the sentences of the page that say so."""

    page: str
    shows: str = ""
    issues: bool = False
    applies: tuple[str, ...] = ("on_any_outcome",)


ROWS: Final[dict[int, Row]] = {
    pb.OUTCOME_ALLOW: Row(
        "Apply `on_any_outcome` and `on_success`, and issue tokens.",
        issues=True,
        applies=("on_any_outcome", "on_success"),
    ),
    pb.OUTCOME_MFA_REQUIRED: Row(
        "Apply `on_any_outcome`. Show the pages that `multifactor` describes. When the user has passed, apply "
        "`on_success` and issue tokens. Send nothing back: the flow is over.",
        shows="pages",
        issues=True,
        applies=("on_any_outcome", "on_success"),
    ),
    pb.OUTCOME_MFA_REQUIRED_BY_TOKEN: Row(
        "The same for a client without pages: apply `on_any_outcome` and answer `mfa_required` with a token for your "
        "MFA API. When the client has passed there, apply `on_success` and issue tokens.",
        shows="token",
        issues=True,
        applies=("on_any_outcome", "on_success"),
    ),
    pb.OUTCOME_DENY: Row("Apply `on_any_outcome` and refuse the login with what [`denial`](#refusals) says."),
    pb.OUTCOME_SUSPEND: Row(
        "Apply nothing yet. Show what `suspension` asks for, then call [`ContinuePostLogin`](#suspend-and-continue).",
        shows="pages",
        applies=(),
    ),
    pb.OUTCOME_SUSPEND_BY_TOKEN: Row(
        "The same for a client without pages: answer `mfa_required` with the steps of `suspension.mfa` as its "
        "requirements, then call `ContinuePostLogin`.",
        shows="token",
        applies=(),
    ),
}

_BACK_CHANNEL: Final = frozenset({"oauth2-password", "oauth2-refresh-token", "oauth2-token-exchange"})
_API: Final = frozenset({"push-notification", "otp", "sms", "voice", "email", "recovery-code", "phone"})
_NARROWER: Final = ("any", "guardian", "google-authenticator", "duo")
_DAY_MS: Final = 24 * 3_600_000


@dataclass(frozen=True)
class Served:
    """What a gateway that switches on the outcome alone did with a login, part by part."""

    shown: list[tuple[str, list[str]]] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    issued: bool = False
    presented: bool = False


def serve(decisions: Sequence[pb.Decision]) -> Served:
    """Follow the table through the parts of a login. The user passes whatever is shown."""
    shown: list[tuple[str, list[str]]] = []
    applied: list[str] = []
    issued = presented = False
    for decision in decisions:
        row = ROWS[decision.outcome]
        if row.shows:
            for factors in _screens(decision):
                shown.append((row.shows, factors))
                presented = presented or bool(factors)
        applied = [name for name in row.applies if decision.HasField(name)]
        issued = row.issues
    return Served(shown, applied, issued, presented)


def _screens(decision: pb.Decision) -> Iterator[list[str]]:
    """List the factors of each screen; a page elsewhere or a form has none of its own and is no screen of factors."""
    if not decision.HasField("suspension"):
        yield [_word(number) for number in (*decision.multifactor.challenge, *decision.multifactor.enroll)]
    elif decision.suspension.HasField("mfa"):
        yield from ([_word(option.factor) for option in step.factors] for step in decision.suspension.mfa.steps)


def _word(number: int) -> str:
    return pb.Factor.Name(number).removeprefix("FACTOR_").lower().replace("_", "-")


@dataclass(frozen=True)
class Truth:
    """What is true of a login, whatever was decided."""

    pages: bool
    token: bool
    refused: bool
    asks: bool
    required: bool
    remembered: bool
    browser: bool


def truth(
    executions: Sequence[Execution],
    tenant: Settings,
    event: EventFacts,
    memory: RememberedBrowser | None,
    user_id: str,
    now_ms: int,
) -> Truth:
    """Work out what is true of a login from what its actions asked for, how they ended and what the tenant wants."""
    ran = [e for e in executions if e.verdict is not Verdict.SKIPPED]
    calls = [c for e in ran if e.verdict is Verdict.COMPLETED for c in e.commands]
    failures = [e.on_error for e in ran if e.verdict is not Verdict.COMPLETED]
    enables = [c.args for c in calls if c.op == "multifactor.enable"]
    demands = [args for args in enables if args["provider"] != "none"]
    strictest = tenant.merge is Merge.STRICTEST
    by_action = bool(demands) if strictest else bool(enables) and enables[-1]["provider"] != "none"
    by_failure = OnError.REQUIRE_MFA in failures
    lifted = bool(enables) and not by_action and not strictest
    exempt = tenant.exempt_refresh and event.protocol == "oauth2-refresh-token"
    unassessed = event.protocol in ("oauth2-refresh-token", "oauth2-token-exchange")
    low = not unassessed if event.risk_confidence is None else event.risk_confidence == "low"
    adaptive = tenant.policy is Policy.ADAPTIVE and low and not exempt
    by_policy = adaptive and not (lifted and tenant.none_lifts_adaptive)
    pape = any(PAPE_MULTI_FACTOR in value for value in event.acr_values)
    if not lifted and not exempt:
        by_policy = by_policy or tenant.policy is Policy.ALWAYS or (tenant.step_up and pape)
    browser = event.protocol not in _BACK_CHANNEL
    # An action's word on remembering, and the policy's own: it allows it, but not at low confidence.
    if by_action:
        allowed = demands[-1].get("allow_remember_browser") is True
        allowed = (
            allowed and not by_failure and (not adaptive or (tenant.remember_satisfies_adaptive and not strictest))
        )
        if strictest:
            allowed = allowed and all(args.get("allow_remember_browser") is True for args in demands)
    else:
        allowed = not by_failure and not adaptive
    provider = "any"
    if by_action:
        named = [args["provider"] for args in demands]
        provider = max(named, key=_NARROWER.index) if strictest else named[-1]
    fresh = memory is not None and (
        memory.user_id == user_id
        and memory.provider == provider
        and not memory.email_only
        and now_ms - memory.issued_at_ms <= tenant.remember_lifetime_h * _DAY_MS // 24
        and now_ms - memory.last_seen_at_ms < tenant.remember_idle_h * _DAY_MS // 24
    )
    return Truth(
        pages=browser and "none" not in event.prompt,
        token=not browser,
        refused=any(c.op in ("access.deny", "session.revoke") for c in calls) or OnError.DENY in failures,
        asks=any(c.op.startswith(("authentication.challenge", "authentication.enroll", "redirect.")) for c in calls),
        required=by_action or by_failure or by_policy,
        remembered=browser and allowed and fresh and not pape,
        browser=browser,
    )


def faults(decisions: Sequence[pb.Decision], facts: Truth, held: Sequence[str] | None) -> Iterator[str]:
    """Yield what such a gateway did wrongly with a login. `held`: the factors that the user has, if that is known."""
    served, last = serve(decisions), decisions[-1]
    if served.issued:
        if facts.refused:
            yield "lets in a login that an action refused"
        if (facts.required or facts.asks) and not (
            served.presented or facts.remembered or _only_pages(decisions, facts)
        ):
            yield "lets in without the factor that is required"
        if last.outcome == pb.OUTCOME_ALLOW and facts.required and not served.presented:
            if last.multifactor.status != pb.Multifactor.STATUS_REMEMBERED:
                yield "does not say that the browser was remembered"
            elif not last.multifactor.memory.HasField("expires_at"):
                yield "does not say when the browser is forgotten"
    elif facts.remembered and facts.required and not (facts.refused or facts.asks):
        yield "refuses a browser that is remembered"
    elif not (facts.refused or facts.required or facts.asks):
        yield "refuses a login of which nothing is required"
    if served.shown and facts.remembered and not facts.asks:
        yield "asks for a factor although the browser is remembered"
    for where, factors in served.shown:
        if not factors:
            yield "shows a page without a factor"
        if where == "pages" and not facts.pages:
            yield "shows a page to a client without pages"
        if where == "token" and not facts.token:
            yield "answers a browser with a token"
        if where == "token" and not _API.issuperset(factors):
            yield "asks the MFA API for what it cannot challenge"
    for decision in decisions:
        if decision.outcome == pb.OUTCOME_SUSPEND and not facts.pages:
            yield "sends a client without pages elsewhere"
    if "on_success" in served.applied and not served.issued:
        yield "applies the effects of a success to a login that fails"
    if last.HasField("on_success") and last.outcome == pb.OUTCOME_DENY:
        yield "is given the effects of a success with a refusal"
    if any(d.HasField(name) for d in decisions[:-1] for name in ("on_any_outcome", "on_success", "denial")):
        yield "is given effects while the flow is suspended"
    if (last.outcome == pb.OUTCOME_DENY) != (last.denial.reason != pb.Denial.REASON_UNSPECIFIED):
        yield "is given a reason without a refusal, or a refusal without one"
    if last.outcome in (pb.OUTCOME_MFA_REQUIRED, pb.OUTCOME_MFA_REQUIRED_BY_TOKEN):
        yield from _wrong_requirement(last.multifactor, held)


def _only_pages(decisions: Sequence[pb.Decision], facts: Truth) -> bool:
    """Was nothing asked for but pages elsewhere, which have no factor of their own?"""
    steps = [decision.suspension.WhichOneof("step") for decision in decisions if decision.HasField("suspension")]
    return not facts.required and bool(steps) and "mfa" not in steps


def _wrong_requirement(required: pb.Multifactor, held: Sequence[str] | None) -> Iterator[str]:
    if required.status != pb.Multifactor.STATUS_REQUIRED:
        yield "shows pages for what is not required"
    challenge = [_word(number) for number in required.challenge]
    if held is not None:
        if challenge and required.enroll:
            yield "leaves to the gateway what is known"
        if not set(challenge) <= {*held, "duo", "email"}:
            yield "challenges a factor that the user does not have"
    remembers = required.remember not in (pb.Multifactor.REMEMBER_MODE_UNSPECIFIED, pb.Multifactor.REMEMBER_MODE_NONE)
    if remembers != required.HasField("memory"):
        yield "does not say how long a browser is remembered"
