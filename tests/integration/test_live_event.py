"""Live values of the event in the real sandbox: from action to action, and from a killed worker to the next."""

from collections.abc import Iterator

import pytest
from vestibule.v1 import event_pb2

from tests.daemon_rig import ALLOW, DENY, Daemon, served, tenant

WRITES = """\
def on_execute_post_login(event, api):
    api.transaction.set_metadata("seen", 1)
    api.session.set_cookie_mode("non-persistent")
    if event.transaction.metadata["seen"] != 1 or event.session.cookie.mode != "non-persistent":
        api.access.deny("not at once")
"""
READS = """\
def on_execute_post_login(event, api):
    if event.transaction.metadata.get("seen") == 1 and event.session.cookie.mode == "non-persistent":
        api.access.deny("seen")
"""
FAILS = """\
def on_execute_post_login(event, api):
    api.transaction.set_metadata("seen", 2)
    raise ValueError
"""
HOLDS_THE_INTERPRETER = """\
def on_execute_post_login(event, api):
    max(range(10 ** 12))
"""
EVENT = event_pb2.PostLoginEvent(
    user=event_pb2.User(user_id="auth0|1"), session=event_pb2.Session(id="s"), transaction=event_pb2.Transaction(id="t")
)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all of these."""
    with served(tmp_path_factory.mktemp("live"), "--pool-queue-wait-ms", "20000", blank=1) as daemon:
        daemon.publish(
            tenant("whole", WRITES, READS),
            tenant("alone", READS),
            tenant("fails", WRITES, FAILS, READS),
            tenant("killed", WRITES, HOLDS_THE_INTERPRETER, READS, timeout_ms=300),
        )
        yield daemon


@pytest.mark.parametrize("name", ["whole", "fails", "killed"])
def test_a_later_action_sees_what_an_earlier_one_set(daemon: Daemon, name: str) -> None:
    """In the same worker, after an action that failed, and in the worker that follows a killed one."""
    decision = daemon.call(name, EVENT)
    assert (decision.outcome, decision.access.reason) == (DENY, "seen"), decision


def test_a_login_begins_with_what_its_event_says(daemon: Daemon) -> None:
    """The control: nothing passes from one login to the next."""
    for _ in range(2):
        assert daemon.call("alone", EVENT).outcome == ALLOW
