"""The resolution that is appended to an answer: read from the request, merged by the reader of the response."""

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule.v1.runtime_service_pb2 import ExecutePostLoginResponse, GatewayContext, RememberedBrowser

from runtime.core.model import Command, Execution, Failure, Multifactor, OnError, Settings, Verdict
from runtime.login import event_json, gateway
from runtime.login.answers import Answers
from runtime.login.messages import EventReader
from tests import strict_reader

NOW_MS = 1_800_000_000_000
TENANT = Settings(factors=("otp", "sms"))
REQUIRED = Multifactor("any", True, None, ("otp", "sms"))
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


def resolved(
    context: GatewayContext, event: PostLoginEvent = BROWSER, multifactor: Multifactor = REQUIRED
) -> pb.Resolution:
    found = gateway.resolution(
        multifactor, TENANT, EventReader(event.SerializeToString()), context.SerializeToString(), NOW_MS
    )
    return found or pb.Resolution()


def on(protocol: str) -> PostLoginEvent:
    event = PostLoginEvent()
    event.CopyFrom(BROWSER)
    event.transaction.protocol = protocol
    return event


@pytest.mark.parametrize("multifactor", [None, Multifactor("none")])
def test_nothing_required_is_no_resolution(multifactor: Multifactor | None) -> None:
    """An answer without a required factor stays as it is."""
    assert gateway.resolution(multifactor, TENANT, EventReader(b""), b"", NOW_MS) is None


def test_a_prompt() -> None:
    """An empty context resolves by the event alone."""
    answer = resolved(GatewayContext())
    assert answer.kind == pb.Resolution.KIND_PROMPT
    assert list(answer.challenge) == [pb.FACTOR_OTP]
    assert answer.remember == pb.Resolution.REMEMBER_MODE_CHECKBOX
    assert answer.records_amr
    assert not answer.HasField("remembered_until")


def test_an_enrolment() -> None:
    """Who is enrolled in nothing enrols what the tenant enabled."""
    event = on("oidc-basic-profile")
    event.user.enrolled_factors.ClearField("values")
    answer = resolved(GatewayContext(), event)
    assert answer.enrollment_required
    assert list(answer.enroll) == [pb.FACTOR_OTP, pb.FACTOR_SMS]


def test_a_remembered_browser() -> None:
    """A valid memory satisfies the requirement, and the answer says until when it is renewed."""
    answer = resolved(MEMORY)
    assert answer.kind == pb.Resolution.KIND_SATISFIED_BY_REMEMBERED_BROWSER
    assert answer.remembered_until.ToMilliseconds() == NOW_MS + 7 * 86_400_000


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
    assert resolved(context).kind == pb.Resolution.KIND_PROMPT


def test_failures_have_names() -> None:
    """What a required factor can fail of has a number in the contract."""
    password = on("oauth2-password")
    assert resolved(GatewayContext(), password).kind == pb.Resolution.KIND_MFA_REQUIRED_TOKEN
    refused = resolved(GatewayContext(mfa_grant_allowed=False), password)
    assert (refused.kind, refused.failure) == (pb.Resolution.KIND_FAILED, pb.Resolution.FAILURE_MFA_GRANT_NOT_ALLOWED)
    duo = resolved(GatewayContext(), password, Multifactor("duo"))
    assert duo.failure == pb.Resolution.FAILURE_PROVIDER_NOT_SUPPORTED_FOR_PROTOCOL
    exchange = resolved(GatewayContext(actor=True), on("oauth2-token-exchange"))
    assert exchange.failure == pb.Resolution.FAILURE_TOKEN_EXCHANGE_NOT_SUPPORTED


def test_every_failure_of_a_requirement_is_in_the_contract() -> None:
    """Only those of challenge and enrolment commands, which have no message yet, are not."""
    commands = {"experience_not_supported", "customization_off", "too_many_commands", "challenge_first"}
    assert {f.value for f in Failure if f.value.upper() not in str(pb.Resolution.Failure.keys())} == commands


def test_a_remembered_answer_gets_each_login_its_own_resolution() -> None:
    """It stands inside the second factor, once, and leaves nothing behind in the answer that is used again."""
    answers = Answers(TENANT)
    enable = Command("multifactor.enable", {"provider": "any", "allow_remember_browser": True})
    execution = Execution("a", "0" * 64, OnError.REQUIRE_MFA, Verdict.COMPLETED, (enable,))
    event = BROWSER.SerializeToString()
    kinds = []
    for context in (MEMORY, GatewayContext(), None):
        answer = answers.decide(b"steps", 1, [execution], EventReader(event))
        found = None
        if context is not None:
            required = answer.decision.multifactor
            found = gateway.resolution(required, TENANT, EventReader(event), context.SerializeToString(), NOW_MS)
        data = answer.fill("r", "d", 1, 5, (1,), (1,), resolution=found)
        decision = strict_reader.read(data, ExecutePostLoginResponse).decision
        assert list(decision.multifactor.factors) == [pb.FACTOR_OTP, pb.FACTOR_SMS]
        assert decision.decision_id == "d"
        kinds.append(decision.multifactor.resolution.kind)
    assert kinds == [
        pb.Resolution.KIND_SATISFIED_BY_REMEMBERED_BROWSER,
        pb.Resolution.KIND_PROMPT,
        pb.Resolution.KIND_UNSPECIFIED,
    ]


@given(st.builds(Timestamp, seconds=st.integers(-(2**63), 2**63 - 1), nanos=st.integers(-(2**31), 2**31 - 1)))
def test_no_instant_is_a_fault(instant: Timestamp) -> None:
    """Whatever a gateway says of time, there is a resolution."""
    memory = RememberedBrowser(user_id="auth0|1", provider=pb.PROVIDER_ANY, issued_at=instant, last_seen_at=instant)
    assert resolved(GatewayContext(remembered_browser=memory)).kind


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
    failure = resolved(GatewayContext(), event).failure
    assert (failure == pb.Resolution.FAILURE_TOKEN_EXCHANGE_NOT_SUPPORTED) is actor


def test_a_request_without_a_context_leaves_it_unknown() -> None:
    """The gateway's side is then what the event says."""
    side = gateway.side(EventReader(BROWSER.SerializeToString()), None, NOW_MS)
    assert (side.customize_mfa, side.mfa_grant_allowed, side.remembered_browser) == (None, None, None)
    assert (side.user_id, side.has_email, side.webauthn) == ("auth0|1", True, True)
