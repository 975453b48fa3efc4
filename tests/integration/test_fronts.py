"""Which front takes in calls: the fast one where it works, stock grpc.aio otherwise, which survives a bad :path too."""

from __future__ import annotations

from functools import partial

import grpc
import pytest
from grpc_health.v1 import health_pb2

from tests import other_grpc
from tests.calls import result
from tests.fixtures.daemons import Daemon, Serve
from tests.fixtures.states import right
from tests.fixtures.tenants import GATE, SLOW, define
from tests.fixtures.waiting import until
from tests.fronts import RESTARTS, recovered
from tests.security.fuzz import http2

LAUNCHER = other_grpc.__file__
STOCK = ("--rpc-front", "stock")


def front(daemon: Daemon) -> str:
    """Return the front that the metric names."""
    (name,) = (name for name in ("fast", "stock") if daemon.metric("vestibule_rpc_front", front=name))
    return name


@pytest.mark.long
def test_the_fast_front_serves_unless_the_setting_says_stock(serve: Serve) -> None:
    """The default is the fast front; rpc.front changes it, and neither says anything in the log."""
    for flags, wanted in (((), "fast"), (STOCK, "stock")):
        daemon = serve(*flags)
        daemon.publish(define("acme", GATE))
        right(daemon)
        assert front(daemon) == wanted
        assert not daemon.events("rpc.fast_front_refused")
        daemon.end()


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("newer", "grpcio 1.99.0 was not tested with this version of Vestibule"),
        ("lacking", " lacks SendMessageOperation, _MethodResolver"),
        ("changed", "a call through our own port "),
        ("rewritten", "grpc.aio does not use our accept loop"),
    ],
)
def test_stock_serves_where_the_fast_front_cannot(serve: Serve, kind: str, problem: str) -> None:
    """Another version, names that are gone, that mean something else or that nothing calls: one warning, and it serves.

    The control is every other test, whose daemon has no such line.
    """
    daemon = serve(launcher=(LAUNCHER, kind))
    daemon.tolerated |= {"task.failed"}
    (line,) = daemon.events("rpc.fast_front_refused")
    assert (line["level"], problem in line["problem"]) == ("warning", True), line
    assert "rpc.front" in line["remedy"]
    daemon.publish(define("acme", GATE))
    right(daemon)
    assert front(daemon) == "stock"
    assert daemon.get("/readyz") == (200, "ok\n")


@pytest.mark.parametrize("flags", [(), STOCK], ids=["fast", "stock"])
def test_a_path_that_is_no_text_stops_neither_front(serve: Serve, flags: tuple[str, ...]) -> None:
    """After a call whose :path is not UTF-8 new connections are answered, and the login in flight gets its decision.

    The control, a bare grpc.aio server that such a call ends, is in tests/security/fuzz/test_fuzz_stream.py.
    """
    daemon = serve(*flags)
    daemon.tolerated |= RESTARTS
    daemon.publish(define("acme", GATE), define("slow", SLOW))
    right(daemon)
    with grpc.insecure_channel(daemon.target) as channel:
        # A stream without an end, which the ended server of the stock front would wait for.
        watch = channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        in_flight = daemon.begin("slow")
        daemon.wait_in_flight(1)

        def restarted(count: int) -> bool:
            return daemon.metric("vestibule_rpc_restarts_total") == count

        for count in (1, 2, 3):
            http2.say(daemon.target, [http2.NOT_TEXT_CALL])
            if flags:
                until(partial(restarted, count), "a new server")
            recovered(daemon, "acme")
            right(daemon)
        assert result(in_flight).outcome
    lines = daemon.events("rpc.listener_restarted")
    assert [line["error"] for line in lines] == ["UnicodeDecodeError"] * (3 if flags else 0)
    assert daemon.get("/readyz") == (200, "ok\n")
    assert daemon.get("/livez") == (200, "ok\n")
