"""What a suspended flow remembers, and what is asked of the call that continues it."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vestibule.continuation.v1.suspended_flow_pb2 import AwaitedStep, EarlierExecution, SuspendedFlow
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from runtime.catalog.base import Binding, Flow
from runtime.continuation import keys, token
from runtime.core.model import (
    Command,
    Execution,
    ExecutionError,
    Failure,
    OnError,
    Refused,
    Settings,
    Suspension,
    Verdict,
)
from runtime.errors import ContinuationMismatch, FlowGone, InvalidRequest
from runtime.login import messages, suspensions
from runtime.login.completed_factors import Completed
from runtime.login.messages import EventReader
from runtime.login.plan import Login, Plan
from runtime.login.suspensions import Stop, Suspensions
from tests.effort import effort

RING = keys.Keyring([keys.generate()])
NOW_MS = 1_800_000_000_000
BINDINGS = tuple(Binding(name, f"{at:064x}", OnError.REQUIRE_MFA) for at, name in enumerate(("one", "two", "three"), 1))
FLOW = Flow("acme", Settings(), BINDINGS, digest=b"d" * 32)
OTP = Command("authentication.challenge_with", {"factor": {"type": "otp"}})
REDIRECT = Command("redirect.send_user_to", {"url": "https://a.example/x"})
FORM = Command("prompt.render", {"prompt_id": "ap_1"})
ENROLL = Command("authentication.enroll_with", {"factor": {"type": "phone"}})
CLAIM = Command("id_token.set_custom_claim", {"name": "https://a.example/n", "value": {"deep": [1, None, "é"]}})


def event(**transaction: Any) -> bytes:
    message = event_pb2.PostLoginEvent()
    message.user.user_id = "auth0|1"
    message.client.client_id = "web"
    message.user.enrolled_factors.values.add(type="otp")
    if transaction:
        message.transaction.CopyFrom(event_pb2.Transaction(**transaction))
    data: bytes = message.SerializeToString()
    return data


EVENT = event(id="t-1", protocol="oidc-basic-profile")


def execution(at: int, *commands: Command, verdict: Verdict = Verdict.COMPLETED, **members: Any) -> Execution:
    binding = BINDINGS[at]
    return Execution(binding.action, binding.revision, binding.on_error, verdict, commands, 5, 4, **members)


def begin(
    flow: Flow = FLOW, data: bytes = EVENT, gateway: bytes | None = None, position: int = 0, **members: Any
) -> Login:
    plan = Plan(flow, {binding.revision: "" for binding in flow.bindings}, 1000, start=position)
    return Login(plan, data, gateway, 0, NOW_MS * 1_000_000, bytes(16), **members)


def judge(part: Login, *done: Execution) -> Stop:
    return Suspensions(RING).judge(part, done)


def state_of(stop: Stop) -> SuspendedFlow:
    assert isinstance(stop.found, Suspension)
    assert stop.sealed is not None
    return token.unseal(RING, stop.sealed.token, NOW_MS)


class TestSuspend:
    def test_factors_continue_with_the_next_binding(self) -> None:
        """After a challenge the next binding begins, and its factors are what is waited for."""
        state = state_of(judge(begin(), execution(0, CLAIM), execution(1, OTP)))
        assert (state.position, state.continuing) == (2, False)
        assert [list(step.factors) for step in state.awaited] == [[pb.FACTOR_OTP]]
        assert (state.tenant_id, state.user_id, state.transaction_id) == ("acme", "auth0|1", "t-1")
        assert (state.flow_digest, state.expires_at_ms) == (FLOW.digest, NOW_MS + 900_000)
        assert len(state.id) == 16
        assert (state.client_id, state.protocol) == ("web", "oidc-basic-profile")
        assert not state.HasField("prompt_id")

    def test_a_page_continues_in_its_action(self) -> None:
        """After a redirect the same binding's continue handler runs, and no factor is waited for."""
        state = state_of(judge(begin(), execution(0), execution(1, REDIRECT)))
        assert (state.position, state.continuing, len(state.awaited)) == (1, True, 0)

    def test_positions_count_from_the_start_of_the_flow(self) -> None:
        """A second leg's suspension names the binding of the flow, and not of the leg."""
        before = (replace(execution(0, REDIRECT), earlier=True),)
        again = begin(position=0, before=before)
        state = state_of(judge(again, execution(0, REDIRECT, continued=True)))
        assert (state.position, state.continuing) == (0, True)
        assert [part.binding for part in state.executions] == [0, 0]
        onward = begin(position=0, before=before)
        state = state_of(judge(onward, execution(0, continued=True), execution(1, OTP)))
        assert (state.position, [part.binding for part in state.executions]) == (2, [0, 0, 1])

    def test_what_is_satisfied_lets_the_flow_continue(self) -> None:
        """A challenge for a factor that was completed earlier in the flow suspends nothing and seals nothing."""
        part = begin(
            position=1, before=(replace(execution(0, OTP), earlier=True),), completed=Completed({"otp": NOW_MS - 5})
        )
        last = execution(1, OTP)
        assert judge(part, last) == Stop(last)

    def test_what_cannot_be_done_is_a_failure(self) -> None:
        """Without a page a redirect is a failure, and nothing is sealed."""
        part = begin(data=event(id="t-1", prompt={"values": ["none"]}, protocol="oidc-basic-profile"))
        last = execution(0, REDIRECT)
        assert judge(part, last) == Stop(last, Refused(Failure.INTERACTION_REQUIRED))

    def test_a_state_too_large_fails_its_execution(self) -> None:
        """A flow that asked for more than a token holds is not suspended: its action is exhausted, with the sizes."""
        big = Command("id_token.set_custom_claim", {"name": "https://a.example/n", "value": "x" * 70_000})
        done = [execution(0, big), execution(1, OTP, output="printed")]
        failed, found, sealed = judge(begin(), *done)
        assert (found, sealed) == (None, None)
        assert (failed.verdict, failed.commands, failed.output) == (Verdict.EXHAUSTED, (), "printed")
        assert failed.error is not None
        assert failed.error.type == "SuspensionTooLarge"
        assert "65536 are allowed" in failed.error.message
        assert done[0].commands == (big,)

    def test_a_shared_limit_is_held_before_the_flow_stops(self) -> None:
        """An action that with the earlier ones asks for too much is exhausted, and does not suspend."""
        half = {"name": "https://a.example/n", "value": "x" * 60_000}
        done = [
            execution(0, Command("id_token.set_custom_claim", half)),
            execution(1, Command("id_token.set_custom_claim", half), OTP),
        ]
        failed, found, sealed = judge(begin(), *done)
        assert (failed.verdict, found, sealed) == (Verdict.EXHAUSTED, None, None)


class TestResume:
    def test_executions_come_back_as_they_were(self) -> None:
        """Verdicts, commands and errors survive; times and output were reported when they happened."""
        failed = execution(
            0, verdict=Verdict.RAISED, error=ExecutionError("ValueError", "no", 7, "lib/net.py"), output="x"
        )
        done = [failed, execution(1, CLAIM, OTP)]
        found = suspensions.executions(state_of(judge(begin(), *done)), FLOW)
        assert found == tuple(replace(e, wall_us=0, cpu_us=0, output="", earlier=True) for e in done)

    def test_a_continuation_of_another_login_is_distinguished(self) -> None:
        """Tenant, user, transaction, client and protocol have to be those of the suspended flow, absence too."""
        state = state_of(judge(begin(), execution(0, OTP)))
        suspensions.match(state, "acme", EventReader(EVENT))
        other = event_pb2.PostLoginEvent.FromString(EVENT)
        other.user.user_id = "auth0|2"
        elsewhere = event_pb2.PostLoginEvent.FromString(EVENT)
        elsewhere.client.client_id = "shop"
        nowhere = event_pb2.PostLoginEvent.FromString(EVENT)
        nowhere.ClearField("client")
        wrong = {
            "tenant": ("beta", EVENT),
            "user": ("acme", other.SerializeToString()),
            "transaction": ("acme", event(id="t-2", protocol="oidc-basic-profile")),
            "client": ("acme", elsewhere.SerializeToString()),
            "client of none": ("acme", nowhere.SerializeToString()),
            "protocol": ("acme", event(id="t-1", protocol="oauth2-password")),
            "protocol, absent": ("acme", event(id="t-1")),
            "protocol, empty": ("acme", event(id="t-1", protocol="")),
        }
        for name, (tenant, data) in wrong.items():
            what = re.split("[ ,]", name)[0]
            with pytest.raises(ContinuationMismatch) as caught:
                suspensions.match(state, tenant, EventReader(data))
            assert caught.value.what == what
        with pytest.raises(ContinuationMismatch, match="another transaction"):
            suspensions.match(state, "acme", EventReader(event()))
        bare = judge(begin(data=event()), execution(0, OTP))
        suspensions.match(state_of(bare), "acme", EventReader(event()))
        with pytest.raises(ContinuationMismatch, match="another transaction"):
            suspensions.match(state_of(bare), "acme", EventReader(EVENT))

    @pytest.mark.parametrize(
        ("numbers", "field", "told"),
        [
            ([], "completed", "has 0, and the flow waits for 1; send the factor that"),
            ([4, 4], "completed", "has 2, and the flow waits for 1; send the factor that"),
            ([10], "completed[0]", "FACTOR_PHONE does not satisfy this step; it wants FACTOR_OTP"),
            ([2], "completed[0]", "FACTOR_SMS does not satisfy this step"),
            ([0], "completed[0]", "FACTOR_UNSPECIFIED does not satisfy"),
            ([77], "completed[0]", "factor 77 does not satisfy"),
            ([-1], "completed[0]", "factor -1 does not satisfy"),
        ],
    )
    def test_every_step_must_be_satisfied(self, numbers: list[int], field: str, told: str) -> None:
        """Too few, too many, and factors that were not asked for are refused by field."""
        stop = judge(begin(), execution(0, OTP))
        with pytest.raises(InvalidRequest) as caught:
            Completed.of(state_of(stop), numbers, NOW_MS)
        assert caught.value.field == field
        assert told in str(caught.value)

    def test_a_form_is_answered_by_its_own(self) -> None:
        """What the user filled in counts for the form that was asked for; a redirect asks for none."""
        state = state_of(judge(begin(), execution(0, FORM)))
        assert state.prompt_id == "ap_1"
        for name, right in (("ap_1", True), ("ap_2", False), ("", False), (None, False)):
            message = event_pb2.PostLoginEvent.FromString(EVENT)
            if name is not None:
                message.prompt.id = name
                message.prompt.fields.update({"phone": "+49"})
            with contextlib.nullcontext() if right else pytest.raises(ContinuationMismatch, match="another prompt"):
                suspensions.match(state, "acme", EventReader(message.SerializeToString()))
        elsewhere = judge(begin(), execution(0, REDIRECT))
        suspensions.match(state_of(elsewhere), "acme", EventReader(EVENT))

    def test_an_enrolment_is_distinguished_from_a_challenge(self) -> None:
        """What satisfied an enrolment step was enrolled; what satisfied a challenge was presented."""
        state = state_of(judge(begin(), execution(0, OTP, ENROLL)))
        assert [step.enroll for step in state.awaited] == [False, True]
        found = Completed.of(state, [pb.FACTOR_OTP, pb.FACTOR_PHONE], NOW_MS)
        assert (found.types, found.enrolled) == (("otp", "phone"), frozenset({"phone"}))

    def test_completed_factors_add_up(self) -> None:
        """What earlier legs completed stays, and a factor presented twice counts once."""
        stop = judge(begin(completed=Completed({"email": NOW_MS - 5})), execution(0, OTP))
        assert Completed.of(state_of(stop), [pb.FACTOR_OTP], NOW_MS).at_ms == {"email": NOW_MS - 5, "otp": NOW_MS}
        again = begin(
            completed=Completed({"otp": NOW_MS - 5}), position=1, before=(replace(execution(0, OTP), earlier=True),)
        )
        stop = judge(again, execution(1, REDIRECT))
        assert Completed.of(state_of(stop), [], NOW_MS).at_ms == {"otp": NOW_MS - 5}

    def test_a_page_completes_no_factor(self) -> None:
        """After a redirect nothing is completed, and a caller that says otherwise is mistaken."""
        stop = judge(begin(), execution(0, REDIRECT))
        with pytest.raises(InvalidRequest, match="this flow waits for a page: send none"):
            Completed.of(state_of(stop), [pb.FACTOR_OTP], NOW_MS)

    @pytest.mark.parametrize(
        "change",
        [
            {"op": "authentication.of_tomorrow"},
            {"args_json": json.dumps({"factor": {"type": "retina"}})},
            {"verdict": 99},
            {"binding": 9},
            {"position": 4},
        ],
    )
    def test_what_this_version_cannot_carry_out_is_gone(self, change: dict[str, Any]) -> None:
        """A state of another version, of calls or values that this one does not know, is not guessed at."""
        state = state_of(judge(begin(), execution(0, OTP)))
        for name, value in change.items():
            if name == "position":
                state.position = value
            elif name in ("verdict", "binding"):
                setattr(state.executions[0], name, value)
            else:
                setattr(state.executions[0].commands[0], name, value)
        with pytest.raises(FlowGone, match="begin the login again"):
            suspensions.executions(state, FLOW)


numbers = st.integers(-2, 9)
states = st.builds(
    SuspendedFlow,
    tenant_id=st.just("acme"),
    position=st.integers(-2, 5),
    continuing=st.booleans(),
    executions=st.lists(
        st.builds(
            EarlierExecution,
            binding=st.integers(-4, 4),
            verdict=st.integers(-1, 10),
            commands=st.lists(
                st.builds(
                    worker_pb2.Command,
                    op=st.sampled_from(
                        ["access.deny", "authentication.challenge_with", "multifactor.enable", "x.y", ""]
                    ),
                    args_json=st.sampled_from(
                        ['{"factor":{"type":"otp"}}', '{"provider":"any"}', "{}", "[", "null", "1e9"]
                    ),
                ),
                max_size=3,
            ),
            continued=st.booleans(),
            error_type=st.sampled_from(["", "ValueError"]),
        ),
        max_size=4,
    ),
    completed=st.lists(numbers, max_size=3),
    completed_at_ms=st.lists(st.integers(0, NOW_MS), max_size=3),
    enrolled=st.lists(numbers, max_size=3),
    awaited=st.lists(st.builds(AwaitedStep, factors=st.lists(numbers, max_size=3)), max_size=3),
)


@effort(300)
@given(states, st.lists(numbers, max_size=3))
def test_whatever_another_version_sealed_is_taken_or_gone(state: SuspendedFlow, said: list[int]) -> None:
    """A state that opens is authentic and may still be of another version: it is taken, or refused in our own words."""
    with contextlib.suppress(InvalidRequest, FlowGone):
        assert all(name in messages.FACTOR_TYPES for name in Completed.of(state, said, NOW_MS).types)
    try:
        found = suspensions.executions(state, FLOW)
    except FlowGone:
        return
    assert all(execution.earlier and execution.action in ("one", "two", "three") for execution in found)
    assert 0 <= state.position <= len(FLOW.bindings)
