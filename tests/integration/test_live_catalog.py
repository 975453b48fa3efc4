"""Applies on a daemon that decides logins all the time: none is dropped, and none mixes two revisions."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from google.protobuf import json_format
from vestibule.v1 import decision_pb2

from runtime.catalog import applies
from runtime.catalog.sqlite import SqliteDatabase
from tests.fixtures.commands import vestibule
from tests.fixtures.daemons import Daemon, Serve
from tests.fixtures.tenants import ALLOW, MFA, define, write_directory
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.long

APPLIES = 20


def action(version: int, step: int) -> str:
    """Return a source that says which version and step it is, and asks for a factor in even versions."""
    asks = 'api.multifactor.enable("any")' if version % 2 == 0 else "pass"
    claim = f'api.id_token.set_custom_claim("https://example.com/{step}", [{version}, event.secrets["V"]])'
    return f"def on_execute_post_login(event, api):\n    {claim}\n    {asks}\n"


def published(daemon: Daemon, version: int) -> int:
    """Apply a version of both tenants, three actions each with the version as their secret; do not wait."""
    sources = [action(version, step) for step in range(3)]
    secrets = {"V": str(version)}
    both = (define("acme", *sources, secrets=secrets), define("beta", *sources, secrets=secrets))
    return applies.apply(SqliteDatabase(daemon.path), both).revision


@contextmanager
def stream(daemon: Daemon, name: str, into: list[decision_pb2.Decision | BaseException]) -> Iterator[None]:
    """Decide one login after another for as long as the block runs."""
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                into.append(daemon.call(name))
            except BaseException as error:  # noqa: BLE001 - handed to the test
                into.append(error)
                return

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE_S)


def test_no_login_mixes_two_revisions(serve: Serve) -> None:
    """During twenty applies every login is decided, by sources, secrets and settings of its one catalog revision."""
    daemon = serve()
    versions = {published(daemon, 1): 1}
    daemon.wait_for("catalog.reloaded", revision=1)
    decisions: list[decision_pb2.Decision | BaseException] = []
    with stream(daemon, "acme", decisions), stream(daemon, "beta", decisions):
        for version in range(2, APPLIES + 2):
            revision = published(daemon, version)
            versions[revision] = version
            # Not each of them: applies that follow each other quickly are read as one.
            if version % 4 == 1:
                daemon.wait_for("catalog.reloaded", revision=revision)
    seen = set()
    for decision in decisions:
        assert isinstance(decision, decision_pb2.Decision), decision
        version = versions[decision.catalog_revision]
        seen.add(version)
        assert decision.outcome == (MFA if version % 2 == 0 else ALLOW)
        assert not decision.degraded
        claims = json_format.MessageToDict(decision.on_success.id_token_claims)
        assert claims == {f"https://example.com/{step}": [version, str(version)] for step in range(3)}
    assert len(decisions) > 10 * APPLIES
    assert len(seen) >= APPLIES // 4, "the stream saw too few of the revisions to show anything"
    assert daemon.metric("grpc_server_handled_total", grpc_code="OK") == len(decisions)


def test_a_login_in_flight_keeps_its_revision(serve: Serve) -> None:
    """A login that began before an apply is decided by what it began with; a newer one is not."""
    daemon = serve()
    slow = "def on_execute_post_login(event, api):\n    for i in range(%d):\n        pass\n    print(%d)\n"
    daemon.publish(define("acme", slow % (10**9, 1), slow % (1, 1), timeout_ms=1500))
    old = daemon.begin("acme")
    daemon.wait_in_flight(1)
    daemon.publish(define("acme", slow % (1, 2), slow % (1, 2)))
    new = daemon.call("acme")
    assert not old.done()
    assert (new.catalog_revision, [e.output for e in new.executions]) == (2, ["2\n", "2\n"])
    decision = old.result().decision
    assert (decision.catalog_revision, [e.output for e in decision.executions]) == (1, ["", "1\n"])


def test_a_removed_tenant_is_unknown_until_it_is_back(serve: Serve) -> None:
    """After an apply with --prune the tenant is unknown; when it comes back, so do its decisions."""
    daemon = serve()
    daemon.publish(define("acme", action(2, 0), secrets={"V": "2"}), define("beta", action(2, 0), secrets={"V": "2"}))
    assert daemon.call("beta").outcome == MFA
    directory = write_directory(daemon.path.parent, "acme", "def on_execute_post_login(event, api):\n    pass\n")
    applied = vestibule("apply", str(directory), "--store", f"sqlite:{daemon.path}", "--prune", "--yes", "--json")
    assert applied.returncode == 0, applied.stderr
    daemon.wait_for("catalog.reloaded", revision=2)
    refused = daemon.begin("beta").exception()
    assert refused is not None
    assert "NOT_FOUND" in str(refused)
    assert daemon.call("acme").outcome == ALLOW
    daemon.publish(define("beta", action(2, 0), secrets={"V": "2"}))
    assert daemon.call("beta").outcome == MFA


def test_a_directory_with_a_fault_changes_nothing(serve: Serve) -> None:
    """An apply that is refused leaves the running daemon's revision and decisions as they were."""
    daemon = serve()
    daemon.publish(define("acme", action(2, 0), secrets={"V": "2"}))
    write_directory(daemon.path.parent, "acme", "def on_execute_post_login(event, api):\n    pass\n")
    directory = write_directory(daemon.path.parent, "beta", "import os\n")
    refused = vestibule("apply", str(directory), "--store", f"sqlite:{daemon.path}")
    assert refused.returncode == 3
    before = daemon.metric("vestibule_catalog_last_success_timestamp_seconds")
    until(
        lambda: daemon.metric("vestibule_catalog_last_success_timestamp_seconds") > before, "the store was read again"
    )
    decision = daemon.call("acme")
    assert (decision.outcome, decision.catalog_revision) == (MFA, 1)
