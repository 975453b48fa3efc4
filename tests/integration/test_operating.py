"""What an operator and a cluster do to a real daemon: variables, signals, probes, connections that stay for days."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon_rig import GATE, Daemon, Refused, result, right, served, tenant, vestibule

# What Kubernetes puts into a container beside Services called vestibule and vestibule-listen, and a misspelt setting.
CLUSTER = {
    "VESTIBULE_PORT": "tcp://10.0.0.1:50051",
    "VESTIBULE_SERVICE_PORT_GRPC": "50051",
    "VESTIBULE_LISTEN_SERVICE_HOST": "10.0.0.2",
    "VESTIBULE_LISTEN_PORT_50051_TCP_ADDR": "10.0.0.2",
}
MISSPELT = {"VESTIBULE_LOG_SAMPEL": "0.5"}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon among a cluster's variables, whose tests leave it as it was."""
    with served(tmp_path_factory.mktemp("operating"), environment=CLUSTER | MISSPELT) as daemon:
        daemon.publish(tenant("acme", GATE))
        yield daemon


def test_variables_of_a_cluster_stop_no_daemon(daemon: Daemon) -> None:
    """Injected variables are not mentioned; one that nothing reads is a warning with its remedy."""
    right(daemon)
    (line,) = daemon.events("config.ignored")
    assert line["level"] == "warning"
    assert line["where"] == "environment VESTIBULE_LOG_SAMPEL"
    assert "did you mean VESTIBULE_LOG_SAMPLE?" in line["problem"]


def test_check_config_refuses_what_nothing_reads(tmp_path: Path) -> None:
    """`check-config` lets through what a cluster injects, and exits with 2 for a variable that nothing reads."""
    assert vestibule("check-config", environment=CLUSTER).returncode == 0
    refused = vestibule("check-config", environment=CLUSTER | MISSPELT)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "VESTIBULE_LOG_SAMPEL: is not a setting; did you mean VESTIBULE_LOG_SAMPLE?" in refused.stderr
    warned = vestibule("apply", str(tmp_path), "--store", f"sqlite:{tmp_path / 'x.db'}", environment=MISSPELT)
    assert "vestibule: warning: environment VESTIBULE_LOG_SAMPEL: is not a setting" in warned.stderr


def test_refused_logins_are_visible_at_info(tmp_path: Path) -> None:
    """NOT_FOUND and INVALID_ARGUMENT have a line at once, hostile names escaped; the end writes the other counts."""
    with served(tmp_path) as daemon:
        for _ in range(30):
            with pytest.raises(Refused):
                daemon.call("nobody-here")
        with pytest.raises(Refused):
            result(daemon.send(b"\xff\xff"))
        with pytest.raises(Refused):
            daemon.call("x\x1b[2J\u202e")
        first = daemon.wait_for("login.refused", reason="UNKNOWN_TENANT", tenant="nobody-here")
        assert (first["level"], first["count"], first["code"]) == ("info", 1, "NOT_FOUND")
        assert daemon.stop() == 0
        refused = daemon.events("login.refused")
    assert sum(line["count"] for line in refused if line["tenant"] == "nobody-here") == 30
    assert len(refused) <= 4
    assert sum(line["count"] for line in refused) == 32
    assert "\x1b" not in "".join(str(line) for line in refused)
