"""Versions on trial on real daemons: who gets them, what is counted, and how a bad one comes back."""

import time
from pathlib import Path

import grpc
import pytest
from vestibule.v1 import event_pb2

from runtime.catalog import trials
from runtime.catalog.base import Band, Definition
from runtime.catalog.sqlite import SqliteDatabase
from runtime.catalog.versions import Author
from runtime.login.trials import share_of
from tests.calls import result
from tests.fixtures.daemons import Daemon, Serve
from tests.fixtures.tenants import ALLOW, CLIENT, DENY, MFA, define
from tests.fixtures.waiting import until

OWN = "def on_execute_post_login(event, api):\n    pass\n"
ASKS = 'def on_execute_post_login(event, api):\n    api.multifactor.enable("any")\n'
DENIES = 'def on_execute_post_login(event, api):\n    api.access.deny("no")\n'


def user(at: int) -> event_pb2.PostLoginEvent:
    return event_pb2.PostLoginEvent(client=CLIENT, user=event_pb2.User(user_id=f"auth0|{at}"))


def begin(path: Path, definition: Definition, percent: int) -> int:
    author = Author("ada", int(time.time()))
    (begun,) = trials.begin(SqliteDatabase(path), [definition], percent, Band(), author, {})
    return begun.number


def both_served(daemon: Daemon, at: int, outcome: int) -> None:
    until(lambda: daemon.call("acme", user(at)).outcome == outcome, "the version on trial is served")


def test_a_share_of_users_and_then_all(serve: Serve) -> None:
    """Each user stays on one side, as the hash says; the log and the metric say which; a promotion is for all."""
    daemon = serve("--log-sample", "1")
    daemon.publish(define("acme", OWN))
    number = begin(daemon.path, define("acme", ASKS), 30)
    tried = [at for at in range(60) if share_of("acme", number, f"auth0|{at}") < 30]
    assert 8 < len(tried) < 30
    both_served(daemon, tried[0], MFA)
    seen = len(daemon.lines)
    decided_by = [daemon.call("acme", user(at)).tenant_version for at in range(60)]
    assert decided_by == [number if at in tried else 1 for at in range(60)]
    for _ in range(2):
        outcomes = [daemon.call("acme", user(at)).outcome for at in range(60)]
        assert outcomes == [MFA if at in tried else ALLOW for at in range(60)]
    daemon.wait_for("login.decided", after=seen, version=number, served="gradual", outcome="mfa_required")
    daemon.wait_for("login.decided", after=seen, version=1, outcome="allow")
    assert daemon.metric("vestibule_gradual_logins_total", side="trial", result="other") >= 2 * len(tried)
    trials.promote(SqliteDatabase(daemon.path), "acme", Author("ada", int(time.time())))
    other = next(at for at in range(60) if at not in tried)
    both_served(daemon, other, MFA)
    assert daemon.call("acme", user(other)).tenant_version == number + 1


def test_a_version_that_is_reported_only_changes_nothing(serve: Serve) -> None:
    """Every login is decided by the tenant's own version; what the other one would change is counted afterwards."""
    daemon = serve()
    daemon.publish(define("acme", OWN))
    begin(daemon.path, define("acme", DENIES), 0)

    def counted() -> bool:
        assert daemon.call("acme").outcome == ALLOW
        return daemon.metric("vestibule_report_only_total", change="deny") >= 3

    until(counted, "three logins are reported on")
    assert daemon.metric("vestibule_report_only_total", change="none") == 0
    assert daemon.metric("vestibule_decisions_total", outcome="deny") == 0
    assert daemon.call("acme").outcome == ALLOW


@pytest.mark.long
@pytest.mark.parametrize("percent", [10, 90])
def test_a_bad_version_harms_at_most_two_hundred(serve: Serve, percent: int) -> None:
    """Some 500 logins a second on two daemons: each is back by its own counts, and the store tells every other one."""
    first = serve()
    second = serve(store=first.path)
    first.publish(define("acme", OWN))
    second.wait_for("catalog.reloaded", revision=1)
    number = begin(first.path, define("acme", DENIES), percent)
    victim = next(at for at in range(1000) if share_of("acme", number, f"auth0|{at}") < percent)
    harmed = 0
    for daemon in (first, second):
        until(lambda daemon=daemon: daemon.call("acme", user(victim)).outcome == DENY, "it is served")  # type: ignore[misc]  # of a lambda
        harmed += 1
    began_s = time.monotonic()
    sent: list[grpc.Future[object]] = []
    for at in range(3000):
        late_s = began_s + at / 500 - time.monotonic()
        if late_s > 0:
            time.sleep(late_s)
        if at >= 40:
            # A busy machine is slower than that, and a tenant has its share of places.
            sent[at - 40].result()
        sent.append((first, second)[at % 2].begin("acme", user(at)))
    outcomes = [result(one).outcome for one in sent]
    harmed += outcomes.count(DENY)
    assert 0 < harmed <= 200
    assert set(outcomes[-1000:]) == {ALLOW}
    until(lambda: bool(first.events("gradual.returned") + second.events("gradual.returned")), "one has given it up")
    with SqliteDatabase(first.path).reading() as connection:
        assert trials.listed(connection) == {}
        assert "were denied" in trials.last_end(connection, "acme")
    assert first.metric("vestibule_gradual_returns_total") + second.metric("vestibule_gradual_returns_total") >= 1
