"""How a real daemon goes: SIGTERM with logins in flight, a second signal, a drain that is too short, Ctrl-C."""

import signal
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2

from runtime.core.model import OnError
from tests.calls import Refused, health, result
from tests.fixtures.daemons import Serve
from tests.fixtures.tenants import ADA, DENY, GATE, LOOP, MFA, define
from tests.fixtures.waiting import until
from tests.fronts import STOCK_LATER

pytestmark = pytest.mark.long

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE = "vestibule.v1.ActionRuntimeService"


@pytest.fixture(params=STOCK_LATER)
def serve(serve: Serve, request: pytest.FixtureRequest) -> Serve:
    """Start daemons on one front."""
    return lambda *flags, **options: serve("--rpc-front", request.param, *flags, **options)


def test_a_drain_answers_what_is_in_flight(serve: Serve) -> None:
    """After SIGTERM: NOT_SERVING, /readyz 503, no new login; the one in flight is answered; exit 0, no process left."""
    daemon = serve()
    daemon.publish(define("slow", LOOP, timeout_ms=2000, on_error=OnError.DENY), define("acme", GATE))
    with grpc.insecure_channel(daemon.target) as channel:
        stub = health(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE), timeout=30)
        assert next(watch).status == SERVING
        assert daemon.get("/readyz") == (200, "ok\n")
        login = daemon.begin("slow")
        daemon.wait_in_flight(1)
        daemon.process.send_signal(signal.SIGTERM)
        draining = daemon.wait_for("daemon.draining")
        assert draining["in_flight"] == 1
        assert next(watch).status == NOT_SERVING
        assert daemon.get("/readyz") == (503, "draining\n")
        assert daemon.get("/livez")[0] == 200
        with pytest.raises(Refused) as refused:
            daemon.call("acme", timeout_s=5)
        # CANCELLED is gRPC's own word for a call that crosses its GOAWAY.
        assert refused.value.code in ("UNAVAILABLE", "CANCELLED")
        assert not login.done()
        decision = result(login)
        assert (decision.outcome, decision.degraded) == (DENY, True)
        assert list(watch) == []
    assert daemon.wait() == 0
    assert not daemon.family()
    assert [line["event"] for line in daemon.lines][-1] == "daemon.stopped"
    assert daemon.events("login.decided")


def test_a_new_connection_is_refused_while_draining(serve: Serve) -> None:
    """A caller that arrives during the drain is sent away at once, not left waiting."""
    daemon = serve()
    daemon.publish(define("slow", LOOP, timeout_ms=2000))
    login = daemon.begin("slow")
    daemon.wait_in_flight(1)
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait_for("daemon.draining")
    with grpc.insecure_channel(daemon.target) as channel, pytest.raises(grpc.RpcError) as refused:
        health(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert refused.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    assert result(login).outcome == MFA
    assert daemon.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_daemon_goes_at_once(serve: Serve, number: signal.Signals) -> None:
    """With nothing in flight there is nothing to wait for, whatever the drain time; Ctrl-C is the same."""
    daemon = serve("--drain-s", "60")
    daemon.publish(define("acme", GATE))
    assert daemon.call("acme", ADA).outcome == MFA
    began_s = time.monotonic()
    daemon.process.send_signal(number)
    assert daemon.wait() == 0
    assert time.monotonic() - began_s < 10


def test_a_second_signal_goes_at_once_and_leaves_no_process(serve: Serve) -> None:
    """A second SIGTERM cuts the drain: the exit code says so, the login fails, and every worker is gone."""
    daemon = serve("--drain-s", "60")
    daemon.publish(define("slow", LOOP, timeout_ms=20_000))
    login = daemon.begin("slow")
    daemon.wait_in_flight(1)
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait_for("daemon.draining")
    began_s = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.wait() == 128 + signal.SIGTERM
    # Before its loop ends, or the drain.
    assert time.monotonic() - began_s < 15
    with pytest.raises(Refused):
        result(login)
    until(lambda: not daemon.family(), "no process left", 10.0)


def test_a_drain_ends_at_its_limit(serve: Serve) -> None:
    """A login that takes longer than the drain is given up, said so, and the daemon still exits with 0."""
    daemon = serve("--drain-s", "0.5", "--sandbox-flow-timeout-ms", "20000")
    daemon.tolerated.add("daemon.drain_cut")
    daemon.publish(define("slow", LOOP, timeout_ms=20_000))
    login = daemon.begin("slow")
    daemon.wait_in_flight(1)
    began_s = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began_s < 10
    assert daemon.events("daemon.drain_cut")[0]["given_up"] == 1
    with pytest.raises(Refused):
        result(login)
