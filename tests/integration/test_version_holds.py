"""A hold on a running daemon: soon effective, over by itself, and a suspended login survives both."""

import time

from runtime.catalog import holds
from runtime.catalog.sqlite import SqliteDatabase
from runtime.catalog.versions import Author
from tests.fixtures.daemons import Daemon, Serve
from tests.fixtures.tenants import ALLOW, DENY, GATE, MFA, define
from tests.fixtures.waiting import until

DENIES = 'def on_execute_post_login(event, api):\n    api.access.deny("broken")\n'


def hold(daemon: Daemon, number: int | None, for_s: int) -> None:
    author = Author("ada", int(time.time()))
    holds.hold(SqliteDatabase(daemon.path), "acme", number, for_s, author)


def test_a_bad_version_is_held_back_at_once(serve: Serve) -> None:
    """A version, then the policy alone; the hold ends by the daemon's clock, and the log says what was served."""
    daemon = serve("--log-sample", "1")
    daemon.publish(define("acme", GATE), define("beta", DENIES))
    daemon.publish(define("acme", DENIES))
    assert daemon.call("acme").outcome == DENY
    seen = len(daemon.lines)
    hold(daemon, 1, 3600)
    began_s = time.monotonic()
    until(lambda: daemon.call("acme").outcome == MFA, "the first version is served")
    daemon.wait_for("login.decided", after=seen, version=1, served="held")
    # Half a second of polling, and the rest for a busy machine; measured 0.3 s on an idle one.
    assert time.monotonic() - began_s < 5
    hold(daemon, None, 2)
    until(lambda: daemon.call("acme").outcome == ALLOW, "the policy alone decides")
    assert len(daemon.call("acme").executions) == 0
    assert daemon.call("beta").outcome == DENY
    daemon.wait_for("hold.ended", tenants=["acme"], count=1)
    assert daemon.call("acme").outcome == DENY
    daemon.wait_for("login.decided", after=seen, version=2)
