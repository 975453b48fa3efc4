"""Every kind of answer is one message in its one form, and the reader that says so finds what is not."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.runtime_service_pb2 import ExecutePostLoginResponse

from runtime.core.aggregate import aggregate
from runtime.core.model import (
    Command,
    Execution,
    ExecutionError,
    Failure,
    OnError,
    Policy,
    Refused,
    Settings,
    Suspension,
    Verdict,
)
from runtime.core.outcome import resolved
from runtime.core.remembered import RememberedBrowser
from runtime.core.resolution import Gateway
from runtime.core.suspension import pending
from runtime.login.answer import Answer
from tests import flow_walk, strict_reader
from tests.event_facts import EventFacts
from tests.flow_walk import command

FACTS = EventFacts(enrolled=("otp", "phone"))
SETTINGS = Settings(factors=("otp", "sms"), policy=Policy.ALWAYS)
SEALED = b"\x00sealed" * 100, flow_walk.NOW_MS
MEMORY = RememberedBrowser("auth0|1", "any", flow_walk.NOW_MS - 1, flow_walk.NOW_MS - 1)
GATEWAYS = {
    "by default": Gateway(flow_walk.NOW_MS, "auth0|1"),
    "remembered": Gateway(flow_walk.NOW_MS, "auth0|1", MEMORY),
    "without WebAuthn and an address": Gateway(flow_walk.NOW_MS, "auth0|1", has_email=False, webauthn=False),
}


def execution(*commands: Command, verdict: Verdict = Verdict.COMPLETED, **members: Any) -> Execution:
    on_error = members.pop("on_error", OnError.REQUIRE_MFA)
    return Execution("one", "ab" * 32, on_error, verdict, commands, **members)


ERROR = ExecutionError("ValueError", "no \u00e9", 3)
KINDS: dict[str, list[Execution]] = {
    "nothing": [],
    "mfa": [execution(flow_walk.enable())],
    "mfa of duo": [execution(flow_walk.enable("duo", provider_options={"host": "h", "skey": "s"}))],
    "lifted": [execution(flow_walk.enable("none"))],
    "deny": [execution(flow_walk.deny(), flow_walk.metadata("a", {"b": [1, None, {}]})), execution()],
    "deny with a code": [execution(command("validation.error", error_code="c", error_message="m"))],
    "revoke": [execution(command("session.revoke", reason="r", preserve_refresh_tokens=True))],
    "degraded": [execution(verdict=Verdict.RAISED, error=ERROR), execution(verdict=Verdict.SKIPPED)],
    "degraded in a shared file": [
        execution(verdict=Verdict.RAISED, error=ExecutionError("KeyError", "", 2, "lib/net.py"))
    ],
    "degraded to a denial": [execution(verdict=Verdict.CRASHED, on_error=OnError.DENY)],
    "prints": [execution(output="x" * 5000, output_truncated=True)],
    "effects": [
        execution(
            *[flow_walk.claim(f"https://a.example/{n}", {"z": n, "a": [True, "", 0, -1.5]}) for n in range(20)],
            *[flow_walk.metadata(f"k{n}", None) for n in range(20)],
            command("access_token.set_custom_claim", name="c", value="x" * 20_000),
            command("user.set_app_metadata", key="k", value={}),
            command("access_token.add_scope", scope="s"),
            command("access_token.remove_scope", scope="t"),
            command("session.set_cookie_mode", mode="persistent"),
            command("transaction.set_metadata", key="k", value="v"),
            command("saml_response.set_audience", value="a"),
            command("authentication.record_method", provider_url="https://a.example/m"),
        )
    ],
    "many": [execution(flow_walk.enable(), output="x") for _ in range(20)],
}
WAITS: dict[str, Command] = {
    "challenge": flow_walk.challenge("otp", "phone"),
    "redirect": flow_walk.redirect(session_token="t"),
    "form": command("prompt.render", prompt_id="ap_1", fields={"a": 1}, vars={}),
}


def decided(
    executions: list[Execution],
    waits: Suspension | Refused | None = None,
    gateway: Gateway = GATEWAYS["by default"],
    facts: EventFacts = FACTS,
) -> Answer:
    decision = aggregate(executions, SETTINGS, facts, suspension=waits)
    return Answer(resolved(decision, SETTINGS, facts, gateway))


def filled(answer: Answer, **options: Any) -> ExecutePostLoginResponse:
    """Fill an answer in twice, as for two logins; both times it must be in its one form."""
    times = [1_500_000] * len(answer.verdicts)
    for wall_us in (40, 2_000_000, 0):
        data = answer.fill("r" * 200, "d" * 32, 7, wall_us, times, times, **options)
        first = strict_reader.read(data, ExecutePostLoginResponse)
        assert first.decision.decision_id == "d" * 32
    return strict_reader.read(answer.fill("r", "d" * 32, 7, 3, times, times, **options), ExecutePostLoginResponse)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", GATEWAYS)
@pytest.mark.parametrize("facts", [FACTS, replace(FACTS, protocol="oauth2-password")], ids=["pages", "no pages"])
def test_an_answer_has_one_form(kind: str, side: str, facts: EventFacts) -> None:
    """Each field stands once, in the order of the numbers, whatever was decided and however often it is given."""
    answer = decided(KINDS[kind], gateway=GATEWAYS[side], facts=facts)
    remembered = answer.decision.status == "remembered"
    until_ms = flow_walk.NOW_MS if remembered else 0
    response = filled(answer, remembered_until_ms=until_ms)
    assert response.decision.outcome == pb.Outcome.Value(f"OUTCOME_{answer.decision.outcome.upper()}")
    assert len(response.decision.executions) == len(KINDS[kind])
    assert response.decision.multifactor.memory.HasField("expires_at") is remembered


@pytest.mark.parametrize("kind", KINDS)
def test_a_basic_answer_is_the_same_without_reports(kind: str) -> None:
    """Everything that a gateway acts on is in it."""
    answer = decided(KINDS[kind])
    whole, basic = filled(answer), filled(answer, basic=True)
    whole.decision.ClearField("contributions")
    whole.decision.ClearField("executions")
    assert basic == whole


@pytest.mark.parametrize("kind", WAITS)
def test_a_suspension_has_one_form(kind: str) -> None:
    """The continuation and its expiry stand inside the one suspension."""
    executions = [execution(flow_walk.metadata("a", 1)), execution(WAITS[kind], output="x")]
    waits = pending(executions, (), SETTINGS, FACTS, Gateway(flow_walk.NOW_MS, "auth0|1"))
    assert isinstance(waits, Suspension)
    suspension = filled(decided(executions, waits), sealed=SEALED).decision.suspension
    assert suspension.continuation == SEALED[0]
    assert suspension.expires_at.ToMilliseconds() == SEALED[1]
    assert suspension.WhichOneof("step") is not None


def test_a_refused_challenge_has_one_form() -> None:
    """So has a denial because a factor cannot be shown."""
    response = filled(decided([execution(WAITS["challenge"])], Refused(Failure.NO_USABLE_FACTOR)))
    assert response.decision.outcome == pb.OUTCOME_DENY


@example("", "\0", 0, 0)
@given(st.text(max_size=300), st.text(max_size=300), st.integers(0, 2**40), st.integers(0, 2**40))
def test_no_id_or_time_changes_the_form(request_id: str, decision_id: str, wall_us: int, revision: int) -> None:
    """Ids of any length, empty ones too, and times of any size are written as the library would."""
    data = decided(KINDS["mfa"]).fill(request_id, decision_id, revision, wall_us, [wall_us], [0])
    response = strict_reader.read(data, ExecutePostLoginResponse)
    assert (response.request_id, response.decision.decision_id) == (request_id, decision_id)
    assert response.decision.wall_time.ToMicroseconds() == wall_us


# -- the reader --------------------------------------------------------------------------------------------------------

DENIED = ExecutePostLoginResponse(decision=pb.Decision(outcome=pb.OUTCOME_DENY))
LIES: dict[str, bytes] = {
    # What used to be sent: each part a message of its own, one behind the other.
    "decision": DENIED.SerializeToString()
    + ExecutePostLoginResponse(decision=pb.Decision(decision_id="d")).SerializeToString(),
    "outcome": b"\x0a\x04\x08\x03\x08\x03",
    "unknown": b"\x0a\x03\x98\x06\x01",
    "wire type": b"\x0a\x05\x0d\x01\x00\x00\x00",
    "stands after": b"\x12\x01r\x0a\x02\x08\x03",
    "its default": b"\x0a\x02\x08\x00",
    "more bytes than": b"\x0a\x03\x08\x83\x00",
    "is cut": b"\x0a\x09\x08\x03",
    "a key more than once": ExecutePostLoginResponse.FromString(b"").SerializeToString()
    + b"\x0a\x12\x22\x10\x0a\x0e\x0a\x05\x0a\x01k\x12\x00\x0a\x05\x0a\x01k\x12\x00",
}


@pytest.mark.parametrize("what", LIES)
def test_the_reader_finds_what_is_written_otherwise(what: str) -> None:
    """The control: protobuf's own parser reads each of these without a word."""
    ExecutePostLoginResponse.FromString(LIES[what]) if what not in ("is cut",) else None
    said = {"decision": "decision: stands more than once", "outcome": "outcome: stands more than once"}.get(what, what)
    with pytest.raises(strict_reader.NotCanonical, match=said):
        strict_reader.read(LIES[what], ExecutePostLoginResponse)


def test_a_reader_that_takes_the_last_would_lose_the_decision() -> None:
    """Why it matters: of two `decision` fields many clients keep the second only, and with it no outcome."""
    last = LIES["decision"].rindex(b"\x0a\x03\x4a")
    assert ExecutePostLoginResponse.FromString(LIES["decision"][last:]).decision.outcome == pb.OUTCOME_UNSPECIFIED
    assert ExecutePostLoginResponse.FromString(LIES["decision"]).decision.outcome == pb.OUTCOME_DENY


def test_a_kind_of_message_is_read_by_its_own_reader() -> None:
    """As gRPC calls a deserializer."""
    read = strict_reader.reader(ExecutePostLoginResponse)
    assert isinstance(read, partial)
    assert read(DENIED.SerializeToString()) == DENIED
