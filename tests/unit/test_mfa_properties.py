"""Properties of resolving: whatever is required, held and remembered, no user gets in with less than was asked for."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from runtime.core import challenges, mfa, remembered, resolution
from runtime.core.aggregate import aggregate
from runtime.core.challenges import Ask
from runtime.core.model import (
    FACTOR_NAMES,
    Command,
    Execution,
    Experience,
    FactorRequest,
    Merge,
    Multifactor,
    OnError,
    Policy,
    RememberMode,
    Resolution,
    ResolutionKind,
    Settings,
    Verdict,
)
from runtime.core.remembered import DAY_MS, HOUR_MS, PAPE_MULTI_FACTOR, SKEW_MS, RememberedBrowser
from runtime.core.resolution import Gateway
from tests.event_facts import EventFacts

NOW = 1_800_000_000_000
TYPES = (*(name for name in FACTOR_NAMES if name not in ("sms", "voice", "duo")), "phone")
PROTOCOLS = [None, "oidc-basic-profile", "samlp", "oauth2-password", "oauth2-refresh-token", "oauth2-token-exchange"]

subsets = st.lists(st.sampled_from(FACTOR_NAMES), unique=True).map(tuple)
enrolments = st.lists(st.sampled_from(TYPES), unique=True).map(tuple)
tenants = st.builds(
    Settings,
    st.sampled_from(Experience),
    st.sampled_from(Policy),
    subsets,
    st.sampled_from(Merge),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1, 24, 720, 2160]),
    st.sampled_from([1, 24, 168, 720]),
)
events = st.builds(
    EventFacts,
    st.sampled_from(PROTOCOLS),
    st.sampled_from([(), ("none",), ("login",)]),
    st.sampled_from([(), (PAPE_MULTI_FACTOR,), (f"urn:other {PAPE_MULTI_FACTOR}",)]),
    st.sampled_from([None, "low", "high"]),
    st.none() | enrolments,
    st.booleans(),
)
instants = st.integers(NOW - 40 * DAY_MS, NOW + DAY_MS)
memories = st.builds(
    RememberedBrowser,
    st.sampled_from(["u", "v", ""]),
    st.sampled_from(["any", "guardian", "google-authenticator", "duo"]),
    instants,
    instants,
    st.booleans(),
)
gateways = st.builds(
    Gateway,
    st.just(NOW),
    st.sampled_from(["u", ""]),
    st.none() | memories,
    mfa_grant_allowed=st.none() | st.booleans(),
    customize_mfa=st.none() | st.booleans(),
    has_email=st.booleans(),
    webauthn=st.booleans(),
    organization=st.booleans(),
    actor=st.booleans(),
    duo_remembers_when_unset=st.booleans(),
)
opinions = st.lists(
    st.tuples(
        st.sampled_from(["any", "guardian", "google-authenticator", "duo", "none"]),
        st.sampled_from([True, False, None]),
    ),
    max_size=3,
)
asks = st.lists(
    st.builds(
        Ask,
        st.sampled_from(["challenge", "enroll"]),
        st.lists(st.sampled_from(TYPES).map(FactorRequest), min_size=1, max_size=3).map(tuple),
        st.booleans(),
    ),
    max_size=5,
)


def required(said: list[tuple[str, bool | None]], failed: bool, tenant: Settings, event: EventFacts) -> Multifactor:
    """Decide a login that requires a factor: what the actions enabled, or else a failed action."""
    commands = tuple(
        Command("multifactor.enable", {"provider": provider, "allow_remember_browser": remember})
        for provider, remember in said
    )
    flow = [Execution("a", "0" * 64, OnError.REQUIRE_MFA, Verdict.COMPLETED, commands)]
    if failed:
        flow.append(Execution("b", "0" * 64, OnError.REQUIRE_MFA, Verdict.CRASHED))
    multifactor = aggregate(flow, tenant, event).multifactor
    return multifactor if multifactor is not None else Multifactor("none")


def resolve(multifactor: Multifactor, tenant: Settings, event: EventFacts, gateway: Gateway) -> Resolution | None:
    return resolution.resolve(multifactor, tenant, event, gateway)


@given(opinions, st.booleans(), tenants, events, gateways)
def test_a_required_factor_is_never_skipped_without_a_memory(
    said: list[tuple[str, bool | None]], failed: bool, tenant: Settings, event: EventFacts, gateway: Gateway
) -> None:
    """Nothing but a valid memory of this user and provider, with no one insisting, replaces a challenge."""
    multifactor = required(said, failed, tenant, event)
    answer = resolve(multifactor, tenant, event, gateway)
    assert (answer is None) is (multifactor.provider == "none")
    if answer is None or answer.kind is not ResolutionKind.SATISFIED_BY_REMEMBERED_BROWSER:
        return
    memory = gateway.remembered_browser
    assert memory is not None
    assert not failed
    assert multifactor.allow_remember_browser is not False
    assert not multifactor.ignore_remembered_browser
    assert not remembered.asks_for_factor(event)
    assert (memory.user_id, memory.provider) == (gateway.user_id, multifactor.provider)
    assert not memory.email_only
    assert -SKEW_MS <= NOW - memory.issued_at_ms <= tenant.remember_lifetime_h * HOUR_MS
    assert NOW - memory.last_seen_at_ms < tenant.remember_idle_h * HOUR_MS
    assert memory.last_seen_at_ms >= memory.issued_at_ms
    assert not resolution.back_channel(event.protocol)


@given(opinions, st.booleans(), tenants, events, gateways)
def test_a_resolution_and_its_parts_agree(
    said: list[tuple[str, bool | None]], failed: bool, tenant: Settings, event: EventFacts, gateway: Gateway
) -> None:
    """A failure has a name and offers nothing; a challenge or a token offers something that can be presented."""
    multifactor = required(said, failed, tenant, event)
    answer = resolve(multifactor, tenant, event, gateway)
    if answer is None:
        return
    browser = not resolution.back_channel(event.protocol)
    offered = answer.challenge + answer.enroll
    assert (answer.failure is not None) is (answer.kind is ResolutionKind.FAILED)
    assert bool(offered) is (answer.kind in (ResolutionKind.PROMPT, ResolutionKind.MFA_REQUIRED_TOKEN))
    assert set(offered) <= resolution.servable_factors(browser, gateway)
    assert answer.kind is not (ResolutionKind.MFA_REQUIRED_TOKEN if browser else ResolutionKind.PROMPT)
    assert set(answer.enroll) <= resolution.INDEPENDENT
    if multifactor.provider == "any":
        assert set(offered) <= set(tenant.factors)
    if not event.email_verified and "email" in offered:
        raise AssertionError("an unverified address was offered")
    if answer.remember is not RememberMode.NONE:
        assert browser
        assert multifactor.allow_remember_browser is not False
        assert not multifactor.ignore_remembered_browser


@given(st.sampled_from(["any", "guardian", "google-authenticator"]), tenants, events, gateways)
def test_an_enrolled_user_never_enrols_with_a_password_alone(
    provider: str, tenant: Settings, event: EventFacts, gateway: Gateway
) -> None:
    """Who holds a factor that the tenant trusts is challenged or turned away, never asked to enrol another one."""
    offered = mfa.offer(provider, tenant, event)
    answer = resolve(Multifactor(provider, None, None, offered), tenant, event, gateway)
    assert answer is not None
    enrolled = event.enrolled
    if enrolled and any(resolution.is_enrolled(name, enrolled) for name in tenant.factors):
        assert not answer.enroll


@given(memories, tenants, st.integers(0, 40 * DAY_MS), st.integers(0, 40 * DAY_MS))
def test_a_memory_ends_for_good(memory: RememberedBrowser, tenant: Settings, later: int, more: int) -> None:
    """Once a memory lapsed by age it stays lapsed, and no renewal carries it past the absolute end."""
    sooner = remembered.lapsed(memory, "u", "any", NOW + later, tenant)
    if sooner in (remembered.Refusal.EXPIRED, remembered.Refusal.IDLE):
        assert remembered.lapsed(memory, "u", "any", NOW + later + more, tenant) is not None
    latest_ms = memory.issued_at_ms + tenant.remember_lifetime_h * HOUR_MS
    assert memory.expires_at_ms(NOW + later, tenant) <= latest_ms


@given(asks, enrolments, st.integers(0, 4), tenants, events, gateways)
def test_a_plan_shows_every_command_or_fails(
    commands: list[Ask], completed: tuple[str, ...], used: int, tenant: Settings, event: EventFacts, gateway: Gateway
) -> None:
    """Each command has its screen, or is satisfied by what is presented before it, or the whole queue fails."""
    answer = challenges.plan(commands, completed, used, tenant, event, gateway)
    if answer.failure is not None:
        assert not answer.steps
        return
    assert used + len(commands) <= challenges.MAX_FACTOR_COMMANDS
    # Whatever the user picks, each command ends up with one of its factors among those completed.
    screens = list(answer.steps)
    seen: list[set[str]] = []
    for ask in commands:
        named = {factor.type for factor in ask.factors}
        if ask.kind == "challenge" and (named & set(completed) or any(shown <= named for shown in seen)):
            continue
        step = screens.pop(0)
        types = {factor.type for factor in step.usable}
        assert step.kind == ask.kind
        assert types
        assert types <= named
        assert not step.picker or len(step.usable) > 1
        assert len(types) == len(step.usable)
        for factor in step.usable:
            enabled = ("sms", "voice") if factor.type == "phone" else (factor.type,)
            assert any(name in tenant.factors for name in enabled)
        seen.append(types)
    assert not screens


@given(asks, tenants, events, gateways, st.data())
def test_a_plan_never_shrinks_what_is_left_by_forgetting(
    commands: list[Ask], tenant: Settings, event: EventFacts, gateway: Gateway, data: st.DataObject
) -> None:
    """A queue planned with fewer completed factors shows at least the challenges that the later plan shows."""
    challenges_only = [ask for ask in commands if ask.kind == "challenge"][: challenges.MAX_FACTOR_COMMANDS]
    before = challenges.plan(challenges_only, (), 0, tenant, event, gateway)
    shown = {factor.type for step in before.steps for factor in step.usable}
    named = {factor.type for ask in challenges_only for factor in ask.factors}
    # Whatever was presented could be presented: neither toggles nor what a gateway can do change meanwhile.
    completed = tuple([name for name in data.draw(enrolments) if name in shown or name not in named])
    after = challenges.plan(challenges_only, completed, 0, tenant, event, gateway)
    if before.failure is None:
        assert after.failure is None
        assert len(after.steps) <= len(before.steps)
        assert set(after.steps) <= set(before.steps)


@given(opinions, tenants, events, gateways)
def test_resolving_is_a_function(
    said: list[tuple[str, bool | None]], tenant: Settings, event: EventFacts, gateway: Gateway
) -> None:
    """Equal inputs give equal answers, whatever was resolved in between."""
    multifactor = required(said, False, tenant, event)
    first = resolve(multifactor, tenant, event, gateway)
    resolve(multifactor, tenant, replace(event, prompt=("none",)), replace(gateway, remembered_browser=None))
    assert resolve(multifactor, tenant, event, gateway) == first
