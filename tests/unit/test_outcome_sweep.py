"""`outcome` is the answer: 3,750 sampled logins, served by a gateway that switches on it alone.

50 tenants, 15 events, and each as a code flow, a silent one, a password grant, a refresh and a token exchange. The
mutants at the end are the control: with each of them the sweep finds a login that is served wrongly.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule.v1.runtime_service_pb2 import ExecutePostLoginResponse, GatewayContext

from runtime.core import outcome, remembered, resolution
from runtime.core.model import (
    FACTOR_NAMES,
    Command,
    Experience,
    Merge,
    OnError,
    Policy,
    ResolutionKind,
    Settings,
)
from runtime.core.remembered import DAY_MS, PAPE_MULTI_FACTOR, RememberedBrowser
from runtime.login import answers, gateway
from runtime.login.answers import FlowDecision
from runtime.login.messages import PROVIDERS, EventReader
from tests import model_gateway
from tests.event_facts import EventFacts
from tests.flow_walk import (
    NOW_MS,
    Action,
    action,
    challenge,
    challenge_any,
    claim,
    command,
    deny,
    enable,
    enroll,
    fails,
    metadata,
    redirect,
    walk,
)

USER: Final = "auth0|1"
KINDS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "code flow": ("oidc-basic-profile", ()),
    "prompt=none": ("oidc-basic-profile", ("none",)),
    "password grant": ("oauth2-password", ()),
    "refresh": ("oauth2-refresh-token", ()),
    "token exchange": ("oauth2-token-exchange", ()),
}
TENANTS, EVENTS = 50, 15
PAGE: Final = Path(__file__).parents[2] / "proto" / "README.md"
# Of RFC 6749, section 5.2, which the token endpoint answers with 400.
TOKEN_ERRORS: Final = {"invalid_request", "invalid_grant", "unauthorized_client"}
OAUTH_ERRORS: Final = TOKEN_ERRORS | {"access_denied", "interaction_required"}


@dataclass(frozen=True)
class Tenant:
    """Settings and a flow."""

    settings: Settings
    flow: list[Action]


@dataclass(frozen=True)
class Sample:
    """What an event says, beside its kind, and what the gateway sends beside it."""

    facts: EventFacts
    has_email: bool
    organization: bool
    context: GatewayContext | None
    memory: RememberedBrowser | None

    def event(self, facts: EventFacts) -> PostLoginEvent:
        """Return the message of the event with these facts."""
        event = PostLoginEvent()
        event.user.user_id = USER
        event.user.email_verified = facts.email_verified
        if self.has_email:
            event.user.email = "ada@example.com"
        if facts.enrolled is not None:
            event.user.enrolled_factors.SetInParent()
            for name in facts.enrolled:
                event.user.enrolled_factors.values.add(type=name)
        if facts.protocol is not None:
            event.transaction.protocol = facts.protocol
        event.transaction.prompt.values.extend(facts.prompt)
        event.transaction.acr_values.values.extend(facts.acr_values)
        if facts.risk_confidence is not None:
            event.authentication.risk_assessment.confidence = facts.risk_confidence
        if self.organization:
            event.organization.id = "org_1"
        return event


def tenants(dice: random.Random) -> Iterator[Tenant]:
    """Make tenants up: every policy, few and many factors, actions that ask, refuse, fail and wait."""
    asks: list[tuple[Command, ...]] = [
        *[(enable(provider),) for provider in ("any", "any", "duo", "guardian", "google-authenticator", "none")],
        *[(enable(provider, allow_remember_browser=True),) for provider in ("any", "any", "any", "duo")],
        (enable(allow_remember_browser=False),),
        (challenge("otp", "phone"),),
        (challenge_any("otp", "email", "push-notification"),),
        (challenge("otp"), enroll("webauthn-roaming")),
        (redirect("https://a.example/"),),
        (claim("https://a.example/c", 1), metadata("k", 1), command("access_token.add_scope", scope="s")),
        (),
    ]
    for number in range(TENANTS):
        flow = [
            action(f"a{at}", *dice.choice(asks), claim("https://a.example/n", at), metadata("seen", at))
            for at in range(dice.randrange(4))
        ]
        if number % 10 == 3:
            flow.append(fails("late", dice.choice(list(OnError))))
        if number % 12 == 5:
            flow.append(action("refuses", deny()))
        enabled = [FACTOR_NAMES, ("otp", "sms"), ("email",), ("webauthn-roaming", "recovery-code", "otp"), ()]
        settings = Settings(
            experience=dice.choice([Experience.NEW] * 4 + [Experience.CLASSIC]),
            policy=dice.choice(list(Policy)),
            factors=dice.choice(enabled),
            merge=dice.choice(list(Merge)),
            none_lifts_adaptive=dice.random() < 0.5,
            step_up=dice.random() < 0.3,
            exempt_refresh=dice.random() < 0.3,
            remember_satisfies_adaptive=dice.random() < 0.3,
        )
        yield Tenant(settings, flow)


def samples(dice: random.Random) -> Iterator[Sample]:
    """Make events up: users with and without factors and addresses, every confidence, browsers that are remembered."""
    held = [
        None,
        (),
        ("otp",),
        ("otp", "phone"),
        ("webauthn-roaming",),
        ("recovery-code",),
        ("push-notification", "otp"),
    ]
    for number in range(EVENTS):
        facts = EventFacts(
            acr_values=(PAPE_MULTI_FACTOR,) if number % 7 == 6 else (),
            risk_confidence=dice.choice([None, "low", "high"]),
            enrolled=held[number % len(held)],
            email_verified=dice.random() < 0.5,
        )
        context = memory = None
        if number % 3:
            context = GatewayContext(actor=number % 5 == 4)
            if number % 5 == 1:
                context.mfa_grant_allowed = False
            if number % 4 == 2:
                context.webauthn = False
            if number % 4 == 3:
                context.customize_mfa = False
        if context is not None and number % 3 == 1:
            provider = dice.choice(["any", "any", "duo"])
            age_ms = dice.choice([DAY_MS, DAY_MS, 40 * DAY_MS])
            memory = RememberedBrowser(USER, provider, NOW_MS - age_ms, NOW_MS - DAY_MS, number % 5 == 2)
            said = context.remembered_browser
            said.user_id, said.provider, said.email_only = USER, PROVIDERS[provider], memory.email_only
            said.issued_at.FromMilliseconds(memory.issued_at_ms)
            said.last_seen_at.FromMilliseconds(memory.last_seen_at_ms)
        yield Sample(facts, dice.random() < 0.8, number % 6 == 4, context, memory)


DICE: Final = random.Random(12)
LOGINS: Final = [
    (tenant, sample, kind) for tenant in list(tenants(DICE)) for sample in list(samples(DICE)) for kind in KINDS
]


def decided(
    tenant: Tenant, sample: Sample, facts: EventFacts, known: dict[str, FlowDecision]
) -> tuple[list[pb.Decision], model_gateway.Truth]:
    """Decide a login as the daemon does, part by part, and say what is true of it.

    `known`: the decisions of the tenant's logins so far, which those that end alike share.
    """
    event = sample.event(facts)
    context = None if sample.context is None else sample.context.SerializeToString()
    side = gateway.side(EventReader(event.SerializeToString(), event), context, NOW_MS)
    parts = walk(tenant.flow, tenant.settings, facts, side)
    messages = []
    for part in parts:
        shared = known.setdefault(repr(part), FlowDecision(part, tenant.settings))
        answer, until_ms = shared.answer(event, context, NOW_MS)
        times = [1] * len(part.executions)
        response = answer.fill("r", "d", 1, 1, times, times, remembered_until_ms=until_ms)
        messages.append(ExecutePostLoginResponse.FromString(response).decision)
    truth = model_gateway.truth(parts[-1].executions, tenant.settings, facts, sample.memory, USER, NOW_MS)
    return messages, truth


def found() -> Iterator[tuple[str, list[pb.Decision], str]]:
    """Serve the logins; yield the kind of each, its decisions, and a fault if there is one."""
    known: dict[int, dict[str, FlowDecision]] = {}
    for tenant, sample, kind in LOGINS:
        protocol, prompt = KINDS[kind]
        facts = replace(sample.facts, protocol=protocol, prompt=prompt)
        decisions, truth = decided(tenant, sample, facts, known.setdefault(id(tenant), {}))
        held = None
        if facts.enrolled is not None:
            held = [name for name in FACTOR_NAMES if resolution.is_enrolled(name, facts.enrolled)]
        yield kind, decisions, next(model_gateway.faults(decisions, truth, held), "")


def test_every_login_is_served_rightly() -> None:
    """Never let in without a factor that is required, never a page that leads nowhere or that cannot be shown."""
    assert len(LOGINS) == 3750
    faults: Counter[str] = Counter()
    outcomes: Counter[tuple[str, str]] = Counter()
    reasons: Counter[str] = Counter()
    for kind, decisions, fault in found():
        faults[fault] += 1
        for decision in decisions:
            outcomes[kind, pb.Outcome.Name(decision.outcome)] += 1
            reasons[pb.Denial.Reason.Name(decision.denial.reason)] += 1
    assert faults == {"": 3750}
    # The sample is not idle: each kind of login ends in each way that it can.
    both = {"OUTCOME_ALLOW", "OUTCOME_DENY"}
    ends = {kind: {name for k, name in outcomes if k == kind} for kind in KINDS}
    assert ends["code flow"] == both | {"OUTCOME_MFA_REQUIRED", "OUTCOME_SUSPEND"}
    assert ends["prompt=none"] == both
    for kind in ("password grant", "refresh", "token exchange"):
        assert both | {"OUTCOME_MFA_REQUIRED_BY_TOKEN"} <= ends[kind], kind
    assert "OUTCOME_SUSPEND_BY_TOKEN" in ends["password grant"]
    assert len(reasons) >= 12


def test_the_page_has_the_rows_that_the_gateway_follows() -> None:
    """proto/README.md says for each outcome what the model gateway does, in these words."""
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    wanted = {pb.Outcome.Name(number).removeprefix("OUTCOME_"): row.page for number, row in model_gateway.ROWS.items()}
    assert {name: rows.get(name) for name in wanted} == wanted
    assert set(model_gateway.ROWS) == set(pb.Outcome.values()) - {pb.OUTCOME_UNSPECIFIED}


def test_the_page_has_an_error_for_each_reason() -> None:
    """For each reason of a refusal proto/README.md names one OAuth error and one HTTP status, and no reason twice."""
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| `([a-z_]+)` \| (\d{3}) \| .+ \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    reasons = [name for name, *_ in rows]
    assert sorted(reasons) == sorted(
        name.removeprefix("REASON_") for name, number in pb.Denial.Reason.items() if number
    )
    assert {error for _, error, _ in rows} <= OAUTH_ERRORS
    assert all((status == "400") == (error in TOKEN_ERRORS) for _, error, status in rows)


# -- the control -------------------------------------------------------------------------------------------------------

FOLLOWED, REFUSAL, PRESENT, FAILED = outcome.followed, remembered.refusal, resolution.present, ResolutionKind.FAILED


def unresolved(decision: Any, found: Any) -> Any:
    return replace(FOLLOWED(decision, found), outcome="mfa_required")


def never_fails(decision: Any, found: Any) -> Any:
    return replace(decision, resolution=found) if found.kind is ResolutionKind.FAILED else FOLLOWED(decision, found)


def keeps_claims(decision: Any, found: Any) -> Any:
    made = FOLLOWED(decision, found)
    return replace(made, id_token_claims=decision.id_token_claims, effects=decision.effects)


def pages_for_all(decision: Any, found: Any) -> Any:
    made = FOLLOWED(decision, found)
    return replace(made, outcome="mfa_required") if made.outcome == "mfa_required_by_token" else made


def lets_in(decision: Any, found: Any) -> Any:
    return replace(FOLLOWED(decision, found), outcome="allow", denial=None)


def one_for_all(event: Any, context: Any) -> Any:
    return ()


def any_memory(*given: Any) -> Any:
    return None if given[0] is not None else REFUSAL(*given)


def forgotten(*given: Any) -> Any:
    return remembered.Refusal.UNKNOWN


def any_provider(browser: Any, multifactor: Any, *rest: Any) -> Any:
    return REFUSAL(None if browser is None else replace(browser, provider=multifactor.provider), multifactor, *rest)


def nothing_to_present(multifactor: Any, settings: Any, gateway: Any, browser: bool, *_: Any) -> Any:
    return replace(PRESENT(multifactor, settings, gateway, browser, ("otp",)), challenge=())


MUTANTS: list[Any] = [
    pytest.param(answers, "followed", unresolved, id="the outcome is that of the actions alone"),
    pytest.param(answers, "followed", never_fails, id="a factor that cannot be presented is shown"),
    pytest.param(answers, "followed", keeps_claims, id="a refusal keeps what waits for tokens"),
    pytest.param(answers, "followed", pages_for_all, id="a client without pages is shown one"),
    pytest.param(answers, "followed", lets_in, id="whatever is resolved lets in"),
    pytest.param(gateway, "depends_on", one_for_all, id="logins that end alike are resolved alike"),
    pytest.param(remembered, "refusal", any_memory, id="every remembered browser counts"),
    pytest.param(remembered, "refusal", any_provider, id="what another provider verified counts"),
    pytest.param(remembered, "refusal", forgotten, id="no remembered browser counts"),
    pytest.param(resolution, "present", nothing_to_present, id="a page has no factor"),
]


@pytest.mark.parametrize(("module", "name", "mutant"), MUTANTS)
def test_the_sweep_finds_each_mutant(module: Any, name: str, mutant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one rule gone, a login is served wrongly."""
    monkeypatch.setattr(module, name, mutant)
    assert any(fault for *_, fault in found())
