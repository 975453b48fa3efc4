"""A required factor is resolved for the gateway that asks: what it says is read, and the answer is its own."""

from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule.v1.runtime_service_pb2 import ExecutePostLoginResponse, GatewayContext, RememberedBrowser

from runtime.core.model import Command, Execution, OnError, Policy, Settings, Verdict
from runtime.core.resolution import resolve
from runtime.login import event_json, gateway
from runtime.login.answers import Answers, FlowDecision
from runtime.login.messages import EventReader
from tests import strict_reader

NOW_MS = 1_800_000_000_000
TENANT = Settings(factors=("otp", "sms"), remember_lifetime_h=48, remember_idle_h=24)
BROWSER = PostLoginEvent()
BROWSER.user.user_id = "auth0|1"
BROWSER.user.email = "a@example.com"
BROWSER.user.enrolled_factors.values.add(type="otp")
BROWSER.transaction.protocol = "oidc-basic-profile"
MEMORY = GatewayContext(
    remembered_browser=RememberedBrowser(
        user_id="auth0|1",
        provider=pb.PROVIDER_ANY,
        issued_at=Timestamp(seconds=NOW_MS // 1000 - 86_400),
        last_seen_at=Timestamp(seconds=NOW_MS // 1000 - 60),
    )
)
EFFECTS = (
    Command("id_token.set_custom_claim", {"name": "https://a.example/c", "value": 1}),
    Command("user.set_user_metadata", {"key": "k", "value": 1}),
    Command("access_token.add_scope", {"scope": "s"}),
    Command("transaction.set_metadata", {"key": "k", "value": 1}),
)


def enable(provider: str = "any", **options: Any) -> Command:
    return Command("multifactor.enable", {"provider": provider, "allow_remember_browser": True} | options)


def decided(*commands: Command, event: PostLoginEvent = BROWSER, tenant: Settings = TENANT) -> FlowDecision:
    execution = Execution("a", "0" * 64, OnError.REQUIRE_MFA, Verdict.COMPLETED, commands)
    return Answers(tenant).decide(b"steps", 1, [execution], EventReader(event.SerializeToString()))


def answered(flow: FlowDecision, context: GatewayContext | None, event: PostLoginEvent = BROWSER) -> pb.Decision:
    data = None if context is None else context.SerializeToString()
    answer, until_ms = flow.answer(event, data, NOW_MS)
    response = answer.fill("r", "d", 1, 5, (1,), (1,), remembered_until_ms=until_ms)
    return strict_reader.read(response, ExecutePostLoginResponse).decision


def resolved(
    context: GatewayContext | None, event: PostLoginEvent = BROWSER, *commands: Command, tenant: Settings = TENANT
) -> pb.Decision:
    return answered(decided(*(commands or (enable(),)), event=event, tenant=tenant), context, event)


def on(protocol: str) -> PostLoginEvent:
    event = PostLoginEvent()
    event.CopyFrom(BROWSER)
    event.transaction.protocol = protocol
    return event


def newcomer(protocol: str = "oidc-basic-profile") -> PostLoginEvent:
    event = on(protocol)
    event.user.enrolled_factors.ClearField("values")
    return event


@pytest.mark.parametrize("context", [None, GatewayContext()], ids=["no context", "an empty one"])
def test_pages(context: GatewayContext | None) -> None:
    """Without a word from the gateway each of its facts has its default."""
    decision = resolved(context)
    assert decision.outcome == pb.OUTCOME_MFA_REQUIRED
    factor = decision.multifactor
    assert factor.status == pb.Multifactor.STATUS_REQUIRED
    assert list(factor.challenge) == [pb.FACTOR_OTP]
    assert not factor.enroll
    assert factor.remember == pb.Multifactor.REMEMBER_MODE_CHECKBOX
    assert factor.records_amr
    assert (factor.memory.lifetime.seconds, factor.memory.idle_lifetime.seconds) == (48 * 3600, 24 * 3600)
    assert not factor.memory.HasField("expires_at")


def test_an_enrolment() -> None:
    """A user who is enrolled in nothing enrols what the tenant enabled."""
    factor = resolved(GatewayContext(), newcomer()).multifactor
    assert not factor.challenge
    assert list(factor.enroll) == [pb.FACTOR_OTP, pb.FACTOR_SMS]


def test_a_client_without_pages() -> None:
    """The outcome says so, and no browser is remembered."""
    decision = resolved(None, on("oauth2-password"))
    assert decision.outcome == pb.OUTCOME_MFA_REQUIRED_BY_TOKEN
    factor = decision.multifactor
    assert (factor.status, list(factor.challenge)) == (pb.Multifactor.STATUS_REQUIRED, [pb.FACTOR_OTP])
    assert factor.remember == pb.Multifactor.REMEMBER_MODE_NONE
    assert not factor.HasField("memory")
    assert not factor.records_amr


def test_a_remembered_browser() -> None:
    """A valid memory lets the user in, with every effect, and the answer says until when it is renewed."""
    decision = resolved(MEMORY, BROWSER, enable(), *EFFECTS)
    assert decision.outcome == pb.OUTCOME_ALLOW
    factor = decision.multifactor
    assert factor.status == pb.Multifactor.STATUS_REMEMBERED
    assert not factor.challenge
    assert factor.memory.expires_at.ToMilliseconds() == NOW_MS + 24 * 3_600_000
    assert factor.memory.lifetime.seconds == 48 * 3600
    assert decision.HasField("on_success")
    asked = [(c.operation, c.won) for c in decision.contributions]
    assert asked == [("multifactor.enable", True), ("mfa.remembered", True)]


def test_a_factor_that_cannot_be_presented_refuses_the_login() -> None:
    """Claims and scopes go, metadata stays, and the trace says what the denial follows from and what it dropped."""
    decision = resolved(GatewayContext(mfa_grant_allowed=False), on("oauth2-password"), enable(), *EFFECTS)
    assert decision.outcome == pb.OUTCOME_DENY
    assert decision.denial.reason == pb.Denial.REASON_MFA_GRANT_NOT_ALLOWED
    assert decision.denial.description
    assert decision.multifactor.status == pb.Multifactor.STATUS_FAILED
    assert not decision.HasField("on_success")
    assert dict(decision.on_any_outcome.user_metadata) == {"k": 1}
    assert dict(decision.on_any_outcome.transaction_metadata) == {"k": 1}
    assert [(c.operation, c.won) for c in decision.contributions] == [
        ("multifactor.enable", True),
        ("mfa.failed", True),
        ("id_token.set_custom_claim", False),
    ]


def test_a_lifted_policy_says_so() -> None:
    """An action's `none` allows, and nothing is left to do."""
    decision = resolved(None, BROWSER, enable("none"), tenant=Settings(policy=Policy.ALWAYS))
    assert decision.outcome == pb.OUTCOME_ALLOW
    assert decision.multifactor.status == pb.Multifactor.STATUS_LIFTED
    assert decision.multifactor.provider == pb.PROVIDER_NONE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user_id", "auth0|2"),
        ("provider", pb.PROVIDER_DUO),
        ("provider", pb.PROVIDER_UNSPECIFIED),
        ("email_only", True),
        ("issued_at", Timestamp(seconds=0)),
        ("issued_at", Timestamp(seconds=2**62)),
        ("last_seen_at", Timestamp(seconds=-(2**62))),
    ],
)
def test_a_memory_that_does_not_hold(name: str, value: object) -> None:
    """Each member of the memory counts; an absurd one is no memory and no fault."""
    context = GatewayContext()
    context.CopyFrom(MEMORY)
    fields = {
        field.name: getattr(MEMORY.remembered_browser, field.name) for field in RememberedBrowser.DESCRIPTOR.fields
    }
    context.remembered_browser.CopyFrom(RememberedBrowser(**(fields | {name: value})))
    assert resolved(context).outcome == pb.OUTCOME_MFA_REQUIRED


def test_each_failure_has_its_reason() -> None:
    """Each way in which a required factor can fail has a reason of its own."""
    duo = resolved(None, on("oauth2-password"), enable("duo"))
    assert duo.denial.reason == pb.Denial.REASON_PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL
    exchange = resolved(GatewayContext(actor=True), on("oauth2-token-exchange"))
    assert exchange.denial.reason == pb.Denial.REASON_TOKEN_EXCHANGE_NOT_SUPPORTED
    nothing = resolved(None, tenant=Settings(factors=()))
    assert nothing.denial.reason == pb.Denial.REASON_NO_USABLE_FACTOR
    silent = on("oidc-basic-profile")
    silent.transaction.prompt.values.append("none")
    assert resolved(None, silent).denial.reason == pb.Denial.REASON_INTERACTION_REQUIRED
    adaptive = Settings(factors=("otp",), policy=Policy.ADAPTIVE)
    blocked = resolved(None, newcomer("oauth2-password"), tenant=adaptive)
    assert blocked.denial.reason == pb.Denial.REASON_ENROLLMENT_NOT_POSSIBLE
    no_address = newcomer()
    no_address.user.ClearField("email")
    assert resolved(None, no_address, tenant=adaptive).denial.reason == pb.Denial.REASON_EMAIL_MISSING


def test_a_remembered_answer_is_resolved_for_each_login() -> None:
    """Logins that end alike share a decision, and each has the outcome of its own browser and instant."""
    flow = decided(enable(), *EFFECTS)
    later = GatewayContext()
    later.CopyFrom(MEMORY)
    later.remembered_browser.issued_at.seconds -= 2 * 3600 + 21 * 3600
    stale = GatewayContext()
    stale.CopyFrom(MEMORY)
    stale.remembered_browser.issued_at.seconds -= 86_400 + 1
    allow, required = pb.OUTCOME_ALLOW, pb.OUTCOME_MFA_REQUIRED
    contexts = [(MEMORY, allow), (GatewayContext(), required), (later, allow), (stale, required), (None, required)] * 2
    for context, outcome in contexts:
        assert answered(flow, context).outcome == outcome
    assert answered(flow, None, on("oauth2-password")).outcome == pb.OUTCOME_MFA_REQUIRED_BY_TOKEN
    ends = [answered(flow, context).multifactor.memory.expires_at.seconds for context in (MEMORY, later, MEMORY)]
    assert ends[0] == ends[2] > ends[1] > NOW_MS // 1000


CHANGES: list[Any] = [
    pytest.param({"transaction": {"protocol": "oauth2-password"}}, id="protocol"),
    pytest.param({"transaction": {"prompt": {"values": ["none"]}}}, id="prompt"),
    pytest.param({"request": {"query": {"prompt": "none"}}}, id="prompt of the request"),
    pytest.param({"user": {"enrolled_factors": {"values": [{"type": "phone"}]}}}, id="enrolled"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_resolution_depends_on_is_not_shared(change: dict[str, Any]) -> None:
    """A login that differs in one of these has an answer of its own, before and after another."""
    event = json_format.ParseDict(change, PostLoginEvent.FromString(BROWSER.SerializeToString()))
    flow = decided(enable())
    first, other, again = answered(flow, None), answered(flow, None, event), answered(flow, None)
    assert first == again != other
    assert other == answered(decided(enable(), event=event), None, event)


@pytest.mark.parametrize("protocol", [None, "oidc-basic-profile", "oauth2-password", "oauth2-token-exchange"])
@pytest.mark.parametrize("provider", ["any", "guardian", "duo"])
def test_the_list_of_what_a_resolution_reads_is_whole(protocol: str | None, provider: str) -> None:
    """Without a remembered browser it reads no member of the event that logins with one answer may differ in."""
    event = newcomer(protocol) if protocol else BROWSER
    for tenant in (TENANT, Settings(policy=Policy.ADAPTIVE)):
        multifactor = decided(enable(provider), event=event, tenant=tenant).decision.multifactor
        reader = EventReader(event.SerializeToString())
        resolve(multifactor, tenant, reader, gateway.side(reader, None, NOW_MS))
        assert reader.read <= set(gateway.CONSULTED)


def test_what_is_kept_of_resolutions_is_bounded() -> None:
    """A tenant whose logins all differ pays the ordinary price, and no end user can fill the memory."""
    flow = decided(enable())
    for number in range(100):
        event = on("oidc-basic-profile")
        event.user.enrolled_factors.values.add(type=f"other-{number}")
        assert answered(flow, None, event).outcome == pb.OUTCOME_MFA_REQUIRED
    assert 0 < len(flow) <= 16
    before = len(flow)
    event = on("oidc-basic-profile")
    event.user.enrolled_factors.values.add(type="x" * 10_000)
    assert answered(flow, None, event).outcome == pb.OUTCOME_MFA_REQUIRED
    assert len(flow) == before


@given(st.builds(Timestamp, seconds=st.integers(-(2**63), 2**63 - 1), nanos=st.integers(-(2**31), 2**31 - 1)))
def test_no_instant_is_a_fault(instant: Timestamp) -> None:
    """Whatever a gateway says of time, there is an outcome."""
    memory = RememberedBrowser(user_id="auth0|1", provider=pb.PROVIDER_ANY, issued_at=instant, last_seen_at=instant)
    decision = resolved(GatewayContext(remembered_browser=memory))
    assert decision.outcome in (pb.OUTCOME_ALLOW, pb.OUTCOME_MFA_REQUIRED)


@pytest.mark.parametrize("said", [None, True, False])
def test_the_gateway_says_whether_actions_may_challenge(said: bool | None) -> None:
    """Three states: on, off, and not said, which is also what a request without a context says."""
    context = GatewayContext()
    if said is not None:
        context.customize_mfa = said
    assert (
        gateway.side(EventReader(BROWSER.SerializeToString()), context.SerializeToString(), NOW_MS).customize_mfa
        is said
    )


@pytest.mark.parametrize(
    ("members", "actor"),
    [
        pytest.param({}, False, id="none"),
        pytest.param({"transaction": {"actor": {}}}, False, id="empty"),
        pytest.param({"transaction": {"actor": {"sub": "agent", "act": {"sub": "b"}}}}, True, id="of the exchange"),
        pytest.param({"transaction": {"actor_token_type": "urn:t"}}, True, id="its token"),
        pytest.param({"session": {"actor": {"sub": "agent"}}}, True, id="of a delegated session"),
    ],
)
def test_an_actor_is_read_from_the_event(members: dict[str, Any], actor: bool) -> None:
    """A gateway that puts the actor into the event alone is understood; one that says so beside it always is."""
    event = PostLoginEvent.FromString(BROWSER.SerializeToString())
    event.transaction.protocol = "oauth2-token-exchange"
    event.MergeFrom(event_json.from_json(members))
    reader = EventReader(event.SerializeToString())
    assert gateway.side(reader, None, NOW_MS).actor is actor
    assert gateway.side(reader, GatewayContext(actor=True).SerializeToString(), NOW_MS).actor
    reason = resolved(GatewayContext(), event).denial.reason
    assert (reason == pb.Denial.REASON_TOKEN_EXCHANGE_NOT_SUPPORTED) is actor


def test_a_request_without_a_context_leaves_it_unknown() -> None:
    """The gateway's side is then what the event says."""
    side = gateway.side(EventReader(BROWSER.SerializeToString()), None, NOW_MS)
    assert (side.customize_mfa, side.mfa_grant_allowed, side.remembered_browser) == (None, None, None)
    assert (side.user_id, side.has_email, side.webauthn) == ("auth0|1", True, True)
