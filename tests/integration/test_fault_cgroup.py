"""A real daemon in a control group that is out of processes or memory: who is served, who dies, what recovers."""

import contextlib
import os
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calls import Refused
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.states import right, right_when_cold, settled
from tests.fixtures.tenants import GATE, MFA, define
from tests.fixtures.waiting import PATIENCE_S, until
from tests.host import require

pytestmark = pytest.mark.long  # a drill

ROOT = Path("/sys/fs/cgroup")
QUEUE_WAIT_MS = 1000
BOUND_S = QUEUE_WAIT_MS / 1000 + 10.0
MIB = 1 << 20

# Eats what its own limit would let it, which is more than the group has.
EATS = """\
def on_execute_post_login(event, api):
    kept = []
    for n in range(90):
        kept.append("x" * 1_000_000 + str(n))
"""


class Group:
    """A control group of one controller, whichever version of them the host has."""

    def __init__(self, controller: str, limit: str, legacy_limit: str) -> None:
        legacy = (ROOT / controller).is_dir()
        parent = ROOT / controller if legacy else ROOT
        self.path = parent / f"vestibule-test-{os.getpid()}"
        try:
            if not legacy:
                (ROOT / "cgroup.subtree_control").write_text(f"+{controller}")
            self.path.mkdir()
            self._limit = self.path / (legacy_limit if legacy else limit)
            self._unlimited = self._limit.read_text().strip()
        except OSError as error:
            with contextlib.suppress(OSError):
                self.path.rmdir()
            require(False, f"control groups: none can be made here: {error}")
        self._parent = parent

    def take(self, pid: int) -> None:
        """Move a process into it; what it forks is in it too."""
        (self.path / "cgroup.procs").write_text(str(pid))

    @contextlib.contextmanager
    def charged(self) -> Iterator[None]:
        """Start processes in it, for memory is charged to the group that a process is in when it takes some."""
        self.take(os.getpid())
        try:
            yield
        finally:
            (self._parent / "cgroup.procs").write_text(str(os.getpid()))

    def read(self, name: str) -> int:
        """Return a number of it."""
        return int((self.path / name).read_text())

    def limit(self, value: int) -> None:
        """Set its limit."""
        self._limit.write_text(str(value))

    def relent(self) -> None:
        """Lift its limit."""
        self._limit.write_text("-1" if self._unlimited.isdecimal() else self._unlimited)

    def remove(self) -> None:
        """Remove it; processes that are left in it go to its parent."""
        for pid in (self.path / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (self._parent / "cgroup.procs").write_text(pid)
        self.path.rmdir()


@contextlib.contextmanager
def grouped(controller: str, limit: str, legacy_limit: str) -> Iterator[Group]:
    """Make a group for a block."""
    group = Group(controller, limit, legacy_limit)
    try:
        yield group
    finally:
        group.relent()
        until(lambda: not (group.path / "cgroup.procs").read_text(), "the group is empty")
        group.remove()


def answer(daemon: Daemon, name: str) -> str:
    """Decide a login, in time; return how it was refused, with a time to try again, or how it was decided."""
    began_s = time.monotonic()
    try:
        decision = daemon.call(name, timeout_s=PATIENCE_S)
    except Refused as refused:
        told = refused.code if "RetryInfo" in refused.details else f"{refused} without RetryInfo"
    else:
        told = "degraded" if decision.degraded else "right"
        assert decision.outcome == MFA or name == "eats"
    assert time.monotonic() - began_s < BOUND_S
    return told


def test_a_host_without_a_process_or_thread_left(tmp_path: Path) -> None:
    """Warm tenants are served, cold ones UNAVAILABLE in time, probes unanswered; with room again all are right."""
    flags = ("--pool-queue-wait-ms", str(QUEUE_WAIT_MS))
    with grouped("pids", "pids.max", "pids.max") as group, served(tmp_path, *flags, blank=1) as daemon:
        daemon.publish(define("acme", GATE), *(define(f"new-{at}", GATE) for at in range(8)))
        # Flows that are compiled: the workers from here on load the code, so that none is replaced, which gives room.
        for name in ("acme", "new-0"):
            right(daemon, name)
        settled(daemon)
        assert all(worker.kill() for worker in daemon.workers())
        until(lambda: daemon.metric("vestibule_workers", state="idle") == 0, "the end of all workers")
        settled(daemon)
        right(daemon)
        settled(daemon)
        zygote, workers = daemon.tree()
        for pid in {daemon.process.pid, zygote.pid, zygote.parent, *(worker.pid for worker in workers)}:
            group.take(pid)
        seen = len(daemon.lines)
        group.limit(group.read("pids.current"))
        # The first takes the blank worker.
        answers = [answer(daemon, f"new-{at}") for at in range(4)]
        for _ in range(10):
            right(daemon)
        unanswered = 0
        for _ in range(40):
            try:
                daemon.get("/livez")
            except (urllib.error.URLError, ConnectionError):
                unanswered += 1
        assert unanswered > 20
        group.relent()
        assert answers == ["right", *["UNAVAILABLE"] * 3]
        assert "temporarily unavailable" in daemon.wait_for("worker.spawn_failed", after=seen)["error"]
        until(lambda: daemon.get("/readyz")[0] == 200, "ready")
        for at in range(8):
            right_when_cold(daemon, f"new-{at}")
        assert daemon.metric("vestibule_zygote_starts_total") == 1


def test_a_host_without_memory_left(tmp_path: Path) -> None:
    """The kernel takes the worker that eats, never daemon or zygote; its login ends in time, others are right."""
    flags = ("--pool-queue-wait-ms", str(QUEUE_WAIT_MS), "--sandbox-action-timeout-ms", "5000")
    group_of = ("memory", "memory.max", "memory.limit_in_bytes")
    with grouped(*group_of) as group, contextlib.ExitStack() as running:
        # As in a container: a limit that the daemon's own memory counts towards.
        with group.charged():
            daemon = running.enter_context(served(tmp_path, *flags, blank=1))
        daemon.publish(define("acme", GATE), define("eats", EATS, timeout_ms=5000), define("new", GATE))
        # The control: where there is memory, what it eats is within its own limit.
        assert answer(daemon, "eats") == "right"
        right(daemon)
        settled(daemon)
        usage = "memory.usage_in_bytes" if (group.path / "memory.usage_in_bytes").exists() else "memory.current"
        group.limit(group.read(usage) + 40 * MIB)
        answers = {answer(daemon, "eats") for _ in range(5)}
        right(daemon)
        assert daemon.process.poll() is None
        assert answers <= {"degraded", "UNAVAILABLE"}
        assert daemon.metric("vestibule_worker_exits_total", reason="died") > 0
        group.relent()
        assert answer(daemon, "eats") == "right"
        right(daemon)
        right(daemon, "new")
        assert daemon.metric("vestibule_zygote_starts_total") == 1


def test_workers_go_before_the_daemon_when_memory_is_short(tmp_path: Path) -> None:
    """Zygote and workers are marked as the first that the kernel takes, the daemon is left as it was started."""

    def adjustment(pid: int | str) -> int:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text())

    with served(tmp_path) as daemon:
        zygote, workers = daemon.tree()
        ours = adjustment("self")
        assert adjustment(daemon.process.pid) == ours
        assert workers
        assert {adjustment(process.pid) for process in (zygote, *workers)} == {min(ours + 500, 1000)}
