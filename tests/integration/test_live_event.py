"""Live values of the event in the real sandbox: from action to action, and from a killed worker to the next."""

from collections.abc import Iterator

import pytest
from vestibule.v1 import decision_pb2, event_pb2

from tests.fixtures.daemons import Daemon, Login, served
from tests.fixtures.tenants import ALLOW, CLIENT, DENY, define

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
    max(map(max, *[[0] * 10 ** 6] * 10 ** 4))
"""
CACHES = """\
def on_execute_post_login(event, api):
    api.cache.set(event.transaction.id, "seen")
"""
CACHED = """\
def on_execute_post_login(event, api):
    record = api.cache.get(event.transaction.id)
    api.access.deny(record.value if record else "not seen")
"""
SPENDS = """\
def on_execute_post_login(event, api):
    api.id_token.set_custom_claim("https://example.com/c", "x" * 60_000)
"""
EVENT = event_pb2.PostLoginEvent(
    client=CLIENT,
    user=event_pb2.User(user_id="auth0|1"),
    session=event_pb2.Session(id="s"),
    transaction=event_pb2.Transaction(id="t"),
)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all of these."""
    with served(tmp_path_factory.mktemp("live"), "--pool-queue-wait-ms", "20000", blank=1) as daemon:
        daemon.publish(
            define("whole", WRITES, READS),
            define("alone", READS),
            define("fails", WRITES, FAILS, READS),
            define("killed", WRITES, HOLDS_THE_INTERPRETER, READS, timeout_ms=300),
            define("cache", CACHES, CACHED),
            define("cache-killed", CACHES, HOLDS_THE_INTERPRETER, CACHED, timeout_ms=300),
            define("spent", SPENDS, SPENDS),
            define("spent-killed", SPENDS, HOLDS_THE_INTERPRETER, SPENDS, timeout_ms=300),
        )
        yield daemon


@pytest.mark.parametrize("name", ["whole", "fails", "killed"])
def test_a_later_action_sees_what_an_earlier_one_set(login: Login) -> None:
    """In the same worker, after an action that failed, and in the worker that follows a killed one."""
    decision = login(EVENT)
    assert (decision.outcome, decision.denial.description) == (DENY, "seen"), decision


def test_a_login_begins_with_what_its_event_says(daemon: Daemon) -> None:
    """The control: nothing passes from one login to the next."""
    for _ in range(2):
        assert daemon.call("alone", EVENT).outcome == ALLOW


@pytest.mark.parametrize("name", ["cache", "cache-killed"])
def test_a_later_action_reads_what_an_earlier_one_cached(name: str, login: Login) -> None:
    """In the same worker, and in the one that follows a killed one."""
    event = event_pb2.PostLoginEvent(client=CLIENT, user=EVENT.user, transaction=event_pb2.Transaction(id=name))
    assert login(event).denial.description == "seen"


@pytest.mark.parametrize("name", ["spent", "spent-killed"])
def test_a_later_action_cannot_spend_what_an_earlier_one_spent(login: Login) -> None:
    """The call raises and names the limit, in the same worker and in the one that follows a killed one."""
    first, *_, last = login(EVENT).executions
    assert (first.verdict, last.verdict) == (decision_pb2.VERDICT_COMPLETED, decision_pb2.VERDICT_RAISED)
    assert last.error.message.startswith(
        "api.id_token.set_custom_claim: the custom claims of one login must be at most 102400 bytes as JSON"
    )
