"""Logins under pressure, at a real daemon: deadlines, callers that leave, full queues, loud neighbours, isolation."""

import time
from collections.abc import Iterator

import grpc
import pytest
from vestibule.v1 import decision_pb2, runtime_service_pb2

from runtime.core.model import OnError
from tests.calls import Refused, result, unary
from tests.fixtures.daemons import Daemon, Serve, served
from tests.fixtures.tenants import ADA, ALLOW, BOB, DENY, GATE, HOARD, LOOP, MFA, define
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.long  # a drill

SHOUT = """\
def on_execute_post_login(event, api):
    while True:
        print("x" * 1000)
"""
MARK = """\
import random
seen = []
def on_execute_post_login(event, api):
    seen.append(event.user.email)
    print(len(seen), random.random())
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose tenants have two workers and a queue of two each."""
    flags = ("--pool-workers-per-tenant", "2", "--pool-queue-per-tenant", "2", "--pool-queue-wait-ms", "20000")
    with served(tmp_path_factory.mktemp("pressure"), *flags, blank=2) as daemon:
        daemon.publish(
            define("acme", GATE),
            define("loud", LOOP, timeout_ms=1500, on_error=OnError.DENY),
            define("long", LOOP, timeout_ms=20_000),
            define("hoard", HOARD),
            define("shout", SHOUT),
        )
        yield daemon


def right(daemon: Daemon) -> None:
    """The other tenant's logins are decided rightly."""
    for event, outcome in ((ADA, MFA), (BOB, ALLOW)):
        decision = daemon.call("acme", event)
        assert (decision.outcome, decision.degraded) == (outcome, False)


def test_a_full_queue_is_shed_and_the_neighbour_served(daemon: Daemon) -> None:
    """Two workers, two waiting: one more is RESOURCE_EXHAUSTED with RetryInfo at once, another tenant is served."""
    before = daemon.metric("vestibule_sheds_total", reason="queue")
    logins = [daemon.begin("loud") for _ in range(4)]
    daemon.wait_in_flight(4)
    until(lambda: daemon.metric("vestibule_workers", state="busy") == 2, "both workers are busy")
    with pytest.raises(Refused, match="2 logins already wait for its 2 workers") as refused:
        daemon.call("loud")
    assert (refused.value.code, refused.value.reason) == ("RESOURCE_EXHAUSTED", "TENANT_QUEUE_FULL")
    assert refused.value.details["RetryInfo"].retry_delay.ToMilliseconds() > 0
    assert not any(login.done() for login in logins)
    right(daemon)
    assert not any(login.done() for login in logins)
    assert [result(login).outcome for login in logins] == [DENY] * 4
    assert daemon.metric("vestibule_sheds_total", reason="queue") == before + 1
    assert daemon.metric("vestibule_queue_wait_seconds_bucket", le="0.5") < daemon.metric(
        "vestibule_queue_wait_seconds_count"
    )


def test_neighbours_of_hostile_tenants_are_undisturbed(daemon: Daemon) -> None:
    """While tenants loop, hoard memory and shout at their limits, another tenant's logins are right every time."""
    hostile = [daemon.begin(name) for name in ("loud", "hoard", "shout")]
    count = 0
    while not all(login.done() for login in hostile):
        right(daemon)
        count += 1
    assert count > 3
    for login, verdict in zip(hostile, ("TIMED_OUT", "EXHAUSTED", "EXHAUSTED"), strict=True):
        (execution,) = result(login).executions
        assert decision_pb2.Verdict.Name(execution.verdict) == f"VERDICT_{verdict}"
        assert result(login).degraded
    right(daemon)


@pytest.mark.parametrize("deadline_s", [0.3, 1.0])
def test_a_callers_deadline_is_kept(daemon: Daemon, deadline_s: float) -> None:
    """A deadline shorter than the action's budget brings a degraded decision, or DEADLINE_EXCEEDED, in time."""
    began_s = time.monotonic()
    try:
        decision = daemon.call("long", timeout_s=deadline_s)
        answer = ("OK", decision.outcome, decision.degraded)
    except Refused as refused:
        answer = (refused.code, MFA, True)
    assert answer in (("OK", MFA, True), ("DEADLINE_EXCEEDED", MFA, True))
    assert time.monotonic() - began_s < deadline_s + 2.0
    daemon.wait_in_flight(0)
    right(daemon)


def test_a_deadline_that_is_over_is_reported(daemon: Daemon) -> None:
    """With no time left at all there is no decision, and nothing is run."""
    with pytest.raises(Refused) as refused:
        daemon.call("acme", timeout_s=0.000_1)
    assert refused.value.code == "DEADLINE_EXCEEDED"
    right(daemon)


def test_callers_that_leave_lose_no_worker(daemon: Daemon) -> None:
    """After ten cancelled logins both workers of the tenant are idle again and decide; none died of it."""
    right(daemon)
    died = daemon.metric("vestibule_worker_exits_total", reason="died")
    for _ in range(5):
        calls = [daemon.begin("loud") for _ in range(2)]
        daemon.wait_in_flight(2)
        for call in calls:
            call.cancel()
        daemon.wait_in_flight(0)
    until(lambda: daemon.metric("vestibule_workers", state="busy") == 0, "the workers are free again")
    assert daemon.metric("vestibule_worker_exits_total", reason="died") == died
    assert daemon.metric("grpc_server_handled_total", grpc_code="CANCELLED") >= 10
    assert daemon.call("loud").outcome == DENY
    right(daemon)


def test_waiting_callers_that_leave_free_their_places(daemon: Daemon) -> None:
    """A cancelled login leaves the queue at once, so that another one may stand there."""
    running = [daemon.begin("loud") for _ in range(2)]
    until(lambda: daemon.metric("vestibule_workers", state="busy") == 2, "both workers are busy")
    for _ in range(3):
        waiting = [daemon.begin("loud") for _ in range(2)]
        daemon.wait_in_flight(4)
        for call in waiting:
            call.cancel()
        daemon.wait_in_flight(2)
    assert [result(login).outcome for login in running] == [DENY] * 2


def test_a_connection_that_breaks_loses_no_worker(daemon: Daemon) -> None:
    """A gateway that disappears with its logins leaves the workers free."""
    with grpc.insecure_channel(daemon.target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        method = unary(channel, "/vestibule.v1.ActionRuntimeService/ExecutePostLogin")
        request = runtime_service_pb2.ExecutePostLoginRequest(tenant_id="loud", event=BOB)
        call = method.future(request.SerializeToString(), timeout=PATIENCE_S)
        daemon.wait_in_flight(1)
    assert call.done()
    daemon.wait_in_flight(0)
    until(lambda: daemon.metric("vestibule_workers", state="busy") == 0, "the worker is free again")
    right(daemon)


def test_a_worker_is_replaced_after_its_executions(serve: Serve) -> None:
    """max_executions: after each third login the worker is recycled; until then one process serves the tenant."""
    daemon = serve("--sandbox-max-executions", "3")
    daemon.publish(define("acme", MARK))
    # Who compiles serves this login only.
    daemon.call("acme")
    until(lambda: daemon.metric("vestibule_workers", state="idle") == 1, "a successor stands ready")
    recycled = []
    for _ in range(9):
        assert daemon.call("acme").executions[0].output.startswith("1 ")
        recycled.append(daemon.metric("vestibule_worker_kills_total", reason="recycled") - 1)
    assert recycled == [0, 0, 1, 1, 1, 2, 2, 2, 3]


def test_a_full_pool_evicts_who_was_idle_longest(serve: Serve) -> None:
    """With room for two workers, four tenants are served in turn, and the eviction is counted."""
    daemon = serve("--pool-max-workers", "2", "--pool-workers-per-tenant", "1", "--pool-queue-wait-ms", "20000")
    daemon.publish(*(define(f"t{at}", GATE) for at in range(4)))
    for _ in range(4):
        for at in range(4):
            assert daemon.call(f"t{at}").outcome == MFA
            until(lambda: len(daemon.workers()) <= 2, "those that are evicted have died")
    assert daemon.metric("vestibule_worker_kills_total", reason="evicted") >= 4


def test_too_many_at_once_are_refused(serve: Serve) -> None:
    """Over max_in_flight a login is refused at once with RetryInfo, of any tenant; afterwards it is served."""
    daemon = serve("--limits-max-in-flight", "2", "--limits-tenant-share", "1", blank=2)
    daemon.publish(define("loud", LOOP, timeout_ms=1500), define("acme", GATE))
    logins = [daemon.begin("loud") for _ in range(2)]
    daemon.wait_in_flight(2)
    with pytest.raises(Refused) as refused:
        daemon.call("acme")
    assert (refused.value.code, refused.value.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_IN_FLIGHT")
    assert "RetryInfo" in refused.value.details
    assert daemon.metric("vestibule_sheds_total", reason="in_flight") == 1
    assert [result(login).outcome for login in logins] == [MFA] * 2
    assert daemon.call("acme").outcome == MFA


def test_no_worker_in_time_is_reported(serve: Serve) -> None:
    """When the one worker stays busy beyond the queue's wait, the login is RESOURCE_EXHAUSTED, and counted."""
    flags = ("--pool-max-workers", "1", "--pool-workers-per-tenant", "1", "--pool-queue-wait-ms", "100")
    daemon = serve(*flags)
    daemon.publish(define("loud", LOOP, timeout_ms=2000), define("acme", GATE))
    login = daemon.begin("loud")
    daemon.wait_in_flight(1)
    with pytest.raises(Refused) as refused:
        daemon.call("acme")
    assert (refused.value.code, refused.value.reason) == ("RESOURCE_EXHAUSTED", "POOL_EXHAUSTED")
    assert daemon.metric("vestibule_sheds_total", reason="pool") == 1
    assert result(login).outcome == MFA
    assert daemon.call("acme").outcome == MFA
