"""Remembered answers: equal reports lead to the same decision, and never to one of other reports or another event."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
from vestibule.v1 import decision_pb2, event_pb2, runtime_service_pb2
from vestibule.worker.v1 import worker_pb2

from runtime.core.model import Command, Execution, ExecutionError, OnError, Policy, Settings, Verdict
from runtime.login.answer import Answer, Printed
from runtime.login.answers import Answers, FlowDecision
from runtime.login.messages import EventReader
from sandbox.contract import wire
from tests import strict_reader
from tests.load.usage import resident_bytes

VERIFIED = event_pb2.PostLoginEvent(user=event_pb2.User(email_verified=True)).SerializeToString()
VERIFIED_MESSAGE = event_pb2.PostLoginEvent.FromString(VERIFIED)
UNVERIFIED = event_pb2.PostLoginEvent(user=event_pb2.User(email_verified=False)).SerializeToString()
LOW = event_pb2.PostLoginEvent(
    authentication=event_pb2.Authentication(risk_assessment=event_pb2.RiskAssessment(confidence="low"))
).SerializeToString()
HIGH = event_pb2.PostLoginEvent(
    authentication=event_pb2.Authentication(risk_assessment=event_pb2.RiskAssessment(confidence="high"))
).SerializeToString()

STEPS = b"one"
OUTPUT_BYTES = 16 * 1024


def execution(*commands: tuple[str, dict[str, Any]], **fields: Any) -> Execution:
    return Execution(
        "a",
        "00" * 32,
        OnError.REQUIRE_MFA,
        fields.pop("verdict", Verdict.COMPLETED),
        tuple(Command(op, args) for op, args in commands),
        **fields,
    )


REQUIRE = execution(("multifactor.enable", {"provider": "any"}))


def test_equal_reports_give_the_same_answer_object() -> None:
    """The second login with these reports costs no aggregation; one more or one less report is another reply."""
    answers = Answers(Settings())
    first = answers.decide(STEPS, 1, [REQUIRE], EventReader(VERIFIED))
    assert answers.recall(STEPS, 1, VERIFIED_MESSAGE, OUTPUT_BYTES) == (first, ())
    assert answers.recall(STEPS, 2, VERIFIED_MESSAGE, OUTPUT_BYTES) is None
    assert answers.recall(b"other", 1, VERIFIED_MESSAGE, OUTPUT_BYTES) is None


def test_another_fact_is_another_answer() -> None:
    """What a decision looked at in the event is part of what is remembered: an unverified address gets no email."""
    answers = Answers(Settings())
    for _ in range(2):
        assert "email" in factors(answers.decide(STEPS, 1, [REQUIRE], EventReader(VERIFIED)))
        assert "email" not in factors(answers.decide(STEPS, 1, [REQUIRE], EventReader(UNVERIFIED)))


def test_the_adaptive_policy_looks_at_every_event() -> None:
    """Risk is read from each event, although no action reported anything."""
    answers = Answers(Settings(policy=Policy.ADAPTIVE))
    for _ in range(2):
        assert answers.decide(STEPS, 1, [execution()], EventReader(LOW)).decision.outcome == "mfa_required"
        assert answers.decide(STEPS, 1, [execution()], EventReader(HIGH)).decision.outcome == "allow"


def test_failures_are_not_remembered() -> None:
    """A degraded decision is made anew each time, and so is one whose reports came from more than one worker."""
    answers = Answers(Settings())
    failed = execution(verdict=Verdict.RAISED, error=ExecutionError("ValueError", "x", 1))
    answers.decide(b"failed", 1, [failed], EventReader(VERIFIED))
    answers.decide(None, 1, [REQUIRE], EventReader(VERIFIED))
    assert len(answers) == 0


def reports(*outputs: str, cut: bool = False) -> bytes:
    """The reports of completed executions that printed this, as they stand in a reply."""
    command = worker_pb2.Command(op="multifactor.enable", args_json='{"provider":"any"}')
    return worker_pb2.FlowReply(
        steps=[
            worker_pb2.StepReport(verdict=1, commands=[command], output=output, output_truncated=cut)
            for output in outputs
        ]
    ).SerializeToString()


def printing(*outputs: str) -> Answers:
    """Answers that remember a login whose executions printed this."""
    answers = Answers(Settings())
    answers.decide(
        reports(*outputs), len(outputs), [replace(REQUIRE, output=said) for said in outputs], EventReader(VERIFIED)
    )
    assert len(answers) == 1
    return answers


@pytest.mark.parametrize("cut", [False, True])
def test_what_is_printed_is_of_each_login(cut: bool) -> None:
    """Reports that differ in their output alone give one answer, and each response has the output of its own login."""
    answers = printing("user 1", "")
    recalled = answers.recall(reports("", "user \u00e9", cut=cut), 2, VERIFIED_MESSAGE, OUTPUT_BYTES)
    if cut:
        # No worker says so of an execution that printed nothing.
        assert recalled is None
        recalled = answers.recall(reports("x", "user \u00e9", cut=cut), 2, VERIFIED_MESSAGE, OUTPUT_BYTES)
    assert recalled is not None
    decided, printed = recalled
    answer = answer_of(decided)
    for _ in range(2):
        said = read(answer.fill("r", "d", 7, 40, [30, 30], [20, 20], printed=printed)).decision.executions
        assert [report.output for report in said] == ["x" if cut else "", "user \u00e9"]
        assert [report.output_truncated for report in said] == [cut, cut]
        assert [report.wall_time.ToMicroseconds() for report in said] == [30, 30]
    silent = read(answer.fill("r", "d", 7, 40, [30, 30], [20, 20])).decision.executions
    assert [report.output for report in silent] == ["", ""]


def test_a_remembered_answer_keeps_nothing_that_was_printed() -> None:
    """What an action printed of one user is in no later response and is not held in memory."""
    answer, printed = recalled(printing("secret"), reports("other"))
    assert "secret" not in repr(answer.decision)
    assert printed == (("other", False),)
    assert b"secret" not in answer.fill("r", "d", 7, 40, [30], [20], printed=printed)


def recalled(answers: Answers, steps: bytes) -> tuple[Answer, Printed]:
    found = answers.recall(steps, 1, VERIFIED_MESSAGE, OUTPUT_BYTES)
    assert found is not None
    decided, printed = found
    return answer_of(decided), printed


def answer_of(decided: FlowDecision) -> Answer:
    answer, until_ms = decided.answer(VERIFIED_MESSAGE, None, 0)
    assert until_ms == 0
    return answer


@pytest.mark.parametrize(
    "steps",
    [
        reports("x" * 21),
        reports("one", "two"),
        wire.step(reports("x")[2:-1] + b"\xff"),
        wire.step(reports("x")[2:] + b"\x38\x00"),
        wire.step(reports("x")[2:] + reports("x")[-3:]),
        wire.step(b"\x32\x01x" + reports("")[2:]),
        wire.step(b"\x08\x02\x32\x01x"),
        reports("x") + b"\x28\x01",
        reports("x")[:-1],
    ],
    ids=["too much", "two", "no text", "cut said wrongly", "twice", "out of order", "verdict", "retire", "unfinished"],
)
def test_an_unusual_report_is_left_to_the_strict_reader(steps: bytes) -> None:
    """Output apart, only the very bytes that were read and checked once are recalled; the control is."""
    answers = printing("hello")
    assert answers.recall(reports("x" * 20), 1, VERIFIED_MESSAGE, 16) is not None
    assert answers.recall(steps, 1, VERIFIED_MESSAGE, 16) is None


def test_what_is_remembered_is_bounded() -> None:
    """A flow whose every login differs does not grow."""
    answers = Answers(Settings())
    for number in range(200):
        claim = execution(("id_token.set_custom_claim", {"name": "n", "value": number}))
        answers.decide(str(number).encode(), 1, [claim], EventReader(VERIFIED))
    assert 0 < len(answers) <= 16
    before = len(answers)
    answers.decide(b"x" * 5000, 1, [REQUIRE], EventReader(VERIFIED))
    assert len(answers) == before


def test_an_answer_is_filled_in_for_each_login() -> None:
    """Ids, revision and times are those of the login, also when the one before had longer times."""
    answer = answer_of(Answers(Settings()).decide(STEPS, 1, [REQUIRE], EventReader(VERIFIED)))
    first = read(answer.fill("r1", "d1", 7, 2_500_000, [1_500_000], [3]))
    second = read(answer.fill("r2", "d2", 8, 40, [30], [20], tenant_version=3))
    assert (first.request_id, first.decision.decision_id, first.decision.catalog_revision) == ("r1", "d1", 7)
    assert first.decision.wall_time.ToMicroseconds() == 2_500_000
    assert first.decision.executions[0].wall_time.ToMicroseconds() == 1_500_000
    assert (second.request_id, second.decision.decision_id, second.decision.catalog_revision) == ("r2", "d2", 8)
    assert second.decision.wall_time.ToMicroseconds() == 40
    assert second.decision.executions[0].wall_time.ToMicroseconds() == 30
    assert second.decision.executions[0].cpu_time.ToMicroseconds() == 20
    assert second.decision.outcome == decision_pb2.OUTCOME_MFA_REQUIRED
    basic = read(answer.fill("r3", "d3", 8, 40, [30], [20], basic=True, tenant_version=4))
    versions = [answer.decision.tenant_version for answer in (first, second, basic)]
    assert versions == [0, 3, 4]


def read(data: bytes) -> runtime_service_pb2.ExecutePostLoginResponse:
    return strict_reader.read(data, runtime_service_pb2.ExecutePostLoginResponse)


def factors(answer: Any) -> tuple[str, ...]:
    offered: tuple[str, ...] = answer.decision.multifactor.factors
    return offered


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 200, 20_000])
@pytest.mark.parametrize("letter", ["r", "\u00e9"])
def test_ids_of_any_length_are_read_back(size: int, letter: str) -> None:
    """They are written by hand, with lengths of one byte and of more."""
    answer = answer_of(Answers(Settings()).decide(STEPS, 1, [REQUIRE], EventReader(VERIFIED)))
    for request_id, decision_id in ((letter * size, "d" * 32), ("r", letter * size)):
        response = read(answer.fill(request_id, decision_id, 7, 40, [30], [20]))
        assert (response.request_id, response.decision.decision_id) == (request_id, decision_id)
        assert response.decision.catalog_revision == 7


def test_a_remembered_answer_does_not_grow_with_every_login_it_is_given_to() -> None:
    """Twenty thousand fills leave no more behind than one: ids of earlier logins are kept nowhere."""
    answer = answer_of(Answers(Settings()).decide(STEPS, 1, [REQUIRE], EventReader(VERIFIED)))
    response = read(answer.fill("r" * 200, "d" * 32, 7, 40, [30], [20]))
    assert (response.request_id, response.decision.decision_id) == ("r" * 200, "d" * 32)
    before = resident_bytes(os.getpid())
    for _ in range(20_000):
        answer.fill("r" * 200, "d" * 32, 7, 40, [30], [20])
    assert resident_bytes(os.getpid()) - before < 2 << 20
