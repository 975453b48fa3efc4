"""One line a login: `login.decided`, as often as is asked for, and always for a login that went wrong."""

import hashlib
import subprocess

import pytest

from tests.calls import Refused
from tests.fixtures.commands import TIED, clean_environment, serve_command
from tests.fixtures.daemons import Serve
from tests.fixtures.tenants import ADA, BOB, GATE, define
from tests.fixtures.waiting import PATIENCE_S

RAISES = "def on_execute_post_login(event, api):\n    1 / 0\n"


def test_each_login_has_one_line(serve: Serve) -> None:
    """As it comes every decided login is logged once, by its ids and its outcome; one without a decision is not."""
    daemon = serve()
    daemon.publish(define("acme", GATE), define("broken", RAISES))
    decided = [daemon.call("acme", event, request_id=f"r-{at}") for at, event in enumerate((ADA, BOB, ADA, BOB))]
    decided.append(daemon.call("broken", request_id="r-4"))
    with pytest.raises(Refused):
        daemon.call("nobody")
    assert daemon.stop() == 0
    lines = daemon.events("login.decided")
    assert [line["request_id"] for line in lines] == [f"r-{at}" for at in range(5)]
    assert [line["decision_id"] for line in lines] == [decision.decision_id for decision in decided]
    assert [line["outcome"] for line in lines] == ["mfa_required", "allow", "mfa_required", "allow", "mfa_required"]
    assert [line["level"] for line in lines] == ["info"] * 4 + ["warning"]
    assert [[ran["verdict"] for ran in line["executions"]] for line in lines] == [["completed"]] * 4 + [["raised"]]
    (ran,) = lines[-1]["executions"]
    revision = hashlib.sha256(RAISES.encode()).hexdigest()
    assert (ran["error"], ran["line"], ran["revision"]) == ("ZeroDivisionError", 2, revision[:12])
    assert not any("error" in ran or "revision" in ran for line in lines[:-1] for ran in line["executions"])


def test_a_sample_leaves_out_what_is_ordinary(serve: Serve) -> None:
    """With a sample of 0 only the degraded login has a line; the metrics count them all."""
    daemon = serve("--log-sample", "0")
    daemon.publish(define("acme", GATE), define("broken", RAISES))
    for _ in range(20):
        daemon.call("acme")
    daemon.call("broken")
    assert daemon.metric("vestibule_decisions_total", outcome="mfa_required") == 21
    assert daemon.stop() == 0
    assert [line["tenant"] for line in daemon.events("login.decided")] == ["broken"]


def test_people_read_it_on_a_console(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`--log-format console` writes lines that are no JSON, each with its event."""
    store = tmp_path_factory.mktemp("console") / "flows.db"
    with subprocess.Popen(
        [*TIED, *serve_command(store, "--log-format", "console")],
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    ) as daemon:
        assert daemon.stderr is not None
        line = next(line for line in daemon.stderr if "daemon.started" in line)
        assert not line.startswith("{")
        daemon.terminate()
        rest = daemon.stderr.read()
        assert daemon.wait(PATIENCE_S) == 0
    assert "daemon.stopped" in rest
