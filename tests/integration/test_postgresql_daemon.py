"""Daemons whose store is in PostgreSQL: what a login, a restart of the server and a continuation see of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from runtime.catalog import applies
from runtime.catalog.opening import open_database
from tests.fixtures.daemons import Serve
from tests.fixtures.postgresql import PASSWORD, Cluster
from tests.fixtures.relay import Relay
from tests.fixtures.suspensions import CHALLENGE, OTP, event, refusal, suspended
from tests.fixtures.tenants import ALLOW, GATE, MFA, define
from tests.fixtures.waiting import until

OTHER = GATE.replace("ada@", "eve@")


@pytest.fixture
def url(emptied_database: Callable[[], str]) -> str:
    url = emptied_database()
    with closing(open_database(url)) as store:
        applies.apply(store, [define("acme", GATE), define("bank", CHALLENGE)])
    return url


@pytest.fixture
def relay(postgresql: Cluster) -> Iterator[Relay]:
    with closing(Relay(postgresql.port)) as relay:
        yield relay


def test_a_login_asks_the_database_nothing(serve: Serve, relay: Relay, url: str) -> None:
    """What passes during five hundred logins is less than one query each would be, and is the daemon's own look at the
    store. The control: a continuation, which is claimed there, is seen."""
    far = url.replace(f":{url.rpartition(':')[2]}", f":{relay.port}/{url.rpartition('/')[2]}")
    daemon = serve("--store", far)
    assert daemon.call("acme").outcome == MFA
    good = suspended(daemon, "bank")
    before = relay.passed
    for _ in range(500):
        daemon.call("acme")
    assert relay.passed - before < 500 * len("Q....SELECT 1")
    before = relay.passed
    daemon.resume("bank", event("otp"), good, [OTP])
    assert relay.passed - before > 200


def test_without_its_server_a_daemon_decides_as_before(serve: Serve, relay: Relay, url: str) -> None:
    """No login asks the store: cut off, each is decided, and what is suspended is not continued. Probe, log and metric
    say so, without the password; once the server is back, what was applied meanwhile is served, by the same process."""
    far = url.replace(f":{url.rpartition(':')[2]}", f":{relay.port}/{url.rpartition('/')[2]}")
    daemon = serve("--store", far)
    daemon.tolerated.add("catalog.failed")
    good = suspended(daemon, "bank")
    assert daemon.wait_for("daemon.started")["store"] == far.replace(f":{PASSWORD}", "")
    assert daemon.call("acme").outcome == MFA
    relay.cut()
    failed = daemon.wait_for("catalog.failed")
    assert "cannot be reached" in failed["reason"] or "connection" in failed["reason"]
    for _ in range(20):
        assert daemon.call("acme").outcome == MFA
    status, body = daemon.get("/readyz")
    assert status == 200
    assert body.startswith("ok\nserving revision 1, read ")
    until(lambda: daemon.metric("vestibule_catalog_healthy") == 0, "the metric of health")
    assert daemon.metric("vestibule_catalog_writable") == 0
    error = refusal(daemon, "bank", event("otp"), good, [OTP])
    assert (error.code, error.reason) == ("UNAVAILABLE", "CATALOG_UNAVAILABLE")
    with closing(open_database(url)) as store:
        applies.apply(store, [define("acme", OTHER)])
    relay.mend()
    daemon.wait_for("catalog.reloaded", revision=2)
    assert daemon.call("acme").outcome != MFA
    until(lambda: daemon.get("/readyz") == (200, "ok\n"), "the probe without a note")
    assert daemon.resume("bank", event("otp"), good, [OTP]).outcome == ALLOW
    assert refusal(daemon, "bank", event("otp"), good, [OTP]).reason == "CONTINUATION_USED"
    assert PASSWORD not in "".join(map(str, daemon.lines)) + failed["reason"] + body
