"""The trigger's cache, whole: from login to login of one tenant, and over a suspension."""

from __future__ import annotations

from vestibule.v1 import decision_pb2 as pb

from tests.fixtures.daemons import Daemon
from tests.fixtures.suspensions import CHALLENGE, OTP, claims, event
from tests.fixtures.tenants import ALLOW, DENY, define

COUNT = """\
def on_execute_post_login(event, api):
    held = api.cache.get("logins")
    count = int(held.value) + 1 if held else 1
    api.cache.set("logins", str(count))
    api.id_token.set_custom_claim("https://a.example/count", count)
"""
READ = """\
def on_execute_post_login(event, api):
    held = api.cache.get("logins")
    api.id_token.set_custom_claim("https://a.example/later", held.value if held else None)
"""
WRITE_AND_RAISE = 'def on_execute_post_login(event, api):\n    api.cache.set("logins", "99")\n    raise ValueError\n'
WRITE_AND_DENY = 'def on_execute_post_login(event, api):\n    api.cache.set("logins", "7")\n    api.access.deny("no")\n'


def test_a_record_is_there_for_the_next_login(daemon: Daemon) -> None:
    """Each login of a tenant counts on, and another tenant counts by itself."""
    daemon.publish(define("one", COUNT, READ), define("two", COUNT))
    assert [claims(daemon.call("one", event()))["count"] for _ in range(3)] == [1, 2, 3]
    assert claims(daemon.call("one", event())) == {"count": 4, "later": "4"}
    assert claims(daemon.call("two", event())) == {"count": 1}


def test_equal_logins_write_each_time(daemon: Daemon) -> None:
    """An answer that is remembered, because its reports are the same, writes to the cache like the first."""
    delete = 'def on_execute_post_login(event, api):\n    api.cache.delete("logins")\n'
    daemon.publish(define("equal", delete, COUNT, delete))
    assert [claims(daemon.call("equal", event()))["count"] for _ in range(4)] == [1] * 4


def test_a_failed_action_writes_nothing_and_a_denied_login_does(daemon: Daemon) -> None:
    """What an action asked for before it raised is dropped; a refusal is no failure."""
    daemon.publish(define("raised", WRITE_AND_RAISE, READ), define("denied", WRITE_AND_DENY))
    for _ in range(2):
        assert claims(daemon.call("raised", event())) == {"later": None}
    assert daemon.call("denied", event()).outcome == DENY
    daemon.publish(define("denied", READ))
    assert claims(daemon.call("denied", event())) == {"later": "7"}


def test_a_suspended_login_does_not_write_again(daemon: Daemon) -> None:
    """What was written before a suspension is there behind it, unless another login has changed it since."""
    daemon.publish(define("waits", COUNT, CHALLENGE, READ))
    first = daemon.call("waits", event())
    second = daemon.call("waits", event())
    assert first.outcome == second.outcome == pb.OUTCOME_SUSPEND
    last = daemon.resume("waits", event("otp"), first.suspension.continuation, [OTP])
    assert last.outcome == ALLOW
    assert claims(last) == {"count": 1, "asked": True, "later": "2"}
    assert claims(daemon.resume("waits", event("otp"), second.suspension.continuation, [OTP]))["later"] == "2"
