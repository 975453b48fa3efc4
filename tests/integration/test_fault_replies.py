"""Workers of a real daemon whose replies are faulty: empty, byte by byte, cut, huge, endless, garbage, never sent.

Each login gets its decision inside the budgets that are configured, and each reply costs its own worker only.
"""

import time
from collections.abc import Iterator

import pytest
from vestibule.v1 import decision_pb2

from runtime.core.model import OnError
from tests.calls import Refused, result
from tests.faulty_daemon import launcher
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.states import beyond_workers, right
from tests.fixtures.tenants import ALLOW, BOB, DENY, GATE, MFA, define
from tests.fixtures.waiting import until
from tests.load.usage import resident_bytes

pytestmark = pytest.mark.long  # a drill

BUDGET_MS = 400
# A flow's budget, the grace beyond it and the time to compile: no reply is waited for longer. And a busy machine.
BOUND_S = BUDGET_MS / 1000 + 4.0 + 10.0

# What its worker is killed for; and whether the reply is the worker's own word that it lies.
FAULTS = {
    "never": ("deadline", False),
    "half": ("deadline", False),
    "end": ("", False),
    "empty": ("violation", True),
    "huge": ("violation", True),
    "garbage": ("violation", True),
    # The first of its replies is right, and may be read before there is another.
    "flood": ("violation", None),
}


def source(kind: str) -> str:
    """Return an action whose worker replies in this way."""
    # In a text, which is in the code too that later workers load.
    return f'KIND = """\n# reply: {kind}\n"""\n{GATE}'


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all of these: what one reply leaves behind, the next test would meet."""
    flags = ("--sandbox-flow-timeout-ms", str(BUDGET_MS), "--sandbox-action-timeout-ms", str(BUDGET_MS))
    with served(
        tmp_path_factory.mktemp("replies"), *flags, blank=2, launcher=launcher("tests.faulty_worker")
    ) as daemon:
        daemon.publish(
            define("acme", GATE),
            define("bytewise", source("bytewise")),
            *(define(kind, source(kind)) for kind in FAULTS),
            *(define(f"{kind}-denies", source(kind), on_error=OnError.DENY) for kind in FAULTS),
        )
        yield daemon


def test_a_reply_byte_by_byte_is_a_reply(daemon: Daemon) -> None:
    """An answer in single bytes is the same answer."""
    died = daemon.metric("vestibule_worker_exits_total", reason="died")
    right(daemon, "bytewise")
    right(daemon, "bytewise")
    assert daemon.metric("vestibule_flow_retries_total") == 0
    assert daemon.metric("vestibule_worker_exits_total", reason="died") == died


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("suffix", ["", "-denies"], ids=["require_mfa", "deny"])
def test_a_faulty_reply_is_a_degraded_decision(daemon: Daemon, kind: str, suffix: str) -> None:
    """The answer is there within the budget, its worker is killed and counted, and the next login is right.

    A worker that lies is not believed: the decision follows on_error. One that finished and never said so has decided:
    its journal holds the report.
    """
    right(daemon)
    baseline = beyond_workers(daemon)
    killed = {kind: daemon.metric("vestibule_worker_kills_total", reason=kind) for kind in ("deadline", "violation")}
    began_s = time.monotonic()
    login = daemon.begin(kind + suffix, BOB)
    right(daemon)
    decision = result(login)
    assert time.monotonic() - began_s < BOUND_S
    (execution,) = decision.executions
    answer = decision.outcome, decision.degraded, decision_pb2.Verdict.Name(execution.verdict)
    believed = ALLOW, False, "VERDICT_COMPLETED"
    disbelieved = DENY if suffix else MFA, True, "VERDICT_VIOLATED"
    reason, lies = FAULTS[kind]
    assert answer in {True: (disbelieved,), False: (believed,), None: (believed, disbelieved)}[lies]
    if reason:
        until(
            lambda: daemon.metric("vestibule_worker_kills_total", reason=reason) == killed[reason] + 1, "it is killed"
        )
    right(daemon)
    until(lambda: beyond_workers(daemon) == baseline, "nothing is left of it")


def test_a_reply_of_64_mib_is_not_read(daemon: Daemon) -> None:
    """Twenty of them at once cost the daemon less memory than one of them holds, and others are served meanwhile.

    A tenant whose workers lie waits for the next one, so some of its logins find none in time.
    """
    right(daemon)
    before = resident_bytes(daemon.process.pid)
    logins = {kind: [daemon.begin(kind) for _ in range(10)] for kind in ("huge", "flood")}
    right(daemon)
    for kind, begun in logins.items():
        decided, refused = [], set()
        for login in begun:
            try:
                decided.append(result(login))
            except Refused as error:
                refused.add(error.code)
        assert refused <= {"RESOURCE_EXHAUSTED"}
        assert {decision.outcome for decision in decided} == {MFA}
        assert kind == "flood" or all(decision.degraded for decision in decided)
    assert resident_bytes(daemon.process.pid) - before < 32 << 20
    right(daemon)
