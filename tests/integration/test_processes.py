"""`vestibule serve --processes 2`: one port, one set of metrics, one readiness; one is replaced at a time."""

from __future__ import annotations

import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from vestibule.v1 import decision_pb2

from tests.fixtures.commands import vestibule
from tests.fixtures.several import Several, decide, several
from tests.fixtures.tenants import define
from tests.fixtures.waiting import PATIENCE_S, until

SERVICE_CONFIG = Path(__file__).parents[2] / "proto" / "service_config.json"
REQUIRES = "def on_execute_post_login(event, api):\n    api.multifactor.enable('any')\n"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    """Two processes for the module; a test leaves two that serve."""
    root = tmp_path_factory.mktemp("several")
    flags = ("--pid-file", str(root / "pid"), "--http-listen", "127.0.0.1:0")

    with several(root, *flags) as daemon:
        daemon.publish(define("acme", REQUIRES))
        yield daemon


def served_by(daemon: Several) -> set[int]:
    """Return which processes have decided a login so far."""
    return {line["process"] for line in daemon.events("login.decided")}


def decide_on_both(daemon: Several, request_id: str = "") -> list[decision_pb2.Decision]:
    """Decide logins on connections of their own until every process has decided one."""
    decisions: list[decision_pb2.Decision] = []
    before = len(daemon.lines)

    def both() -> bool:
        with daemon.channels(4) as channels:
            decisions.extend(decide(channel, "acme", request_id) for channel in channels)
        events = [line for line in daemon.lines[before:] if line["event"] in ("login.decided", "login.repeated")]
        return {line["process"] for line in events} == {0, 1}

    until(both, "logins decided by both processes")
    return decisions


def test_metrics_add_up_over_all_processes(two: Several) -> None:
    """Logins on many connections reach both processes, and every counter is the sum, to the login."""
    count = two.metric("vestibule_decisions_total", outcome="mfa_required") + len(decide_on_both(two))
    assert two.metric("vestibule_decisions_total", outcome="mfa_required") == count
    labels = {"grpc_method": "ExecutePostLogin", "transport": "grpc"}
    assert two.metric("grpc_server_handled_total", **labels, grpc_code="OK") == count
    assert two.metric("grpc_server_handling_seconds_count", **labels) == count
    assert two.metric("vestibule_execution_duration_seconds_bucket", verdict="completed", le="+Inf") == count
    assert two.metric("vestibule_logins_in_flight") == 0
    assert two.metric("vestibule_processes", state="serving") == 2
    # No sums: each process says 1.
    assert two.metric("vestibule_catalog_healthy") == two.metric("vestibule_build_info") == 1


def test_the_same_request_gets_the_same_decision_of_each_process(two: Several) -> None:
    """A request that is sent again may reach another process; the decision follows from it and the common key."""
    decisions = decide_on_both(two, "again")
    assert len({decision.decision_id for decision in decisions}) == 1
    assert [line["key_id"] for line in two.events("continuation.key_made")] != []
    assert len(two.events("continuation.key_made")) == 1


def test_http_is_served_by_every_process_too(two: Several) -> None:
    """The HTTP port is one port as well."""

    def status() -> int:
        with urllib.request.urlopen(f"http://{two.doors}/openapi.json", timeout=PATIENCE_S) as answer:
            return int(answer.status)

    before = two.metric("vestibule_http_requests_total", door="openapi", status="200")
    assert {status() for _ in range(10)} == {200}
    assert two.metric("vestibule_http_requests_total", door="openapi", status="200") == before + 10


def test_a_reload_reaches_every_process(two: Several) -> None:
    """SIGHUP to the supervisor: each process reloads; a setting that needs a new start is named by the supervisor."""
    config = two.config
    after = len(two.lines)
    config.write_text('pid_file = "other"\n[log]\nlevel = "debug"\n')
    two.process.send_signal(signal.SIGHUP)
    for number in range(2):
        assert two.wait_for("config.reloaded", after=after, process=number)["log_level"] == "debug"
    assert not two.events("config.restart_needed")
    config.write_text('[log]\nlevel = "wrong"\n')
    after = len(two.lines)
    two.process.send_signal(signal.SIGHUP)
    assert "log.level" in two.wait_for("config.reload_failed", after=after)["faults"][0]
    for number in range(2):
        assert two.wait_for("config.reloaded", after=after, process=number)["log_level"] == "debug"
    config.write_text("")
    after = len(two.lines)
    two.process.send_signal(signal.SIGHUP)
    assert two.wait_for("config.reloaded", after=after, process=1)["log_level"] == "info"


@pytest.mark.parametrize("processes", ["1", "2"])
def test_another_daemon_cannot_take_the_port(two: Several, processes: str, tmp_path: Path) -> None:
    """The kernel would share such a port silently; the second daemon is refused, in words."""
    flags = ("--listen", two.target, "--metrics-listen", "127.0.0.1:0", "--processes", processes)
    ended = vestibule("serve", "--store", f"sqlite:{tmp_path}/flows.db", *flags, "--catalog-allow-empty", "true")
    assert ended.returncode == 1
    said = f"listen: cannot listen on {two.target}: address already in use; choose another address with --listen"
    assert said in ended.stderr


def test_a_crash_is_one_process_and_it_is_replaced(two: Several) -> None:
    """kill -9 of one: it is named, counted and replaced, nothing that was counted is lost, the other one serves on."""
    decide_on_both(two)
    count = two.metric("vestibule_decisions_total", outcome="mfa_required")
    crashed, other = two.member(1), two.member(0)
    crashed.kill()
    gone = two.wait_for("process.exited", process_pid=crashed.pid)
    assert (gone["level"], gone["reason"], gone["ending"]) == ("error", "crashed", "was killed by SIGKILL")
    assert two.get("/readyz")[0] == two.get("/livez")[0] == 200
    two.replaced(1, crashed)
    assert two.member(0) == other
    assert two.get("/readyz") == (200, "ok\n")
    assert two.metric("vestibule_process_exits_total", reason="crashed") == 1
    assert two.metric("vestibule_decisions_total", outcome="mfa_required") == count
    assert len(decide_on_both(two)) >= 2
