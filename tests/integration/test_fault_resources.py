"""No process, memory or descriptor left for the zygote or the daemon, and socket buffers that are full.

Warm tenants are served on, cold ones get their answer within the wait that is configured, and when there is room again
the next login is right without a restart.
"""

import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from vestibule.v1 import event_pb2

from tests import faulty_worker
from tests.calls import Refused
from tests.faulty_daemon import launcher
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.processes import Process
from tests.fixtures.states import beyond_workers, right, right_when_cold, settled
from tests.fixtures.tenants import CLIENT, GATE, MFA, define
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.long  # a drill

QUEUE_WAIT_MS = 500
# What a cold login may take that gets no worker: its wait. And a busy machine.
BOUND_S = QUEUE_WAIT_MS / 1000 + 10.0
NAMES = tuple(f"new-{at}" for at in range(12))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with a warm tenant and many cold ones."""
    flags = ("--pool-queue-wait-ms", str(QUEUE_WAIT_MS))
    with served(tmp_path, *flags, blank=1, launcher=launcher("tests.faulty_worker")) as daemon:
        daemon.publish(define("acme", GATE), *(define(name, GATE) for name in NAMES))
        right(daemon)
        settled(daemon)
        yield daemon
        assert daemon.stop() == 0


@contextmanager
def limited(pid: int, kind: int, soft: int) -> Iterator[None]:
    """Lower a limit of a running process for a block."""
    before = resource.prlimit(pid, kind)
    resource.prlimit(pid, kind, (soft, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, kind, before)


def answer(daemon: Daemon, name: str) -> str:
    """Decide a login, in time; return how it was refused, with a time to try again, or `right`."""
    began_s = time.monotonic()
    try:
        decision = daemon.call(name, timeout_s=PATIENCE_S)
    except Refused as refused:
        told = f"{refused.code} {refused.reason}" if "RetryInfo" in refused.details else f"{refused} without RetryInfo"
    else:
        told = "right" if (decision.outcome, decision.degraded) == (MFA, False) else str(decision)
    assert time.monotonic() - began_s < BOUND_S
    return told


def cold_logins(daemon: Daemon, names: tuple[str, ...]) -> set[str]:
    """Send a cold login of each tenant; return the answers. The warm tenant is right meanwhile."""
    answers = set()
    for name in names:
        answers.add(answer(daemon, name))
        right(daemon)
    return answers


def recovers(daemon: Daemon) -> None:
    """Every tenant is right, and the pool is as it was."""
    for name in NAMES:
        right_when_cold(daemon, name)
    until(lambda: daemon.get("/readyz")[0] == 200, "ready")


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("processes", "temporarily unavailable"),
        ("memory", "Cannot allocate memory"),
        ("descriptors", "descriptors came with the request"),
    ],
)
def test_a_zygote_without_room_refuses_cold_logins_only(daemon: Daemon, what: str, reason: str) -> None:
    """Cold logins are UNAVAILABLE, the log says what is missing, the zygote lives; with room again all are right."""
    zygote, _ = daemon.tree()
    seen = len(daemon.lines)
    zygote.kill(faulty_worker.LIMITS[what][0])
    # The first one takes the blank worker.
    assert cold_logins(daemon, NAMES[:4]) == {"right", "UNAVAILABLE WORKER_UNAVAILABLE"}
    failed = daemon.wait_for("worker.spawn_failed", after=seen)
    assert (failed["level"], reason in failed["error"]) == ("error", True), failed
    zygote.kill(faulty_worker.RELENT)
    recovers(daemon)
    assert daemon.metric("vestibule_zygote_starts_total") == 1


def test_a_daemon_without_descriptors_serves_who_is_warm(daemon: Daemon) -> None:
    """On the connections it has it decides for warm tenants, and refuses cold ones; with descriptors again all are
    right, new connections too.
    """
    pid = daemon.process.pid
    # Every lower number is taken.
    lowest_free = min(set(range(10_000)) - {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")})
    process = Process.read(pid)
    assert process is not None
    host, port = daemon.http.removeprefix("http://").rsplit(":", 1)
    with limited(pid, resource.RLIMIT_NOFILE, lowest_free):
        answers = cold_logins(daemon, NAMES[:4])
        # A connection that cannot be accepted stands at the door, and is no reason to try all the time.
        with socket.create_connection((host, int(port))):
            before = process.ticks()
            time.sleep(1.0)
            assert process.ticks() - before < os.sysconf("SC_CLK_TCK") // 2
    assert answers == {"right", "UNAVAILABLE WORKER_UNAVAILABLE"}
    recovers(daemon)
    with grpc.insecure_channel(daemon.target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        grpc.channel_ready_future(channel).result(PATIENCE_S)


def test_a_zygote_that_dies_when_there_is_no_descriptor(daemon: Daemon) -> None:
    """Whichever descriptor a new zygote lacks, logins are right or told to come again; with room again all are right,
    and nothing is left of the attempts.
    """
    pid = daemon.process.pid
    baseline = beyond_workers(daemon, blank=1)
    highest = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd"))
    answers = set()
    for most in range(highest + 2, 8, -4):
        zygote, workers = daemon.tree()
        with limited(pid, resource.RLIMIT_NOFILE, most):
            assert zygote.kill()
            until(lambda: not any(process.alive for process in (zygote, *workers)), "all of it is gone")  # noqa: B023  called within this turn of the loop
            answers.add(answer(daemon, "acme"))
        right_when_cold(daemon, "acme")
    # The second while one is being started, which may take longer than a login waits.
    none = {"UNAVAILABLE WORKER_UNAVAILABLE", "RESOURCE_EXHAUSTED POOL_EXHAUSTED"}
    assert answers <= {"right", *none}
    assert answers & none
    recovers(daemon)
    until(lambda: beyond_workers(daemon, blank=1) == baseline, "nothing is left of the attempts")


def test_a_question_that_does_not_fit_into_the_pipe(daemon: Daemon) -> None:
    """A stopped worker whose pipe is full is given up like any stopped one, and another one is asked the whole."""
    large = event_pb2.PostLoginEvent(
        client=CLIENT, user=event_pb2.User(user_id="auth0|1", email="ada@example.com", name="x" * 1_000_000)
    )
    before = daemon.metric("vestibule_worker_kills_total", reason="deadline")
    stopped = [worker for worker in daemon.workers() if worker.kill(signal.SIGSTOP)]
    assert stopped
    began_s = time.monotonic()
    decision = daemon.call("acme", large, timeout_s=PATIENCE_S)
    assert (decision.outcome, decision.degraded) == (MFA, False)
    assert time.monotonic() - began_s < BOUND_S
    assert daemon.metric("vestibule_worker_kills_total", reason="deadline") > before
    for worker in stopped:
        worker.kill(signal.SIGCONT)
    recovers(daemon)
