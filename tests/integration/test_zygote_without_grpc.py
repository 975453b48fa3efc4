"""The zygote is a program of its own, executed before gRPC: neither it nor a worker has gRPC, or a second thread."""

from pathlib import Path

import pytest

from tests.fixtures.daemons import Serve
from tests.fixtures.processes import Process
from tests.fixtures.states import settled
from tests.fixtures.tenants import GATE, MFA, define


def mapped(pid: int) -> str:
    """Return what a process has mapped; skips where this user may not look."""
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except PermissionError:
        pytest.skip("root: only root may look into a process that is not dumpable")


def threads(process: Process) -> int:
    """Count the threads of a process."""
    return len(list(Path(f"/proc/{process.pid}/task").iterdir()))


def test_only_the_daemon_has_grpc(serve: Serve) -> None:
    """After a login gRPC is mapped in the daemon, the control, and in no process that is made by fork."""
    daemon = serve()
    daemon.publish(define("acme", GATE))
    assert daemon.call("acme").outcome == MFA
    # Who compiled the flow is replaced, and would be gone by the time it is looked at.
    settled(daemon)
    zygote, workers = daemon.tree()
    assert workers
    for process in (zygote, *workers):
        text = mapped(process.pid)
        assert "cygrpc" not in text
        assert "uvloop" not in text
        assert "python" in text
        assert threads(process) == 1
    assert "cygrpc" in mapped(daemon.process.pid)
    assert "uvloop" in mapped(daemon.process.pid)
