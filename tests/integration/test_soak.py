"""A few thousand logins, some hostile, some suspended: what `make bench ARGS='--soak'` makes a hundred thousand of."""

import socket
from pathlib import Path

import pytest

from tests.load import soak
from tests.load.bench import Bench
from tests.load.loads import OwnClient
from tests.load.processes import Daemon

pytestmark = pytest.mark.long  # a drill

# Room for what a daemon may still warm up with in so few logins; a leak of a page a login would not fit.
GROWTH_MIB = 6.0


@pytest.mark.parametrize(
    ("isolation", "logins"),
    [
        ("tenant", 600),
        ("login", 300),
        pytest.param("tenant", 4000, marks=pytest.mark.long),
        pytest.param("login", 2000, marks=pytest.mark.long),
    ],
)
def test_many_logins_leave_nothing(
    isolation: str, logins: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each login is answered rightly, and afterwards there is no process, descriptor or thread more than before."""
    monkeypatch.setattr(soak, "WARM_UP", logins)
    bench = Bench(tmp_path, OwnClient(), True, 1, lambda _: None, logins, isolation)
    rows = list(soak.soak(bench))
    found = {row.what: row.value for row in rows if row.value is not None}
    assert found["logins, each answered rightly"] == logins
    counted = {row.what: found[row.what] for row in rows if row.target is not None}
    assert len(counted) == 6
    assert not any(value > 0 for value in counted.values()), counted
    assert found["resident memory of the daemon, growth"] < GROWTH_MIB
    assert found["resident memory of the zygote, growth"] < GROWTH_MIB


def test_control_a_descriptor_that_stays_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection that stays open after the first logins is one descriptor more than before."""
    make, settled = soak.make, soak.settled
    kept: list[socket.socket] = []

    def make_and_keep(daemon: Daemon, count: int) -> float:
        seconds = make(daemon, count)
        host, port = daemon.target.rsplit(":", 1)
        kept.append(socket.create_connection((host, int(port)), timeout=20))
        return seconds

    def settled_and_let_go(daemon: Daemon) -> soak.Held:
        held = settled(daemon)
        if len(kept) == 2:
            # Counted; the daemon's drain would wait for them.
            for connection in kept:
                connection.close()
        return held

    monkeypatch.setattr(soak, "make", make_and_keep)
    monkeypatch.setattr(soak, "settled", settled_and_let_go)
    monkeypatch.setattr(soak, "WARM_UP", 400)
    rows = {row.what: row for row in soak.soak(Bench(tmp_path, OwnClient(), True, 1, lambda _: None, 400))}
    missed = {what for what, row in rows.items() if row.state() == "missed"}
    # After so short a warm-up gRPC may still add a thread to its pool.
    assert missed - {"threads of the daemon, more than before"} == {
        "descriptors of the daemon, workers' apart, more than before"
    }
