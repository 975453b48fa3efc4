"""The soak's arithmetic: what it calls a leak, growth or a wrong answer; who of twenty logins is what."""

from dataclasses import replace
from typing import Any

import pytest
from vestibule.v1 import decision_pb2, runtime_service_pb2

from tests.load import own_client, soak
from tests.load.loads import Answers
from tests.load.processes import BenchError, Metrics

MIB = 1 << 20
HELD = soak.Held(processes=3, descriptors=30, zygote_descriptors=8, threads=12, bytes=60 * MIB, zygote_bytes=26 * MIB)


def missed(last: soak.Held) -> list[str]:
    """Compare a first count with a last one; return the rows that miss their target."""
    return [row.what for row in soak.compared([(0, HELD), (5000, HELD), (10_000, last)]) if row.state() == "missed"]


@pytest.mark.parametrize("what", ["processes", "descriptors", "zygote_descriptors", "threads"])
def test_one_more_of_anything_is_a_leak(what: str) -> None:
    """A single process, descriptor or thread more is missed, fewer or as many are not."""
    assert missed(HELD) == []
    assert missed(replace(HELD, **{what: getattr(HELD, what) - 1})) == []
    (row,) = missed(replace(HELD, **{what: getattr(HELD, what) + 1}))
    assert what.replace("_", " ").split()[0] in row


@pytest.mark.parametrize(("kib_a_round", "state"), [(0, "ok"), (50, "ok"), (400, "missed")])
def test_growth_is_the_slope_of_the_second_half(kib_a_round: int, state: str) -> None:
    """What the first half took is forgiven; what still grows in the second is not."""
    points = [(0, HELD)]
    for number in range(1, 21):
        size = HELD.bytes + 8 * MIB + kib_a_round * 1024 * number
        points.append((5000 * number, replace(HELD, bytes=size)))
    rows = {row.what: row for row in soak.compared(points)}
    assert rows["resident memory of the daemon, growth for 10,000 logins"].state() == state
    assert rows["resident memory of the zygote, growth for 10,000 logins"].state() == "ok"


def test_one_login_in_twenty_is_hostile_and_two_are_suspended() -> None:
    """Each kind has its turn, and is to be denied by on_error; the others are required and allowed in equal parts."""
    requests, wanted, continued = soak.cycle()
    assert len(requests) == len(wanted) == len(continued) == 20 * len(soak.HOSTILE)
    tenants = [runtime_service_pb2.ExecutePostLoginRequest.FromString(data).tenant_id for data in requests]
    assert [tenant for tenant, outcome in zip(tenants, wanted, strict=True) if outcome == "deny"] == list(soak.HOSTILE)
    assert abs(wanted.count("allow") - wanted.count("mfa_required")) <= len(soak.HOSTILE)
    suspended = [tenant for tenant, rest in zip(tenants, continued, strict=True) if rest]
    assert len(suspended) == 2 * len(soak.HOSTILE)
    assert set(suspended) == set(soak.SUSPENDED)
    for request, rest in zip(requests, continued, strict=True):
        if rest:
            first = runtime_service_pb2.ExecutePostLoginRequest.FromString(request)
            second = runtime_service_pb2.ContinuePostLoginRequest.FromString(rest)
            assert (second.tenant_id, second.event) == (first.tenant_id, first.event)


class FakeDaemon:
    """Counts degraded decisions as a test wants."""

    target = "nowhere"

    def __init__(self, degraded: int) -> None:
        self._degraded = [0, degraded]

    def metrics(self) -> Metrics:
        """Return the next scrape."""
        return Metrics(f"vestibule_decisions_degraded_total {self._degraded.pop(0)}\n")


# Of 40 logins two are hostile; the action that suspends one of the four others runs twice.
COMPLETED = 3 * 38 + 4
RIGHT = Answers(
    seconds=1.0,
    latencies_us=(),
    codes={"OK": 40},
    outcomes={"allow": 19, "mfa_required": 19, "deny": 2},
    verdicts={"completed": COMPLETED, "timed_out": 2},
    wrong=0,
)


@pytest.mark.parametrize(
    ("answers", "degraded", "right"),
    [
        (RIGHT, 2, True),
        (RIGHT, 3, False),
        (replace(RIGHT, wrong=1), 2, False),
        (replace(RIGHT, codes={"OK": 39, "UNAVAILABLE": 1}), 2, False),
        (replace(RIGHT, verdicts={"completed": COMPLETED, "timed_out": 1, "violated": 1}), 2, False),
        (replace(RIGHT, verdicts={"completed": COMPLETED - 1, "timed_out": 3}), 2, False),
    ],
    ids=["right", "one degraded too many", "wrong outcome", "no decision", "violated", "a quiet one timed out"],
)
def test_a_wrong_answer_gives_no_number(
    monkeypatch: pytest.MonkeyPatch, answers: Answers, degraded: int, right: bool
) -> None:
    """Every decision, status, verdict and degraded login must be as sent."""
    monkeypatch.setattr(soak, "call", lambda *_args, **_plan: answers)
    daemon: Any = FakeDaemon(degraded)
    if right:
        assert soak.make(daemon, 40) == 1.0
    else:
        with pytest.raises(BenchError, match="of 40 logins, 2 hostile, 4 suspended"):
            soak.make(daemon, 40)


def test_our_client_tells_wrong_answers_by_their_request() -> None:
    """An outcome is compared with what its own request wants, in whatever order answers come."""
    generator = own_client.Generator(own_client.Plan("nowhere", ["", ""], 4, wanted=["allow", "deny"]))
    allow, deny = decision_pb2.OUTCOME_ALLOW, decision_pb2.OUTCOME_DENY
    for index, outcome in ((1, deny), (0, deny), (2, allow), (3, allow)):
        decision = decision_pb2.Decision(outcome=outcome)
        answer = runtime_service_pb2.ExecutePostLoginResponse(decision=decision).SerializeToString()
        generator.answers.append((index, answer))
    generator.read_answers()
    assert generator.report.wrong == 2


def test_our_client_continues_with_a_suspended_login() -> None:
    """What continues it ends with the continuation that the first answer holds; protobuf merges the two."""
    decision = decision_pb2.Decision(suspension=decision_pb2.Suspension(continuation=b"token"))
    answer = runtime_service_pb2.ExecutePostLoginResponse(decision=decision).SerializeToString()
    rest = runtime_service_pb2.ContinuePostLoginRequest(tenant_id="acme").SerializeToString()
    merged = runtime_service_pb2.ContinuePostLoginRequest.FromString(rest + own_client.continuation_of(answer))
    assert (merged.tenant_id, merged.continuation) == ("acme", b"token")
